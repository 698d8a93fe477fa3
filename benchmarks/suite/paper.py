"""The paper's experiments (arXiv 2408.10818) at its sizes, and the recipes they are run with.

A recipe is data: change it here. A run is trained again only if something that determines its
weights has changed, and scored again only if something that determines its scores has.
"""

import dataclasses
from typing import Any

from rand_agents import ObjectiveConfig, PEPGConfig, QNormConfig
from rand_agents.policies.seeds import Draw
from rand_agents.training.evolution import SearchConfig
from rand_envs.adversaries import FoundConfig

from .job import EvaluationSize, Experiment, Point, Recipe

ERM = ("erm-fixed", "erm-seeded")
ADV = ("adv-fixed", "adv-seeded")
ADV_SEEDED = ("adv-seeded",)

UNIFORM_RECALL = Recipe(
    task={"num_pairs": 20, "value_bits": 5},
    # A gate lets the seed choose which keys are stored, and seeds that matter from the first
    # step keep the policy from settling on one choice.
    policy={"embedding": "geglu", "model_size": 80, "seed_gain": 4.0},
    # Many questions after few sequences cost little.
    trainer=QNormConfig(
        m=32,
        batch_size=1280,
        learning_rate=1e-2,
        final_learning_rate=3e-4,
        stratified=True,
    ),
    adversarial=ObjectiveConfig(q=40.0, q_start=6.0, q_rise=1.0),
    updates=8000,
    # All 32 vectors of five bits in every update: the mean over seeds is exact.
    seed_dim=5,
    seed_draw="distinct",
    evaluation=EvaluationSize(layouts=4000, num_seeds=320, votes=(5, 30)),
)
"""What the sweeps change one thing of, a fifth as long: all layouts are uniform."""

RECALL = dataclasses.replace(
    UNIFORM_RECALL,
    # 67 found layouts beside 64 sequences with all their questions.
    trainer=dataclasses.replace(UNIFORM_RECALL.trainer, batch_size=1344),
    # An adversary needs one wrong bit of five, under as many seeds as can be. The cross-entropy
    # spends the mean over seeds on those that know nothing; saturated like this it is the
    # probability that the value is wrong, and a seed that just fails weighs most.
    adversarial=dataclasses.replace(UNIFORM_RECALL.adversarial, saturation=5.0),
    found=FoundConfig(share=0.05, size=128, learn_every=50),
)
RECALL_SWEEP = EvaluationSize(layouts=2000, num_fresh_seeds=500, votes=(5, 30), search_rounds=0)
SWEEP_UPDATES = 1500

COLORING = Recipe(
    task={"num_vertices": 10},
    policy={},
    trainer=QNormConfig(m=10, batch_size=256, learning_rate=3e-3, final_learning_rate=1e-4),
    adversarial=ObjectiveConfig(q=10.0),
    updates=12_000,
    # From most initial weights training ends in one of several poor local optima.
    starts=4,
    trial=4000,
    # All 181,440 cycles are played, whatever the number of layouts.
    evaluation=EvaluationSize(votes=(5, 30)),
)

GRID = Recipe(
    task={"size": 5, "horizon": 25},
    policy={
        "num_heads": 2,
        "key_size": 8,
        "value_size": 8,
        "model_size": 16,
        "mlp_factor": 2,
        "seed_gain": 3.0,
    },
    trainer=PEPGConfig(
        # Many generations of few candidates beat fewer of many.
        search=SearchConfig(
            population=50,
            learning_rate=0.02,
            final_learning_rate=0.004,
            std=0.06,
            std_learning_rate=0.0,
            # A sure policy is polished by small perturbations, which many candidates do not notice.
            tolerated_ties=0.7,
        ),
        m=4,
        # With the game's own 25 steps, cells that a path leaves out stay out: nothing is gained
        # until the path has become short enough to reach them.
        training_horizon=40,
        # A search ends in one of many local optima; from near the best so far it ends in another.
        cycles=20,
        polishing_cycles=16,
        # With q = 10 the cells near the start have no weight, and detours to them remain; weighed
        # more from the beginning, or at once, they lead to the best single path.
        detour_weights=(0.1, 2.0),
        # What a candidate nearly changed counts as well; otherwise detours that perturbations do
        # not end tie, and stay.
        detour_loss_weight=0.5,
    ),
    # The maximum alone has no slope before anything is found; with q from 20 to 40 training is
    # slower and ends at a worse worst cell.
    adversarial=ObjectiveConfig(q=10.0),
    updates=9000,
    # All four vectors of two bits in every generation: the mean over seeds is exact. With
    # eight no more paths are found, only more slowly.
    seed_dim=2,
    seed_draw="distinct",
    # The first four cycles decide which paths there are; how good they are, and whether detours
    # to them go away, is seen when three more have polished them.
    starts=4,
    trial=3150,
    evaluation=EvaluationSize(num_seeds=200, num_fresh_seeds=1000),
)

