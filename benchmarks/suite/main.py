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
from typing import Annotated, Any

import tyro
from rich.console import Console

from rand_envs.core.arrays import whole_number
from rand_envs.core.options import rng_seed_number
from rand_envs.core.plain import plain_where_needed
from rand_envs.core.writing import check_folder, only_writer

from .drawing.gallery import draw_galleries
from .earlier import Earlier
from .experiments import PRESETS, Preset, TaskName, select
from .job import MODELS, Experiment, Model, jobs
from .pool import Training, run_all
from .progress import Work
from .report.page import write_report
from .report.printed import results_table
from .summary import Json, summarise, training_runs, write_json
from .verify import verify
from .worker import read_result
from .zoo_scores import zoo_plays, zoo_scores

RANDOMNESS = "randomness"
NAMES = ", ".join(experiment.name for experiment in PRESETS["paper"])


@dataclass(frozen=True)
class Arguments:
    """Train and evaluate the four models on the games.

    Attributes:
        preset: "smoke" (half a minute, shows only that everything runs), "quick" (some 20 minutes
            of processor time: eight to eleven minutes on two idle cores, longer on busy ones), or
            "paper" (the paper's sizes: hours).
        tasks: Which games.
        models: Which of the four.
        runs: Only the first so many training runs of each model; all by default.
        out: Folder for results.json, figures and report.html; out/PRESET by default, which Git
            ignores.
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
            metavar="NAME ...",
            help=f"Which experiments; all by default. Of paper: {NAMES}. By itself: {RANDOMNESS}, "
            "on kinds of randomness.",
        ),
    ] = ()
    models: Annotated[tuple[Model, ...], tyro.conf.arg(metavar="MODEL ...")] = MODELS
    runs: int | None = None
    out: Path | None = None
    rng_seed: int = 0
    processes: int = os.cpu_count() or 1
    verify: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None

    def __post_init__(self) -> None:
        """Raise ValueError for what would fail later; the parser shows no other error well."""
        for name, value in (("--runs", self.runs), ("--processes", self.processes)):
            if value is not None:
                whole_number(name, value, 1)
        rng_seed_number(self.rng_seed, "--rng-seed")
        if self.out is not None:
            try:
                check_folder(self.out, self.out)
            except OSError as error:
                raise ValueError(str(error)) from None


def default_out(preset: str) -> Path:
    """Where a benchmark writes: nothing that Git knows is changed by running one."""
    return Path("out") / preset


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
    runs: Path | None = None,
    provenance: Json | None = None,
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
        runs: The folder that the runs are in, if it is another.
        provenance: What is said of how they were made, if not here and now.

    Returns:
        What results.json says.
    """
    planned, runs = jobs(experiments, rng_seed), runs or out
    results = {job.name: found for job in planned if (found := read_result(runs, job))}
    summary = summarise(
        experiments,
        planned,
        results,
        preset=preset,
        rng_seed=rng_seed,
        seconds=seconds,
        earlier=Earlier.read(out / "results.json", preset, rng_seed),
    )
    summary |= {"zoo": zoo or {}, **(provenance or {})}
    write_json(out / "results.json", summary)
    shown = sum(training_runs(summary).values())
    if shown > len(results):
        console.print(
            f"{shown - len(results)} training runs that are not in {runs} are kept from the "
            "results.json that was there",
            soft_wrap=True,
        )
    galleries = draw_galleries(planned, summary, runs, out)
    page = write_report(summary, galleries, out)
    for table in results_table(summary):
        console.print(table)
    pictures = set().union(*(gallery.paths for gallery in galleries.values()))
    console.print(
        f"wrote {out / 'results.json'}, {len(pictures)} pictures and {page}", soft_wrap=True
    )
    return summary


def main() -> int:
    plain_where_needed()
    # Paths may look like markup. In a file or a pipe no window is narrow: nothing must be cut.
    console = Console(width=None if sys.stdout.isatty() else 200, markup=False)
    try:
        # A polite kill stops like Ctrl-C: the workers end and their checkpoints stay.
        signal.signal(signal.SIGTERM, _interrupt)
        arguments = tyro.cli(Arguments, description=__doc__)
        if arguments.verify is not None:
            return verify(arguments.verify, arguments.processes, console)
        alone = arguments.experiments == (RANDOMNESS,)
        out = arguments.out or default_out(RANDOMNESS if alone else arguments.preset)
        out.mkdir(parents=True, exist_ok=True)
        with only_writer(out):
            return (_run_randomness if alone else run)(arguments, out, console)
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


def _run_randomness(arguments: Arguments, out: Path, console: Console) -> int:
    # Imported here, as nothing else needs it.
    from .randomness.experiment import run as run_kinds

    run_kinds(
        out, arguments.tasks, arguments.runs, arguments.rng_seed, arguments.processes, console
    )
    return 0


def run(arguments: Arguments, out: Path, console: Console) -> int:
    start = time.monotonic()
    preset, rng_seed = arguments.preset, arguments.rng_seed
    chosen = select(preset, arguments.tasks, arguments.experiments)
    # Results that could not be kept are better refused before anything is trained.
    Earlier.read(out / "results.json", preset, rng_seed)
    planned = jobs(chosen, rng_seed, arguments.models, arguments.runs)
    todo = [job for job in planned if read_result(out, job) is None]
    plays = zoo_plays(arguments.tasks) if preset == "quick" else []
    of_zoo = f", then {len(plays)} agents of the zoo to play" if plays else ""
    console.print(
        f"{len(planned)} training runs of preset {preset} "
        f"({len(planned) - len(todo)} already there){of_zoo}, {arguments.processes} at a time; "
        f"results in {out}"
    )
    works: list[Work] = [*map(Training, todo), *plays]
    done = run_all(works, out, arguments.processes, console) if works else {}
    zoo = zoo_scores({play.name: done[play.name] for play in plays})
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
