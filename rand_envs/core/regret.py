"""Any task with a known best outcome, scored by regret."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, Json
from rand_envs.core.layouts.space import L
from rand_envs.core.task import Task, Transition


class RegretTask(Task[L]):
    """A task whose outcome is what was lost against one who knew the layout.

    The rules and what is seen are those of the task itself.  It is not registered: make it for
    `solve_task`, which then finds the least regret on the worst layout, or for `evaluate`.

    Args:
        task: a task with `best_outcome`.

    Raises:
        ValueError: the task does not tell the best outcome.
    """

    def __init__(self, task: Task[L]) -> None:
        self.task = task
        self.env_id, self.unit, self.max_steps = task.env_id, "regret", task.max_steps
        self.layout_space = task.layout_space
        self.observation_space, self.action_space = task.observation_space, task.action_space
        inner = task.initial(task.layout_space.sample(np.random.default_rng(0), 1)).dtype
        self._dtype = np.dtype([("inner", inner), ("best", np.float64)])
        self._best(task.layout_space.sample(np.random.default_rng(0), 1))

    @property
    def outcome_range(self) -> tuple[float, float]:
        """From 0 to the range of the task's outcomes."""
        low, high = self.task.outcome_range
        return 0.0, high - low

    @property
    def config(self) -> Json:
        """The arguments of the task itself."""
        return self.task.config

    def initial(self, layouts: Array) -> Array:
        """First states, shape (n,)."""
        state = np.empty(len(layouts), self._dtype)
        state["inner"] = self.task.initial(layouts)
        state["best"] = self._best(layouts)
        return state

    def observe(self, state: Array) -> Array:
        """What the player of the task sees."""
        return self.task.observe(np.ascontiguousarray(state["inner"]))

    def step(self, state: Array, actions: Array) -> Transition:
        """Play by the task's rules."""
        moved = self.task.step(np.ascontiguousarray(state["inner"]), actions)
        after = state.copy()
        after["inner"] = moved.state
        return Transition(after, moved.reward, moved.terminated)

    def outcome(self, state: Array) -> NDArray[np.float64]:
        """The regret, shape (n,)."""
        reached = self.task.outcome(np.ascontiguousarray(state["inner"]))
        lost = state["best"] - reached if self.task.higher_is_better else reached - state["best"]
        return np.asarray(lost, np.float64)

    def _best(self, layouts: Array) -> NDArray[Any]:
        best = self.task.best_outcome(layouts)
        if best is None:
            raise ValueError(f"regret needs best_outcome, which {self.task.env_id} does not give")
        return best
