"""The experiments as data: which games, which models, how long, how often."""

import dataclasses
import math
from typing import Literal

from rand_agents.training.configs import ObjectiveConfig, PSROConfig, QNormConfig

from .job import EvaluationSize, Experiment, Point, Recipe
from .paper import PAPER, PATROL

Preset = Literal["smoke", "quick", "paper"]
TaskName = Literal["recall", "coloring", "grid", "patrol", "paging"]

QUICK = {
    # Five pairs of two bits overflow the memory of two blocks, a 2 x 2 matrix each.
    "recall": Recipe(
        task={"num_pairs": 5, "value_bits": 2},
        policy={"key_size": 2, "value_size": 2, "model_size": 24, "seed_gain": 4.0},
        trainer=QNormConfig(m=16, batch_size=128, learning_rate=1e-2, final_learning_rate=1e-3),
        adversarial=ObjectiveConfig(q=12.0),
        updates=2600,
    ),
    # 2,520 cycles, two rounds: as in the paper a vertex learns of two others on either side.
    "coloring": Recipe(
        task={"num_vertices": 8},
        policy={"num_heads": 4},
        trainer=QNormConfig(
            m=10, batch_size=64, learning_rate=5e-3, final_learning_rate=5e-4, weight_decay=0.1
        ),
        adversarial=ObjectiveConfig(q=10.0),
        updates=2000,
    ),
    # From the centre every deterministic search has a cell that costs 10 steps; the value is 7.
    "grid": Recipe(
        task={"size": 3, "horizon": 12, "start": [1, 1]},
        policy={
            "num_heads": 2,
            "key_size": 8,
            "value_size": 8,
            "model_size": 16,
            "mlp_factor": 2,
            "max_length": 25,
            "seed_gain": 3.0,
        },
        trainer=PSROConfig(rounds=6, distillation=0.6, iterations=2, branches=1),
        adversarial=ObjectiveConfig(q=math.inf),
        updates=600,
        seed_dim=4,
        seed_draw="distinct",
    ),
    "patrol": PATROL,
    # All 81 sequences of four requests for three pages, two in the cache: the value is 2.5.
    "paging": Recipe(
        task={"num_requests": 4},
        # Sixteen strategies of up to 121 histories each.
        policy={"num_blocks": 2, "num_heads": 2, "model_size": 32},
        trainer=PSROConfig(
            rounds=5,
            distillation=0.8,
            iterations=2,
            paths=16,
            branches=16,
            # There are few histories: nearly all choices are tried in each.
            temperature=10.0,
        ),
        adversarial=ObjectiveConfig(q=math.inf),
        updates=1200,
        seed_dim=4,
        seed_draw="distinct",
    ),
}

FIRST = {"grid": 60, "patrol": 60, "paging": 60}
"""Number of the first training run; those before were seen while the recipe was chosen."""


def _headlines(recipes: dict[str, Recipe], runs: int) -> tuple[Experiment, ...]:
    return tuple(
        Experiment(task, task, (Point(task, recipe, runs=runs, first=FIRST.get(task, 0)),))
        for task, recipe in recipes.items()
    )


def _smoke(recipe: Recipe, updates: int) -> Recipe:
    size = EvaluationSize(layouts=64, num_seeds=16, num_fresh_seeds=64, votes=(5,), search_rounds=2)
    trainer = recipe.trainer
    if isinstance(trainer, PSROConfig):
        trainer = dataclasses.replace(trainer, paths=1)
    return dataclasses.replace(recipe, trainer=trainer, updates=updates, evaluation=size)


SMOKE = {
    "recall": _smoke(QUICK["recall"], 60),
    "coloring": _smoke(QUICK["coloring"], 40),
    "grid": _smoke(QUICK["grid"], 4),
    "patrol": _smoke(QUICK["patrol"], 4),
    "paging": _smoke(QUICK["paging"], 2),
}

PRESETS: dict[str, tuple[Experiment, ...]] = {
    "smoke": _headlines(SMOKE, 1),
    "quick": _headlines(QUICK, 3),
    "paper": PAPER,
}


def select(
    preset: str, tasks: tuple[str, ...], names: tuple[str, ...] = ()
) -> tuple[Experiment, ...]:
    """The experiments of a preset that belong to some games, and have some names if any given.

    Raises:
        ValueError: If a name is not one of the preset's, or nothing is left.
    """
    legal = [experiment.name for experiment in PRESETS[preset]]
    for name in names:
        if name not in legal:
            raise ValueError(f"preset {preset} has the experiments {', '.join(legal)}, not {name}")
    chosen = tuple(
        experiment
        for experiment in PRESETS[preset]
        if experiment.task in tasks and experiment.name in (names or legal)
    )
    if not chosen:
        raise ValueError(f"none of {', '.join(names)} is an experiment on {', '.join(tasks)}")
    return chosen
