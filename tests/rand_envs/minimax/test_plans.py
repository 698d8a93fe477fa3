"""Plans of one who knows the layout: against best outcomes that games know by other means."""

from typing import Any

import numpy as np
import pytest

from rand_envs import GridTask, PagingTask, PatrolTask
from rand_envs.core.task import Task
from rand_envs.minimax.tasks import plans as module
from rand_envs.minimax.tasks.plans import plans
from tests.rand_agents.games.strangers import Penalty

TASKS: dict[str, Task[Any]] = {
    "grid": GridTask(size=4, horizon=9, walls=4),
    "a horizon that is too short": GridTask(size=3, horizon=2),
    "three episodes": GridTask(size=3, horizon=6, num_episodes=3),
    "paging": PagingTask(num_requests=7),
    "more pages": PagingTask(num_pages=5, cache_size=2, num_requests=5),
}


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_from_the_start_a_plan_is_the_best_outcome_and_is_played_as_it_says(task: Any) -> None:
    layouts = task.layout_space.sample(np.random.default_rng(3), 30)
    state = task.initial(layouts)
    found = plans(task, state)
    assert found is not None
    assert [plan.outcome for plan in found] == task.best_outcome(layouts).tolist()
    for row, plan in enumerate(found):
        now = state[[row]]
        for number, (seen, action) in enumerate(zip(plan.observations, plan.actions, strict=True)):
            np.testing.assert_array_equal(task.observe(now)[0], seen)
            now, _, over = task.step(now, action[None])
            assert over[0] == (number == len(plan.actions) - 1)
        assert task.outcome(now)[0] == plan.outcome


def test_success_is_planned_for_as_costs_are() -> None:
    found = plans(Penalty(), Penalty().initial(Penalty.layout_space.enumerate()))
    assert found is not None
    assert [plan.outcome for plan in found] == [1.0, 1.0, 1.0]
    task = PatrolTask(horizon=4, attack_duration=2)
    layouts = task.layout_space.enumerate()
    found = plans(task, task.initial(layouts))
    assert found is not None
    # One who knows which node is attacked begins there.
    assert [plan.outcome for plan in found] == [1.0] * len(layouts)


def test_nothing_is_planned_where_there_are_too_many_states(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = GridTask(size=4)
    state = task.initial(task.layout_space.enumerate())
    monkeypatch.setattr(module, "MOST_STATES", 40)
    assert plans(task, state) is None
