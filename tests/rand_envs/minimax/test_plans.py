"""Plans of one who knows the layout: against best outcomes that games know by other means."""

from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Discrete

from rand_envs import GridTask, Layouts, PagingTask, PatrolTask, check_task
from rand_envs.core.arrays import Array
from rand_envs.core.task import Task, Transition
from rand_envs.minimax.tasks import plans as module
from rand_envs.minimax.tasks.plans import Plan, plans
from tests.rand_agents.games.strangers import Penalty

TASKS: dict[str, Task[Any]] = {
    "grid": GridTask(size=4, horizon=9, walls=4),
    "a horizon that is too short": GridTask(size=3, horizon=2),
    "three episodes": GridTask(size=3, horizon=6, num_episodes=3),
    "paging": PagingTask(num_requests=7),
    "more pages": PagingTask(num_pages=5, cache_size=2, num_requests=5),
}


def outcomes(found: list[Plan | None]) -> list[float]:
    assert None not in found
    return [plan.outcome for plan in found if plan is not None]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_from_the_start_a_plan_is_the_best_outcome_and_is_played_as_it_says(task: Any) -> None:
    layouts = task.layout_space.sample(np.random.default_rng(3), 30)
    state = task.initial(layouts)
    found = plans(task, state)
    best = task.best_outcome(layouts).tolist()
    for row, (plan, outcome) in enumerate(zip(found, best, strict=True)):
        assert plan is not None
        assert plan.outcome == outcome
        now = state[[row]]
        for number, (seen, action) in enumerate(zip(plan.observations, plan.actions, strict=True)):
            np.testing.assert_array_equal(task.observe(now)[0], seen)
            now, _, over = task.step(now, action[None])
            assert over[0] == (number == len(plan.actions) - 1)
        assert task.outcome(now)[0] == plan.outcome


def test_success_is_planned_for_as_costs_are() -> None:
    found = plans(Penalty(), Penalty().initial(Penalty.layout_space.enumerate()))
    assert outcomes(found) == [1.0, 1.0, 1.0]
    task = PatrolTask(horizon=4, attack_duration=2)
    layouts = task.layout_space.enumerate()
    found = plans(task, task.initial(layouts))
    # One who knows which node is attacked begins there.
    assert outcomes(found) == [1.0] * len(layouts)


class Detour(Task[Any]):
    """Home at once for 2, or a step that seems to cost 3 and is worth 1 in the end."""

    env_id, unit, max_steps = "Detour-v0", "cost", 2
    layout_space = Layouts(nothing=Discrete(1))
    observation_space, action_space = Discrete(3), Discrete(2)

    def initial(self, layouts: Array) -> Array:
        return np.zeros(len(layouts), [("time", int), ("cost", float)])

    def observe(self, state: Array) -> Array:
        return state["time"].copy()

    def step(self, state: Array, actions: Array) -> Transition:
        after = state.copy()
        goes_on = (state["time"] == 0) & (actions == 1)
        after["cost"] = np.where(goes_on, 3.0, np.where(state["time"] == 0, 2.0, 1.0))
        after["time"] += 1
        return Transition(after, np.zeros(len(state)), ~goes_on)

    def outcome(self, state: Array) -> Array:
        return state["cost"].copy()


def test_where_outcomes_fall_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    state = Detour().initial(Detour.layout_space.enumerate())
    (found,) = plans(Detour(), state)
    assert found is not None
    assert (found.outcome, found.actions[0]) == (1.0, 1)
    check_task(Detour)
    monkeypatch.setattr(Detour, "adds_up", True)
    with pytest.raises(ValueError, match=r"Detour.adds_up must be False where an outcome falls"):
        check_task(Detour)


def test_nothing_is_planned_with_too_many_actions() -> None:
    class Crowd(Detour):
        action_space = Discrete(5000)

    assert plans(Crowd(), Crowd().initial(Crowd.layout_space.enumerate())) == [None]


def test_a_plan_that_goes_through_too_many_states_is_none_and_the_others_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = GridTask(size=4)
    layouts = task.layout_space.enumerate()
    state = task.initial(layouts)
    monkeypatch.setattr(module, "MOST_STEPS", 40)
    found = plans(task, state)
    near = [plan is not None for plan in found]
    assert near[0]
    assert not near[-1]
    best = np.asarray(task.best_outcome(layouts))
    assert outcomes([plan for plan in found if plan]) == best[near].tolist()
    # Whatever is planned beside it.
    for row in (0, 5, 14):
        (alone,) = plans(task, state[[row]])
        assert (alone is not None) == near[row]
