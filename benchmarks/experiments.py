"""The experiments as data: which games, which four models, how long, how often."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from rand_agents import PEPG, ObjectiveConfig, PEPGConfig, QNorm, QNormConfig
from rand_agents.algorithm import Agent
from rand_agents.games import game_for, task_of
from rand_agents.pepg import SearchConfig
from rand_agents.seeds import SeedSpec
from rand_agents.transformer import TransformerConfig

MODELS = ("erm-fixed", "adv-fixed", "erm-seeded", "adv-seeded")
"""Trained on the mean (erm) or the q-norm (adv), with one fixed seed or with random ones."""

TASKS = {"recall": "RandRecall-v0", "coloring": "RandColoring-v0", "grid": "RandGrid-v0"}

Preset = Literal["smoke", "quick"]


@dataclass(frozen=True)
class EvaluationSize:
    """How much `evaluate` plays."""

    layouts: int = 2000
    num_seeds: int = 100
    num_fresh_seeds: int = 2000
    votes: tuple[int, ...] = (31,)
    search_rounds: int = 10


@dataclass(frozen=True)
class Recipe:
    """How the four models of one game are trained; they differ only in objective and seed.

    Attributes:
        task: Arguments of the environment.
        policy: Fields of the default architecture to change.
        trainer: Options of the trainer but for the objective.
        adversarial: The objective of the adv models.
        seed_dim: Length of the seed vector; None for the game's default.
        updates: Updates of each run.
        runs: Training runs of each model.
        evaluation: How much is played to score a run.
    """

    task: dict[str, Any]
    policy: dict[str, Any]
    trainer: QNormConfig | PEPGConfig
    adversarial: ObjectiveConfig
    updates: int
    seed_dim: int | None = None
    runs: int = 3
    evaluation: EvaluationSize = EvaluationSize()


@dataclass(frozen=True)
class Job:
    """One training run and its evaluation."""

    task: str
    model: str
    run: int
    rng_seed: int
    recipe: Recipe

    @property
    def name(self) -> str:
        """A file name of its own."""
        return f"{self.task}-{self.model}-{self.run}"

    @property
    def fingerprint(self) -> str:
        """Changes whenever anything that determines the result does."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def agent(self) -> Agent[Any]:
        """The untrained agent."""
        recipe = self.recipe
        game = game_for(task_of(TASKS[self.task], recipe.task))
        seeds = game.default_seeds()
        changes: dict[str, Any] = {"r0_rng_seed": self.rng_seed}
        if recipe.seed_dim is not None:
            changes["dim"] = recipe.seed_dim
        if self.model.endswith("fixed"):
            changes["draw"] = "fixed"
        seeds = dataclasses.replace(seeds, **changes)
        policy = dataclasses.replace(game.default_policy(), seed_dim=seeds.dim, **recipe.policy)
        adversarial = self.model.startswith("adv")
        objective = recipe.adversarial if adversarial else ObjectiveConfig(q=1.0)
        config = dataclasses.replace(recipe.trainer, objective=objective)
        return _make(policy, game.task, config, seeds, self.rng_seed)


def _make(
    policy: TransformerConfig, task: Any, config: Any, seeds: SeedSpec, rng_seed: int
) -> Agent[Any]:
    kind = QNorm if isinstance(config, QNormConfig) else PEPG
    return kind(policy, task, config, seeds=seeds, rng_seed=rng_seed)


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
        policy={},
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
        trainer=PEPGConfig(
            search=SearchConfig(
                population=100,
                learning_rate=0.02,
                final_learning_rate=0.01,
                std=0.1,
                std_learning_rate=0.1,
            ),
            m=10,
        ),
        # The maximum alone has no slope before anything is found: q starts low.
        adversarial=ObjectiveConfig(q=30.0, q_start=6.0, q_rise=1.0),
        seed_dim=4,
        updates=320,
    ),
}


def _smoke(recipe: Recipe, updates: int) -> Recipe:
    size = EvaluationSize(layouts=64, num_seeds=16, num_fresh_seeds=64, votes=(5,), search_rounds=2)
    return dataclasses.replace(recipe, updates=updates, runs=1, evaluation=size)


PRESETS: dict[str, dict[str, Recipe]] = {
    "quick": QUICK,
    "smoke": {
        "recall": _smoke(QUICK["recall"], 60),
        "coloring": _smoke(QUICK["coloring"], 40),
        "grid": _smoke(QUICK["grid"], 4),
    },
}


def jobs(preset: str, tasks: tuple[str, ...], rng_seed: int) -> list[Job]:
    """All training runs of a preset; each has an `rng_seed` of its own."""
    return [
        Job(task, model, run, 1000 * rng_seed + run, PRESETS[preset][task])
        for task in tasks
        for model in MODELS
        for run in range(PRESETS[preset][task].runs)
    ]
