"""RandPatrol-v0: rules against a slow plain reference, graphs, patrollers and their values."""

from itertools import product
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rand_agents import evaluate
from rand_envs import PatrolTask
from rand_envs.core.task import GameValue, resolved
from rand_envs.games.patrol.classics import (
    CyclicPatrol,
    Patroller,
    RandomWalk,
    StationaryGuard,
)
from rand_envs.games.patrol.graphs import closed_tour
from tests.conftest import TRIANGLE_WITH_TAIL
from tests.rand_envs.games.test_tasks import Played

GRAPHS: dict[str, Any] = {
    "cycle": ("cycle", 5),
    "line": ("line", 4),
    "star": ("star", 5),
    "grid": ("grid", 2, 3),
    "matrix": TRIANGLE_WITH_TAIL,
}

NEIGHBOURS: dict[str, dict[int, set[int]]] = {
    "cycle": {0: {1, 4}, 1: {0, 2}, 2: {1, 3}, 3: {2, 4}, 4: {3, 0}},
    "line": {0: {1}, 1: {0, 2}, 2: {1, 3}, 3: {2}},
    "star": {0: {1, 2, 3, 4}, 1: {0}, 2: {0}, 3: {0}, 4: {0}},
    "grid": {0: {1, 3}, 1: {0, 2, 4}, 2: {1, 5}, 3: {0, 4}, 4: {1, 3, 5}, 5: {2, 4}},
    "matrix": {0: {1, 2}, 1: {0, 2}, 2: {0, 1, 3}, 3: {2}},
}

PLAYERS = [StationaryGuard, CyclicPatrol, RandomWalk]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def walked(near: dict[int, set[int]], actions: list[int]) -> list[int]:
    """The nodes of every step, by the rules as a sentence says them."""
    walk = actions[:1]
    for action in actions[1:]:
        walk.append(action if action in near[walk[-1]] else walk[-1])
    return walk


def is_met(walk: list[int], node: int, start: int, duration: int) -> bool:
    return node in walk[start : start + duration]


# Rules


def test_an_instance_by_hand() -> None:
    game = Played(PatrolTask(), {"node": 2, "start": 1})
    assert game.see() == [5, 0]
    assert game.play(3) == ([3, 1], 0.0, False)
    assert game.play(0) == ([3, 2], 0.0, False), "no neighbour: stays"
    assert game.play(2) == ([2, 3], 0.0, False)
    assert game.play(2) == ([2, 4], 0.0, False)
    assert game.play(1) == ([1, 5], 0.0, False)
    assert game.play(0) == ([0, 6], 1.0, True)
    assert game.success()
    assert game.outcome() == 1.0
    assert game.task.info(game.state) == {"place": 0}


@pytest.mark.parametrize(("walk", "met"), [([2, 2, 2, 3], False), ([2, 3, 2, 2], True)])
def test_the_node_counts_only_during_the_attack(walk: list[int], met: bool) -> None:
    game = Played(PatrolTask(horizon=4, attack_duration=1), {"node": 2, "start": 3})
    rewards = [game.play(node)[1] for node in walk]
    assert rewards == [0.0, 0.0, 0.0, float(met)]
    assert game.success() == met


@pytest.mark.parametrize("name", GRAPHS)
def test_random_play_obeys_the_plain_rules(name: str) -> None:
    task = PatrolTask(GRAPHS[name], horizon=7, attack_duration=2)
    layouts = np.repeat(task.layout_space.enumerate(), 20)
    actions = rng().integers(task.num_nodes, size=(len(layouts), 7))
    state, seen, rewards = task.initial(layouts), [], []
    for time in range(7):
        seen.append(task.observe(state))
        state, reward, terminated = task.step(state, actions[:, time])
        rewards.append(reward)
        assert (terminated == (time == 6)).all()
    seen.append(task.observe(state))
    for i, layout in enumerate(task.layout_space.unpack(layouts)):
        walk = walked(NEIGHBOURS[name], actions[i].tolist())
        met = is_met(walk, layout.node, layout.start, 2)
        assert [entry[i].tolist() for entry in seen] == [
            [place, time] for time, place in enumerate([task.num_nodes, *walk])
        ]
        assert [float(entry[i]) for entry in rewards] == [0.0] * 6 + [float(met)]
        assert task.success(state)[i] == met


