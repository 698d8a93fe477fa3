"""Work spread over the cores, with progress and the time left."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from .job import Job
from .progress import BEGUN, Forecast, Phase, Report, Work
from .worker import run_job

Json = dict[str, Any]

LINE_SECONDS = 30.0
"""How often progress is printed where a bar cannot be redrawn, as in a log file."""
SPAWN = multiprocessing.get_context("spawn")

_fractions: Any = None
"""How much of each work is done, in memory that the processes share; 0 before it begins."""


@dataclass(frozen=True)
class Training:
    """A training run and its evaluation."""

    job: Job

    @property
    def name(self) -> str:
        """The job's."""
        return self.job.name

    @property
    def kind(self) -> str:
        """Runs of one model differ in nothing but their draws."""
        return f"{self.job.label}-{self.job.model}"

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Of training, and evaluation."""
        return self.job.phases

    def run(self, out: Path, report: Report) -> Json:
        """Train and evaluate."""
        return run_job(self.job, out, report)

    def line(self, result: Json) -> str:
        """Its main numbers."""
        found = result["report"]
        return (
            f"{self.job.label:14} {self.job.model:11} run {self.job.run + 1}: "
            f"average {found['average']['estimate']:6.3f}  "
            f"worst {found['worst']['estimate']:6.3f} {found['unit']}  "
            f"({result['train_seconds']:.0f} s training)"
        )


def _start_worker(fractions: Any = None) -> None:
    # Ctrl-C is of the whole group: the main process ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # One thread each: the processes share the cores, and threads of several would fight.
    torch.set_num_threads(1)
    global _fractions
    _fractions = fractions


def _end_with_parent() -> None:
    """Wait for the main process to end, however it does, and end this one."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def workers(processes: int, fractions: Any = None) -> Iterator[ProcessPoolExecutor]:
    """Processes to work in; they end with this one, and at once where the work fails."""
    pool = ProcessPoolExecutor(processes, SPAWN, initializer=_start_worker, initargs=(fractions,))
    try:
        yield pool
    except BaseException:
        # Their checkpoints stay.
        for worker in list((pool._processes or {}).values()):
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _work(place: int, work: Work, out: Path) -> Json:
    _fractions[place] = BEGUN

    def report(fraction: float) -> None:
        _fractions[place] = fraction

    return work.run(out, report)


class Executor(Protocol):
    """Where works are done.

    Attributes:
        count: How many at a time.
    """

    count: int

    def submit(self, place: int, work: Work, out: Path) -> Future[Json]:
        """Do a work when there is room for it."""
        ...

    def fractions(self) -> Sequence[float]:
        """How much of each work is done, by place; 0 before it begins."""
        ...

    def news(self) -> Sequence[str]:
        """What has happened since it was last asked that is worth a line."""
        ...


Executors = Callable[[int], AbstractContextManager[Executor]]
"""Makes one for so many works."""


class _Processes:
    """Processes of this machine; the pool they are in breaks where one is lost."""

    def __init__(self, pool: ProcessPoolExecutor, count: int, fractions: Any) -> None:
        self.count = count
        self._pool, self._fractions = pool, fractions

    def submit(self, place: int, work: Work, out: Path) -> Future[Json]:
        return self._pool.submit(_work, place, work, out)

    def fractions(self) -> Sequence[float]:
        return list(self._fractions)

    def news(self) -> Sequence[str]:
        return ()


@contextmanager
def local(processes: int, works: int) -> Iterator[Executor]:
    """Up to so many processes of this machine."""
    count, fractions = min(processes, works), SPAWN.RawArray("d", works)
    with workers(count, fractions) as pool:
        yield _Processes(pool, count, fractions)


def _follow(
    pending: dict[Future[Json], Work], executor: Executor, forecast: Forecast, bar: Progress
) -> dict[str, Json]:
    """Show progress until all is done; returns the results by name.

    Args:
        pending: The works, in the order of their places.
        executor: Does them.
        forecast: Is told of it, and says how long the rest takes.
        bar: Shows it; what is finished is printed on its console.
    """
    results: dict[str, Json] = {}
    console = bar.console
    task = bar.add_task("", total=1.0, left="")

    def look() -> None:
        for work, fraction in zip(pending.values(), executor.fractions(), strict=True):
            if fraction > 0 and work.name not in results:
                forecast.note(work.name, fraction)
        for line in executor.news():
            console.print(line, highlight=False)
        running, left = forecast.running(), forecast.words()
        bar.update(task, completed=forecast.share(), description=running, left=left)

    waiting, printed = set(pending), time.monotonic()
    while waiting:
        look()
        if not console.is_terminal and time.monotonic() - printed >= LINE_SECONDS:
            printed = time.monotonic()
            said = f"{forecast.share():.0%}, {forecast.words()}; {forecast.running()}"
            console.print(f"  {said}", highlight=False)
        for future in [future for future in waiting if future.done()]:
            waiting.remove(future)
            work = pending[future]
            results[work.name] = future.result()
            forecast.finish(work.name)
            console.print(work.line(results[work.name]), highlight=False)
            if waiting:
                place = f"{len(results)} of {len(pending)}, {forecast.words()}"
                console.print(f"  {place}", highlight=False)
        time.sleep(0.2)
    look()
    return results


def run_all(
    works: Sequence[Work], out: Path, executors: Executors, console: Console
) -> dict[str, Json]:
    """Do all, the longest first; returns the results by name."""
    ordered = sorted(works, key=lambda work: -sum(phase.seconds for phase in work.phases))
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}; {task.description}"),
    )
    with executors(len(ordered)) as executor:
        forecast = Forecast(ordered, executor.count)
        pending = {executor.submit(i, work, out): work for i, work in enumerate(ordered)}
        with Progress(*columns, console=console) as bar:
            return _follow(pending, executor, forecast, bar)
