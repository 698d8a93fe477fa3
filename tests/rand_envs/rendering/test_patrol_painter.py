import math
from typing import Any

import numpy as np
import pytest

from rand_envs import PatrolTask
from rand_envs.games.patrol.places import places_of
from rand_envs.rendering import render_frame, render_text
from rand_envs.rendering.colors import BLUE, ORANGE, PAPER, RIGHT
from tests.rand_envs.rendering.test_rendering import count, pixel, played

CYCLE = PatrolTask()
ATTACK = {"node": 2, "start": 1}
GRAPH, TIME_LINE = np.s_[100:440], np.s_[480:]
"""Rows of a frame, above and below the legend."""


@pytest.mark.parametrize(
    ("walk", "text"),
    [
        (
            [],
            "RandPatrol-v0: 0 of 6 steps; attack on node 2 in steps 1 to 3\n"
            "step   0 1 2 3 4 5\n"
            "node   . . . . . .\n"
            "attack   ^ ^ ^",
        ),
        (
            [0, 1, 1, 2],
            "RandPatrol-v0: 4 of 6 steps; attack on node 2 in steps 1 to 3: intercepted in step 3\n"
            "step   0 1 2 3 4 5\n"
            "node   0 1 1 2 . .\n"
            "attack   ^ ^ !",
        ),
        (
            [2, 1, 3, 0, 4, 0],
            "RandPatrol-v0: 6 of 6 steps; attack on node 2 in steps 1 to 3: not intercepted"
            " - failure\n"
            "step   0 1 2 3 4 5\n"
            "node   2 1 1 0 4 0\n"
            "attack   ^ ^ ^",
        ),
    ],
)
def test_patrol_as_text(walk: list[int], text: str) -> None:
    assert render_text(CYCLE, *played(CYCLE, ATTACK, walk)) == text


def test_long_time_lines_are_wrapped() -> None:
    task = PatrolTask(("line", 30), 60, 1)
    lines = render_text(task, *played(task, {"node": 29, "start": 59}, [7])).split("\n")[1:]
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines] == ["step", "node", "attack"] * 3
    assert lines[-1].endswith("^")
    assert len(lines[-1]) == len(lines[-3]), "below its step"


def test_the_patroller_and_the_attack_are_where_they_belong() -> None:
    states, actions = played(CYCLE, ATTACK, [0, 1])
    frame = render_frame(CYCLE, states, actions)
    for node, (x, y) in enumerate(places_of(CYCLE.graph, 5)):
        beside_label = (x - 16, y)
        assert pixel(frame, beside_label) == (BLUE if node == 1 else PAPER), node
    x, y = places_of(CYCLE.graph, 5)[2]
    # The first of three steps has passed: its arc is the one to the upper right.
    turn = 2 * math.pi / 6
    ring = 1.45 * 24
    assert pixel(frame, (x + ring * math.sin(turn), y - ring * math.cos(turn))) == ORANGE
    assert pixel(frame, (x, y + ring)) not in (ORANGE, PAPER), "a step to come is pale"


def test_an_interception_is_green_on_the_ring_and_the_time_line() -> None:
    frames = [
        render_frame(CYCLE, *played(CYCLE, ATTACK, walk))
        for walk in ([0, 1, 1], [0, 1, 2], [0, 1, 2, 2])
    ]
    assert [count(frame[GRAPH], RIGHT) > 0 for frame in frames] == [False, True, True]
    time_lines = [count(frame[TIME_LINE], RIGHT) for frame in frames]
    assert time_lines[0] < time_lines[1] < time_lines[2]


def test_the_trail_is_drawn_along_the_edges_walked() -> None:
    still, moved = (
        render_frame(CYCLE, *played(CYCLE, ATTACK, walk))[GRAPH] for walk in ([4, 4], [0, 4])
    )
    places = places_of(CYCLE.graph, 5)
    middle = [(places[0][axis] + places[4][axis]) / 2 for axis in (0, 1)]
    x, y = round(middle[0]), round(middle[1]) - 100
    near = np.s_[y - 12 : y + 12, x - 12 : x + 12]
    assert count(still[near], BLUE) == 0 < count(moved[near], BLUE)


@pytest.mark.parametrize(
    "graph", [("cycle", 7), ("line", 6), ("star", 6), ("grid", 3, 4), ("grid", 1, 2), ("line", 900)]
)
def test_nodes_stand_apart_within_the_picture(graph: tuple[Any, ...]) -> None:
    task = PatrolTask(graph)
    places = places_of(task.graph, task.num_nodes)
    assert len(set(places)) == task.num_nodes
    for x, y in places:
        assert 40 <= x <= 540
        assert 100 <= y <= 440


def test_large_patrols_are_drawn_too() -> None:
    for task in (
        PatrolTask(("cycle", 1000), 10_000, 5_000),
        PatrolTask(("grid", 20, 20), 50, 9),
        PatrolTask(1 - np.eye(60, dtype=int), 2, 2),
    ):
        frame = render_frame(task, *played(task, {"node": 1, "start": 0}, [0, 1]))
        assert max(frame.shape) <= 800
        assert count(frame, BLUE) > 0
