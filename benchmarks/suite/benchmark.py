"""A benchmark from its training runs to results.json, figures and report.html."""

import time
from functools import partial
from pathlib import Path

from rich.console import Console

from rand_agents.executors.following import run_all
from rand_agents.executors.processes import local
from rand_agents.executors.ray_tasks import on_ray
from rand_agents.executors.work import Executors, Work

from .drawing.gallery import draw_galleries
from .earlier import Earlier
from .experiments import PRESETS, select
from .job import Experiment, jobs
from .main import Arguments
from .report.page import write_report
from .report.printed import results_table
from .summary import Json, summarise, training_runs, write_json
from .worker import TrainingRun, read_result
from .zoo_scores import zoo_plays, zoo_scores


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


def executors(arguments: Arguments, out: Path) -> Executors:
    """Where the training runs are done that write into a folder."""
    if arguments.ray is None:
        return partial(local, arguments.processes)
    address = arguments.ray[0] if arguments.ray else None
    return partial(on_ray, address, arguments.processes, out)


def run(arguments: Arguments, out: Path, console: Console) -> int:
    """Train what is missing, score it, write everything; returns the exit code."""
    start = time.monotonic()
    preset, rng_seed = arguments.preset, arguments.rng_seed
    chosen = select(preset, arguments.tasks, arguments.experiments)
    # Results that could not be kept are better refused before anything is trained.
    Earlier.read(out / "results.json", preset, rng_seed)
    planned = jobs(chosen, rng_seed, arguments.models, arguments.runs)
    todo = [job for job in planned if read_result(out, job) is None]
    plays = zoo_plays(arguments.tasks) if preset == "quick" else []
    of_zoo = f", then {len(plays)} agents of the zoo to play" if plays else ""
    at_a_time = f", {arguments.processes} at a time" if arguments.ray is None else ", on Ray"
    console.print(
        f"{len(planned)} training runs of preset {preset} "
        f"({len(planned) - len(todo)} already there){of_zoo}{at_a_time}; results in {out}"
    )
    works: list[Work] = [*map(TrainingRun, todo), *plays]
    done = run_all(works, out, executors(arguments, out), console) if works else {}
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
