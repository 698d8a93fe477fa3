"""What is small enough to be solved exactly: layouts and actions as lists, and a budget."""

import math
from itertools import product
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Discrete, MultiBinary, MultiDiscrete

from rand_envs.core.arrays import Array
from rand_envs.core.layouts.space import counted
from rand_envs.core.task import Task

MAX_LAYOUTS = 20_000
MAX_ACTIONS = 4096
MAX_INFORMATION_STATES = 400_000
"""Found in 2 seconds; three million, as on a 4 x 4 grid with a horizon of 20, take 5 and 1 GB."""
MAX_ROWS = 40_000_000


class TooLarge(ValueError):  # noqa: N818 - it is what the game is
    """The game is too large to be solved exactly; the message says what is legal."""


class Budget:
    """Counts what a graph of information states is made of, and stops it at a limit.

    Args:
        max_states: the most information states.
        max_rows: the most triples of layout, information state and action.
    """

    def __init__(self, max_states: int, max_rows: int) -> None:
        self._max_states, self._max_rows = max_states, max_rows
        self._states = self._rows = 0

    def check_states(self, more: int) -> None:
        """Raise TooLarge if there are too many information states with so many more."""
        if self._states + more > self._max_states:
            raise TooLarge(
                f"a game is solved exactly with at most {self._max_states} information states, "
                f"and this one has more: {self._states + more} were met"
            )

    def spend_states(self, more: int) -> None:
        """Count information states."""
        self.check_states(more)
        self._states += more

    def spend_rows(self, more: int) -> None:
        """Count triples of layout, information state and action."""
        self._rows += more
        if self._rows > self._max_rows:
            raise TooLarge(
                f"a game is solved exactly with at most {self._max_rows} triples of layout, "
                f"information state and action, and this one has more: {self._rows} were met"
            )


def all_layouts(task: Task[Any]) -> Array:
    """List the layouts of a small game, shape (layouts,).

    Raises:
        TooLarge: they cannot be listed, or are more than 20,000.
    """
    size = task.layout_space.size
    try:
        # Not listed where it is known that there are too many, as that takes seconds.
        layouts = None if (size or 0) > MAX_LAYOUTS else task.layout_space.enumerate()
    except ValueError as error:
        raise TooLarge(
            f"a game is solved exactly with at most {MAX_LAYOUTS} layouts, and those of "
            f"{task.env_id} cannot be listed: {error}"
        ) from error
    count = size if layouts is None else len(layouts)
    if layouts is None or len(layouts) > MAX_LAYOUTS:
        raise TooLarge(
            f"a game is solved exactly with at most {MAX_LAYOUTS} layouts, and this "
            f"{task.env_id} has {counted(count)}"
        )
    return layouts


def all_actions(space: gym.Space[Any]) -> Array:
    """List every action of a space, in lexicographic order.

    Args:
        space: a Discrete, MultiDiscrete or MultiBinary space.

    Returns:
        Shape (actions, *space.shape), of the space's dtype.

    Raises:
        TooLarge: the space has more than 4096 actions.
        ValueError: the space is of another kind.
    """
    if isinstance(space, Discrete):
        starts, sizes = [int(space.start)], [int(space.n)]
    elif isinstance(space, MultiDiscrete):
        starts, sizes = space.start.reshape(-1).tolist(), space.nvec.reshape(-1).tolist()
    elif isinstance(space, MultiBinary):
        sizes = [2] * math.prod(space.shape)
        starts = [0] * len(sizes)
    else:
        raise ValueError(
            "a game is solved exactly with the actions of a Discrete, MultiDiscrete or "
            f"MultiBinary space, got {space}"
        )
    if math.prod(sizes) > MAX_ACTIONS:
        raise TooLarge(f"a game is solved exactly with at most {MAX_ACTIONS} actions, got {space}")
    choices = (range(start, start + size) for start, size in zip(starts, sizes, strict=True))
    return np.array(list(product(*choices)), space.dtype).reshape(-1, *(space.shape or ()))
