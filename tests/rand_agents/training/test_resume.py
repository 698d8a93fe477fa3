"""A run that was killed and resumed ends as one never interrupted: every draw is of saved state."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rand_agents import (
    PEPG,
    PSRO,
    ObjectiveConfig,
    PEPGConfig,
    PSROConfig,
    QNorm,
    QNormConfig,
    SearchConfig,
    SeedSpec,
)
from rand_agents.agents.agent import Agent
from rand_agents.policies.seeds import DRAWS
from rand_envs import Fixed, Found, GridTask, Hedge, PatrolTask, RecallTask, Sweep, Uniform
from rand_envs.core.sources import LayoutSource
from rand_envs.core.wrappers.random_seed import SEED_DISTRIBUTIONS

SEEDS = [
    SeedSpec(3, distribution, draw)  # type: ignore[arg-type]
    for draw, distribution in itertools.product(DRAWS, SEED_DISTRIBUTIONS)
    if draw != "distinct" or distribution == "bits"
]
RECALL = RecallTask(2, 1)
PATROL = PatrolTask(("cycle", 4), horizon=3, attack_duration=2)
GRID = GridTask((2, 2), horizon=3)
SEARCH = SearchConfig(population=8, std=0.4)
TRAINERS: dict[str, Callable[..., Agent[Any]]] = {
    "QNorm": lambda **k: QNorm(
        "SeedTransformer", RECALL, QNormConfig(m=3, batch_size=4, stratified=True), **k
    ),
    "QNorm, seeds kept": lambda **k: QNorm(
        "SeedTransformer", RECALL, QNormConfig(m=3, batch_size=4, seeds_kept=3), **k
    ),
    "QNorm by score": lambda **k: QNorm(
        "SeedTransformer", PATROL, QNormConfig(ObjectiveConfig(q=4.0), m=3, batch_size=4), **k
    ),
    "PEPG": lambda **k: PEPG(
        "SeedTransformer",
        RECALL,
        PEPGConfig(ObjectiveConfig(q=4.0), SEARCH, m=3, batch_size=4),
        **k,
    ),
}


def stop_at(agent: Agent[Any], update: int) -> Callable[..., bool]:
    return lambda *_: agent.num_timesteps < update


def assert_equal_ends(make: Callable[[], Agent[Any]], out: Path, kills: tuple[int, ...]) -> None:
    """Of a run of seven updates, and of one that ends and is loaded anew at each kill."""
    whole = make().learn(7)
    agent = make()
    agent.learn(7, stop_at(agent, kills[0]))
    for kill in (*kills[1:], 8):
        agent = type(agent).load(agent.save(out / "agent"))
        agent.resume(stop_at(agent, kill))
    assert agent.num_timesteps == 7
    ours, theirs = agent.model.named_weights(), whole.model.named_weights()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    for name, rng in whole._rngs.items():
        assert agent._rngs[name].bit_generator.state == rng.bit_generator.state
    assert agent.save(out / "one").read_bytes() == whole.save(out / "two").read_bytes()


@pytest.mark.parametrize("seeds", SEEDS, ids=lambda spec: f"{spec.draw} {spec.distribution}")
@pytest.mark.parametrize("name", TRAINERS)
def test_with_seeds_of_every_draw_and_distribution(
    name: str, seeds: SeedSpec, tmp_path: Path
) -> None:
    assert_equal_ends(lambda: TRAINERS[name](seeds=seeds, rng_seed=5), tmp_path, (2, 3, 6))


@pytest.mark.parametrize("seeds", SEEDS, ids=lambda spec: f"{spec.draw} {spec.distribution}")
def test_by_best_responses(seeds: SeedSpec, tmp_path: Path) -> None:
    config = PSROConfig(rounds=2, paths=4, distillation=0.5)

    def make() -> PSRO:
        return PSRO("SeedTransformer", GRID, config, seeds=seeds, rng_seed=5)

    if seeds.every() is None:
        with pytest.raises(ValueError, match="PSRO needs seeds that can be listed"):
            make()
        return
    assert_equal_ends(make, tmp_path, (2, 5))


def found(space: Any) -> LayoutSource[Any]:
    source = Found(space, 6, 0.5, 4, rng_seed=2)
    source.learn_every, source.learn_from = 2, 1
    return source


def hedge(space: Any) -> LayoutSource[Any]:
    source = Hedge(space, 0.5, 4, rng_seed=2)
    source.learn_every = 2
    return source


SOURCES: dict[str, Callable[[Any], LayoutSource[Any]]] = {
    "uniform": Uniform,
    "fixed": lambda space: Fixed(space, space.unpack(space.enumerate()[1:4])),
    "sweep": Sweep,
    "hedge": hedge,
    "found": found,
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", TRAINERS)
def test_with_layouts_of_every_source(name: str, source: str, tmp_path: Path) -> None:
    """A draw of Sobol's beside them, whose state was once beyond what is saved."""
    space = (PATROL if name == "QNorm by score" else RECALL).layout_space
    seeds = SeedSpec(3, "gaussian", "sobol")

    def make() -> Agent[Any]:
        return TRAINERS[name](seeds=seeds, layouts=SOURCES[source](space), rng_seed=5)

    assert_equal_ends(make, tmp_path, (2, 3, 6))


@pytest.mark.parametrize("seeds", SEEDS, ids=lambda spec: f"{spec.draw} {spec.distribution}")
def test_what_is_drawn_is_a_function_of_the_saved_state(seeds: SeedSpec) -> None:
    rng = np.random.default_rng(3)
    drawn = []
    for m in (1, 5, 8):
        twin = np.random.default_rng()
        twin.bit_generator.state = rng.bit_generator.state
        drawn.append(seeds.sample(rng, m))
        assert np.array_equal(seeds.sample(twin, m), drawn[-1])
        assert twin.bit_generator.state == rng.bit_generator.state
    assert seeds.is_fixed == np.array_equal(drawn[1][:5], drawn[2][:5])
