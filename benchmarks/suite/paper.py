"""The paper's experiments (arXiv 2408.10818) at its sizes, and the recipes they are run with.

A recipe is data: change it here. A run is trained again only if something that determines its
weights has changed, and scored again only if something that determines its scores has.
"""

import dataclasses
import math
from typing import Any

from rand_agents.policies.seeds import Draw
from rand_agents.training.configs import ObjectiveConfig, PEPGConfig, PSROConfig, QNormConfig
from rand_agents.training.evolution import SearchConfig
from rand_envs.adversaries import FoundConfig

from .job import AS_EVALUATE, EvaluationSize, Experiment, Point, Recipe

ERM = ("erm-fixed", "erm-seeded")
ADV = ("adv-fixed", "adv-seeded")
ADV_SEEDED = ("adv-seeded",)

UNIFORM_TRAINER = QNormConfig(
    m=32, batch_size=1280, learning_rate=1e-2, final_learning_rate=3e-4, stratified=True
)
UNIFORM_RECALL = Recipe(
    task={"num_pairs": 20, "value_bits": 5},
    # A gate lets the seed choose which keys are stored, and seeds that matter from the first
    # step keep the policy from settling on one choice.
    policy={"embedding": "geglu", "model_size": 80, "seed_gain": 4.0},
    # Many questions after few sequences cost little.
    trainer=UNIFORM_TRAINER,
    adversarial=ObjectiveConfig(q=40.0, q_start=6.0, q_rise=1.0),
    updates=8000,
    # All 32 vectors of five bits in every update: the mean over seeds is exact.
    seed_dim=5,
    seed_draw="distinct",
    evaluation=EvaluationSize(layouts=4000, num_seeds=320, votes=(5, 30)),
)
"""What the sweeps change one thing of, and train less long: all layouts are uniform."""

RECALL = dataclasses.replace(
    UNIFORM_RECALL,
    # 141 found layouts beside 63 sequences with all their questions.
    trainer=dataclasses.replace(UNIFORM_TRAINER, batch_size=1408),
    # An adversary needs one wrong bit of five, under as many seeds as can be. The cross-entropy
    # spends the mean over seeds on those that know nothing; saturated like this it is the
    # probability that the value is wrong, and a seed that just fails weighs most.
    adversarial=dataclasses.replace(UNIFORM_RECALL.adversarial, saturation=5.0),
    # From the first update on so many keep a policy from learning anything.
    found=FoundConfig(share=0.1, size=256, learn_every=50, learn_from=2000),
    evaluation=dataclasses.replace(AS_EVALUATE, votes=(5, 30)),
)
RECALL_FIRST = 20
"""Earlier recipes were tried on the runs before this one."""
RECALL_SWEEP = EvaluationSize(layouts=2000, num_fresh_seeds=500, votes=(5, 30), search_rounds=0)
SWEEP_UPDATES = 1500

COLORING = Recipe(
    task={"num_vertices": 10},
    # The paper has one head, with which fewer starts find a colouring of every cycle, and later.
    policy={"num_heads": 4},
    trainer=QNormConfig(
        m=10,
        batch_size=256,
        learning_rate=3e-3,
        final_learning_rate=1e-4,
        # Without it logits of a policy that is right everywhere grow until it breaks.
        weight_decay=0.1,
    ),
    adversarial=ObjectiveConfig(q=10.0),
    updates=8000,
    # Sooner, they keep every seed from settling on a colouring.
    found=FoundConfig(share=0.1, size=500, learn_every=100, learn_from=2000, num_seeds=16),
    # From half of the initial weights training ends in one of several poor local optima.
    starts=8,
    trial=2000,
    # All 181,440 cycles are played, whatever the number of layouts.
    evaluation=dataclasses.replace(AS_EVALUATE, votes=(5, 30)),
)
COLORING_FIRST = 20
"""Earlier recipes were tried on the runs before this one."""

GRID = Recipe(
    task={"size": 5, "horizon": 25},
    policy={
        "num_heads": 2,
        "key_size": 8,
        "value_size": 8,
        "model_size": 24,
        "mlp_factor": 2,
        # Each seed has a strategy of its own to learn.
        "seed_gain": 6.0,
    },
    trainer=PSROConfig(
        rounds=14,
        distillation=0.65,
        iterations=6,
        branches=4,
        distillation_learning_rate=8e-3,
    ),
    adversarial=ObjectiveConfig(q=math.inf),
    updates=5000,
    # Sixteen vectors of four bits, each with a strategy.
    seed_dim=4,
    seed_draw="distinct",
    evaluation=EvaluationSize(num_seeds=200, num_fresh_seeds=1000),
)

GRID_PEPG = Recipe(
    task={"size": 3, "horizon": 25},
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
            std_learning_rate=0.1,
        ),
        m=8,
    ),
    # The maximum alone has no slope before anything is found; a small q ends at a single path.
    adversarial=ObjectiveConfig(q=40.0, q_start=20.0, q_rise=1.0),
    updates=1500,
    # All eight vectors of three bits in every generation: the mean over seeds is exact.
    seed_dim=3,
    seed_draw="distinct",
    # How many paths a policy finds, and how good they are, depends on its initial weights.
    starts=4,
    trial=500,
    evaluation=EvaluationSize(num_seeds=200, num_fresh_seeds=1000),
)
"""The paper's trainer with fewer candidates and weights, on the smallest grid."""
GRID_UPDATES = {3: 2000, 4: 4000, 5: 5000, 6: 6000, 8: 8500}
"""By size; what is the same otherwise has more to learn on a larger grid."""
GRID_FIRST = 90
"""Earlier recipes were tried on the runs before this one."""
PEPG_FIRST = 70
"""The same of evolution."""
GRID_SWEEP_UPDATES = 2000


