"""Sampled play of the grid by compiled code: what it records, against the rules and exact sums."""

from typing import Any

import numpy as np
import pytest
import torch

from rand_agents.games.generic import TaskGame
from rand_agents.games.path.score import Episodes
from rand_agents.games.registry import as_game
from rand_envs.core.arrays import Array
from rand_envs.games.grid.rules import GridTask
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
        accelerated._recorded = TaskGame._recorded.__get__(accelerated)
    found = estimates(accelerated, model, layouts, slopes, 3, draws=150, branches=branches)
    assert_unbiased(found, exact)
