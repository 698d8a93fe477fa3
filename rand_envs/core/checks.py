"""Checks of what users hand to an environment, each with one sentence about what is legal."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.error import InvalidAction
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, shown
from rand_envs.core.compiled import compiled


class ActionCheck:
    """Checks batches of actions against an action space."""

    def __init__(self, space: gym.Space[Any]) -> None:
        self._space = space
        self._shape = space.shape or ()
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
        # One bound for all numbers is looked at faster than many.
        if np.size(self._low) and (self._low == np.max(self._low)).all():
            self._low = np.max(self._low).item()
        if np.size(self._high) and (self._high == np.max(self._high)).all():
            self._high = np.max(self._high).item()
        self._dtype = space.dtype

    def check(self, given: Any, n: int, ignored: NDArray[np.bool_] | None = None) -> Array:
        """Return n actions, contiguous and of the space's type, and legal where ignored.

        Raises:
            gymnasium.error.InvalidAction: wrong shape or type, or a value out of range.
        """
        try:
            actions = np.asarray(given)
        except ValueError:  # lists of lists of different lengths
            actions = np.array(None)
        shape = (n, *self._shape)
        if actions.shape != shape or actions.dtype.kind not in self._kinds:
            numbers = "whole numbers" if self._is_whole else "numbers"
            raise InvalidAction(
                f"actions must be {self._legal(n)}, {numbers} of shape {shape} in all, "
                f"got shape {actions.shape} and type {actions.dtype}"
            )
        if not self._all_legal(actions):
            if ignored is not None:
                actions = actions.copy()
                actions[ignored] = np.clip(0, self._low, self._high)
            if ignored is None or not self._all_legal(actions):
                raise InvalidAction(f"actions must be {self._legal(n)}, got {actions.tolist()}")
        return actions.astype(self._dtype, "C", copy=False)

    def _legal(self, n: int) -> str:
        return f"{n} of {self._space}" if n > 1 else str(self._space)

    def _all_legal(self, actions: Array) -> bool:
        kind = actions.dtype.kind
        one_bound = isinstance(self._low, int) and isinstance(self._high, int)
        if one_bound and kind == "i" and actions.dtype.isnative:
            return _within(actions.reshape(-1), self._low, self._high)
        legal = (actions >= self._low) & (actions <= self._high)
        if self._is_whole and kind == "f":
            legal &= actions == np.floor(actions)
        return bool(legal.all())


@compiled
def _within(numbers: Array, low: int, high: int) -> bool:
    legal = True
    for k in range(len(numbers)):
        legal &= low <= numbers[k] <= high
    return legal


def checked_render_mode(mode: str | None, legal: Sequence[str]) -> str | None:
    """Return the render mode; ValueError unless it is None or among the legal ones."""
    if mode is not None and mode not in legal:
        raise ValueError(
            f"render_mode must be None or one of {', '.join(legal)}, got {shown(mode)}"
        )
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
        raise ValueError(f"reset options must be a dictionary, got {shown(options)}")
    wrong = [key for key in options if not isinstance(key, str)]
    if wrong:
        raise ValueError(f"reset options must have strings as keys, got {shown(wrong[0])}")
    return dict(options)
