"""Work spread over the cores, with progress and the time left."""

import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from .job import Job
from .progress import Forecast, Phase, Report, Work
from .worker import run_job

Json = dict[str, Any]

LINE_SECONDS = 30.0
"""How often progress is printed where a bar cannot be redrawn, as in a log file."""
SPAWN = multiprocessing.get_context("spawn")

_queue: Any = None


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


def _start_worker(queue: Any) -> None:
    # One thread each: the processes share the cores, and threads of several would fight.
    torch.set_num_threads(1)
    global _queue
    _queue = queue


def _work(work: Work, out: Path) -> Json:
    last = 0.0
    _queue.put((work.name, None))

    def report(fraction: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > 0.3 or fraction >= 1.0:
            _queue.put((work.name, fraction))
            last = now

    return work.run(out, report)


def _follow(
    pending: dict[Future[Json], Work], queue: Any, forecast: Forecast, bar: Progress
) -> dict[str, Json]:
    """Show progress until all is done; returns the results by name."""
    results: dict[str, Json] = {}
    console = bar.console
    task = bar.add_task("", total=1.0, left="")

    def drain() -> None:
        while not queue.empty():
            name, fraction = queue.get()
            if fraction is None:
                forecast.begin(name)
            else:
                forecast.note(name, fraction)
        bar.update(
            task,
            completed=forecast.share(),
            description=forecast.running(),
            left=forecast.words(),
        )

    waiting, printed = set(pending), time.monotonic()
    while waiting:
        drain()
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
    drain()
    return results


def run_all(works: Sequence[Work], out: Path, processes: int, console: Console) -> dict[str, Json]:
    """Do all, the longest first; returns the results by name."""
    ordered = sorted(works, key=lambda work: -sum(phase.seconds for phase in work.phases))
    workers = min(processes, len(ordered))
    forecast = Forecast(ordered, workers)
    with SPAWN.Manager() as manager:
        queue = manager.Queue()
        pool = ProcessPoolExecutor(workers, SPAWN, initializer=_start_worker, initargs=(queue,))
        columns = (
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}; {task.description}"),
        )
        try:
            pending = {pool.submit(_work, work, out): work for work in ordered}
            with Progress(*columns, console=console) as bar:
                return _follow(pending, queue, forecast, bar)
        finally:
            # On an interruption the workers are ended; their checkpoints stay.
            for worker in list(pool._processes.values()) if sys.exc_info()[0] else []:
                worker.terminate()
            pool.shutdown(cancel_futures=True)
