"""A pool of layouts that hurt, kept up while the player changes."""

import json
from typing import Any

import numpy as np
import pytest

from rand_envs import ColoringTask, GridTask, RecallTask
from rand_envs.adversaries.found import MUTATIONS, Found, FoundConfig
from rand_envs.adversaries.search import search_seeds
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play
from rand_envs.core.task import Task
from rand_envs.games.grid.classics import GridSweep, RandomGridSweep

WALLED = GridTask(4, walls=2, horizon=40)
RECALL = RecallTask(8, 2)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


class Guesser:
    """Fails where `wrong` says so; the loss is the number of ones among all the values."""

    task: Task[Any] = RECALL

    def __init__(self, wrong: Any) -> None:
        self.wrong = wrong
        self.played = 0

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        return np.zeros((m, 1))

    def play(self, layouts: Array, seeds: Array) -> Play:
        self.played += len(layouts) * len(seeds)
        right = np.repeat(~self.wrong(layouts)[:, None], len(seeds), 1)
        return Play(right.astype(float), None, right[..., None].astype(np.float32))

    def losses(self, layouts: Array, seeds: Array) -> Array:
        return np.repeat(ones(layouts)[:, None], len(seeds), 1)


def ones(layouts: Array) -> Array:
    count: Array = layouts["values"].sum((1, 2))
    return count


def asked(layouts: Array) -> Array:
    """The first bit of the value asked for."""
    bits: Array = layouts["values"][np.arange(len(layouts)), layouts["query"], 0]
    return bits


def pool_of(source: Found[Any]) -> Array:
    return source.space.pack(source.layouts)


def test_the_pool_is_what_fails_first_and_what_loses_most_among_that() -> None:
    source = Found(RECALL.layout_space, size=16)
    source.learn(Guesser(lambda layouts: asked(layouts) == 0))
    pool = pool_of(source)
    assert asked(pool).tolist() == [0] * 16, "ones lose more, but there it succeeds"
    assert ones(pool).tolist() == [15] * 16, "all other bits are what loses most"
    assert len(np.unique(pool["query"])) > 3, "each went its own way"


def test_the_pool_follows_a_player_that_changes() -> None:
    source = Found(RECALL.layout_space, size=16)
    for bit in (0, 1):
        source.learn(Guesser(lambda layouts, bit=bit: asked(layouts) == bit))
        assert asked(pool_of(source)).tolist() == [bit] * 16


def test_walls_that_hurt_a_sweep_are_found_by_mutation() -> None:
    player, seed = GridSweep(WALLED), np.zeros((1, 1))
    everything = player.play(WALLED.layout_space.enumerate(), seed).outcome.max()
    source = Found(WALLED.layout_space, size=32)

    def worst() -> float:
        return float(player.play(pool_of(source), seed).outcome.max())

    first = worst()
    for _ in range(4):
        source.learn(player)
    assert first < worst() == everything
    outcomes = player.play(pool_of(source), seed).outcome[:, 0]
    assert (np.diff(outcomes) <= 0).all(), "the worst come first"
    assert source.kind == "bound"


def test_the_easiest_make_room_first_of_all_those_that_repeat() -> None:
    space = RECALL.layout_space
    source = Found(space, size=16)
    kept = pool_of(source)
    kept[5] = kept[3]
    source._kept = kept.copy()
    source._renew(np.arange(16.0))
    stayed = [np.flatnonzero(pool_of(source) == layout) for layout in kept]
    assert [i for i, at in enumerate(stayed) if len(at) == 0] == [0], "the easiest left"
    assert stayed[5].tolist() == [3], "and the second of the two that were equal"


def test_learning_costs_what_it_says() -> None:
    class Cycles(Guesser):
        task = ColoringTask(8)
        losses = None  # type: ignore[assignment]  # as of a player that tells none

    player = Cycles(lambda layouts: layouts["cycle"][:, 3] == 5)
    Found(player.task.layout_space, size=10, num_seeds=4).learn(player)
    # To see which leave, to begin with, and all mutations; the four seeds are one and the same.
    assert player.played == 10 * (2 + MUTATIONS)


