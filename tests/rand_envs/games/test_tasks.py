import json
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rand_envs import ColoringLayout, ColoringTask, GridLayout, GridTask, RecallLayout, RecallTask
from rand_envs.core.task import Task


class Played:
    """One instance, played by hand."""

    def __init__(self, task: Task[Any], layout: Any) -> None:
        self.task = task
        self.state = task.initial(task.layout_space.pack([layout]))

    def see(self) -> list[Any]:
        seen: list[Any] = self.task.observe(self.state)[0].tolist()
        return seen

    def play(self, action: Any) -> tuple[list[Any], float, bool]:
        self.state, reward, terminated = self.task.step(self.state, np.array([action]))
        return self.see(), round(float(reward[0]), 12), bool(terminated[0])

    def success(self) -> bool:
        return bool(self.task.success(self.state)[0])

    def outcome(self) -> float:
        return float(self.task.outcome(self.state)[0])


RIGHT, LEFT, UP, DOWN = range(4)


def test_recall_shows_the_pairs_then_asks() -> None:
    game = Played(RecallTask(2, 3), RecallLayout(((1, 0, 1), (0, 1, 1)), 1))
    assert game.see() == [1, 0, 1, 0, 1, 0]
    assert game.play((0, 1, 1)) == ([0, 1, 0, 1, 1, 0], 0.0, False)
    assert game.play((0, 1, 1)) == ([0, 1, 0, 0, 0, 1], 0.0, False)
    assert game.play((0, 1, 1)) == ([0, 1, 0, 0, 0, 1], 1.0, True)
    assert game.success()
    assert game.outcome() == 1.0


@pytest.mark.parametrize("answer", [(1, 0, 1), (0, 0, 1), (0, 1, 0), (1, 1, 1)])
def test_recall_wants_every_bit_of_the_asked_value(answer: tuple[int, ...]) -> None:
    game = Played(RecallTask(2, 3), RecallLayout(((1, 0, 1), (0, 1, 1)), 1))
    game.play(answer)
    game.play(answer)
    assert game.play(answer)[1:] == (0.0, True)
    assert not game.success()
    assert game.outcome() == 0.0


def test_coloring_shows_the_adjacency() -> None:
    game = Played(ColoringTask(4), ColoringLayout((0, 2, 1, 3)))
    assert game.see() == [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]


@pytest.mark.parametrize(
    ("colors", "conflicts"),
    [((0, 0, 1, 1), 0), ((2, 0, 1, 1), 0), ((0, 1, 0, 1), 2), ((0, 0, 0, 1), 2), ((1,) * 4, 4)],
)
def test_coloring_counts_conflicting_edges(colors: tuple[int, ...], conflicts: int) -> None:
    game = Played(ColoringTask(4), ColoringLayout((0, 2, 1, 3)))
    assert game.play(colors)[1:] == (float(conflicts == 0), True)
    assert game.task.info(game.state)["conflicts"].tolist() == [conflicts]
    assert game.success() == (conflicts == 0)


def test_an_odd_cycle_cannot_be_coloured_with_two_colours() -> None:
    task = ColoringTask(5, 2)
    colors = np.array(np.meshgrid(*[[0, 1]] * 5)).reshape(5, -1).T
    state = task.initial(np.repeat(task.layout_space.enumerate()[:1], len(colors)))
    assert task.step(state, colors).reward.sum() == 0


def test_grid_is_played_twice_with_the_treasure_in_place() -> None:
    game = Played(GridTask(2, horizon=3), GridLayout((1, 1)))
    assert game.see() == [0, 0, 0]
    assert game.play(RIGHT) == ([0, 1, 0], -0.1, False)
    assert game.play(UP) == ([0, 0, 1], 0.9, False)
    assert game.task.info(game.state) == {"episode_index": 1, "steps": 2}
    assert game.play(LEFT) == ([0, 0, 0], -0.1, False)
    assert game.play(UP) == ([1, 0, 0], -0.1, False)
    assert game.play(RIGHT) == ([1, 1, 1], 0.9, True)
    assert game.task.info(game.state) == {"episode_index": 1, "steps": 5}
    assert game.success()
    assert game.outcome() == 5.0


