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
        self._low: Any = 0
        self._high: Any = 1
        if isinstance(space, gym.spaces.Discrete):
            self._low, self._high = space.start, space.start + space.n - 1
        elif isinstance(space, gym.spaces.MultiDiscrete):
            self._low, self._high = space.start, space.start + space.nvec - 1
        elif isinstance(space, gym.spaces.Box):
            self._low, self._high = space.low, space.high
            self._kinds = "iuf"
        self._is_whole = not isinstance(space, gym.spaces.Box) or space.dtype.kind != "f"
        self._dtype = space.dtype

    def check(self, actions: Any, ignored: NDArray[np.int64] | None = None) -> Array:
        """Return the actions as an array, with legal ones where they are ignored.

        Raises:
            gymnasium.error.InvalidAction: wrong shape or type, or a value out of range.
        """
        try:
            actions = np.asarray(actions)
        except ValueError:  # lists of lists of different lengths
            actions = np.array(None)
        if actions.shape != self._shape or actions.dtype.kind not in self._kinds:
            numbers = "whole numbers" if self._is_whole else "numbers"
            raise InvalidAction(
                f"actions must be {self._legal}, {numbers} of shape {self._shape} in all, "
                f"got shape {actions.shape} and type {actions.dtype}"
            )
        if ignored is not None and len(ignored):
            actions = actions.copy()
            actions[ignored] = np.clip(0, self._low, self._high)
        legal = ((actions >= self._low) & (actions <= self._high)).all()
        if self._is_whole and actions.dtype.kind == "f":
            legal &= (actions == np.floor(actions)).all()
        if not legal:
            raise InvalidAction(f"actions must be {self._legal}, got {actions.tolist()}")
        return actions.astype(self._dtype) if actions.dtype.kind in "bf" else actions


def checked_render_mode(mode: str | None, legal: Sequence[str]) -> str | None:
    """Return the render mode; ValueError unless it is None or among the legal ones."""
    if mode is not None and mode not in legal:
        raise ValueError(f"render_mode must be None or one of {', '.join(legal)}, got {mode!r}")
    return mode


def check_options(options: Mapping[str, Any] | None, legal: Sequence[str]) -> None:
    """Raise a ValueError where there is an option of `reset` that is not legal."""
    unknown = sorted(set(checked_options(options)) - set(legal))
    if unknown:
        raise ValueError(
            f"reset options must be among {', '.join(legal)}, got {', '.join(unknown)}"
        )


def checked_options(options: Any) -> dict[str, Any]:
    """Options of `reset` as a dictionary; ValueError unless they are one by strings."""
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise ValueError(f"reset options must be a dictionary, got {options!r}")
    wrong = [key for key in options if not isinstance(key, str)]
    if wrong:
        raise ValueError(f"reset options must have strings as keys, got {wrong[0]!r}")
    return dict(options)
