"""`train --runs`: agents that differ in their rng_seed alone, trained side by side."""

import dataclasses
import math
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from rand_agents.agents.agent import Agent
from rand_agents.app.arguments import task_from
from rand_agents.app.checks import check_training
from rand_agents.app.commands import INTERRUPTED, PROG
from rand_agents.app.lookup import game_id, import_modules
from rand_agents.app.options import Training, parsed_training
from rand_agents.app.pace import clock
from rand_agents.app.running import Start, run_on
from rand_agents.app.train import LONGER, announce, evaluating, resuming, say
from rand_agents.app.words import subject_of, values_of
from rand_agents.evaluation.tables import print_table
from rand_agents.executors.following import run_all
from rand_agents.executors.processes import local
from rand_agents.executors.work import Executor, Executors, Phase, Report
from rand_envs.core.arrays import Json
from rand_envs.core.writing import only_writer

UPDATE_SECONDS = 0.05
"""A guess at what an update takes, before there is anything to go by."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One of the runs, as a work for an executor: what `train` does with its rng_seed and file.

    Attributes:
        words: The command line, from `train` on.
        rng_seed: Its own.
        file: The name of its own agent file.
        tensorboard: The folder of the curves, wherever the worker is.
        phases: Of an update each.
    """

    words: tuple[str, ...]
    rng_seed: int
    file: str
    tensorboard: Path | None
    phases: tuple[Phase, ...]

    @property
    def name(self) -> str:
        """The file's."""
        return self.file

    @property
    def kind(self) -> str:
        """They differ in nothing but their draws."""
        return "run"

    def run(self, out: Path, report: Report) -> Json:
        """Train from wherever the file is; how it ended."""
        import_modules(values_of(self.words, "--import"))
        name = str(subject_of(self.words[1:]))
        task = task_from(game_id(name), self.words, f"{PROG} train {name}")
        training, common = parsed_training(task, self.words)
        options = dataclasses.replace(common, rng_seed=self.rng_seed, resume=True, overwrite=False)
        start = Start.of(options, partial(training.agent, options), out / self.file)
        if self.tensorboard is not None:
            start.agent.tensorboard_log = str(self.tensorboard)
        told, begun, error = _Told(report), time.monotonic(), None
        try:
            self._finish(start, out / self.file, options.checkpoint_every, told)
        except FloatingPointError as found:
            # The other rng_seeds may do better.
            error = str(found)
        return {
            "updates": start.agent.num_timesteps,
            "objective": told.objective,
            "seconds": time.monotonic() - begun,
            "error": error,
        }

    def _finish(self, start: Start, out: Path, checkpoint_every: int, told: "_Told") -> None:
        if start.is_done:
            # By a worker that was lost right after.
            return
        # Ctrl-C is for the main process, which then ends this one.
        done = run_on(start, out, checkpoint_every, told, signals=[signal.SIGTERM])
        if done < start.updates:
            os.kill(os.getpid(), signal.SIGTERM)

    def line(self, result: Json) -> str:
        """How it ended."""
        if result["error"]:
            return f"{self.file} failed after {result['updates']} updates"
        return f"{self.file}: {result['updates']} updates, objective {result['objective']:.4g}"


class _Told:
    """Tells an executor how far a run is."""

    objective = float("nan")

    def __init__(self, report: Report) -> None:
        self._report = report

    def begin(self, agent: Agent[Any]) -> None:
        self._report(agent.num_timesteps / agent.total_timesteps)

    def show(self, agent: Agent[Any], objective: float) -> None:
        self.objective = objective
        self._report(agent.num_timesteps / agent.total_timesteps)