def test_grid_goes_back_to_the_start_when_the_horizon_ends() -> None:
    game = Played(GridTask(2, horizon=2), GridLayout((1, 1)))
    game.play(RIGHT)
    assert game.play(RIGHT) == ([0, 0, 0], -0.1, False)
    assert game.task.info(game.state) == {"episode_index": 1, "steps": 2}
    game.play(UP)
    assert game.play(UP) == ([1, 0, 0], -0.1, True)
    assert not game.success()
    assert game.outcome() == 4.0


def test_grid_succeeds_only_if_every_episode_does() -> None:
    game = Played(GridTask(2, horizon=2), GridLayout((1, 1)))
    game.play(LEFT)
    game.play(LEFT)
    game.play(RIGHT)
    assert game.play(UP) == ([1, 1, 1], 0.9, True)
    assert not game.success()
    assert game.outcome() == 4.0


def test_grid_moves_stop_at_the_border_and_at_walls() -> None:
    walls = np.array([[False, True, False], [False, False, False]])
    game = Played(GridTask((2, 3), walls=walls), GridLayout((0, 2)))
    assert game.play(RIGHT)[0] == [0, 0, 0]
    assert game.play(DOWN)[0] == [0, 0, 0]
    assert game.play(LEFT)[0] == [0, 0, 0]
    assert game.play(UP)[0] == [1, 0, 0]
    assert game.play(UP)[0] == [1, 0, 0]
    assert game.play(RIGHT)[0] == [1, 1, 0]
    assert game.play(DOWN)[0] == [1, 1, 0]
    assert game.play(RIGHT)[0] == [1, 2, 0]
    assert game.play(RIGHT)[0] == [1, 2, 0]
    assert game.play(DOWN) == ([0, 0, 1], 0.9, False)


def test_grid_rewards_and_start_can_be_chosen() -> None:
    task = GridTask(3, num_episodes=1, step_reward=-1, find_reward=0, start=(2, 1))
    game = Played(task, GridLayout((1, 1)))
    assert game.see() == [2, 1, 0]
    assert game.play(DOWN) == ([1, 1, 1], -1.0, True)
    assert game.outcome() == 1.0


