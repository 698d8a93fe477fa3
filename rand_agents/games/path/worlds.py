"""Instances played side by side, by the public rules of a task or by Gymnasium's environments."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, rows_at
from rand_envs.core.task import Task

Rows = NDArray[np.int64]


class World(ABC):
    """k instances, each a row.

    Attributes:
        observations: What each row saw last, shape (k, *observation_space.shape).
        outcomes: What each row has reached so far, in the unit of its setting, shape (k,).
    """

    observations: Array
    outcomes: NDArray[np.float64]

    @abstractmethod
    def step(self, rows: Rows, actions: Array) -> NDArray[np.bool_]:
        """Play an action in each of some rows that are not over; which of them end, (r,)."""


class TaskWorld(World):
    """Instances of a task, one for each layout, shape (k,)."""

    def __init__(self, task: Task[Any], layouts: Array) -> None:
        self._task = task
        self._state = task.initial(layouts)
        self.observations = task.observe(self._state)
        self.outcomes = task.outcome(self._state)

    def states(self, rows: Rows) -> Array:
        """By the rules, of some rows, (r,)."""
        return rows_at(self._state, rows)

    def step(self, rows: Rows, actions: Array) -> NDArray[np.bool_]:
        """Play by the rules."""
        state, _, terminated = self._task.step(self._state[rows], actions)
        self._state[rows] = state
        self.observations[rows] = self._task.observe(state)
        self.outcomes[rows] = self._task.outcome(state)
        return terminated


class GymWorld(World):
    """Environments that were reset already; outcomes are returns.

    They are stepped one by one, not as a vector environment: native ones (CartPole's) take one
    seed for all, so candidates could not share theirs, and all of them play on after an
    episode's end, while here most of a generation's work ends with it.
    """

    def __init__(self, envs: Sequence[gym.Env[Any, Any]], first: Sequence[Array]) -> None:
        self._envs = envs
        self.observations = np.array(first)
        self.outcomes = np.zeros(len(envs))

    def step(self, rows: Rows, actions: Array) -> NDArray[np.bool_]:
        """Step each environment."""
        ended = np.zeros(len(rows), bool)
        for place, row in enumerate(rows.tolist()):
            seen, reward, terminated, truncated, _ = self._envs[row].step(actions[place])
            self.observations[row] = seen
            self.outcomes[row] += float(reward)
            ended[place] = terminated or truncated
        return ended


def play_out(world: World, act: Callable[[Rows, Array], Array]) -> NDArray[np.float64]:
    """Play every row to its end; outcomes, shape (k,).

    Args:
        world: The instances.
        act: Gives actions, (r, *shape), of rows, (r,), that see observations, (r, *shape).
    """
    rows = np.arange(len(world.outcomes))
    while len(rows):
        actions = act(rows, world.observations[rows])
        rows = rows[~world.step(rows, actions)]
    return world.outcomes
