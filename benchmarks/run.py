"""Train and evaluate the four models on the three games; write results, figures and a report.

python benchmarks/run.py [--preset smoke|quick] [--tasks recall coloring grid] [--out DIR]

Every finished training run is kept under DIR/runs: after an interruption the same command goes
on where it stopped.
"""

import json
import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from experiments import Job, Preset, jobs
from figures import draw_figures
from report import write_report
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from summary import summarise
from table import results_table
from worker import read_result, run_job

from rand_agents.files import write_atomically

TaskName = Literal["recall", "coloring", "grid"]


@dataclass(frozen=True)
class Arguments:
    """Train and evaluate the four models on the three games.

    Attributes:
        preset: "smoke" (a minute, shows only that everything runs) or "quick" (ten minutes).
        tasks: Which games.
        out: Folder for results.json, figures and report.html; results/PRESET by default.
        rng_seed: Determines every training run and every evaluation.
        processes: Training runs at a time; one for each core by default.
    """

    preset: Preset = "quick"
    tasks: Annotated[tuple[TaskName, ...], tyro.conf.arg(metavar="TASK ...")] = (
        "recall",
        "coloring",
        "grid",
    )
    out: Path | None = None
    rng_seed: int = 0
    processes: int = os.cpu_count() or 1


def _start_worker(queue: Any) -> None:
    # One thread each: the processes share the cores, and threads of several would fight.
    torch.set_num_threads(1)
    global _queue
    _queue = queue


_queue: Any = None


def _work(job: Job, out: Path) -> dict[str, Any]:
    last = 0.0

    def report(fraction: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > 0.3:
            _queue.put((job.name, fraction))
            last = now

    return run_job(job, out, report)


def _expected_work(job: Job) -> float:
    """Rough cost of a job in relation to others, for the order and the progress bar."""
    per_update = {"recall": 1.0, "coloring": 1.5, "grid": 20.0}[job.task]
    return job.recipe.updates * per_update * (0.25 if job.model.endswith("fixed") else 1.0)


def _follow(
    pending: dict[Future[dict[str, Any]], Job], queue: Any, bar: Progress, console: Console
) -> dict[str, Any]:
    """Show progress until all jobs are done; returns their results by name."""
    results: dict[str, Any] = {}
    total = bar.add_task("training", total=sum(map(_expected_work, pending.values())))
    work = {job.name: _expected_work(job) for job in pending.values()}
    done: dict[str, float] = {}

    def drain() -> None:
        while not queue.empty():
            name, fraction = queue.get()
            done[name] = max(done.get(name, 0.0), fraction * work[name])
        running = sum(0 < done.get(name, 0) < work[name] for name in work)
        bar.update(total, completed=sum(done.values()), description=f"{running} running")

    waiting = set(pending)
    while waiting:
        drain()
        for future in [future for future in waiting if future.done()]:
            waiting.remove(future)
            job = pending[future]
            results[job.name] = future.result()
            done[job.name] = work[job.name]
            console.print(_line(job, results[job.name]), highlight=False)
        time.sleep(0.2)
    drain()
    return results


def _line(job: Job, result: dict[str, Any]) -> str:
    found = result["report"]
    return (
        f"{job.task:9} {job.model:11} run {job.run + 1}: "
        f"average {found['average']['estimate']:6.3f}  "
        f"worst {found['worst']['estimate']:6.3f} {found['unit']}  "
        f"({result['train_seconds']:.0f} s training)"
    )


def _train_all(todo: list[Job], out: Path, processes: int, console: Console) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        queue = manager.Queue()
        pool = ProcessPoolExecutor(
            min(processes, len(todo)), context, initializer=_start_worker, initargs=(queue,)
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
            pending = {pool.submit(_work, job, out): job for job in todo}
            with Progress(*columns, console=console) as bar:
                return _follow(pending, queue, bar, console)
        finally:
            # On an interruption the workers are ended; their checkpoints stay.
            for worker in list(pool._processes.values()) if sys.exc_info()[0] else []:
                worker.terminate()
            pool.shutdown(cancel_futures=True)


def _interrupt(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def main() -> int:
    # A polite kill stops like Ctrl-C: the workers end and their checkpoints stay.
    signal.signal(signal.SIGTERM, _interrupt)
    arguments = tyro.cli(Arguments, description=__doc__)
    console = Console(width=None if sys.stdout.isatty() else 130)
    start = time.monotonic()
    out = arguments.out or Path("results") / arguments.preset
    planned = jobs(arguments.preset, arguments.tasks, arguments.rng_seed)
    results = {job.name: r for job in planned if (r := read_result(out, job)) is not None}
    todo = [job for job in planned if job.name not in results]
    todo.sort(key=_expected_work, reverse=True)
    console.print(
        f"{len(planned)} training runs of preset {arguments.preset} "
        f"({len(results)} already there), {arguments.processes} at a time; results in {out}"
    )
    try:
        if todo:
            results |= _train_all(todo, out, arguments.processes, console)
    except KeyboardInterrupt:
        console.print("interrupted; what is finished is kept, the same command goes on from here")
        return 130
    summary = summarise(
        planned,
        results,
        preset=arguments.preset,
        rng_seed=arguments.rng_seed,
        seconds=time.monotonic() - start,
    )
    write_atomically(out / "results.json", json.dumps(summary, indent=1).encode())
    pictures = draw_figures(planned, results, summary, out)
    page = write_report(summary, pictures, out)
    for table in results_table(summary):
        console.print(table)
    console.print(f"wrote {out / 'results.json'}, {len(pictures)} figures and {page}")
    console.print(f"{time.monotonic() - start:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
