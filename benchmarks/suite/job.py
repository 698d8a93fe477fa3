"""What a benchmark is made of: recipes, points, experiments, and single training runs.

Nothing heavy is imported until a run is made: a command line knows its experiments before.
"""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rand_agents.executors.work import Phase
from rand_agents.policies.seeds import Draw
from rand_agents.training.configs import ObjectiveConfig, PEPGConfig, PSROConfig, QNormConfig
from rand_envs.adversaries import ROUNDS, STARTS, FoundConfig

if TYPE_CHECKING:
    from rand_agents import Report
    from rand_agents.agents.agent import Agent

Model = Literal["erm-fixed", "adv-fixed", "erm-seeded", "adv-seeded"]
MODELS: tuple[Model, ...] = ("erm-fixed", "adv-fixed", "erm-seeded", "adv-seeded")
"""Trained on the mean (erm) or the q-norm (adv), with one fixed seed or with random ones."""

TASKS = {
    "recall": "RandRecall-v0",
    "coloring": "RandColoring-v0",
    "grid": "RandGrid-v0",
    "patrol": "RandPatrol-v0",
    "paging": "RandPaging-v0",
}

START_STRIDE = 10_000
"""How far apart the integer seeds of a run's starts are."""
SCORING_STREAM = 500
"""What is added to a run's integer seed where it is scored."""
FEWER = 4
"""By which factor starts become fewer, and are trained longer, from rung to rung."""


@dataclass(frozen=True)
class EvaluationSize:
    """How much `evaluate` plays.

    Attributes:
        rng_seed: What it draws from; None for draws that differ from run to run.
    """

    layouts: int = 2000
    num_seeds: int = 100
    num_fresh_seeds: int = 2000
    votes: tuple[int, ...] = (31,)
    search_rounds: int = ROUNDS
    search_starts: int = STARTS
    rng_seed: int | None = None

    def evaluate(self, agent: "Agent[Any]", run_seed: int) -> "Report":
        """Play the agent of a run this much."""
        from rand_agents import evaluate

        rng_seed = run_seed + SCORING_STREAM if self.rng_seed is None else self.rng_seed
        return evaluate(agent, **vars(self) | {"rng_seed": rng_seed})


AS_EVALUATE = EvaluationSize(num_fresh_seeds=1000, rng_seed=0)
"""As `python -m rand_agents evaluate` plays, so that an agent has one number wherever it stands."""


