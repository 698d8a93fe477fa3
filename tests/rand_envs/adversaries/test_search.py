"""The worst layout of a player whose costs are known."""

from typing import Any

import numpy as np
import pytest

from rand_envs import ColoringTask, GridTask, RecallTask
from rand_envs.adversaries.search import ascend, badness, find_worst, search_worst, worst_of
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play
from rand_envs.core.task import Task


class Known:
    """A player whose outcome is a given function of the layouts, whatever the seed."""

    def __init__(self, task: Task[Any], outcome: Any) -> None:
        self.task = task
        self.outcome = outcome
        self.played = 0

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        return rng.random((m, 1))

    def play(self, layouts: Array, seeds: Array) -> Play:
        self.played += len(layouts)
        outcome = np.repeat(np.asarray(self.outcome(layouts), float)[:, None], len(seeds), 1)
        return Play(outcome, None, outcome.astype(np.float32)[..., None])


def ones(layouts: Array) -> Array:
    count: Array = layouts["values"].reshape(len(layouts), -1).sum(1)
    return count


RECALL = RecallTask(4, 4)
SEEDS = np.zeros((2, 1))


def test_the_worst_come_first_and_ties_in_order() -> None:
    scores = np.array([1.0, 3.0, 2.0, 3.0, 0.0])
    assert worst_of(scores, 3).tolist() == [1, 3, 2]
    assert worst_of(scores, 10).tolist() == [1, 3, 2, 0, 4]


def test_badness_is_the_cost_or_the_lack_of_success() -> None:
    class TwoSeeds(Known):
        def play(self, layouts: Array, seeds: Array) -> Play:
            outcome = np.array([[1.0, 3.0], [0.0, 1.0]])
            return Play(outcome, None, outcome[..., None].astype(np.float32))

    steps, success = TwoSeeds(GridTask(2), None), TwoSeeds(RECALL, None)
    np.testing.assert_array_equal(badness(steps, SEEDS, SEEDS), [2.0, 0.5])
    np.testing.assert_array_equal(badness(success, SEEDS, SEEDS), [-2.0, -0.5])


@pytest.mark.parametrize("rng_seed", range(3))
def test_the_search_climbs_to_the_worst_layout(rng_seed: int) -> None:
    # Success falls with every bit that is one: the only worst values are 16 ones.
    player = Known(RECALL, lambda layouts: 1 - ones(layouts) / 16)
    rng = np.random.default_rng(rng_seed)
    start = RECALL.layout_space.sample(rng, 50)
    scores = badness(player, start, SEEDS)
    assert scores.max() < 0
    found = search_worst(player, start, scores, rng, seeds=SEEDS, rounds=30)
    assert found.kind == "bound"
    assert ones(found.layouts[:1]) == 16
    order = ones(found.layouts)
    assert (np.diff(order) <= 0).all()
    assert len(np.unique(found.layouts)) == len(found.layouts) <= 32


def test_the_search_never_loses_the_worst_it_started_from() -> None:
    # A needle that no mutation points to.
    start = RECALL.layout_space.sample(np.random.default_rng(0), 40)
    player = Known(RECALL, lambda layouts: layouts != start[17])
    scores = badness(player, start, SEEDS)
    rng = np.random.default_rng(1)
    found = search_worst(player, start, scores, rng, seeds=SEEDS, rounds=5)
    assert found.layouts[0] == start[17]


def test_the_search_costs_what_it_says() -> None:
    task = ColoringTask(8)
    player = Known(task, lambda layouts: layouts["cycle"][:, 3] == 5)
    start = task.layout_space.sample(np.random.default_rng(0), 40)
    scores = badness(player, start, SEEDS)
    rng = np.random.default_rng(1)
    search_worst(player, start, scores, rng, seeds=SEEDS, rounds=3, beam=5, children=4)
    assert player.played == 40 + 3 * 5 * 4
    found = search_worst(player, start, scores, rng, seeds=SEEDS, rounds=0, beam=5)
    np.testing.assert_array_equal(found.layouts, start[worst_of(scores, 5)])


def test_found_layouts_are_legal() -> None:
    task = GridTask(4, walls=4)
    player = Known(task, lambda layouts: layouts["treasure"].sum(1))
    start = task.layout_space.sample(np.random.default_rng(0), 10)
    rng = np.random.default_rng(1)
    found = search_worst(player, start, badness(player, start, SEEDS), rng, seeds=SEEDS, rounds=6)
    layouts = task.layout_space.unpack(found.layouts)
    assert [task.layout_space.validate(layout) for layout in layouts] == layouts
    assert layouts[0].treasure == (3, 3)


def test_few_layouts_are_gone_through_and_many_are_searched() -> None:
    small = RecallTask(2, 2)
    player = Known(small, lambda layouts: 1 - ones(layouts) / 4)
    found = find_worst(player, np.random.default_rng(0), seeds=SEEDS, beam=3)
    assert (found.kind, player.played) == ("exact", 32)
    assert ones(found.layouts).tolist() == [4, 4, 3]
    player = Known(RECALL, lambda layouts: 1 - ones(layouts) / 16)
    found = find_worst(player, np.random.default_rng(0), seeds=SEEDS, start=8, rounds=5)
    assert found.kind == "bound"
    assert ones(found.layouts[:1]) == 16


def test_bits_ascend_along_losses_where_success_is_flat() -> None:
    class Hinting(Known):
        def losses(self, layouts: Array, seeds: Array) -> Array:
            return np.repeat(ones(layouts)[:, None], len(seeds), 1)

    # All succeed but the one with 16 ones: only the losses lead there.
    start = RECALL.layout_space.sample(np.random.default_rng(0), 1)
    rng = np.random.default_rng(1)
    blind, _ = ascend(Known(RECALL, lambda x: ones(x) < 16), start, rng, SEEDS)
    np.testing.assert_array_equal(blind["values"], np.repeat(start["values"], 4, 0))
    layouts, scores = ascend(Hinting(RECALL, lambda x: ones(x) < 16), start, rng, SEEDS)
    assert ones(layouts).tolist() == [16] * 4
    assert layouts["query"].tolist() == [0, 1, 2, 3]
    assert scores.tolist() == [0.0] * 4


def test_of_one_that_plays_all_layouts_at_once_the_worst_is_exact() -> None:
    class Whole(Known):
        can_play_all = True

        def play_all(self, seeds: Array) -> Play:
            return self.play(self.task.layout_space.enumerate(), seeds)

    task = ColoringTask(9)
    cycles = task.layout_space.enumerate()
    assert len(cycles) == 20_160, "too many for others"
    hidden = cycles[12_345]
    player = Whole(task, lambda layouts: layouts != hidden)
    found = find_worst(player, np.random.default_rng(0), seeds=SEEDS)
    assert found.kind == "exact"
    assert found.layouts[0] == hidden
    assert len(found.layouts) == 32
    assert player.played == len(cycles)
