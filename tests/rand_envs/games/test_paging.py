"""RandPaging-v0: rules against a slow plain reference, Belady's optimum, players and values."""

from fractions import Fraction
from itertools import product
from math import lcm
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rand_agents import evaluate
from rand_envs import PagingTask
from rand_envs.core.arrays import Array
from rand_envs.core.task import GameValue, resolved
from rand_envs.games.paging.classics import (
    FirstInFirstOut,
    LeastRecentlyUsed,
    Marking,
    Pager,
    RandomEviction,
    RandomThenMostRecent,
)
from tests.rand_envs.games.test_tasks import Played

PLAYERS = [LeastRecentlyUsed, FirstInFirstOut, RandomEviction, Marking, RandomThenMostRecent]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def faults_of(kind: type[Pager], requests: list[int], num_pages: int, cache_size: int) -> float:
    """Faults of a player that is not randomised."""
    task = PagingTask(num_pages, cache_size, len(requests))
    layouts = task.layout_space.pack([{"requests": requests}])
    return float(kind(task).play(layouts, np.zeros((1, len(requests)))).outcome[0, 0])


def exact_means(player: Pager, layouts: Array) -> Array:
    """Mean faults on each layout, (n,), over seeds that stand for all choices there can be."""
    parts = lcm(*range(1, player.task.cache_size + 1))
    points = (np.arange(parts) + 0.5) / parts
    seeds = np.array(list(product(points, repeat=player.task.num_requests)))
    means: Array = player.play(layouts, seeds).outcome.mean(axis=1)
    return means


def fewest(requests: tuple[int, ...], cache: frozenset[int]) -> int:
    """The fewest faults, by trying every eviction."""
    if not requests:
        return 0
    page, rest = requests[0], requests[1:]
    if page in cache:
        return fewest(rest, cache)
    return 1 + min(fewest(rest, cache - {out} | {page}) for out in cache)


def marking_mean(
    requests: tuple[int, ...], cache: frozenset[int], marked: frozenset[int] = frozenset()
) -> Fraction:
    """Mean faults of the marking algorithm, by its description and all its choices."""
    if not requests:
        return Fraction(0)
    page, rest = requests[0], requests[1:]
    if page in cache:
        return marking_mean(rest, cache, marked | {page})
    if marked == cache:
        marked = frozenset()
    outs = cache - marked
    means = [marking_mean(rest, cache - {out} | {page}, marked | {page}) for out in outs]
    return 1 + sum(means, Fraction(0)) / len(outs)


# Rules


def test_an_instance_by_hand() -> None:
    game = Played(PagingTask(4, 2, 5), {"requests": [1, 3, 0, 3, 1]})
    assert game.see() == [1, 0, 1]
    assert game.play(0) == ([3, 0, 1], 0.0, False), "a hit: the action is ignored"
    assert game.play(1) == ([0, 0, 3], -1.0, False)
    assert game.play(1) == ([3, 0, 3], 0.0, False)
    assert game.play(0) == ([1, 0, 3], 0.0, False)
    assert game.play(0) == ([1, 1, 3], -1.0, True), "the last request again, and the cache"
    assert game.outcome() == 2.0
    assert game.success(), "pages 3 and 1 come in at least once each after they are missing"


def test_success_is_to_have_as_few_faults_as_belady() -> None:
    for first, success in ((0, True), (1, False)):
        env = gym.make("RandPaging-v0", num_requests=2, layouts={"requests": [2, 1]})
        assert env.reset()[1] == {"faults": 0, "is_success": False}
        assert env.step(first)[4] == {"faults": 1, "is_success": False}
        assert env.step(0)[4] == {"faults": 2 - success, "is_success": success}


class PlainCache:
    """The same rules with a list and loops."""

    def __init__(self, requests: list[int], cache_size: int) -> None:
        self.left, self.cache = list(requests), list(range(cache_size))
        self.faults, self.last = 0, requests[0]

    def see(self) -> list[int]:
        return [(self.left or [self.last])[0], *self.cache]

    def serve(self, slot: int) -> float:
        self.last = self.left.pop(0)
        if self.last in self.cache:
            return 0.0
        self.cache[slot] = self.last
        self.faults += 1
        return -1.0