@dataclass(frozen=True)
class Recipe:
    """How the four models of one game are trained; they differ only in objective and seed.

    Attributes:
        task: Arguments of the environment.
        policy: Fields of the default architecture to change.
        trainer: Options of the trainer but for the objective.
        adversarial: The objective of the adv models.
        updates: Updates of each run.
        seed_dim: Length of the seed vector; None for the game's default.
        seed_draw: How the seeds of an update are drawn, but for the fixed models; "distinct"
            makes them bits, whatever the game's default.
        found: Of the adv models: how much of each batch are layouts that were found to hurt, and
            how they are found; None for none.
        starts: Initial weights that are tried, see `rungs`.
        trial: Updates after which the starts are compared for the first time.
        evaluation: How much is played to score a run.
    """

    task: dict[str, Any]
    policy: dict[str, Any]
    trainer: QNormConfig | PSROConfig | PEPGConfig
    adversarial: ObjectiveConfig
    updates: int
    seed_dim: int | None = None
    seed_draw: Draw = "independent"
    found: FoundConfig | None = None
    starts: int = 1
    trial: int = 0
    evaluation: EvaluationSize = EvaluationSize()

    @property
    def rungs(self) -> list[tuple[int, int]]:
        """How many starts are trained, up to which update, before the best quarter goes on.

        Successive halving (Jamieson and Talwalkar 2016), by a factor of four: each time those
        that are left are trained four times as long.
        """
        count, until = self.starts, self.trial
        found = []
        while count > 1 and until < self.updates:
            found.append((count, until))
            count, until = -(-count // FEWER), until * FEWER
        return [*found, (count, self.updates)]


@dataclass(frozen=True)
class Point:
    """One game trained in one way: a table of models, or one place on the axis of a sweep.

    Attributes:
        label: Names its runs, so that two points of one label are the same runs.
        recipe: How its models are trained.
        models: Which of the four.
        runs: Training runs of each model.
        first: Number of the first of them; those before were seen while the recipe was chosen.
        x: Where it lies on its experiment's axis; None without an axis.
    """

    label: str
    recipe: Recipe
    models: tuple[str, ...] = MODELS
    runs: int = 1
    first: int = 0
    x: float | None = None


@dataclass(frozen=True)
class Experiment:
    """Points that are shown together.

    Attributes:
        name: How the command line calls it.
        task: One of `TASKS`.
        points: What is trained.
        axis: What changes from point to point; None for a headline, which is one point.
    """

    name: str
    task: str
    points: tuple[Point, ...]
    axis: str | None = None


@dataclass(frozen=True)
class Job:
    """One training run and its evaluation."""

    task: str
    label: str
    model: str
    run: int
    rng_seed: int
    recipe: Recipe

    @property
    def name(self) -> str:
        """A file name of its own."""
        return f"{self.label}-{self.model}-{self.run}"

    @property
    def training_fingerprint(self) -> str:
        """Changes whenever anything that determines the trained weights does."""
        recipe = dataclasses.asdict(self.recipe)
        del recipe["evaluation"]
        return _digest([self.task, self.model, self.rng_seed, recipe])

    @property
    def fingerprint(self) -> str:
        """Changes whenever anything that determines the result does."""
        evaluation = dataclasses.asdict(self.recipe.evaluation)
        return _digest([self.training_fingerprint, evaluation])

    @property
    def updates(self) -> int:
        """Updates of all starts together."""
        before = [0, *(until for _, until in self.recipe.rungs)]
        return sum(
            count * (until - done)
            for (count, until), done in zip(self.recipe.rungs, before, strict=False)
        )

    @property
    def game(self) -> Any:
        """What is played."""
        from rand_agents.games.registry import game_for, task_of

        return game_for(task_of(TASKS[self.task], self.recipe.task))

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Parts of it that have speeds of their own, with rough guesses at their seconds."""
        trainer, game = self.recipe.trainer, self.game
        evaluation = Phase("evaluation", math.inf, self._evaluation_seconds(game))
        if isinstance(trainer, PSROConfig):
            rows = trainer.paths * (game.task.layout_space.size or 1)
            responses = 1.0 - trainer.distillation
            update = 2e-2 + 2.5e-7 * rows * game.context
            return (
                Phase("best responses", responses, responses * self.updates * update),
                Phase(
                    "distillation", 1.0, trainer.distillation * self.updates * 4e-4 * game.context
                ),
                evaluation,
            )
        return (Phase("training", 1.0, self.updates * self._update_seconds(game)), evaluation)

    def _update_seconds(self, game: Any) -> float:
        trainer: Any = self.recipe.trainer
        seeds = 1 if self.model.endswith("fixed") else trainer.m
        layouts = trainer.batch_size or game.task.layout_space.size
        candidates = trainer.search.population if isinstance(trainer, PEPGConfig) else 1
        tokens = candidates * layouts * seeds * game.context
        if isinstance(trainer, QNormConfig) and not game.differentiable:
            # One seed is played as often as several would be, forwards twice and backwards.
            tokens *= 3 * trainer.score.paths * trainer.m // seeds
        # About a microsecond a token on one core, and what an update costs even if tiny.
        return 2e-3 + 1e-6 * float(tokens)

    def _evaluation_seconds(self, game: Any) -> float:
        size = self.recipe.evaluation
        layouts = min(game.task.layout_space.size or size.layouts, size.layouts)
        seeds = 1 if self.model.endswith("fixed") else size.num_seeds
        return 1.0 + 3e-7 * layouts * seeds * float(game.context)

    def agent(self, start: int = 0) -> "Agent[Any]":
        """The untrained agent; of one of the starts, numbered from 1, if there are several."""
        from rand_agents.training.loading import ALGORITHMS

        recipe, game, rng_seed = self.recipe, self.game, self.rng_seed + START_STRIDE * start
        seeds = game.default_seeds()
        fixed = self.model.endswith("fixed")
        changes: dict[str, Any] = {"draw": "fixed" if fixed else recipe.seed_draw}
        changes["r0_rng_seed"] = rng_seed
        if recipe.seed_draw == "distinct":
            changes["distribution"] = "bits"
        if recipe.seed_dim is not None:
            changes["dim"] = recipe.seed_dim
        seeds = dataclasses.replace(seeds, **changes)
        adversarial = self.model.startswith("adv")
        objective = recipe.adversarial if adversarial else ObjectiveConfig(q=1.0)
        config: Any = dataclasses.replace(recipe.trainer, objective=objective)
        kind: Any = next(kind for kind in ALGORITHMS.values() if kind.config_type is type(config))
        policy = dataclasses.replace(game.default_policy(), seed_dim=seeds.dim, **recipe.policy)
        source = None
        if adversarial and recipe.found is not None:
            source = recipe.found.source(game.task.layout_space, rng_seed)
        agent: Agent[Any] = kind(
            policy, game.task, config, seeds=seeds, layouts=source, rng_seed=rng_seed
        )
        return agent


LATER = {"learn_from": 0, "rng_seed": None}
"""Options that came after runs that are kept, and what all of those had."""


def _known(facts: Any) -> Any:
    """The facts without options that say what was the case before there were any."""
    if isinstance(facts, dict):
        return {
            name: _known(fact)
            for name, fact in facts.items()
            if name not in LATER or fact != LATER[name]
        }
    return [_known(fact) for fact in facts] if isinstance(facts, list | tuple) else facts


def _digest(facts: Any) -> str:
    return hashlib.sha256(json.dumps(_known(facts), sort_keys=True).encode()).hexdigest()[:16]


def jobs(
    experiments: tuple[Experiment, ...],
    rng_seed: int,
    models: tuple[str, ...] = MODELS,
    max_runs: int | None = None,
) -> list[Job]:
    """All training runs of some experiments, each once, each with an `rng_seed` of its own.

    Args:
        experiments: What is to be trained.
        rng_seed: Determines all of them.
        models: Only these.
        max_runs: Only the first runs of each model; None for all.

    Raises:
        ValueError: If two points of one label have different recipes.
    """
    found: dict[str, Job] = {}
    for experiment in experiments:
        for point in experiment.points:
            runs = point.runs if max_runs is None else min(point.runs, max_runs)
            for model in (model for model in point.models if model in models):
                for run in range(point.first, point.first + runs):
                    seed = 1000 * rng_seed + run
                    job = Job(experiment.task, point.label, model, run, seed, point.recipe)
                    if found.setdefault(job.name, job) != job:
                        raise ValueError(
                            f"points of one label must be trained alike, but {point.label} of "
                            f"{experiment.name} is not the {point.label} of another experiment"
                        )
    return list(found.values())
