"""Compiled rules against the same rules on arrays, and what they are called with."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import InvalidAction

from rand_envs import GridTask, Task
from rand_envs.games.coloring.layouts import MAX_RANKED, ColoringSpace

Case = tuple[str, dict[str, Any]]
Rules = Callable[[Any, Any, Any], tuple[Any, Any]]


def recall(task: Any, after: Any, actions: Any) -> tuple[Any, Any]:
    after["step"] += 1
    over = after["step"] > task.num_pairs
    truth = after["values"][np.arange(len(after)), after["query"]]
    after["correct"] = over & (truth == actions).all(axis=1)
    return after["correct"].astype(float), over


def coloring(task: Any, after: Any, actions: Any) -> tuple[Any, Any]:
    along = np.take_along_axis(actions, after["cycle"], axis=1)
    after["conflicts"] = (along == np.roll(along, -1, axis=1)).sum(axis=1)
    return (after["conflicts"] == 0).astype(float), np.ones(len(after), bool)


def grid(task: Any, after: Any, actions: Any) -> tuple[Any, Any]:
    place = np.stack(np.divmod(after["cell"], task.columns), axis=1)
    moves = np.array([(0, 1), (0, -1), (1, 0), (-1, 0)])[actions]
    target = np.clip(place + moves, 0, np.array(task.size) - 1)
    blocked = after["walls"][np.arange(len(after)), target[:, 0], target[:, 1]]
    place = np.where(blocked[:, None], place, target)
    found = (place == after["treasure"]).all(axis=1)
    ended = found | (after["episode_steps"] + 1 == task.horizon)
    again = ended & (after["episode"] < task.num_episodes - 1)
    start = task.start[0] * task.columns + task.start[1]
    after["cell"] = np.where(again, start, place @ (task.columns, 1))
    after["found"] = found
    after["finds"] += found
    after["episode"] += again
    after["episode_steps"] = np.where(again, 0, after["episode_steps"] + 1)
    after["steps"] += 1
    return task.step_reward + task.find_reward * found, ended & ~again


def patrol(task: Any, after: Any, actions: Any) -> tuple[Any, Any]:
    nowhere = after["place"] == task.num_nodes
    is_near = nowhere | task.adjacency[after["place"] % task.num_nodes, actions]
    after["place"] = np.where(is_near, actions, after["place"])
    since = after["time"] - after["start"]
    met = (after["place"] == after["node"]) & (since >= 0) & (since < task.attack_duration)
    after["intercepted"] |= met
    after["time"] += 1
    over = after["time"] == task.horizon
    return (over & after["intercepted"]).astype(float), over


def paging(task: Any, after: Any, actions: Any) -> tuple[Any, Any]:
    page = after["requests"][np.arange(len(after)), after["time"]]
    row = np.flatnonzero((after["cache"] != page[:, None]).all(axis=1))
    after["cache"][row, actions[row]] = page[row]
    after["faults"][row] += 1
    after["time"] += 1
    reward = np.zeros(len(after))
    reward[row] = -1.0
    return reward, after["time"] == task.num_requests


ON_ARRAYS: dict[str, Rules] = {
    "RandRecall-v0": recall,
    "RandColoring-v0": coloring,
    "RandGrid-v0": grid,
    "RandPatrol-v0": patrol,
    "RandPaging-v0": paging,
}


def test_compiled_rules_equal_rules_on_arrays(case: Case) -> None:
    task: Task[Any] = gym.make(case[0], **case[1]).get_wrapper_attr("task")
    rng = np.random.default_rng(0)
    task.action_space.seed(0)
    state = task.initial(task.layout_space.sample(rng, 60))
    for _ in range(task.max_steps):
        actions = np.array([task.action_space.sample() for _ in range(len(state))])
        expected = state.copy()
        reward, over = ON_ARRAYS[case[0]](task, expected, actions)
        before = state.copy()
        moved = task.step(state, actions)
        assert np.array_equal(state, before)
        assert np.array_equal(moved.state, expected)
        assert np.array_equal(moved.reward, reward)
        assert np.array_equal(moved.terminated, over)
        # Those that are idle are observed, the others as if they were on their own.
        idle = rng.random(len(state)) < 0.5
        told = task.advance(state.copy(), actions, idle)
        assert np.array_equal(told.state, np.where(idle, state, expected))
        assert np.array_equal(told.observation, task.observe(told.state))
        assert np.array_equal(told.reward, np.where(idle, 0.0, reward))
        assert np.array_equal(told.terminated, over & ~idle)
        state = moved.state[~over]
        if not len(state):
            return
    raise AssertionError("it goes on for more steps than max_steps")


def test_what_is_told_along_the_way_is_what_is_told_of_states(case: Case) -> None:
    task: Task[Any] = gym.make(case[0], **case[1]).unwrapped.task  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    task.action_space.seed(0)
    state = task.initial(task.layout_space.sample(rng, 8))
    idle = np.zeros(8, bool)
    for _ in range(task.max_steps):
        actions = np.array([task.action_space.sample() for _ in range(8)])
        moved = task.advance(state, actions, idle)
        state, over = moved.state, moved.terminated
        for ended in (over, rng.random(8) < 0.5, np.ones(8, bool)):
            told = task.facts(state, ended)
            info, final = task.info(state), task.final_info(state)
            assert set(told) == set(info) | set(final)
            for key, values in info.items():
                assert np.array_equal(told[key], values)
            for key, values in final.items():
                assert np.array_equal(told[key], np.where(ended, values, 0))
            assert np.array_equal(told["is_success"], ended & task.success(state))
        if moved.facts is not None:
            told = task.facts(state, over)
            assert list(moved.facts) == list(told)
            assert all(np.array_equal(moved.facts[key], told[key]) for key in told)
        if over.any():
            return
    raise AssertionError("it goes on for more steps than max_steps")


def test_states_begin_anew_where_they_are_told_to(case: Case) -> None:
    task: Task[Any] = gym.make(case[0], **case[1]).unwrapped.task  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    state = task.initial(task.layout_space.sample(rng, 9))
    actions = np.array([task.action_space.sample() for _ in range(9)])
    state = task.advance(state, actions, np.zeros(9, bool)).state
    kept, layouts, at = state.copy(), task.layout_space.sample(rng, 3), np.array([1, 2, 7])
    task.begin(state, at, layouts)
    kept[at] = task.initial(layouts)
    assert np.array_equal(state, kept)


def test_states_of_another_type_are_refused() -> None:
    task = GridTask(3)
    state = task.initial(task.layout_space.enumerate()[:2])
    packed = state.astype([(name, state.dtype[name]) for name in state.dtype.names or ()])
    with pytest.raises(ValueError, match="states must be of type"):
        task.step(packed, np.zeros(2, int))


def test_states_hold_aligned_layouts_only() -> None:
    task = GridTask(3)
    task.layout_space.dtype = np.dtype([("walls", np.bool_, 3), ("treasure", np.int64)])
    with pytest.raises(ValueError, match="is not aligned"):
        task.hold([("cell", np.int64)])


def test_states_that_may_not_be_written_to_are_observed() -> None:
    task = GridTask(3)
    state = np.broadcast_to(task.initial(task.layout_space.enumerate()[:1]), 4)
    assert task.observe(state).tolist() == [[0, 0, 0]] * 4


@pytest.mark.parametrize("actions", [[0, 4], [0, -1], [0], [0.5, 1.0], [[0], [1]]])
def test_compiled_code_gets_no_illegal_actions(actions: Any) -> None:
    task = GridTask(3)
    state = task.initial(task.layout_space.enumerate()[:2])
    for method in (task.step, task.move):
        with pytest.raises(InvalidAction, match=r"actions must be"):
            method(state, np.array(actions))


@pytest.mark.parametrize("num_vertices", [3, 10, MAX_RANKED, MAX_RANKED + 2, 60])
def test_cycles_are_in_the_order_of_their_words(num_vertices: int) -> None:
    words = np.random.default_rng(0).integers(2**64, size=(20, num_vertices - 1), dtype=np.uint64)
    words[3, 1] = words[3, 0]
    order = 1 + words.argsort(axis=1, kind="stable")
    backwards = order[:, :1] > order[:, -1:]
    cycles = ColoringSpace(num_vertices).from_words(words)["cycle"]
    assert np.array_equal(cycles[:, 1:], np.where(backwards, order[:, ::-1], order))
    assert not cycles[:, 0].any()