@pytest.mark.parametrize("sizes", [(3, 2, 6), (2, 1, 5), (7, 4, 9), (5, 4, 1)])
def test_random_play_obeys_the_plain_rules(sizes: tuple[int, int, int]) -> None:
    task = PagingTask(*sizes)
    layouts = task.layout_space.sample(rng(), 200)
    actions = rng(1).integers(task.cache_size, size=(200, task.num_requests))
    plain = [PlainCache(row, task.cache_size) for row in layouts["requests"].tolist()]
    state = task.initial(layouts)
    for time in range(task.num_requests):
        assert task.observe(state).tolist() == [one.see() for one in plain]
        state, reward, over = task.step(state, actions[:, time])
        assert reward.tolist() == [one.serve(actions[i, time]) for i, one in enumerate(plain)]
        assert (over == (time == task.num_requests - 1)).all()
    assert task.observe(state).tolist() == [one.see() for one in plain]
    assert task.outcome(state).tolist() == [one.faults for one in plain]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_pages": 1}, "num_pages must be an integer from 2 to 1000, got 1"),
        ({"cache_size": 3}, "cache_size must be an integer from 1 to 2, got 3"),
        ({"cache_size": 0}, "cache_size must be an integer from 1 to 2, got 0"),
        ({"num_requests": 0}, "num_requests must be an integer from 1 to 10000, got 0"),
        ({"num_requests": 2.0}, "num_requests must be an integer"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PagingTask(**arguments)


def test_faults_are_a_cost() -> None:
    task = PagingTask()
    assert not task.higher_is_better
    assert task.outcome_range == (0.0, 6.0)
    assert task.layout_space.size == 3**6


# Belady's optimum


@pytest.mark.parametrize("sizes", [(3, 2, 6), (2, 1, 6), (4, 2, 5), (4, 3, 5), (5, 3, 4)])
def test_beladys_optimum_is_the_best_of_all_evictions(sizes: tuple[int, int, int]) -> None:
    task = PagingTask(*sizes)
    layouts = task.layout_space.enumerate()
    cache = frozenset(range(task.cache_size))
    expected = [fewest(tuple(row), cache) for row in layouts["requests"].tolist()]
    assert task.best_outcome(layouts).tolist() == expected


# Players


def test_the_task_names_its_players() -> None:
    assert [resolved(name) for name in PagingTask.players.values()] == PLAYERS


@pytest.mark.parametrize(
    ("requests", "lru", "fifo"),
    [
        ([0, 1, 0, 1], 0, 0),
        # Page 2 replaces 0. For 0, FIFO then replaces 1, and LRU 2, after the hit on 1.
        ([2, 1, 0], 2, 2),
        # After the hit on 0, LRU replaces 1 and keeps 0; FIFO replaces 0, which was there first.
        ([0, 2, 0], 1, 2),
        # And the other way round: FIFO has replaced 0, LRU 1.
        ([0, 2, 1], 2, 1),
        ([2, 0, 1, 2, 0, 1], 6, 6),
    ],
)
def test_lru_and_fifo_by_hand(requests: list[int], lru: int, fifo: int) -> None:
    assert faults_of(LeastRecentlyUsed, requests, 3, 2) == lru
    assert faults_of(FirstInFirstOut, requests, 3, 2) == fifo


def test_beladys_anomaly_is_fifos_alone() -> None:
    # Belady, Nelson and Shedler (1969): a larger cache may have more faults, 9 and 10 when it
    # starts empty. Three or four pages that are not asked for stand for the empty cache.
    sequence = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]
    requests = [page + 3 for page in sequence]
    assert [faults_of(FirstInFirstOut, requests, 9, k) for k in (3, 4)] == [9, 10]
    assert [faults_of(LeastRecentlyUsed, requests, 9, k) for k in (3, 4)] == [10, 8]
    # Without the anomaly: a sweep twice over four pages, which all fit in the larger cache.
    sweep = [4, 5, 6, 7] * 2
    assert [faults_of(FirstInFirstOut, sweep, 8, k) for k in (3, 4)] == [8, 4]


@pytest.mark.parametrize("kind", [LeastRecentlyUsed, FirstInFirstOut])
def test_some_sequence_of_four_makes_a_fixed_rule_fault_every_time(kind: type[Pager]) -> None:
    player = kind(PagingTask(3, 2, 4))
    env = gym.make("RandPaging-v0", num_requests=4)
    worst: dict[tuple[int, ...], int] = {}
    for requests in product(range(3), repeat=4):
        observation, _ = env.reset(options={"layout": {"requests": requests}})
        memory, over = player.begin(1), False
        info: dict[str, Any] = {}
        while not over:
            action = player.act(memory, np.asarray(observation)[None], np.zeros(1))[0]
            observation, _, over, _, info = env.step(int(action))
        worst[requests] = info["faults"]
    assert max(worst.values()) == 4
    # A new page first, then always the one just evicted.
    assert [requests for requests, faults in worst.items() if faults == 4] == [(2, 0, 1, 2)]


@pytest.mark.parametrize("kind", [LeastRecentlyUsed, FirstInFirstOut])
@pytest.mark.parametrize("sizes", [(3, 2, 8), (4, 3, 6), (4, 2, 6), (2, 1, 6)])
def test_fixed_rules_are_k_competitive(kind: type[Pager], sizes: tuple[int, int, int]) -> None:
    task = PagingTask(*sizes)
    layouts = task.layout_space.enumerate()
    faults = kind(task).play(layouts, np.zeros((1, task.num_requests))).outcome[:, 0]
    assert (faults <= task.cache_size * task.best_outcome(layouts)).all()


def test_marking_by_hand() -> None:
    task = PagingTask(3, 2, 3)
    layouts = task.layout_space.pack([{"requests": row} for row in ([2, 0, 1], [2, 0, 2])])
    # Page 2 replaces 0 or 1. If 0, asking for it replaces 1, the unmarked one; then both are
    # marked, and 1 is not there whichever was replaced first: 1 + 1/2 + 1.
    assert exact_means(Marking(task), layouts).tolist() == [2.5, 1.5]


