"""`train`: a run that shows its progress, saves itself, and can be stopped and resumed."""

import dataclasses
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn, TextColumn
from stable_baselines3.common.callbacks import BaseCallback

from rand_agents.app.checks import check_training
from rand_agents.app.commands import INTERRUPTED, PROG, Train
from rand_agents.app.pace import Lines, Pace, clock, progress_bar
from rand_agents.training.agent import Agent
from rand_agents.training.loading import load_agent
from rand_agents.training.ranks import Ranks, joined
from rand_envs.adversaries import Found
from rand_envs.core.arrays import Json
from rand_envs.core.writing import only_writer, write_atomically

SLOW = 0.5
"""Seconds of an update from which on a wish to stop does not wait for its end."""


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
    out = check_training(options)
    with joined() as ranks, only_writer(out) if ranks.is_first else nullcontext():
        console = console if ranks.is_first else Console(quiet=True)
        agent, is_new = _prepare(options, untrained, out)
        more = options.updates - agent.total_timesteps
        is_finished = not is_new and agent.num_timesteps >= agent.total_timesteps
        if is_finished and not more:
            _say(console, f"{out} is already trained: all {options.updates} updates are done.")
            return 0
        agent.join(ranks)
        _announce(console, agent, options, is_finished)
        done = _run(agent, options, out, is_new, more if is_finished else 0, ranks)
    if done < agent.total_timesteps:
        _say(console, f"Stopped and saved {out} after {done} of {agent.total_timesteps} updates.")
        _say(console, f"To go on:\n  {resuming(argv, ranks.count)}")
        return INTERRUPTED
    _say(console, f"Trained and saved {out} after all {done} updates. To see how good it is:")
    needed = [word for name in options.modules for word in ("--import", name)]
    evaluating = shlex.join([*PROG.split(), "evaluate", str(out), *needed])
    _say(console, f"  {evaluating}")
    return 0


def _say(console: Console, line: str) -> None:
    # Paths may look like markup, and are to be copied whole.
    console.print(line, soft_wrap=True, markup=False, highlight=False)


def _announce(console: Console, agent: Agent[Any], options: Train, is_longer: bool) -> None:
    """Say what is trained, how, and where its curves go."""
    if is_longer:
        _say(
            console,
            f"All {agent.num_timesteps} updates of {options.out} are done; going on to "
            f"{options.updates}. Schedules stretch over all of them from here on, so this will not "
            "be what so many updates make from the start.",
        )
    _say(console, f"{agent.summary}.")
    if options.tensorboard is not None:
        agent.tensorboard_log = str(options.tensorboard)
        _say(console, f"Curves: tensorboard --logdir {shlex.quote(str(options.tensorboard))}")


def _run(
    agent: Agent[Any], options: Train, out: Path, is_new: bool, more: int, ranks: Ranks
) -> int:
    """Train a new run, finish one, or make it longer; returns how many updates are saved."""
    name = out.stem
    columns = MofNCompleteColumn(), TextColumn("objective {task.fields[objective]}")
    shown = Console(stderr=True, quiet=not ranks.is_first)
    with progress_bar(shown, *columns) as progress, _stop_signals() as wish:
        watch = _Supervisor(progress, out, options.checkpoint_every, wish, ranks.count == 1)
        try:
            if is_new:
                agent.learn(options.updates, watch, tb_log_name=name)
            elif more:
                agent.learn(more, watch, tb_log_name=name, reset_num_timesteps=False)
            else:
                agent.resume(watch, tb_log_name=name)
        except _Dropped:
            assert wish.before is not None
            done, data = wish.before
            write_atomically(out, data)
            return done
    if ranks.is_first:
        agent.save(out)
    return agent.num_timesteps


def resuming(argv: Sequence[str], processes: int = 1) -> str:
    """The command that goes on with the run that `argv` started."""
    kept = [word for word in argv if word not in ("--overwrite", "--resume")]
    prog = PROG.split()
    if processes > 1:
        prog = ["torchrun", "--nproc-per-node", str(processes), *prog[1:]]
    return shlex.join([*prog, *kept, "--resume"])


