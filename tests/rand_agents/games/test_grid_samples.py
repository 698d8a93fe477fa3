"""Sampled play of the grid by compiled code: what it records, against the rules and exact sums."""

from typing import Any

import numpy as np
import pytest
import torch

from rand_agents.games.generic import TaskGame
from rand_agents.games.path.plans import Plans
from rand_agents.games.path.score import Episodes
from rand_agents.games.registry import as_game
from rand_envs.core.arrays import Array
from rand_envs.games.grid.rules import GridTask
from rand_envs.minimax.tasks import plans as planning
from tests.rand_agents.games.test_score import (
    SEEDS,
    assert_unbiased,
    attentive,
    estimates,
    exact_means,
    flat_gradient,
)

GRIDS = {
    "two episodes": GridTask(size=3, horizon=9),
    "one episode": GridTask(size=3, horizon=6, num_episodes=1),
    "three episodes and a short horizon": GridTask(size=2, horizon=3, num_episodes=3),
    "walls": GridTask(size=3, horizon=8, walls=2),
}


def played(task: GridTask, layouts: Array, temperature: float = 1.0) -> Episodes:
    game: Any = as_game(task)
    rng = np.random.default_rng(4)
    model = attentive(game)
    episodes: Episodes = game.sample(model, layouts, SEEDS, rng, paths=3, temperature=temperature)
    return episodes


@pytest.mark.parametrize("name", GRIDS)
def test_what_is_recorded_is_what_the_rules_make_of_the_actions(name: str) -> None:
    task = GRIDS[name]
    layouts = task.layout_space.sample(np.random.default_rng(1), 12)
    game: Any = as_game(task)
    episodes = played(task, layouts)
    count = 3 * len(SEEDS)
    state = task.initial(np.repeat(layouts, count))
    mind = np.tile(np.arange(count), len(layouts))
    alive = np.arange(len(state))
    for moment in episodes.moments:
        assert moment.rows.tolist() == alive.tolist()
        assert moment.parents[moment.minds].tolist() == mind[alive].tolist()
        seen = game.observed(task.observe(state[alive]))[:, 0]
        assert torch.equal(moment.tokens[moment.minds], seen)
        assert moment.outcomes.tolist() == task.outcome(state[alive]).tolist()
        actions = moment.codes[moment.minds, 0].numpy()
        state[alive], _, over = task.step(state[alive], actions)
        mind[alive] = moment.minds
        alive = alive[~over]
    assert len(alive) == 0
    assert episodes.costs.reshape(-1).tolist() == task.outcome(state).tolist()


def test_a_search_is_one_mind_for_all_treasures_that_it_has_not_found() -> None:
    task = GRIDS["two episodes"]
    layouts = task.layout_space.enumerate()
    episodes = played(task, layouts)
    assert len(episodes.moments[0].tokens) == 6
    for moment in episodes.moments:
        path, mind = moment.rows % 6, moment.minds
        shared = [len(set(path[mind == own])) for own in range(len(moment.tokens))]
        assert shared == [1] * len(moment.tokens)
    # One search for each of six paths, and a chase for each that found one of eight treasures.
    assert max(len(moment.tokens) for moment in episodes.moments) <= 6 * 8


def test_a_cold_draw_is_the_likeliest_action() -> None:
    task = GRIDS["two episodes"]
    layouts = task.layout_space.enumerate()
    game: Any = as_game(task)
    likeliest = game.costs(attentive(game), layouts, SEEDS).repeat_interleave(3, 1)
    assert torch.equal(played(task, layouts, temperature=1e-6).costs, likeliest)


def generic(game: Any) -> Any:
    game._recorded = TaskGame._recorded.__get__(game)
    return game