@given(st.integers(0, 2**32), st.integers(3, 9), st.integers(2, 4))
def test_conflicts_equal_brute_force(rng_seed: int, num_vertices: int, num_colors: int) -> None:
    task = ColoringTask(num_vertices, num_colors)
    rng = np.random.default_rng(rng_seed)
    layouts = task.layout_space.sample(rng, 4)
    colors = rng.integers(num_colors, size=(4, num_vertices))
    after = task.step(task.initial(layouts), colors)
    adjacency = task.observe(task.initial(layouts))
    same = colors[:, :, None] == colors[:, None, :]
    assert after.state["conflicts"].tolist() == ((adjacency * same).sum((1, 2)) // 2).tolist()
    assert (adjacency.sum(axis=2) == 2).all()
    assert np.array_equal(adjacency, adjacency.transpose(0, 2, 1))


@given(st.integers(0, 2**32))
def test_a_walk_in_the_grid_obeys_the_rules(rng_seed: int) -> None:
    task = GridTask(4, walls=4, horizon=9, num_episodes=3)
    rng = np.random.default_rng(rng_seed)
    game = Played(task, task.layout_space.unpack(task.layout_space.sample(rng, 1))[0])
    layout = task.layout_space.unpack(game.state)[0]
    place, total, steps, finds, over = (0, 0), 0.0, 0, 0, False
    since = 0
    while not over:
        action = int(rng.integers(4))
        seen, reward, over = game.play(action)
        row = place[0] + (action == UP) - (action == DOWN)
        column = place[1] + (action == RIGHT) - (action == LEFT)
        if 0 <= row < 4 and 0 <= column < 4 and (row, column) not in layout.walls:
            place = (row, column)
        found = place == layout.treasure
        steps, since, finds = steps + 1, since + 1, finds + found
        total += reward
        if (found or since == 9) and not over:
            place, since = (0, 0), 0
        assert seen == [*place, found]
    assert steps == game.outcome() <= task.max_steps
    assert game.success() == (finds == 3)
    assert total == pytest.approx(finds - 0.1 * steps)


def test_rules_leave_their_arguments_alone(case: tuple[str, dict[str, Any]]) -> None:
    task: Task[Any] = gym.make(case[0], **case[1]).get_wrapper_attr("task")
    rng = np.random.default_rng(0)
    layouts = task.layout_space.sample(rng, 4)
    kept_layouts = layouts.copy()
    state = task.initial(layouts)
    task.action_space.seed(0)
    over = np.zeros(4, bool)
    for _ in range(task.max_steps):
        assert not over.all()
        kept = state.copy()
        actions = np.array([task.action_space.sample() for _ in range(4)])
        kept_actions = actions.copy()
        after = task.step(state, actions)
        for view in (task.observe(state), *task.info(state).values(), after.reward):
            view[...] = 1
        assert np.array_equal(state, kept)
        assert np.array_equal(actions, kept_actions)
        over = after.terminated
        state = np.where(over, kept, after.state) if not over.all() else after.state
    assert np.array_equal(layouts, kept_layouts)


def test_an_instance_ends_within_max_steps(case: tuple[str, dict[str, Any]]) -> None:
    env: Any = gym.make(case[0], **case[1]).unwrapped
    env.reset(seed=0)
    blocked_or_wrong = np.zeros(env.action_space.shape, np.int64)
    steps = 0
    terminated = False
    while not terminated:
        _, _, terminated, truncated, _ = env.step(blocked_or_wrong)
        assert not truncated
        steps += 1
    assert steps <= env.task.max_steps
    if case[0] != "RandGrid-v0":
        assert steps == env.task.max_steps


def test_config_builds_an_equal_task(case: tuple[str, dict[str, Any]]) -> None:
    task = gym.make(case[0], **case[1]).get_wrapper_attr("task")
    twin = type(task)(**json.loads(json.dumps(task.config)))
    assert twin.config == task.config
    assert twin.layout_space.dtype == task.layout_space.dtype
    assert twin.observation_space == task.observation_space
    assert gym.make(case[0], **task.config).get_wrapper_attr("task").config == task.config


def test_units_say_which_way_is_better() -> None:
    assert [RecallTask().unit, ColoringTask().unit, GridTask().unit] == [
        "success",
        "success",
        "steps",
    ]
    assert RecallTask().higher_is_better
    assert not GridTask().higher_is_better


@pytest.mark.parametrize(
    ("build", "arguments", "message"),
    [
        (RecallTask, {"num_pairs": 0}, "num_pairs must be an integer from 1 to 10000, got 0"),
        (RecallTask, {"num_pairs": True}, "num_pairs must be an integer"),
        (RecallTask, {"value_bits": 2.0}, "value_bits must be an integer"),
        (RecallTask, {"value_bits": "5"}, "value_bits must be an integer"),
        (ColoringTask, {"num_vertices": 2}, "num_vertices must be an integer from 3"),
        (ColoringTask, {"num_colors": 1}, "num_colors must be an integer from 2"),
        (GridTask, {"size": 0}, "size must be an integer from 1 to 1000, got 0"),
        (GridTask, {"size": 1}, "size must give at least two cells"),
        (GridTask, {"size": (2, 3, 4)}, r"size must be an integer or a \(rows, columns\) pair"),
        (GridTask, {"size": (2, 2.5)}, "size must be an integer"),
        (GridTask, {"horizon": 0}, "horizon must be an integer from 1 to 1000000000, got 0"),
        (GridTask, {"horizon": False}, "horizon must be an integer from 1 to 1000000000"),
        (GridTask, {"num_episodes": 0}, "num_episodes must be an integer from 1 to 1000000000"),
        (GridTask, {"step_reward": "-1"}, "step_reward must be a finite number"),
        (GridTask, {"find_reward": float("nan")}, "find_reward must be a finite number"),
        (GridTask, {"start": (5, 0)}, "row of the start must be an integer from 0 to 4"),
        (GridTask, {"start": 3}, r"the start must be a \(row, column\) pair"),
        (GridTask, {"walls": 24}, "walls must be an integer from 0 to 23"),
        (GridTask, {"walls": True}, "walls must be"),
        (GridTask, {"walls": np.zeros((5, 5))}, r"boolean array of shape \(5, 5\)"),
        (GridTask, {"walls": np.zeros((5, 4), bool)}, r"boolean array of shape \(5, 5\)"),
        (GridTask, {"size": 2, "walls": np.eye(2, dtype=bool)}, "start must be a free cell"),
        (GridTask, {"size": 2, "walls": ~np.eye(2, dtype=bool)}, "reachable from the start"),
        (GridTask, {"size": 2, "walls": np.ones((2, 2), bool)}, "number of walls must be"),
    ],
)
def test_bad_arguments_are_refused(build: Any, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**arguments)
