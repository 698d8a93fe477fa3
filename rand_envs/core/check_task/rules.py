"""The rules of a task, with a look at every array that they give."""

from typing import Any

import numpy as np

from rand_envs.core.arrays import Array, shown
from rand_envs.core.check_task.calls import Watched, attempt, described, need
from rand_envs.core.task import Task, Transition


class Rules:
    """Calls the rules of a task, and raises a ValueError where what they give is not legal.

    Args:
        task: the task.
        name: what it is called in sentences.
        watched: whether to call them twice, see `Watched`.
    """

    def __init__(self, task: Task[Any], name: str, watched: bool = False) -> None:
        self.task, self.name = task, name
        self._watched = Watched(task, name) if watched else None
        self._types: dict[str, Any] = {}

    def initial(self, layouts: Array) -> Array:
        """First states, a structured array of shape (n,)."""
        state: Array = self._call("initial", layouts)
        is_state = isinstance(state, np.ndarray) and state.dtype.names
        need(
            is_state and state.shape == layouts.shape and not state.dtype.hasobject,
            f"{self.name}.initial must give a structured array of numbers of shape "
            f"{layouts.shape}, got {described(state)}",
        )
        self._check_type("initial", state.dtype)
        return state

    def step(self, state: Array, actions: Array) -> Transition:
        """Play actions in states that are not over, both (n,)."""
        given = self._call("step", state, actions)
        name = f"{self.name}.step"
        need(
            isinstance(given, Transition),
            f"{name} must give a Transition(state, reward, terminated), got {described(given)}",
        )
        for part, dtype in (("state", state.dtype), ("reward", np.float64), ("terminated", bool)):
            self._check_array(f"{name}'s {part}", getattr(given, part), state.shape, dtype)
        need(np.isfinite(given.reward).all(), f"{name}'s reward must be finite")
        if self.task.adds_up:
            falls = self._call("outcome", given.state) < self._call("outcome", state)
            need(
                not falls.any() and not self.task.higher_is_better,
                f"{self.name}.adds_up must be False where an outcome falls after a step, or where "
                "more of it is better",
            )
        return Transition(*given)

    def seen(self, state: Array) -> dict[str, Array]:
        """Observations and infos by their names, each (n, ...)."""
        observation = self._call("observe", state)
        self._check_observation(observation, len(state))
        return {"observe": observation} | self._facts("info", state)

    def ended(self, state: Array) -> dict[str, Array]:
        """Success, outcome and final infos of ended instances by their names, each (n,)."""
        success, outcome = self._call("success", state), self._call("outcome", state)
        self._check_array(f"{self.name}.success", success, state.shape, bool)
        name = f"{self.name}.outcome"
        self._check_array(name, outcome, state.shape, np.float64)
        check_outcome(self.task, outcome, name)
        need(
            self.task.unit != "success" or np.isin(outcome, (0, 1)).all(),
            f"{name} must be 0 or 1 where the unit is success, got {shown(outcome.tolist())}",
        )
        facts = self._facts("final_info", state)
        told = facts.get("final_info['is_success']")
        need(
            told is not None and np.array_equal(told, success),
            f"{self.name}.final_info must hold what success gives as is_success, got {shown(told)}",
        )
        return {"success": success, "outcome": outcome} | facts

    def _call(self, method: str, *arguments: Array) -> Any:
        if self._watched is not None:
            return self._watched(method, *arguments)
        function = getattr(self.task, method)
        return attempt(f"{self.name}.{method}", "must not raise", function, *arguments)

    def _facts(self, method: str, state: Array) -> dict[str, Array]:
        """Infos by names such as "info['steps']"."""
        facts = self._call(method, state)
        name = f"{self.name}.{method}"
        need(
            isinstance(facts, dict) and all(isinstance(key, str) for key in facts),
            f"{name} must give a dictionary of arrays by strings, got {described(facts)}",
        )
        for key, values in facts.items():
            self._check_array(f"{name}[{key!r}]", values, state.shape, None)
        self._check_type(method, {key: values.dtype for key, values in facts.items()})
        return {f"{method}[{key!r}]": values for key, values in facts.items()}

    def _check_observation(self, observation: Any, n: int) -> None:
        name, space = f"{self.name}.observe", self.task.observation_space
        shape = (n, *(space.shape or ()))
        self._check_array(name, observation, shape, None)
        self._check_type("observe", observation.dtype)
        need(
            np.can_cast(observation.dtype, np.dtype(space.dtype), "same_kind"),
            f"{name} must give numbers that can be cast to {space.dtype}, got {observation.dtype}",
        )
        for row in observation:
            need(
                row in space,
                f"{name} must give observations in {space}, got {shown(row.tolist())} of type "
                f"{row.dtype}",
            )

    def _check_array(self, name: str, value: Any, shape: tuple[int, ...], dtype: Any) -> None:
        fits = isinstance(value, np.ndarray) and value.shape == shape
        need(
            fits and (dtype is None or value.dtype == dtype),
            f"{name} must be an array of shape {shape}"
            f"{'' if dtype is None else f' and type {np.dtype(dtype)}'}, got {described(value)}",
        )

    def _check_type(self, method: str, now: Any) -> None:
        before = self._types.setdefault(method, now)
        need(
            now == before,
            f"{self.name}.{method} must give the same keys and types at every call, got {now} "
            f"after {before}",
        )


def check_outcome(task: Task[Any], outcome: Array, name: str) -> None:
    """ValueError unless outcomes, of any shape, are finite and within the task's range."""
    low, high = task.outcome_range
    illegal = outcome[~(np.isfinite(outcome) & (outcome >= low) & (outcome <= high))]
    need(
        not len(illegal),
        f"{name} must be finite and within outcome_range, from {low:g} to {high:g}, got "
        f"{illegal[:1]}",
    )