@pytest.mark.parametrize("size", [10, 70])
def test_of_one_that_plays_all_layouts_at_once_the_worst_are_the_pool(size: int) -> None:
    class Whole(Guesser):
        task = ColoringTask(6)
        can_play_all = True

        def play_all(self, seeds: Array) -> Play:
            return self.play(self.task.layout_space.enumerate(), seeds)

    player = Whole(lambda layouts: layouts["cycle"][:, 3] == 5)
    source = Found(player.task.layout_space, size=size)
    source.learn(player)
    everything = player.task.layout_space.enumerate()
    wrong = (everything["cycle"][:, 3] == 5).sum()
    assert player.played == len(everything) == 60
    pool = pool_of(source)
    assert len(pool) == size, "those of a small space repeat"
    assert len(np.unique(pool)) == min(size, 60)
    assert (pool["cycle"][:wrong, 3] == 5)[:size].all(), "what fails comes first"


def test_seeds_that_come_up_equally_often_play_once() -> None:
    class Voter(Guesser):
        def draw_votes(self, rng: np.random.Generator, m: int) -> Array:
            return (np.arange(m) % 4).astype(float)[:, None]

    voter = Voter(asked)
    assert search_seeds(voter, rng(), 8).tolist() == [[0], [1], [2], [3]]
    assert len(search_seeds(voter, rng(), 9)) == 9
    assert len(search_seeds(Guesser(asked), rng(), 9)) == 1
    assert len(search_seeds(RandomGridSweep(WALLED), rng(), 9)) == 9


def test_a_batch_holds_its_share_of_the_pool_and_each_of_it_once() -> None:
    space = RECALL.layout_space
    source = Found(space, size=12, share=0.1)
    batch = source.batch(rng(1), 80, stratified=True)
    found = [layout in source.layouts for layout in space.unpack(batch)]
    assert found == [True] * 8 + [False] * 72
    assert len(np.unique(batch[:8])) == 8
    assert np.bincount(batch[8:]["query"]).tolist() == [9] * 8, "the others are stratified"
    whole = Found(space, size=12).batch(rng(), 30)
    assert np.unique(whole, return_counts=True)[1].min() == 2
    with pytest.raises(ValueError, match="share must be above 0 and at most 1, got 0"):
        Found(space, share=0)
    with pytest.raises(ValueError, match="size must be an integer of at least 1, got 0"):
        Found(space, size=0)


def test_a_draw_is_of_the_pool_with_its_share_and_by_its_own_generator_alone() -> None:
    space = RECALL.layout_space
    for share, least, most in ((1.0, 400, 400), (0.25, 70, 130)):
        source = Found(space, size=4, share=share)
        drawn = source.draw([rng(i) for i in range(400)], np.arange(400))
        of_pool = sum(layout in source.layouts for layout in space.unpack(drawn))
        assert least <= of_pool <= most
        assert len(np.unique(drawn[np.isin(drawn, source._kept)])) == 4
        alone = [source.draw([rng(i)], [0]) for i in range(20)]
        assert np.concatenate(alone).tobytes() == drawn[:20].tobytes()


def test_a_stored_pool_goes_on_where_it_was() -> None:
    source = Found(WALLED.layout_space, size=8, share=0.5, num_seeds=4, rng_seed=3)
    player = RandomGridSweep(WALLED)
    source.learn(player)
    twin = Found.from_json(source.space, json.loads(json.dumps(source.to_json())))
    for each in (source, twin):
        each.learn(player)
    assert twin.layouts == source.layouts
    assert twin.to_json() == source.to_json()
    assert twin.batch(rng(), 9).tobytes() == source.batch(rng(), 9).tobytes()


def test_options_make_a_source_or_none() -> None:
    space = RECALL.layout_space
    assert FoundConfig(share=0.0).source(space, 0) is None
    source = FoundConfig(share=0.25, size=7, learn_every=20, learn_from=9, num_seeds=5).source(
        space, 1
    )
    assert source is not None
    assert source.config == FoundConfig(
        share=0.25, size=7, learn_every=20, learn_from=9, num_seeds=5
    )
    assert len(source.layouts) == 7
    assert source.layouts == Found(space, size=7, rng_seed=1).layouts
    with pytest.raises(ValueError, match="learn_every must be an integer of at least 1, got 0"):
        FoundConfig(learn_every=0).source(space, 0)
