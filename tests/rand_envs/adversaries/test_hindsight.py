"""What one play tells of other layouts: never more than the truth, and all of it where it can."""

from typing import Any

import numpy as np
import pytest

from rand_envs import ColoringTask, GridTask, PagingTask, PatrolTask, RecallTask
from rand_envs.adversaries.hindsight import hindsight_losses
from rand_envs.core.task import Task

TASKS: list[Task[Any]] = [
    GridTask(2, horizon=4),
    GridTask((2, 3), horizon=5, walls=1),
    PatrolTask(),
    PagingTask(num_requests=4),
    ColoringTask(5),
    RecallTask(2, 2),
]


def act(observations: tuple[bytes, ...], seed: int, task: Task[Any]) -> Any:
    """A player with perfect recall: what it does depends on all that it has seen, and a seed."""
    digest = np.frombuffer(b"".join(observations), np.uint8).astype(np.int64)
    task.action_space.seed(int((digest * (np.arange(len(digest)) + 7)).sum() * 31 + seed) % 2**31)
    return np.asarray(task.action_space.sample())


def played(task: Task[Any], layout: Any, seed: int) -> tuple[list[Any], list[Any]]:
    states, actions, seen = [task.initial(layout)], list[Any](), tuple[bytes, ...]()
    while True:
        seen = (*seen, task.observe(states[-1]).tobytes())
        actions.append(act(seen, seed, task))
        moved = task.step(states[-1], actions[-1][None])
        states.append(moved.state)
        if moved.terminated[0]:
            return states, actions


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.env_id)
def test_no_loss_is_larger_than_what_that_player_would_have_lost(task: Task[Any]) -> None:
    layouts = task.layout_space.enumerate()
    sign = -1.0 if task.higher_is_better else 1.0
    for seed in range(3):
        truth = [
            task.outcome(played(task, layouts[[i]], seed)[0][-1])[0] for i in range(len(layouts))
        ]
        for shown in np.random.default_rng(seed).choice(len(layouts), 3):
            losses = hindsight_losses(task, layouts, *played(task, layouts[[shown]], seed))
            assert (losses <= sign * np.array(truth) + 1e-12).all()
            assert losses[shown] == sign * truth[shown]


def test_where_nothing_tells_layouts_apart_it_is_the_whole_truth() -> None:
    task = PatrolTask()
    layouts = task.layout_space.enumerate()
    states, actions = played(task, layouts[:1], 0)
    truth = [-task.outcome(played(task, layouts[[i]], 0)[0][-1])[0] for i in range(len(layouts))]
    np.testing.assert_array_equal(hindsight_losses(task, layouts, states, actions), truth)


def test_a_cell_that_was_passed_is_charged_by_when_and_others_by_the_way_to_them() -> None:
    task = GridTask(3)
    layouts = task.layout_space.enumerate()
    state = task.initial(task.layout_space.pack([{"treasure": [0, 2]}]))
    states, actions = [state], [np.asarray(a) for a in (2, 2, 0, 0, 3, 3, 0, 0)]
    for action in actions:
        states.append(task.step(states[-1], action[None]).state)
    losses = hindsight_losses(task, layouts, states, actions)
    charged = {
        tuple(cell): loss for cell, loss in zip(layouts["treasure"].tolist(), losses, strict=True)
    }
    # Passed first: found in step 1, and one step in the second episode.
    assert charged[1, 0] == 2
    assert charged[2, 2] == 4 + 4
    # The one that was there costs what it did; those not seen, the way from there.
    assert charged[0, 2] == 6 + 2
    assert charged[0, 1] == 6 + 1 + 1
    assert charged[1, 1] == 6 + 2 + 2


def test_where_the_rules_are_too_large_to_go_through_the_best_outcome_stands_in() -> None:
    task = ColoringTask(30)
    layouts = task.layout_space.sample(np.random.default_rng(0), 4)
    states, actions = played(task, layouts[:1], 0)
    losses = hindsight_losses(task, layouts, states, actions)
    assert losses[1:].tolist() == [-1.0] * 3
    assert losses[0] == -task.outcome(states[-1])[0]
