"""Regret and the competitive ratio in reports, by hand and by going through all sequences."""

import itertools
from typing import Any

import numpy as np
import pytest

from rand_agents import evaluate
from rand_envs import GridTask
from rand_envs.core.task import resolved
from rand_envs.games.paging import PagingTask
from tests.rand_agents.games.strangers import Penalty

FEW: dict[str, Any] = {"num_seeds": 10, "num_fresh_seeds": 20, "votes": ()}


def belady(requests: tuple[int, ...]) -> int:
    """The fewest faults of all ways to serve requests with slots 0 and 1 at first."""
    states: dict[tuple[int, ...], int] = {(0, 1): 0}
    for page in requests:
        after: dict[tuple[int, ...], int] = {}
        for cache, faults in states.items():
            hit = page in cache
            ways = [cache] if hit else [(page, cache[1]), (cache[0], page)]
            for way in ways:
                after[way] = min(after.get(way, 99), faults + (not hit))
        states = after
    return min(states.values())


def lru(requests: tuple[int, ...]) -> int:
    order, faults = [0, 1], 0
    for page in requests:
        faults += page not in order
        order.remove(page if page in order else order[0])
        order.append(page)
    return faults


def test_regret_and_ratio_of_lru_are_those_of_all_sequences() -> None:
    task = PagingTask(num_requests=4)
    player = resolved(PagingTask.players["lru"])(task)
    report = evaluate(player, **FEW)
    pairs = [(lru(r), belady(r)) for r in itertools.product(range(3), repeat=4)]
    regrets = [online - best for online, best in pairs]
    assert report.regret is not None
    assert report.regret.ratio is not None
    assert report.regret.worst.estimate == max(regrets) == 2
    assert report.regret.average.estimate == pytest.approx(np.mean(regrets))
    assert report.regret.ratio.estimate == max(on / off for on, off in pairs if off)
    assert report.regret.worst.kind == "exact"


def test_regret_on_the_grid_is_what_the_shortest_path_leaves() -> None:
    task = GridTask(2, horizon=6)
    # Right, up, left, down, again and again: (0, 1), (1, 1) and (1, 0) after 1, 2 and 3 steps.
    ways = {(0, 0): 0, (0, 1): 2, (1, 1): 1, (1, 0): 3}
    report = evaluate(lambda seen: ways[int(seen[0]), int(seen[1])], task, **FEW)
    assert report.worst.estimate == 2 * 3
    assert report.regret is not None
    assert report.regret.worst.estimate == 2 * (3 - 1)
    assert report.regret.worst.layout["treasure"] == [1, 0]
    assert report.regret.average.estimate == pytest.approx(2 * (0 + 0 + 2) / 3)
    assert report.regret.ratio is not None
    assert report.regret.ratio.estimate == 3.0


def test_regret_on_a_sample_leaves_the_other_layouts_to_chance() -> None:
    task = PagingTask(num_requests=4)
    player = resolved(PagingTask.players["lru"])(task)
    layouts = task.layout_space.enumerate()
    regrets = [lru(r) - belady(r) for r in layouts["requests"].tolist()]
    report = evaluate(player, layouts=layouts[::2], search_rounds=0, **FEW)
    assert report.regret is not None
    assert report.regret.worst.kind == "bound"
    assert report.regret.worst.estimate == max(regrets[::2])
    average = report.regret.average
    assert average.estimate == pytest.approx(np.mean(regrets[::2]))
    assert average.ci95[0] < np.mean(regrets) < average.ci95[1]
    assert average.guaranteed


def test_where_nothing_is_inevitable_there_is_no_ratio() -> None:
    task = PagingTask(num_requests=4)
    player = resolved(PagingTask.players["lru"])(task)
    known = task.layout_space.pack([{"requests": [0, 1, 0, 0]}])
    report = evaluate(player, layouts=known, search_rounds=0, **FEW)
    assert report.regret is not None
    assert (report.regret.worst.estimate, report.regret.ratio) == (0.0, None)


def test_without_a_best_outcome_there_is_no_regret() -> None:
    assert evaluate(lambda seen: 0, Penalty(), **FEW).regret is None