SMALL_GRID = Recipe(
    task={"size": 3, "horizon": 25},
    policy={
        "num_heads": 2,
        "key_size": 4,
        "value_size": 4,
        "model_size": 8,
        "mlp_factor": 2,
        "seed_gain": 3.0,
    },
    trainer=PEPGConfig(
        search=SearchConfig(
            population=50,
            learning_rate=0.02,
            final_learning_rate=0.006,
            std=0.06,
            std_learning_rate=0.0,
            tolerated_ties=0.3,
        ),
        m=16,
        effective_horizon=(6.0, 50.0),
        horizon_rise=0.5,
    ),
    # The maximum alone has no slope before anything is found.
    adversarial=ObjectiveConfig(q=40.0, q_start=20.0, q_rise=1.0),
    updates=1200,
    # All sixteen vectors of four bits in every generation: the mean over seeds is exact.
    seed_dim=4,
    seed_draw="distinct",
    # How many paths a policy finds, and how good they are, depends on its initial weights.
    starts=3,
    trial=600,
    evaluation=EvaluationSize(num_seeds=200, num_fresh_seeds=1000),
)

GRID_SWEEP_UPDATES = 2000
GRID_FIRST = 24
"""Earlier recipes of 5 x 5 were tried on the runs before this one."""


def _changed(base: Recipe, q: float | None = None, **changes: Any) -> Recipe:
    """A recipe with some fields changed, or fields of its task or trainer, or its largest q."""
    objective = base.adversarial
    if q is not None:
        start = objective.q_start
        start = None if start is None else min(start, q)
        objective = dataclasses.replace(objective, q=q, q_start=start)
    task = base.task | changes.pop("task", {})
    trainer = dataclasses.replace(base.trainer, **changes.pop("trainer", {}))
    return dataclasses.replace(base, task=task, trainer=trainer, adversarial=objective, **changes)


def _recall_sweep(num_pairs: int, **changes: Any) -> Recipe:
    """A fifth of the updates, and less to score it by."""
    size = {"task": {"num_pairs": num_pairs}, "evaluation": RECALL_SWEEP}
    return _changed(UNIFORM_RECALL, updates=SWEEP_UPDATES, **size, **changes)


def _recall_size(num_pairs: int) -> Point:
    if num_pairs == RECALL.task["num_pairs"]:
        return Point(f"recall{num_pairs}", RECALL, x=num_pairs)
    return Point(f"recall{num_pairs}-short", _recall_sweep(num_pairs), x=num_pairs)


def _recall_q(q: float) -> Point:
    """q = 1 is training on the mean, whatever the recipe's schedule of q."""
    if q == 1:
        return Point("recall15-short", _recall_sweep(15), ERM, x=1)
    return Point(f"recall15-q{q:g}", _recall_sweep(15, q=q), ADV, x=q)


def _recall_m(m: int, draw: Draw = "distinct", kept: int = 1) -> Point:
    """m seeds an update out of 32, drawn in some way and kept for some updates."""
    trainer = {"m": m, "seeds_kept": kept}
    recipe = _recall_sweep(15, trainer=trainer, seed_draw=draw)
    if recipe == _recall_sweep(15):
        return Point("recall15-short", recipe, ADV_SEEDED, x=m)
    way = draw if kept == 1 else f"kept{kept}"
    return Point(f"recall15-m{m}-{way}", recipe, ADV_SEEDED, x=m)


def _recall_recipe() -> tuple[Point, ...]:
    """The recipe, the recipe with one thing as the paper or its replication has it, and theirs."""
    base = _recall_sweep(20)
    replication = {"seed_gain": 4.0}
    theirs = ObjectiveConfig(q=100.0)
    changed = {
        "short": base,
        "few-seeds": _changed(base, trainer={"m": 16}, seed_dim=4),
        "ten-bits": _changed(base, seed_dim=None, seed_draw="independent"),
        "gelu-40": _changed(base, policy=replication),
        "q-100": dataclasses.replace(base, adversarial=theirs),
        "slow": _changed(base, trainer={"learning_rate": 3e-3}),
        "plain-layouts": _changed(base, trainer={"stratified": False}),
        "paper": dataclasses.replace(
            base,
            policy={},
            trainer=QNormConfig(m=30),
            adversarial=theirs,
            seed_dim=None,
            seed_draw="independent",
        ),
    }
    return tuple(
        Point(f"recall20-{name}", recipe, ADV_SEEDED, x=place)
        for place, (name, recipe) in enumerate(changed.items())
    )