def _prepare(
    options: Train, untrained: Callable[[], Agent[Any]], out: Path
) -> tuple[Agent[Any], bool]:
    """The agent to train, and whether it is new rather than from the file."""
    agent = untrained()
    if not options.resume or not out.exists():
        return agent, True
    saved = load_agent(out, agent.device)
    total = saved.total_timesteps
    if saved.num_timesteps >= total and options.updates > total:
        # It becomes longer, which takes what a file with weights alone has not.
        saved.check_resumable()
        total = options.updates
    then = _flat(_facts(saved, total))
    now = _flat(_facts(agent, options.updates))
    for name in then | now:
        if then.get(name) != now.get(name):
            raise ValueError(
                f"the run in {out} has --{name} {then.get(name)}, not {now.get(name)}: to resume "
                "it repeat its options, or use --overwrite to start anew"
            )
    return saved, False


def _facts(agent: Agent[Any], updates: int) -> Json:
    """All that determines a run, named like its options."""
    trainer, found = type(agent).__name__.lower(), agent.layouts
    return {
        "env": agent.task.env_id,
        "game": agent.task.config,
        "trainer": trainer,
        "updates": updates,
        "rng_seed": agent.rng_seed,
        "seeds": dataclasses.asdict(agent.seeds),
        "policy": dataclasses.asdict(agent.model.config),
        "found": dataclasses.asdict(found.config) if isinstance(found, Found) else {},
        trainer: dataclasses.asdict(agent.config),
    }


def _flat(facts: Json, prefix: str = "") -> Json:
    flat: Json = {}
    for name, value in facts.items():
        key = prefix + name.replace("_", "-")
        flat |= _flat(value, f"{key}.") if isinstance(value, dict) else {key: value}
    return flat


class _Dropped(BaseException):
    """An update was given up, since it takes long and the user does not want to wait."""


@dataclasses.dataclass
class _Wish:
    """Whether the user wants the run to stop.

    Attributes:
        is_there: Whether so.
        before: Updates done and the agent file at that time, while an update runs that need not
            be waited for; None while one runs that soon ends.
    """

    is_there: bool = False
    before: tuple[int, bytes] | None = None


@contextmanager
def _stop_signals() -> Iterator[_Wish]:
    """Collect signals that ask to stop.

    An update that takes long is dropped at once: the run goes on from before it. Others are
    waited for. A second signal gives up with KeyboardInterrupt; the last checkpoint stays.
    """
    wish = _Wish()

    def ask(number: int, frame: FrameType | None) -> None:
        if wish.is_there:
            raise KeyboardInterrupt
        wish.is_there = True
        if wish.before is not None:
            raise _Dropped

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, ask) for number in signals]
    try:
        yield wish
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


class _Supervisor(BaseCallback):
    """Shows progress, saves checkpoints, and stops the run between updates when asked to.

    An update that others wait for in the middle is never dropped, however long it takes.
    """

    def __init__(
        self, progress: Any, out: Path, checkpoint_every: int, wish: _Wish, is_alone: bool
    ) -> None:
        super().__init__()
        self._is_alone = is_alone
        self._progress = progress
        self._out = out
        self._checkpoint_every = checkpoint_every
        self._wish = wish
        self._lines = Lines(progress.console)

    def _on_training_start(self) -> None:
        # Saved at once: a file that cannot be written should not cost a training run, and a
        # run that was to overwrite another should not be resumed as that one.
        self.model.save(self._out)
        agent: Any = self.model
        if self._is_alone:
            self._wish.before = agent.num_timesteps, agent.snapshot()
        self._pace = Pace(agent.phases(), agent.num_timesteps)
        self._bar = self._progress.add_task(
            f"{type(agent).__name__} on {escape(agent.task.env_id)}",
            completed=agent.num_timesteps,
            total=agent.total_timesteps,
            objective="…",
            left="?",
        )

    def _on_step(self) -> bool:
        agent: Any = self.model
        done = agent.num_timesteps
        self._pace.tick(done)
        self._show(done)
        if done % self._checkpoint_every == 0:
            agent.save(self._out)
        is_slow = self._is_alone and self._pace.last > SLOW
        self._wish.before = (done, agent.snapshot()) if is_slow else None
        return not self._wish.is_there

    def _show(self, done: int) -> None:
        logs = self.locals["logs"]
        objective = logs.get("train/objective", logs.get("train/objective_mean"))
        left, total = self._pace.left(), self._progress.tasks[0].total
        self._progress.update(self._bar, completed=done, objective=f"{objective:.3g}", left=left)
        if self._lines.is_due():
            self._progress.console.print(
                f"{done} of {total} updates ({self._pace.phase}), objective {objective:.4g}, "
                f"{clock(self._lines.passed)} gone, {left} left"
            )