@pytest.mark.parametrize("sizes", [(3, 2, 6), (4, 2, 5), (4, 3, 4), (5, 3, 4)])
def test_marking_has_the_mean_of_its_description_and_is_2_h_k_competitive(
    sizes: tuple[int, int, int],
) -> None:
    task = PagingTask(*sizes)
    layouts = task.layout_space.sample(rng(), 60)
    cache = frozenset(range(task.cache_size))
    means = exact_means(Marking(task), layouts)
    expected = [float(marking_mean(tuple(row), cache)) for row in layouts["requests"].tolist()]
    assert means == pytest.approx(expected)
    harmonic = sum(1 / i for i in range(1, task.cache_size + 1))
    assert (means <= 2 * harmonic * task.best_outcome(layouts) + task.cache_size + 1e-9).all()


def test_marking_needs_no_additive_constant_from_the_same_cache() -> None:
    task = PagingTask(3, 2, 7)
    layouts = task.layout_space.enumerate()
    assert (exact_means(Marking(task), layouts) <= 3 * task.best_outcome(layouts) + 1e-9).all()


def test_random_eviction_by_hand() -> None:
    task = PagingTask(3, 2, 3)
    layouts = task.layout_space.pack([{"requests": row} for row in ([2, 0, 2], [2, 0, 1])])
    # Page 2 replaces 0 or 1. If 0, it comes back and replaces 2 or 1.
    assert exact_means(RandomEviction(task), layouts).tolist() == [1 + 1 / 2 + 1 / 4, 2.25]


@pytest.mark.parametrize(("k", "num_requests"), [(1, 4), (2, 6), (3, 4)])
def test_random_then_most_recent_reaches_the_game_value(k: int, num_requests: int) -> None:
    task = PagingTask(k + 1, k, num_requests)
    layouts = task.layout_space.enumerate()
    means = exact_means(RandomThenMostRecent(task), layouts)
    assert means.max() == pytest.approx(1 + (num_requests - 1) / k)
    known = task.known_value()
    assert known.value == pytest.approx(means.max())
    assert known.kind == "exact"
    changes = layouts["requests"][:, 1:] != layouts["requests"][:, :-1]
    new_first = layouts["requests"][:, 0] == k
    assert means[new_first] == pytest.approx(1 + changes[new_first].sum(axis=1) / k)


def hard_sequences(task: PagingTask) -> Array:
    """Layouts, all equally likely, that cost every player as much as `known_value` says."""
    k, new = task.cache_size, min(task.num_pages - task.cache_size, task.num_requests)
    sequences = [list(range(k, k + new))]
    for _ in range(task.num_requests - new):
        sequences = [
            [*s, page] for s in sequences for page in range(task.num_pages) if page != s[-1]
        ]
    return task.layout_space.pack([{"requests": sequence} for sequence in sequences])


@pytest.mark.parametrize("sizes", [(3, 2, 5), (4, 2, 4), (4, 3, 4), (5, 3, 4), (5, 2, 2)])
@pytest.mark.parametrize("kind", PLAYERS)
def test_on_the_hard_sequences_all_players_are_alike(
    kind: type[Pager], sizes: tuple[int, int, int]
) -> None:
    task = PagingTask(*sizes)
    mean = exact_means(kind(task), hard_sequences(task)).mean()
    assert mean == pytest.approx(task.known_value().value)


def test_known_values() -> None:
    assert PagingTask().known_value() == GameValue(3.5, "exact")
    assert PagingTask(5, 2, 3).known_value() == GameValue(3.0, "exact"), "all requests are new"
    more = PagingTask(4, 2, 5).known_value()
    assert (more.value, more.kind) == (2 + 3 * 2 / 3, "bound")


@pytest.mark.parametrize("kind", PLAYERS)
def test_players_do_the_same_in_the_environment(kind: type[Pager]) -> None:
    player = kind(PagingTask(5, 3, 8))
    layouts = player.task.layout_space.sample(rng(), 10)
    seeds = player.draw_seeds(rng(1), 4)
    faults = player.play(layouts, seeds).outcome
    env = gym.make("RandPaging-v0", **player.task.config)
    for i, layout in enumerate(player.task.layout_space.unpack(layouts)):
        for j, seed in enumerate(seeds):
            observation, _ = env.reset(options={"layout": layout})
            memory = player.begin(1)
            info: dict[str, Any] = {}
            for draw in seed:
                action = player.act(memory, np.asarray(observation)[None], draw[None])[0]
                observation, _, _, _, info = env.step(int(action))
            assert info["faults"] == faults[i, j]


def test_evaluation_finds_the_game_value() -> None:
    report = evaluate(RandomThenMostRecent(PagingTask()), num_seeds=300, num_fresh_seeds=4000)
    assert report.worst.kind == "estimate"
    assert report.worst.ci95[0] <= 3.5 <= report.worst.ci95[1]
    fixed = evaluate(LeastRecentlyUsed(PagingTask()))
    assert fixed.num_seeds == 1
    assert fixed.worst.estimate == 6.0
