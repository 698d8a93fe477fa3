"""Train and evaluate the four models on the games; write results, figures and a report.

python benchmarks/run.py [--preset smoke|quick|paper] [--tasks recall grid …] [--out DIR]

Every finished training run is kept under DIR/runs, and those under way are saved every 20 seconds:
after an interruption the same command goes on where it stopped. results.json and the figures show
all runs of the preset that are there, and what results.json said before of runs by the same recipe
that are not.

python benchmarks/run.py --verify DIR [--processes N]

Scores the agents behind the results in DIR again, as far as their weights are there or in the zoo,
and says which numbers still hold; the exit code is 1 where one does not.
"""

import os
import signal
import sys
import time
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

from rand_envs.core.writing import only_writer

from .drawing.figures import draw_figures
from .drawing.report import write_report
from .drawing.table import results_table
from .earlier import Earlier
from .experiments import PRESETS, Preset, TaskName, select
from .job import MODELS, Experiment, jobs
from .pool import train_all
from .summary import Json, summarise, training_runs, write_json
from .verify import verify
from .worker import read_result
from .zoo_scores import score_zoo

NAMES = ", ".join(experiment.name for experiment in PRESETS["paper"])

Model = Literal["erm-fixed", "adv-fixed", "erm-seeded", "adv-seeded"]


@dataclass(frozen=True)
class Arguments:
    """Train and evaluate the four models on the games.

    Attributes:
        preset: "smoke" (a minute, shows only that everything runs), "quick" (eight minutes), or
            "paper" (the paper's sizes: hours).
        tasks: Which games.
        models: Which of the four.
        runs: Only the first so many training runs of each model; all by default.
        out: Folder for results.json, figures and report.html; results/PRESET by default.
        rng_seed: Determines every training run and every evaluation.
        processes: Training runs at a time; one for each core by default.
        verify: Train nothing, but score the agents behind the results in this folder again.
    """

    preset: Preset = "quick"
    tasks: Annotated[tuple[TaskName, ...], tyro.conf.arg(metavar="TASK ...")] = (
        "recall",
        "coloring",
        "grid",
        "patrol",
        "paging",
    )
    experiments: Annotated[
        tuple[str, ...],
        tyro.conf.arg(
            metavar="NAME ...", help=f"Which experiments; all by default. Of paper: {NAMES}."
        ),
    ] = ()
    models: Annotated[tuple[Model, ...], tyro.conf.arg(metavar="MODEL ...")] = MODELS
    runs: int | None = None
    out: Path | None = None
    rng_seed: int = 0
    processes: int = os.cpu_count() or 1
    verify: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None


def _interrupt(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def write_outputs(
    experiments: tuple[Experiment, ...],
    out: Path,
    console: Console,
    *,
    preset: str,
    rng_seed: int,
    seconds: float,
    zoo: Json | None = None,
) -> Json:
    """Write results.json, figures and report.html of all runs under `out`; print the tables.

    Args:
        experiments: What to look for there.
        out: The folder.
        console: Where to print.
        preset: Its name.
        rng_seed: Of the whole benchmark.
        seconds: How long it took.
        zoo: Scores of the trained agents that come with the package, by game.

    Returns:
        What results.json says.
    """
    planned = jobs(experiments, rng_seed)
    results = {job.name: found for job in planned if (found := read_result(out, job))}
    summary = summarise(
        experiments,
        planned,
        results,
        preset=preset,
        rng_seed=rng_seed,
        seconds=seconds,
        earlier=Earlier.read(out / "results.json", preset, rng_seed),
    )
    summary["zoo"] = zoo or {}
    write_json(out / "results.json", summary)
    shown = sum(training_runs(summary).values())
    if shown > len(results):
        console.print(
            f"{shown - len(results)} training runs that are not in {out} are kept from the "
            "results.json that was there",
            soft_wrap=True,
        )
    pictures = draw_figures(planned, summary, out)
    page = write_report(summary, pictures, out)
    for table in results_table(summary):
        console.print(table)
    console.print(f"wrote {out / 'results.json'}, {len(pictures)} figures and {page}")
    return summary


def main() -> int:
    # Paths may look like markup.
    console = Console(width=None if sys.stdout.isatty() else 130, markup=False)
    try:
        # A polite kill stops like Ctrl-C: the workers end and their checkpoints stay.
        signal.signal(signal.SIGTERM, _interrupt)
        arguments = tyro.cli(Arguments, description=__doc__)
        if arguments.verify is not None:
            return verify(arguments.verify, arguments.processes, console)
        out = arguments.out or Path("results") / arguments.preset
        out.mkdir(parents=True, exist_ok=True)
        with only_writer(out):
            return run(arguments, out, console)
    except BrokenExecutor:
        error: object = (
            "a process that trained was lost: it was killed, or there was too little memory; the "
            "same command goes on from its last checkpoint"
        )
    except (ValueError, OSError, FloatingPointError) as caught:
        error = caught
    except KeyboardInterrupt:
        console.print("interrupted; what is finished is kept, the same command goes on from here")
        return 130
    console.print(f"error: {' '.join(str(error).split())}", soft_wrap=True)
    return 2


def run(arguments: Arguments, out: Path, console: Console) -> int:
    start = time.monotonic()
    preset, rng_seed = arguments.preset, arguments.rng_seed
    chosen = select(preset, arguments.tasks, arguments.experiments)
    # Results that could not be kept are better refused before anything is trained.
    Earlier.read(out / "results.json", preset, rng_seed)
    planned = jobs(chosen, rng_seed, arguments.models, arguments.runs)
    todo = [job for job in planned if read_result(out, job) is None]
    console.print(
        f"{len(planned)} training runs of preset {preset} "
        f"({len(planned) - len(todo)} already there), {arguments.processes} at a time; "
        f"results in {out}"
    )
    if todo:
        train_all(todo, out, arguments.processes, console)
    zoo = None
    if preset == "quick":
        zoo = score_zoo(arguments.tasks, arguments.processes, console)
    seconds = time.monotonic() - start
    write_outputs(
        PRESETS[preset],
        out,
        console,
        preset=preset,
        rng_seed=rng_seed,
        seconds=seconds,
        zoo=zoo,
    )
    console.print(f"{time.monotonic() - start:.0f} s in all")
    return 0
