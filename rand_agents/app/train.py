"""`train`: a run that shows its progress, saves itself, and can be stopped and resumed."""

import dataclasses
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from stable_baselines3.common.callbacks import BaseCallback

from rand_agents.app.commands import INTERRUPTED, PROG, Train
from rand_agents.app.paths import checked_output
from rand_agents.training.agent import Agent
from rand_agents.training.loading import load_agent
from rand_envs.adversaries import Found
from rand_envs.core.arrays import Json
from rand_envs.core.writing import only_writer


def train(
    options: Train, untrained: Callable[[], Agent[Any]], argv: Sequence[str], console: Console
) -> int:
    """Train, or go on training, and write the agent file.

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
    out = _checked_out(options)
    with only_writer(out):
        agent, is_new = _prepare(options, untrained, out)
        if not is_new and agent.num_timesteps >= agent.total_timesteps:
            _say(console, f"{out} is already trained: all {options.updates} updates are done.")
            return 0
        with _progress() as progress, _stop_signals() as asked_to_stop:
            watch = _Supervisor(progress, out, options.checkpoint_every, asked_to_stop)
            if is_new:
                agent.learn(options.updates, watch)
            else:
                agent.resume(watch)
        agent.save(out)
    done = f"{agent.num_timesteps} of {agent.total_timesteps} updates"
    if agent.num_timesteps < agent.total_timesteps:
        _say(console, f"Stopped and saved {out} after {done}. To go on:")
        _say(console, f"  {resuming(argv)}")
        return INTERRUPTED
    _say(console, f"Trained and saved {out} after {done}. To see how good it is:")
    needed = [word for name in options.modules for word in ("--import", name)]
    evaluating = shlex.join([*PROG.split(), "evaluate", str(out), *needed])
    _say(console, f"  {evaluating}")
    return 0


def _say(console: Console, line: str) -> None:
    # Paths may look like markup, and are to be copied whole.
    console.print(line, soft_wrap=True, markup=False, highlight=False)


def resuming(argv: Sequence[str]) -> str:
    """The command that goes on with the run that `argv` started."""
    kept = [word for word in argv if word not in ("--overwrite", "--resume")]
    return shlex.join([*PROG.split(), *kept, "--resume"])


def _checked_out(options: Train) -> Path:
    """The agent file, once it is clear that it may be written; ValueError otherwise."""
    for name in ("updates", "checkpoint_every"):
        if getattr(options, name) < 1:
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} must be at least 1, got {getattr(options, name)}")
    out = options.out if options.out.suffix else options.out.with_suffix(".safetensors")
    if options.resume and options.overwrite:
        raise ValueError("--resume keeps the run in the file and --overwrite drops it: choose one")
    checked_output(out, "--out", ".safetensors")
    if out.exists() and not (options.resume or options.overwrite):
        raise ValueError(
            f"{out} exists: add --resume to go on with its run, or --overwrite to replace it"
        )
    return out


def _prepare(
    options: Train, untrained: Callable[[], Agent[Any]], out: Path
) -> tuple[Agent[Any], bool]:
    """The agent to train, and whether it is new rather than from the file."""
    agent = untrained()
    if not options.resume or not out.exists():
        return agent, True
    saved = load_agent(out, agent.device)
    then = _flat(_facts(saved, saved.total_timesteps))
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


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(20),
        MofNCompleteColumn(),
        TextColumn("objective {task.fields[objective]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        speed_estimate_period=120.0,
    )


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect signals that ask to stop, so that an update is never cut in half.

    The second one gives up at once, with KeyboardInterrupt; the last checkpoint stays.
    """
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, ask) for number in signals]
    try:
        yield asked
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


class _Supervisor(BaseCallback):
    """Shows progress, saves checkpoints, and stops the run between updates when asked to."""

    def __init__(
        self, progress: Progress, out: Path, checkpoint_every: int, asked_to_stop: list[int]
    ) -> None:
        super().__init__()
        self._progress = progress
        self._out = out
        self._checkpoint_every = checkpoint_every
        self._asked_to_stop = asked_to_stop

    def _on_training_start(self) -> None:
        # Saved at once: a file that cannot be written should not cost a training run, and a
        # run that was to overwrite another should not be resumed as that one.
        self.model.save(self._out)
        agent: Any = self.model
        self._bar = self._progress.add_task(
            f"{type(agent).__name__} on {escape(agent.task.env_id)}",
            completed=agent.num_timesteps,
            total=agent.total_timesteps,
            objective="…",
        )

    def _on_step(self) -> bool:
        logs = self.locals["logs"]
        objective = logs.get("train/objective", logs.get("train/objective_mean"))
        done = self.model.num_timesteps
        self._progress.update(self._bar, completed=done, objective=f"{objective:.3g}")
        if done % self._checkpoint_every == 0:
            self.model.save(self._out)
            if not self._progress.console.is_terminal:
                # A bar cannot be redrawn in a log file.
                self._progress.console.print(f"{done} updates, objective {objective:.4g}")
        return not self._asked_to_stop
