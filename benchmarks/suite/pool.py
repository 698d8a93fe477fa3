"""Training runs spread over the cores, with progress and the time left."""

import multiprocessing
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
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

_queue: Any = None


def _start_worker(queue: Any) -> None:
    # One thread each: the processes share the cores, and threads of several would fight.
    torch.set_num_threads(1)
    global _queue
    _queue = queue


def _work(job: Job, out: Path) -> Json:
    last = 0.0

    def report(fraction: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > 0.3:
            _queue.put((job.name, fraction))
            last = now

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
    pending: dict[Future[Json], Job], queue: Any, bar: Progress, console: Console
) -> dict[str, Json]:
    """Show progress until all jobs are done; returns their results by name."""
    results: dict[str, Json] = {}
    tally = _Tally(list(pending.values()))
    task = bar.add_task("training", total=tally.total)

    def drain() -> None:
        while not queue.empty():
            tally.note(*queue.get())
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
    with SPAWN.Manager() as manager:
        queue = manager.Queue()
        pool = ProcessPoolExecutor(
            min(processes, len(todo)), SPAWN, initializer=_start_worker, initargs=(queue,)
        )
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
        )
        try:
            ordered = sorted(todo, key=lambda job: job.work, reverse=True)
            pending = {pool.submit(_work, job, out): job for job in ordered}
            with Progress(*columns, console=console) as bar:
                return _follow(pending, queue, bar, console)
        finally:
            # On an interruption the workers are ended; their checkpoints stay.
            for worker in list(pool._processes.values()) if sys.exc_info()[0] else []:
                worker.terminate()
            pool.shutdown(cancel_futures=True)
