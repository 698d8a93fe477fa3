"""Training runs spread over the cores, with progress and the time left."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .job import Job
from .worker import run_job

Json = dict[str, Any]

LINE_SECONDS = 60.0
"""How often progress is printed where a bar cannot be redrawn, as in a log file."""
SPAWN = multiprocessing.get_context("spawn")

_fractions: Any = None
"""How much of each job is done, in memory that the processes share."""


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


def _work(place: int, job: Job, out: Path) -> Json:
    def report(fraction: float) -> None:
        _fractions[place] = fraction

    return run_job(job, out, report)


class _Tally:
    """How much of the work is done, and how long the rest may take at the pace so far."""

    def __init__(self, todo: list[Job]) -> None:
        self.work = {job.name: job.work for job in todo}
        self.total = sum(self.work.values())
        self.begun: dict[str, float] = {}
        self.done: dict[str, float] = {}
        self.start = time.monotonic()

    def note(self, name: str, fraction: float) -> None:
        # A run that goes on from a checkpoint did not do all of that now.
        self.begun.setdefault(name, fraction if fraction < 1 else 0.0)
        self.done[name] = max(self.done.get(name, 0.0), fraction)

    @property
    def completed(self) -> float:
        return sum(self.done[name] * self.work[name] for name in self.done)

    @property
    def running(self) -> int:
        return sum(0 < fraction < 1 for fraction in self.done.values())

    def time_left(self) -> str:
        now = sum((self.done[name] - self.begun[name]) * self.work[name] for name in self.done)
        if now <= 0:
            return "?"
        seconds = (time.monotonic() - self.start) * (self.total - self.completed) / now
        minutes = round(seconds / 60)
        return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def _follow(
    pending: dict[Future[Json], Job], fractions: Sequence[float], bar: Progress, console: Console
) -> dict[str, Json]:
    """Show progress until all jobs are done; returns their results by name.

    Args:
        pending: The jobs, in the order of the fractions.
        fractions: How much of each is done.
        bar: Shows how much of all is.
        console: Where to print what is finished.
    """
    results: dict[str, Json] = {}
    tally = _Tally(list(pending.values()))
    task = bar.add_task("training", total=tally.total)

    def drain() -> None:
        for job, fraction in zip(pending.values(), fractions, strict=True):
            if fraction > 0:
                tally.note(job.name, fraction)
        bar.update(task, completed=tally.completed, description=f"{tally.running} running")

    waiting, printed = set(pending), time.monotonic()
    while waiting:
        drain()
        if not console.is_terminal and time.monotonic() - printed > LINE_SECONDS:
            printed = time.monotonic()
            share = tally.completed / tally.total
            console.print(f"  {share:.0%}, about {tally.time_left()} left", highlight=False)
        for future in [future for future in waiting if future.done()]:
            waiting.remove(future)
            job = pending[future]
            results[job.name] = future.result()
            tally.note(job.name, 1.0)
            console.print(_line(job, results[job.name]), highlight=False)
            if waiting:
                place = f"{len(results)} of {len(pending)} runs, about {tally.time_left()} left"
                console.print(f"  {place}", highlight=False)
        time.sleep(0.2)
    drain()
    return results


def _line(job: Job, result: Json) -> str:
    found = result["report"]
    return (
        f"{job.label:14} {job.model:11} run {job.run + 1}: "
        f"average {found['average']['estimate']:6.3f}  "
        f"worst {found['worst']['estimate']:6.3f} {found['unit']}  "
        f"({result['train_seconds']:.0f} s training)"
    )


def train_all(todo: list[Job], out: Path, processes: int, console: Console) -> dict[str, Json]:
    """Train and evaluate all jobs, the longest first; returns their results by name."""
    ordered = sorted(todo, key=lambda job: job.work, reverse=True)
    fractions = SPAWN.RawArray("d", len(ordered))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with workers(min(processes, len(ordered)), fractions) as pool:
        pending = {pool.submit(_work, i, job, out): job for i, job in enumerate(ordered)}
        with Progress(*columns, console=console) as bar:
            return _follow(pending, fractions, bar, console)