def test_info_has_the_same_keys_in_every_step() -> None:
    env = gym.make("RandPatrol-v0", horizon=3)
    assert env.reset()[1] == {"place": 5, "is_success": False}
    assert [env.step(node)[4] for node in (4, 0)] == [
        {"place": 4, "is_success": False},
        {"place": 0, "is_success": False},
    ]
    assert env.step(1)[4].keys() == {"place", "is_success"}


# Graphs


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_have_the_edges_of_their_names(name: str) -> None:
    adjacency = PatrolTask(GRAPHS[name]).adjacency
    assert {i: set(np.flatnonzero(row).tolist()) for i, row in enumerate(adjacency)} == NEIGHBOURS[
        name
    ]


@given(st.integers(2, 9), st.floats(0, 1), st.integers(0, 2**32))
def test_a_tour_goes_along_edges_through_all_nodes(n: int, density: float, rng_seed: int) -> None:
    random = rng(rng_seed)
    adjacency = np.zeros((n, n), bool)
    for node in range(1, n):
        adjacency[node, random.integers(node)] = True
    adjacency |= np.triu(random.random((n, n)) < density, 1)
    adjacency |= adjacency.T
    tour = closed_tour(PatrolTask(adjacency).adjacency)
    assert set(tour.tolist()) == set(range(n))
    assert adjacency[tour, np.roll(tour, -1)].all()
    assert len(tour) == (n if (adjacency.sum(0) == 2).all() else 2 * (n - 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"graph": "cycle"}, r'graph must be \("cycle", n\), .* or the adjacency matrix'),
        ({"graph": ("ring", 4)}, r"graph must be .*, got \('ring', 4\)"),
        ({"graph": ("grid", 3)}, r"graph must be .*, got \('grid', 3\)"),
        ({"graph": ()}, "graph must be"),
        ({"graph": ("cycle", 2)}, "the size of a cycle must be an integer from 3 to 1000, got 2"),
        ({"graph": ("line", 1)}, "the size of a line must be an integer from 2 to 1000, got 1"),
        ({"graph": ("star", 2.0)}, "the size of a star must be an integer"),
        ({"graph": ("grid", 1, 1)}, "a graph must have 2 to 1000 nodes, got 1"),
        ({"graph": ("grid", 100, 100)}, "a graph must have 2 to 1000 nodes, got 10000"),
        ({"graph": np.zeros((2, 2), int)}, "matrix of a connected graph"),
        ({"graph": [[0, 1], [0, 0]]}, "symmetric, of 0 and 1"),
        ({"graph": [[1, 1], [1, 0]]}, "with zeros on its diagonal"),
        ({"graph": [[0, 2], [2, 0]]}, "symmetric, of 0 and 1"),
        ({"graph": [[0.0, 1.0], [1.0, 0.0]]}, "symmetric, of 0 and 1"),
        ({"graph": [[0, 1], [1]]}, "adjacency matrix"),
        ({"graph": 7}, "graph must be .*, got 7"),
        ({"horizon": 0}, "horizon must be an integer from 1 to 10000, got 0"),
        ({"attack_duration": 7}, "attack_duration must be an integer from 1 to 6, got 7"),
        ({"attack_duration": True}, "attack_duration must be an integer from 1 to 6"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PatrolTask(**arguments)


def test_the_configuration_names_the_graph() -> None:
    assert PatrolTask().config == {"graph": ["cycle", 5], "horizon": 6, "attack_duration": 3}
    assert PatrolTask(TRIANGLE_WITH_TAIL).config["graph"] == TRIANGLE_WITH_TAIL.tolist()
    assert PatrolTask(TRIANGLE_WITH_TAIL == 1).graph == PatrolTask(TRIANGLE_WITH_TAIL).graph


# Patrollers


def test_the_task_names_its_patrollers() -> None:
    assert [resolved(name) for name in PatrolTask.players.values()] == PLAYERS[::-1]


@pytest.mark.parametrize("name", GRAPHS)
def test_a_guard_that_stays_meets_one_attack_in_n(name: str) -> None:
    task = PatrolTask(GRAPHS[name])
    n = task.num_nodes
    layouts = task.layout_space.enumerate()
    every_node = (np.arange(n)[:, None] + 0.5) / n
    exact = StationaryGuard(task).play(layouts, every_node).outcome.mean(axis=1)
    assert exact == pytest.approx(np.full(len(layouts), 1 / n))
    assert StationaryGuard(task).worst_case() == 1 / n


@pytest.mark.parametrize(("n", "duration"), [(5, 3), (5, 5), (5, 6), (4, 1), (7, 2)])
def test_going_round_a_cycle_meets_m_of_n_attacks(n: int, duration: int) -> None:
    player = CyclicPatrol(PatrolTask(("cycle", n), 6, duration))
    layouts = player.task.layout_space.enumerate()
    success = min(1, duration / n)
    assert player.exact_success(layouts) == pytest.approx(np.full(len(layouts), success))


@pytest.mark.parametrize(
    ("graph", "duration", "worst"),
    [
        (("line", 4), 3, 3 / 6),
        (("star", 4), 4, 4 / 6),
        (("star", 6), 6, 6 / 10),
        (("grid", 2, 3), 4, 4 / 10),
        (("grid", 2, 2), 3, 3 / 4),
        (TRIANGLE_WITH_TAIL, 2, 2 / 6),
        (("line", 3), 5, 1.0),
    ],
)
def test_a_tour_up_and_down_a_tree_is_worst_at_a_leaf(
    graph: Any, duration: int, worst: float
) -> None:
    assert CyclicPatrol(PatrolTask(graph, 8, duration)).worst_case() == pytest.approx(worst)


def test_a_random_walk_on_two_nodes_by_hand() -> None:
    player = RandomWalk(PatrolTask(("line", 2), 4, 3))
    # Each step is on either node with probability 1/2, whatever was before.
    assert player.worst_case() == pytest.approx(1 - 1 / 8)


def test_a_random_walk_on_the_cycle_of_five_by_hand() -> None:
    player = RandomWalk(PatrolTask())
    # Of the other nodes a, b, c, d in a row, all stay off for a step with probability 2/3 from the
    # ends and 1 from the middle: 10/3 of 4, and then (2 * (2/3 + 1) + 2 * (2/3 + 2)) / 3 = 26/9.
    assert player.worst_case() == pytest.approx(1 - (26 / 9) / 5)


@pytest.mark.parametrize("kind", PLAYERS)
@pytest.mark.parametrize("name", GRAPHS)
def test_the_exact_success_is_the_mean_over_seeds(kind: Any, name: str) -> None:
    player = kind(PatrolTask(GRAPHS[name], 5, 2))
    layouts = player.task.layout_space.enumerate()
    mean = player.play(layouts, player.draw_seeds(rng(), 20_000)).outcome.mean(axis=1)
    assert player.exact_success(layouts) == pytest.approx(mean, abs=0.02)


@pytest.mark.parametrize("kind", PLAYERS)
@pytest.mark.parametrize("name", GRAPHS)
def test_patrollers_do_the_same_in_the_environment(kind: Any, name: str) -> None:
    player: Patroller = kind(PatrolTask(GRAPHS[name], 5, 2))
    layouts = player.task.layout_space.enumerate()
    seeds = player.draw_seeds(rng(), 8)
    play, walks = player.play(layouts, seeds), player.walks(seeds)
    for i, j in product(range(len(layouts)), range(8)):
        state = player.task.initial(layouts[i : i + 1])
        for node in walks[j]:
            state = player.task.step(state, np.array([node])).state
            assert state["place"][0] == node, "every move is along an edge"
        assert player.task.outcome(state)[0] == play.outcome[i, j]


def test_evaluation_finds_the_game_value_of_the_cycle() -> None:
    report = evaluate(CyclicPatrol(PatrolTask()), num_seeds=400, num_fresh_seeds=4000)
    assert report.worst.kind == "estimate"
    assert report.worst.ci95[0] <= 0.6 <= report.worst.ci95[1]


@pytest.mark.parametrize(
    ("graph", "duration", "value"),
    [
        (("cycle", 5), 3, GameValue(0.6, "exact")),
        (("cycle", 5), 6, GameValue(1.0, "exact")),
        (("line", 2), 1, GameValue(0.5, "exact")),
        (("star", 4), 6, GameValue(1.0, "exact")),
    ],
)
def test_known_values(graph: Any, duration: int, value: GameValue) -> None:
    task = PatrolTask(graph, 6, duration)
    assert task.known_value() == value
    assert CyclicPatrol(task).worst_case() == value.value


def test_elsewhere_only_a_bound_is_known() -> None:
    known = PatrolTask(("star", 4), 6, 2).known_value()
    assert (known.value, known.kind) == (0.5, "bound")