PATROL = Recipe(
    # A cycle of five nodes, attacked for three of six steps: the value is 0.6.
    task={},
    policy={},
    trainer=PSROConfig(rounds=8, distillation=0.6, iterations=2),
    adversarial=ObjectiveConfig(q=math.inf),
    updates=800,
    seed_dim=5,
    seed_draw="distinct",
)

PAGING = Recipe(
    # All 729 sequences of six requests for three pages, two in the cache: the value is 3.5.
    task={},
    # Sixteen strategies of up to 1,093 histories each.
    policy={"num_blocks": 2, "num_heads": 2, "model_size": 48},
    trainer=PSROConfig(
        rounds=4,
        # Strategies are soon found: nearly all choices are tried in each of the few histories.
        distillation=0.92,
        iterations=1,
        paths=8,
        branches=48,
        temperature=10.0,
    ),
    adversarial=ObjectiveConfig(q=math.inf),
    updates=4000,
    seed_dim=4,
    seed_draw="distinct",
)

DEFAULTS_FIRST = 90
"""Patrol and paging: earlier recipes were tried on the runs before this one."""


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
    """Fewer updates, and less to score it by."""
    size: dict[str, Any] = {"task": {"num_pairs": num_pairs}, "evaluation": RECALL_SWEEP}
    return _changed(UNIFORM_RECALL, updates=SWEEP_UPDATES, **size, **changes)


def _recall_size(num_pairs: int) -> Point:
    if num_pairs == RECALL.task["num_pairs"]:
        return Point(f"recall{num_pairs}", RECALL, first=RECALL_FIRST, x=num_pairs)
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
    """As the paper has it: one head, and one start."""
    recipe = _changed(COLORING, policy={}, found=None, starts=1, trial=0, q=None if q == 1 else q)
    models = ERM if q == 1 else ADV
    return Point(f"coloring10-one-head-q{q:g}", recipe, models, first=COLORING_FIRST, x=q)


def _grid(size: int) -> Point:
    """The recipe of a size; from 6 x 6 on as many steps an episode as there are cells."""
    horizon = 25 if size < 6 else size**2
    task = {"size": size, "horizon": horizon}
    recipe = _changed(GRID, task=task, updates=GRID_UPDATES[size])
    runs = 3 if size == 8 else 5
    return Point(f"grid{size}", recipe, ADV_SEEDED, runs=runs, first=GRID_FIRST, x=size)


def _grid_pepg(size: int) -> Recipe:
    """The plain recipe of a size: what is larger has more generations, from more starts."""
    task = {"size": size, "horizon": 25}
    if size == 3:
        return GRID_PEPG
    if size == 4:
        objective = ObjectiveConfig(q=40.0, q_start=6.0, q_rise=1.0)
        changes: dict[str, Any] = {"updates": 3000, "trial": 1000}
        return dataclasses.replace(GRID_PEPG, task=task, adversarial=objective, **changes)
    assert size == 5
    assert isinstance(GRID_PEPG.trainer, PEPGConfig)
    # With half the std all candidates tie as soon as the policy is sure of one path; eight seeds
    # and q up to 40 train more slowly and end no better.
    search = dataclasses.replace(GRID_PEPG.trainer.search, std=0.12)
    return dataclasses.replace(
        GRID_PEPG,
        task=task,
        trainer=dataclasses.replace(GRID_PEPG.trainer, search=search, m=4),
        adversarial=ObjectiveConfig(q=10.0),
        updates=6000,
        seed_dim=2,
        starts=6,
        trial=1000,
    )


def _grid_pepg_size(size: int) -> Point:
    recipe = _grid_pepg(size)
    return Point(f"grid{size}-pepg", recipe, ADV_SEEDED, runs=3, first=PEPG_FIRST, x=size)


def _grid_m(m: int) -> Point:
    """m fresh Gaussian seeds a generation, as in the paper, from one start."""
    recipe = _changed(
        _grid_pepg(5),
        trainer={"m": m},
        updates=GRID_SWEEP_UPDATES,
        seed_dim=None,
        seed_draw="independent",
        starts=1,
        trial=0,
    )
    return Point(f"grid5-pepg-m{m}", recipe, ADV_SEEDED, x=m)


DRAWN: tuple[tuple[str, Draw, int], ...] = (
    ("independent", "independent", 1),
    ("antithetic", "antithetic", 1),
    ("sobol", "sobol", 1),
    ("reused", "distinct", 10),
)
"""Other ways to draw the seeds of an update, and for how many updates they are kept."""

PAPER: tuple[Experiment, ...] = (
    Experiment(
        "recall-headline", "recall", (Point("recall20", RECALL, runs=5, first=RECALL_FIRST),)
    ),
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
    Experiment(
        "coloring-headline",
        "coloring",
        (Point("coloring10", COLORING, runs=5, first=COLORING_FIRST),),
    ),
    Experiment("coloring-q", "coloring", tuple(map(_coloring_q, (1, 2, 3, 5, 10))), "q"),
    Experiment("grid-headline", "grid", (Point("grid5", GRID, runs=5, first=GRID_FIRST),)),
    Experiment("grid-sizes", "grid", tuple(map(_grid, (3, 4, 5, 6, 8))), "size"),
    Experiment("grid-pepg", "grid", tuple(map(_grid_pepg_size, (3, 4, 5))), "size"),
    Experiment("grid-m", "grid", tuple(map(_grid_m, (1, 5, 10, 20))), "m"),
    *(
        Experiment(
            f"{name}-headline",
            name,
            (Point(label, recipe, ADV_SEEDED, runs=5, first=DEFAULTS_FIRST),),
        )
        for name, label, recipe in (("patrol", "patrol5", PATROL), ("paging", "paging6", PAGING))
    ),
)
