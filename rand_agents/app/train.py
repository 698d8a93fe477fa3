"""`train`: a run that shows its progress, saves itself, and can be stopped and resumed."""

import shlex
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from rand_agents.agents.agent import Agent
from rand_agents.agents.ranks import Ranks, joined
from rand_agents.app.checks import check_training
from rand_agents.app.commands import INTERRUPTED, PROG, Train
from rand_agents.app.pace import Lines, Pace, clock, progress_bar
from rand_agents.app.running import Start, run_on
from rand_envs.core.writing import only_writer

LONGER = (
    "Schedules stretch over all of them from here on, so this will not be what so many updates "
    "make from the start."
)
"""What is said of a finished run that is made longer."""


def train(
    options: Train, untrained: Callable[[], Agent[Any]], argv: Sequence[str], console: Console
) -> int:
    """Train, or go on training, and write the agent file; one process of several does its part.

    Args:
        options: How long to train, and where to.
        untrained: Makes the agent.
        argv: The command line, to be repeated where the run is interrupted.
        console: Where to report.

    Returns:
        The exit code.

    Raises:
        ValueError: If an option is illegal, the agent file exists and may not be touched, or
            the run in it is another one.
    """
    [out] = check_training(options).values()
    with joined() as ranks, only_writer(out) if ranks.is_first else nullcontext():
        console = console if ranks.is_first else Console(quiet=True)
        start = Start.of(options, untrained, out)
        if start.is_done:
            say(console, f"{out} is already trained: all {options.updates} updates are done.")
            return 0
        start.agent.join(ranks)
        if start.is_longer:
            done = start.agent.num_timesteps
            going = f"All {done} updates of {out} are done; going on to {options.updates}."
            say(console, f"{going} {LONGER}")
        announce(console, start.agent, options.tensorboard)
        done = _run(start, options, out, ranks)
    if done < options.updates:
        say(console, f"Stopped and saved {out} after {done} of {options.updates} updates.")
        say(console, f"To go on:\n  {resuming(argv, ranks.count)}")
        return INTERRUPTED
    say(console, f"Trained and saved {out} after all {done} updates. To see how good it is:")
    say(console, f"  {evaluating([out], options.modules)}")
    return 0


def say(console: Console, line: str) -> None:
    """Print a line that may hold paths: they may look like markup, and are to be copied whole."""
    console.print(line, soft_wrap=True, markup=False, highlight=False)


def announce(console: Console, agent: Agent[Any], tensorboard: Path | None) -> None:
    """Say what is trained, how, and where its curves go."""
    say(console, f"{agent.summary}.")
    if tensorboard is not None:
        agent.tensorboard_log = str(tensorboard)
        say(console, f"Curves: tensorboard --logdir {shlex.quote(str(tensorboard))}")


def evaluating(files: Sequence[Path], modules: Sequence[str]) -> str:
    """The command that evaluates what was trained."""
    needed = [word for name in modules for word in ("--import", name)]
    return shlex.join([*PROG.split(), "evaluate", *map(str, files), *needed])


def resuming(argv: Sequence[str], processes: int = 1) -> str:
    """The command that goes on with the run that `argv` started."""
    kept = [word for word in argv if word not in ("--overwrite", "--resume")]
    prog = PROG.split()
    if processes > 1:
        prog = ["torchrun", "--nproc-per-node", str(processes), *prog[1:]]
    return shlex.join([*prog, *kept, "--resume"])


def _run(start: Start, options: Train, out: Path, ranks: Ranks) -> int:
    """Train with a bar; returns how many updates are saved."""
    columns = MofNCompleteColumn(), TextColumn("objective {task.fields[objective]}")
    shown = Console(stderr=True, quiet=not ranks.is_first)
    with progress_bar(shown, *columns) as progress:
        return run_on(start, out, options.checkpoint_every, _Bar(progress), ranks=ranks)


class _Bar:
    """A bar, or lines where it cannot be redrawn."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lines = Lines(progress.console)

    def begin(self, agent: Agent[Any]) -> None:
        self._pace = Pace(agent.phases(agent.total_timesteps), agent.num_timesteps)
        self._bar = self._progress.add_task(
            f"{type(agent).__name__} on {escape(agent.task.env_id)}",
            completed=agent.num_timesteps,
            total=agent.total_timesteps,
            objective="…",
            left="?",
        )

    def show(self, agent: Agent[Any], objective: float) -> None:
        done, total = agent.num_timesteps, agent.total_timesteps
        self._pace.tick(done)
        left = self._pace.left()
        self._progress.update(self._bar, completed=done, objective=f"{objective:.3g}", left=left)
        if self._lines.is_due():
            self._progress.console.print(
                f"{done} of {total} updates ({self._pace.phase}), objective {objective:.4g}, "
                f"{clock(self._lines.passed)} gone, {left} left"
            )
