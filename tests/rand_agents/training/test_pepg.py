"""PEPG: shaped fitness, gradients in closed form, optimisers against references, progress."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rand_agents import PEPG, ObjectiveConfig, PEPGConfig, SearchConfig, SeedSpec, TransformerConfig
from rand_agents.policies.seeds import Draw
from rand_agents.training.evolution import Search, centered_ranks
from rand_envs import ColoringTask, GridTask, RecallTask

# Shaped fitness.


@pytest.mark.parametrize(
    ("fitness", "ranks"),
    [
        ([10.0, 30.0, 20.0], [-0.5, 0.5, 0.0]),
        ([1.0, 1.0, 2.0, 0.0], [0.0, 0.0, 0.5, -0.5]),
        ([5.0, 1.0, 5.0, 5.0, 0.0], [0.25, -0.25, 0.25, 0.25, -0.5]),
        ([3.0, 3.0, 3.0, 3.0], [0.0, 0.0, 0.0, 0.0]),
        ([math.nan, 2.0, 1.0], [-0.5, 0.5, 0.0]),
        ([math.nan, math.nan, -1e300], [-0.25, -0.25, 0.5]),
        ([math.nan, math.nan], [0.0, 0.0]),
        ([math.inf, 0.0, -math.inf], [0.5, 0.0, -0.5]),
    ],
)
def test_centered_ranks_by_hand(fitness: list[float], ranks: list[float]) -> None:
    np.testing.assert_allclose(centered_ranks(np.array(fitness)), ranks)


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=30))
def test_centered_ranks_sum_to_zero_and_keep_the_order(values: list[int]) -> None:
    fitness = np.array(values, np.float64)
    ranks = centered_ranks(fitness)
    assert ranks.sum() == pytest.approx(0.0)
    np.testing.assert_array_equal(
        np.sign(ranks[:, None] - ranks), np.sign(fitness[:, None] - fitness)
    )


# Gradients.


def test_gradients_of_two_directions_by_hand() -> None:
    search = Search(np.zeros(2, np.float32), SearchConfig(population=4, std=0.5))
    noise = np.array([[1.0, 0.0], [0.5, -1.0]], np.float32)
    utility = np.array([3.0, 1.0, 1.0, 2.0])  # plus: 3 and 1; minus: 1 and 2
    center, std = search.gradients(noise, utility)
    # Half differences 1 and -0.5.
    np.testing.assert_allclose(center, [(1 * 1 - 0.5 * 0.5) / 2, (0 + 0.5) / 2])
    # Half sums 2 and 1.5, less their mean 1.75; (eps^2 - 0.25) / 0.5 of each direction.
    expected = [(0.25 * 1.5 - 0.25 * 0.0) / 2, (0.25 * -0.5 - 0.25 * 1.5) / 2]
    np.testing.assert_allclose(std, expected)


@pytest.mark.parametrize("seed", range(3))
def test_linear_fitness_has_its_slope_as_gradient(seed: int) -> None:
    # E[f] = g . mu: d/dmu = g, times std^2 since PGPE leaves that factor out; d/dstd = 0.
    dim, sigma, directions = 5, 0.3, 20_000
    slope = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    search = Search(np.ones(dim, np.float32), SearchConfig(population=2 * directions, std=sigma))
    noise = search.noise(seed, 0)
    center, std = search.gradients(noise, search.candidates(noise) @ slope)
    norm = float(np.linalg.norm(slope))
    np.testing.assert_allclose(
        center, sigma**2 * slope, atol=5 * 2 * norm * sigma**2 / directions**0.5
    )
    np.testing.assert_allclose(std, 0.0, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_quadratic_fitness_has_its_curvature_as_gradient_in_std(seed: int) -> None:
    # f = -sum a_i x_i^2 / 2, so E[f] = -sum a_i (mu_i^2 + s_i^2) / 2, and the estimates, which
    # leave out the factor 1 / s^2, have expectation -a mu s^2 and -a s^3.
    directions = 40_000
    a, mu = np.array([1.0, 2.0, 0.0]), np.array([0.5, -1.0, 2.0])
    search = Search(mu.astype(np.float32), SearchConfig(population=2 * directions, std=0.5))
    search.std = np.array([0.5, 0.2, 0.4], np.float32)
    noise = search.noise(seed, 0)
    fitness = -(search.candidates(noise) ** 2 @ a) / 2
    center, std = search.gradients(noise, fitness)
    np.testing.assert_allclose(center, -a * mu * search.std**2, atol=0.02)
    np.testing.assert_allclose(std, -a * search.std**3, atol=0.01)
    assert std[0] < -0.1


def test_candidates_are_mirrored_and_noise_follows_the_std() -> None:
    search = Search(np.array([1.0, -2.0], np.float32), SearchConfig(population=20_000))
    search.std = np.array([0.1, 2.0], np.float32)
    noise = search.noise(0, 0)
    assert noise.shape == (10_000, 2)
    np.testing.assert_allclose(noise.std(0), search.std, rtol=0.05)
    plus, minus = np.split(search.candidates(noise), 2)
    np.testing.assert_allclose((plus + minus) / 2, np.tile([1.0, -2.0], (10_000, 1)), atol=1e-6)
    np.testing.assert_allclose((plus - minus) / 2, noise, atol=1e-6)


# Updates.


@pytest.mark.parametrize("value", [0.0, -7.0, math.nan])
@pytest.mark.parametrize("optimizer", ["adam", "clipup"])
def test_equal_fitness_changes_nothing(value: float, optimizer: Any) -> None:
    search = Search(np.arange(4, dtype=np.float32), SearchConfig(population=6, optimizer=optimizer))
    rng = np.random.default_rng(0)
    search.tell(search.noise(0, 0), rng.random(6), 0.1)  # so that there is momentum
    before = search.center.copy(), search.std.copy(), search.velocity.copy(), search.steps
    logs = search.tell(search.noise(0, 1), np.full(6, value), 0.1)
    np.testing.assert_array_equal(search.center, before[0])
    np.testing.assert_array_equal(search.std, before[1])
    np.testing.assert_array_equal(search.velocity, before[2])
    assert search.steps == before[3]
    assert logs["train/ties"] == 1.0


def test_a_candidate_that_fails_repels_the_center() -> None:
    search = Search(np.zeros(1, np.float32), SearchConfig(population=2))
    search.tell(np.array([[1.0]], np.float32), np.array([math.nan, -5.0]), 0.1)
    np.testing.assert_allclose(search.center, [-0.1], rtol=1e-5)


@pytest.mark.parametrize("rate", [1e-4, 100.0])
def test_the_std_changes_by_at_most_a_fifth(rate: float) -> None:
    config = SearchConfig(population=20, std=0.5, std_learning_rate=rate)
    search = Search(np.zeros(50, np.float32), config)
    rng = np.random.default_rng(0)
    search.tell(search.noise(0, 0), rng.random(20), 0.01)
    ratio = search.std / 0.5
    assert ratio.min() >= 0.8 - 1e-6
    assert ratio.max() <= 1.2 + 1e-6
    touched = np.isclose(ratio, 0.8) | np.isclose(ratio, 1.2)
    assert touched.mean() > 0.9 if rate > 1 else not touched.any()
    assert (ratio != 1).any()


def test_the_std_takes_the_raw_gradient_and_stays_above_its_floor() -> None:
    noise = np.array([[1.0], [3.0]], np.float32)
    search = Search(np.zeros(1, np.float32), SearchConfig(population=4, std=2.0))
    utility = centered_ranks(np.array([4.0, 1.0, 3.0, 2.0]))
    _, gradient = search.gradients(noise, utility)
    search.tell(noise, np.array([4.0, 1.0, 3.0, 2.0]), 0.1)
    np.testing.assert_allclose(search.std, 2.0 + 0.01 * gradient, rtol=1e-6)
    floor = SearchConfig(population=4, std=1e-3, min_std=1e-3, std_learning_rate=1e9)
    search = Search(np.zeros(30, np.float32), floor)
    rng = np.random.default_rng(0)
    for step in range(5):
        search.tell(search.noise(0, step), rng.random(4), 0.1)
    assert search.std.min() == np.float32(1e-3)


def test_adam_is_torchs() -> None:
    rng = np.random.default_rng(0)
    start = rng.standard_normal(7).astype(np.float32)
    parameter = torch.nn.Parameter(torch.from_numpy(start.copy()))
    config = SearchConfig(beta1=0.8, beta2=0.95, adam_eps=1e-3)
    theirs = torch.optim.Adam([parameter], betas=(0.8, 0.95), eps=1e-3, maximize=True)
    search = Search(start, config)
    for step in range(20):
        gradient = (rng.standard_normal(7) * 10.0 ** -(step % 4)).astype(np.float32)
        rate = 0.1 / (1 + step)
        theirs.param_groups[0]["lr"] = rate
        parameter.grad = torch.from_numpy(gradient.copy())
        theirs.step()
        search.center = search.center + search._center_step(gradient, rate)
        np.testing.assert_allclose(search.center, parameter.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_clipup_by_hand() -> None:
    search = Search(np.zeros(2, np.float32), SearchConfig(optimizer="clipup", momentum=0.9))
    # The gradient counts by its direction; speed grows by momentum up to twice the rate.
    steps = [search._center_step(np.array([30.0, 40.0], np.float32), 0.1) for _ in range(4)]
    for step, speed in zip(steps, (0.1, 0.19, 0.2, 0.2), strict=True):
        np.testing.assert_allclose(step, [0.6 * speed, 0.8 * speed], rtol=1e-5)
    turned = search._center_step(np.array([-1e-3, 0.0], np.float32), 0.1)
    np.testing.assert_allclose(turned, [0.9 * 0.12 - 0.1, 0.9 * 0.16], rtol=1e-4)


@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 0.05), ("clipup", 0.05)])
def test_progress_on_a_sphere(optimizer: Any, rate: float) -> None:
    target = np.linspace(-1, 1, 10)
    search = Search(
        np.zeros(10, np.float32), SearchConfig(population=40, std=0.1, optimizer=optimizer)
    )
    for step in range(150):
        noise = search.noise(0, step)
        search.tell(noise, -((search.candidates(noise) - target) ** 2).sum(1), rate)
    assert ((search.center - target) ** 2).sum() < 0.02 < (target**2).sum()


# The agent.


def grid_policy(task: GridTask, seed_dim: int = 2) -> TransformerConfig:
    return TransformerConfig(
        task.rows + task.columns + 1,
        4,
        seed_dim,
        seed_placement="first",
        key_size=4,
        value_size=4,
        model_size=8,
        attention="softmax",
        embedding="linear",
        max_length=1 + task.max_steps,
        scale=True,
    )


def tiny_config(**changes: Any) -> PEPGConfig:
    options: dict[str, Any] = {"search": SearchConfig(population=10, std=0.1), "m": 3}
    return PEPGConfig(**(options | changes))


def tiny(task: GridTask | None = None, draw: Draw = "independent", **changes: Any) -> PEPG:
    task = GridTask((1, 3), horizon=3) if task is None else task
    return PEPG(grid_policy(task), task, tiny_config(**changes), seeds=SeedSpec(2, draw=draw))


def test_all_layouts_are_played_under_all_seeds() -> None:
    agent = tiny()
    costs = agent.costs(np.tile(agent.search.center, (4, 1)))
    assert costs.shape == (4, 2, 3)
    assert agent.env_steps == 4 * 2 * 3 * 6
    assert (costs == costs[0]).all()  # layouts and seeds are common to all candidates


def test_a_fixed_seed_is_played_once() -> None:
    assert tiny(draw="fixed").costs(np.zeros((4, 1), np.float32) + tiny().search.center).shape == (
        4,
        2,
        1,
    )


def test_candidates_in_parts_are_all_candidates() -> None:
    rng = np.random.default_rng(0)
    agents = [tiny(candidates_at_once=count) for count in (100, 3)]
    vectors = agents[0].search.center + rng.standard_normal(
        (10, len(agents[0].search.center)), np.float32
    )
    first, second = (agent.costs(vectors) for agent in agents)
    assert torch.equal(first, second)
    assert len(torch.unique(first.flatten(1), dim=0)) > 1


def test_the_policy_is_the_center() -> None:
    agent = tiny()
    agent.learn(3)
    vector = torch.nn.utils.parameters_to_vector(agent.model.parameters()).detach().numpy()
    np.testing.assert_array_equal(vector, agent.search.center)
    back = agent.unflatten(torch.from_numpy(agent.search.center)[None])
    for name, weight in agent.model.named_weights().items():
        assert torch.equal(back[name][0], weight)


def test_the_worst_layout_of_the_center_is_named_with_its_cost() -> None:
    # Zero weights always go right, so the treasures of the other column are never found.
    agent = tiny(GridTask((2, 2), horizon=3))
    agent.search.center[:] = 0
    agent._load_center()
    logs = agent._diagnose()
    worst = agent.task.layout_space.validate(json.loads(str(logs["train/worst_layout"])))
    assert worst.treasure in {(1, 0), (1, 1)}
    assert logs["train/worst_cost"] == 6.0


def test_it_learns_to_find_the_treasure_at_the_end_of_a_row() -> None:
    # Only going right in both episodes finds the farther treasure, in 2 + 2 steps.
    agent = tiny(search=SearchConfig(population=40, std=0.3), m=2)
    layouts = agent.task.layout_space.enumerate()
    before = agent.game.costs(agent.model, layouts, torch.zeros(1, 2)).max()
    assert float(before) == 6.0
    agent.learn(60)
    seeds = agent.draw_seeds(np.random.default_rng(1), 50)
    near, far = agent.play(layouts, seeds).outcome.mean(1)
    assert 2.0 <= near < 2.5
    assert 4.0 <= far < 4.5


@pytest.mark.parametrize("task", [RecallTask(2, 1), ColoringTask(4)], ids=lambda t: t.env_id)
def test_it_plays_differentiable_games_too(task: Any) -> None:
    config = PEPGConfig(
        ObjectiveConfig(q=4.0), SearchConfig(population=100, std=0.03, learning_rate=0.003), m=4
    )
    agent = PEPG("SeedTransformer", task, config)
    layouts = task.layout_space.enumerate()
    seeds = torch.from_numpy(agent.draw_seeds(np.random.default_rng(0), 8))
    with torch.no_grad():
        before = float(agent.game.costs(agent.model, layouts, seeds).mean())
        agent.learn(100)
        after = float(agent.game.costs(agent.model, layouts, seeds).mean())
    assert after < before - 0.03


@pytest.mark.parametrize("population", [0, 1, 3, 301, -2])
def test_an_odd_population_is_an_error(population: int) -> None:
    with pytest.raises(ValueError, match=f"even number of at least 2, got {population}"):
        SearchConfig(population=population)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"std": 0.0}, "std must be above 0, got 0.0"),
        ({"learning_rate": -1.0}, "learning_rate must be above 0, got -1.0"),
        ({"min_std": math.nan}, "min_std must be a number, got nan"),
        ({"max_std_change": 1.0}, "max_std_change must be at least 0 and below 1, got 1.0"),
        ({"beta1": 1.0}, "beta1 must be at least 0 and below 1"),
        ({"std_learning_rate": -0.1}, "std_learning_rate must be at least 0"),
        ({"optimizer": "sgd"}, 'optimizer must be "adam" or "clipup", got \'sgd\''),
    ],
)
def test_illegal_search_options_are_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SearchConfig(**changes)


@pytest.mark.parametrize("name", ["m", "batch_size", "candidates_at_once"])
def test_counts_below_one_are_errors(name: str) -> None:
    counts: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        PEPGConfig(**counts)


def test_too_many_layouts_to_play_all_ask_for_a_batch_size() -> None:
    with pytest.raises(ValueError, match=r"a batch_size is needed here: .* more than 4096"):
        PEPG("SeedTransformer", RecallTask(), PEPGConfig(batch_size=None))
    assert PEPG("SeedTransformer", RecallTask()).config.batch_size == 64
    agent = PEPG("SeedTransformer", RecallTask(), PEPGConfig(batch_size=3, m=2))
    assert agent.costs(np.tile(agent.search.center, (2, 1))).shape == (2, 3, 2)


def test_a_generation_of_nothing_but_nan_is_an_error() -> None:
    agent = PEPG(
        "SeedTransformer", RecallTask(2, 1), PEPGConfig(search=SearchConfig(population=4), m=1)
    )
    agent.search.center[:] = np.nan
    with pytest.raises(FloatingPointError, match="every candidate's objective became NaN"):
        agent.learn(1)