def _coloring_q(q: float) -> Point:
    if q == 1:
        return Point("coloring10", COLORING, ERM, x=1)
    label = "coloring10" if q == COLORING.adversarial.q else f"coloring10-q{q:g}"
    return Point(label, _changed(COLORING, q=q), ADV, x=q)


def _grid_size(size: int) -> Point:
    if size == GRID.task["size"]:
        return Point(f"grid{size}", GRID, runs=3, first=GRID_FIRST, x=size)
    if size == 3:
        return Point("grid3", SMALL_GRID, ADV_SEEDED, runs=3, x=size)
    assert isinstance(SMALL_GRID.trainer, PEPGConfig)
    search = dataclasses.replace(
        SMALL_GRID.trainer.search,
        population=100,
        learning_rate=0.025,
        final_learning_rate=0.004,
        std=0.05,
    )
    trainer = {"search": search, "effective_horizon": (5.0, 40.0), "horizon_rise": 0.36}
    recipe = _changed(SMALL_GRID, task={"size": size}, trainer=trainer, updates=2500, trial=1000)
    # Two recipes before this one were tried on the runs 0 to 2.
    return Point(f"grid{size}", recipe, ADV_SEEDED, runs=3, first=3, x=size)


def _grid_recipe() -> tuple[Point, ...]:
    """On 3 x 3 from one start: the recipe, and the recipe without each of its parts."""
    base = _changed(SMALL_GRID, starts=1, trial=0)
    assert isinstance(base.trainer, PEPGConfig)
    search = base.trainer.search

    def searching(**changes: Any) -> dict[str, Any]:
        return {"search": dataclasses.replace(search, **changes)}

    few, many = search.population, 4 * search.population
    changed = {
        "short": base,
        "undiscounted": _changed(base, trainer={"effective_horizon": None}),
        "four-seeds": _changed(base, trainer={"m": 4}, seed_dim=2),
        "gaussian": _changed(base, seed_draw="independent"),
        "candidates": _changed(
            base, trainer=searching(population=many), updates=base.updates * few // many
        ),
        "ties": _changed(base, trainer=searching(tolerated_ties=None)),
        "std": _changed(base, trainer=searching(std=0.03)),
        "wide": _changed(base, policy=base.policy | {"model_size": 16}),
    }
    return tuple(
        Point(f"grid3-{name}", recipe, ADV_SEEDED, runs=2, x=place)
        for place, (name, recipe) in enumerate(changed.items())
    )


def _grid_m(m: int) -> Point:
    """m fresh Gaussian seeds a generation, as in the paper, from one start."""
    recipe = _changed(
        SMALL_GRID,
        task={"size": 5},
        trainer={"m": m},
        updates=GRID_SWEEP_UPDATES,
        seed_draw="independent",
        starts=1,
        trial=0,
    )
    return Point(f"grid5-m{m}", recipe, ADV_SEEDED, x=m)


DRAWN: tuple[tuple[str, Draw, int], ...] = (
    ("independent", "independent", 1),
    ("antithetic", "antithetic", 1),
    ("sobol", "sobol", 1),
    ("reused", "distinct", 10),
)
"""Other ways to draw the seeds of an update, and for how many updates they are kept."""

PAPER: tuple[Experiment, ...] = (
    Experiment("recall-headline", "recall", (Point("recall20", RECALL, runs=5),)),
    Experiment(
        "recall-sizes", "recall", tuple(map(_recall_size, (10, 12, 14, 16, 18, 20))), "num_pairs"
    ),
    Experiment("recall-q", "recall", tuple(map(_recall_q, (1, 4, 16, 32, 100, 512))), "q"),
    Experiment("recall-m", "recall", tuple(map(_recall_m, (1, 2, 4, 8, 16, 32))), "m"),
    *(
        Experiment(
            f"recall-m-{name}",
            "recall",
            tuple(_recall_m(m, draw, kept) for m in (4, 8)),
            "m",
        )
        for name, draw, kept in DRAWN
    ),
    Experiment("recall-recipe", "recall", _recall_recipe(), "recipe"),
    Experiment("coloring-headline", "coloring", (Point("coloring10", COLORING, runs=5),)),
    Experiment("coloring-q", "coloring", tuple(map(_coloring_q, (1, 2, 3, 5, 10))), "q"),
    Experiment("grid-headline", "grid", (Point("grid5", GRID, runs=3, first=GRID_FIRST),)),
    Experiment(
        "grid-sizes",
        "grid",
        tuple(map(_grid_size, (3, 4, 5))),
        "size",
    ),
    Experiment("grid-m", "grid", tuple(map(_grid_m, (1, 5, 10, 20))), "m"),
    Experiment("grid-recipe", "grid", _grid_recipe(), "recipe"),
)
