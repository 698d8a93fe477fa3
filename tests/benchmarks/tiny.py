"""The paper's experiments at tiny sizes."""

import dataclasses
from pathlib import Path
from typing import Any

from benchmarks.suite.job import EvaluationSize, Experiment, Job, Recipe
from benchmarks.suite.paper import PAPER
from benchmarks.suite.worker import run_job
from rand_agents import PEPGConfig, PSROConfig

TINY = EvaluationSize(8, 4, 6, votes=(5, 30), search_rounds=0)
SIZES: dict[str, dict[str, Any]] = {
    "recall": {"num_pairs": 2, "value_bits": 2},
    "coloring": {"num_vertices": 5},
    "grid": {"size": 2, "horizon": 4},
    "patrol": {"graph": ["cycle", 3], "horizon": 3, "attack_duration": 2},
    "paging": {"num_requests": 2},
}


def tiny_recipe(task: str, recipe: Recipe) -> Recipe:
    trainer = recipe.trainer
    changes: dict[str, Any] = {"m": 2, "batch_size": 4}
    if isinstance(trainer, PSROConfig):
        changes = {"paths": 1}
    if isinstance(trainer, PEPGConfig):
        search = dataclasses.replace(trainer.search, population=4)
        changes = {"m": 2, "search": search}
    return dataclasses.replace(
        recipe,
        task=SIZES[task],
        trainer=dataclasses.replace(trainer, **changes),
        updates=2,
        starts=min(recipe.starts, 2),
        trial=1,
        evaluation=TINY,
    )


def tiny(found: Experiment) -> Experiment:
    """The first and the last point of an experiment, with little training and evaluation."""
    points = tuple(
        dataclasses.replace(
            point,
            label=point.label if found.axis == "recipe" else f"{point.label}-{found.name}",
            recipe=tiny_recipe(found.task, point.recipe),
            models=point.models if found.axis is None else point.models[-2:],
            runs=2 if found.name == "recall-headline" else 1,
        )
        for point in found.points[:1] + found.points[1:][-1:]
    )
    return dataclasses.replace(found, points=points)


def finish(planned: list[Job], out: Path) -> None:
    for job in planned:
        run_job(job, out, lambda _: None)


TINY_PAPER = tuple(map(tiny, PAPER))