def train_runs(
    training: Training, options: Any, words: Sequence[str], console: Console, errors: Console
) -> int:
    """Train several agents, or go on training them; returns the exit code.

    Args:
        training: What is trained.
        options: How long to train, and where to.
        words: The command line, from `train` on.
        console: Where to report.
        errors: Where to show how far it is.

    Raises:
        ValueError: An option is illegal, an agent file exists and may not be touched, the run
            in it is another one, or Ray is not installed.
        ConnectionError: No Ray cluster answers.
        ChildProcessError: A worker was lost too often.
    """
    files = check_training(options)
    with ExitStack() as stack:
        for file in files.values():
            stack.enter_context(only_writer(file))
        stack.enter_context(_stop_signals())
        try:
            results = _trained(training, options, words, files, console, errors)
        except KeyboardInterrupt:
            say(console, "Stopped; what was trained is saved.")
            say(console, f"To go on:\n  {resuming(words)}")
            return INTERRUPTED
        except ChildProcessError as error:
            raise ChildProcessError(f"{error}; to go on: {resuming(words)}") from None
    _print_results(files, results, console)
    failed = [f"{name}: {found['error']}" for name, found in results.items() if found["error"]]
    if failed:
        raise FloatingPointError("; ".join(failed))
    say(console, "The objective is that of the last update. To see how good they are:")
    say(console, f"  {evaluating(list(files.values()), options.modules)}")
    return 0


@contextmanager
def _stop_signals() -> Iterator[None]:
    """A polite kill stops like Ctrl-C, which background jobs would ignore."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, interrupt) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _trained(
    training: Training,
    options: Any,
    words: Sequence[str],
    files: dict[int, Path],
    console: Console,
    errors: Console,
) -> dict[str, Json]:
    """Train what is not done yet; how these ended, by the names of their files."""
    starts = _starts(training, options, files)
    todo = {rng_seed: start for rng_seed, start in starts.items() if not start.is_done}
    first, last = min(files), max(files)
    said = f"{len(files)} runs, of rng_seeds {first} to {last}"
    if len(todo) < len(files):
        said += f" ({len(files) - len(todo)} already trained)"
    announce(console, starts[first].agent, options.tensorboard)
    processes = min(options.processes or os.cpu_count() or 1, max(len(todo), 1))
    say(console, f"{said}, {f'{processes} at a time' if options.ray is None else 'on Ray'}.")
    if longer := sum(start.is_longer for start in todo.values()):
        say(console, f"{longer} finished runs go on to {options.updates} updates. {LONGER}")
    if not todo:
        return {}
    curves = options.tensorboard and options.tensorboard.absolute()
    works = [
        Run(tuple(words), rng_seed, files[rng_seed].name, curves, _phases(start))
        for rng_seed, start in todo.items()
    ]
    folder = files[first].parent
    executors: Executors = partial(local, processes)
    if options.ray is not None:
        # Imported here, as Ray's part of the package takes a while.
        from rand_agents.executors.ray_tasks import on_ray

        executors = partial(on_ray, options.ray[0] if options.ray else None, processes, folder)
    dropped = list(files.values()) if options.overwrite else []
    return run_all(works, folder, partial(_without, dropped, executors), errors)


def _starts(training: Training, options: Any, files: dict[int, Path]) -> dict[int, Start]:
    """What each run begins with; those that are new are like the first of them."""
    starts: dict[int, Start] = {}
    new: Start | None = None
    for rng_seed, file in files.items():
        own = dataclasses.replace(options, rng_seed=rng_seed)
        if new is None or (options.resume and file.exists()):
            start = Start.of(own, partial(training.agent, own), file)
            new = start if start.is_new else new
        else:
            start = new
        starts[rng_seed] = start
    return starts


def _phases(start: Start) -> tuple[Phase, ...]:
    phases, begin = [], 0
    for name, end in start.agent.phases(start.updates):
        if end > begin:
            phases.append(Phase(name, end / start.updates, UPDATE_SECONDS * (end - begin)))
        begin = end
    return tuple(phases)


@contextmanager
def _without(files: list[Path], executors: Executors, works: int) -> Iterator[Executor]:
    """An executor; files that are to be replaced go when it is there, and not before."""
    with executors(works) as executor:
        for file in files:
            # What a link leads to, as where it is written.
            file.resolve().unlink(missing_ok=True)
        yield executor


def _print_results(files: dict[int, Path], results: dict[str, Json], console: Console) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("rng_seed", justify="right")
    table.add_column("file", overflow="fold")
    for column in ("updates", "objective", "time"):
        table.add_column(column, justify="right", no_wrap=True)
    for rng_seed, file in files.items():
        found = results.get(file.name)
        row = ("already trained", "-", "-")
        if found is not None:
            objective = found["objective"]
            shown = "-" if math.isnan(objective) else f"{objective:.4g}"
            row = (str(found["updates"]), shown, clock(found["seconds"]))
        table.add_row(str(rng_seed), file.name, *row)
    print_table(table, console)