@pytest.mark.parametrize("most", [1 << 16, 24])
@pytest.mark.parametrize("num_layouts", [12, 1])
@pytest.mark.parametrize("kind", ["accelerated", "generic"])
@pytest.mark.parametrize("name", GRIDS)
def test_with_plans_a_row_leaves_when_it_is_alone_and_goes_on_by_the_best(
    name: str, kind: str, num_layouts: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "MOST_STEPS", most)
    task = GRIDS[name]
    layouts = np.unique(task.layout_space.sample(np.random.default_rng(1), num_layouts))
    game: Any = as_game(task)
    game = generic(game) if kind == "generic" else game
    plans = Plans(task, game.codes, game.cost_of)
    rng, model = np.random.default_rng(4), attentive(game)
    episodes = game.sample(model, layouts, SEEDS, rng, paths=3, plans=plans)
    count = 3 * len(SEEDS)
    state = task.initial(np.repeat(layouts, count))
    alive, left = np.arange(len(state)), 0
    for moment in episodes.moments:
        assert set(moment.rows) <= set(alive)
        for row in set(alive) - set(moment.rows):
            left += follow(task, game, plans, state[[row]], int(episodes.end[row]))
        alive = moment.rows
        if most == 1 << 16 and moment is not episodes.moments[0]:
            assert np.bincount(moment.minds).min() > 1
        seen = game.observed(task.observe(state[alive]))[:, 0]
        assert torch.equal(moment.tokens[moment.minds], seen)
        assert moment.outcomes.tolist() == task.outcome(state[alive]).tolist()
        actions = moment.codes[moment.minds, 0].numpy()
        state[alive], _, over = task.step(state[alive], actions)
        ended = alive[over]
        assert (episodes.end[ended] == -1).all()
        costs = episodes.costs.reshape(-1)[torch.from_numpy(ended)]
        assert costs.tolist() == task.outcome(state[ended]).tolist()
        alive = alive[~over]
    for row in alive:
        left += follow(task, game, plans, state[[row]], int(episodes.end[row]))
    assert left == (episodes.end >= 0).sum()
    known = episodes.costs.reshape(-1)[torch.from_numpy(episodes.end >= 0)]
    assert torch.equal(known.double(), plans.costs[episodes.end[episodes.end >= 0]])


def follow(task: GridTask, game: Any, plans: Plans, state: Array, number: int) -> int:
    """Play a plan by the rules: it sees and costs what it says. Always 1."""
    assert number >= 0
    first, length = int(plans.first[number]), int(plans.lengths[number])
    for place in range(first, first + length):
        assert torch.equal(plans.tokens[place], game.observed(task.observe(state))[0, 0])
        state, _, over = task.step(state, plans.codes[place].numpy())
        assert over[0] == (place == first + length - 1)
    assert float(plans.costs[number]) == task.outcome(state)[0]
    return 1


def test_searches_through_compiled_code_end_as_often_and_cost_as_much_as_others() -> None:
    task = GRIDS["two episodes"]
    layouts = task.layout_space.enumerate()
    means, ends = [], []
    for kind in ("accelerated", "generic"):
        game: Any = as_game(task)
        game = generic(game) if kind == "generic" else game
        plans = Plans(task, game.codes, game.cost_of)
        rng = np.random.default_rng(7)
        episodes = game.sample(attentive(game), layouts, SEEDS, rng, paths=400, plans=plans)
        costs = episodes.costs.double().mean(0)
        means.append((costs.mean().item(), costs.std().item() / len(costs) ** 0.5))
        ends.append((episodes.end >= 0).mean())
    (one, error), (other, also) = means
    assert abs(one - other) < 4 * (error**2 + also**2) ** 0.5
    assert ends[0] == pytest.approx(ends[1], abs=0.03)
    # Both kinds are among them: what was found, and what is the last place there is.
    assert 0.3 < ends[0] < 0.9


@pytest.mark.parametrize("branches", [None, 1])
@pytest.mark.parametrize("kind", ["accelerated", "generic"])
def test_the_mean_of_estimates_is_the_exact_gradient(kind: str, branches: int | None) -> None:
    """All 256 sequences of actions of two short episodes, with a cell that cannot be reached."""
    task = GridTask(size=2, horizon=2)
    accelerated: Any = as_game(task)
    model, layouts = attentive(accelerated), task.layout_space.enumerate()
    slopes = torch.tensor([[1.0, 2.0], [0.5, 0.3], [1.0, 3.0]]).double()
    torch.autograd.backward((slopes * exact_means(accelerated, model, layouts)).sum())
    exact = flat_gradient(model)
    if kind == "generic":
        accelerated = generic(accelerated)
    found = estimates(accelerated, model, layouts, slopes, 3, draws=150, branches=branches)
    assert_unbiased(found, exact)
