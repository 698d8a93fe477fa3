"""Checks of what users hand to an environment, each with one sentence about what is legal."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.error import InvalidAction
from numpy.typing import NDArray

from rand_envs.core.arrays import Array
from rand_envs.core.task import Task


class ActionCheck:
    """Checks batches of n actions against the action space of a task."""

    def __init__(self, task: Task[Any], n: int) -> None:
        space = task.action_space
        self._legal = f"{n} of {space}" if n > 1 else str(space)
        self._shape = (n, *(space.shape or ()))
        # Bits may be booleans, and Stable-Baselines3 gives them as floats.
        self._kinds = "iubf" if isinstance(space, gym.spaces.MultiBinary) else "iu"
        self._bound: Any = 2
        if isinstance(space, gym.spaces.Discrete):
            self._bound = space.n
        elif isinstance(space, gym.spaces.MultiDiscrete):
            self._bound = space.nvec

    def check(self, actions: Array, ignored: NDArray[np.int64] | None = None) -> Array:
        """Return the actions, with zeros where they are ignored.

        Raises:
            gymnasium.error.InvalidAction: wrong shape or type, or a value out of range.
        """
        if actions.shape != self._shape or actions.dtype.kind not in self._kinds:
            raise InvalidAction(
                f"actions must be {self._legal}, whole numbers of shape {self._shape} in all, "
                f"got shape {actions.shape} and type {actions.dtype}"
            )
        if ignored is not None and len(ignored):
            actions = actions.copy()
            actions[ignored] = 0
        legal = actions.min() >= 0 and (actions < self._bound).all()
        if actions.dtype.kind == "f":
            legal = ((actions == 0) | (actions == 1)).all()
        if not legal:
            raise InvalidAction(f"actions must be {self._legal}, got {actions.tolist()}")
        return actions.astype(np.int8) if actions.dtype.kind in "bf" else actions


def checked_render_mode(mode: str | None, legal: Sequence[str]) -> str | None:
    """Return the render mode; ValueError unless it is None or among the legal ones."""
    if mode is not None and mode not in legal:
        raise ValueError(f"render_mode must be None or one of {', '.join(legal)}, got {mode!r}")
    return mode


def check_options(options: Mapping[str, Any] | None, legal: Sequence[str]) -> None:
    """Raise a ValueError where there is an option of `reset` that is not legal."""
    unknown = set(options or {}) - set(legal)
    if unknown:
        raise ValueError(
            f"reset options must be among {', '.join(legal)}, got {', '.join(sorted(unknown))}"
        )
