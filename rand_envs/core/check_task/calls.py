"""Calls of what is checked: as its users make them, and again, to tell on shared memory."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import combinations
from typing import Any, TypeGuard

import numpy as np

from rand_envs.core.arrays import LONGEST, Array, shown


def need(holds: Any, sentence: str) -> None:
    """Raise a ValueError with the sentence unless it holds."""
    if not holds:
        raise ValueError(sentence)


def attempt(name: str, duty: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function; ValueError that names it where it raises, caused by what it raised."""
    try:
        return function(*arguments)
    except Exception as error:
        raise ValueError(f"{name} {duty}, and raised {told(error)}") from error


def told(error: Exception) -> str:
    """An error in a sentence: its kind, and its own words in brief."""
    reason = " ".join(str(error).split())
    return f"{type(error).__name__}: {reason[:LONGEST]}".removesuffix(": ")


class Watched:
    """Calls methods twice with equal arguments, and tells on what is not a pure function.

    Args:
        owner: whose methods.
        name: what it is called in sentences.
    """

    def __init__(self, owner: Any, name: str) -> None:
        self.owner, self.name = owner, name

    def __call__(self, method: str, *arguments: Any) -> Any:
        """Call a method.

        Returns:
            What it gave at first.

        Raises:
            ValueError: it raises, changes its arguments, gives something else the second time,
                or arrays that share memory with its arguments, one another or the second ones.
        """
        name = f"{self.name}.{method}"
        kept, again = deepcopy(arguments), deepcopy(arguments)
        first = self._result(method, arguments)
        # A generator is there to be changed.
        untouched = all(
            same(*pair)
            for pair in zip(arguments, kept, strict=True)
            if not isinstance(pair[0], np.random.Generator)
        )
        need(untouched, f"{name} must leave its arguments as they are, and changed them")
        second = self._result(method, again)
        need(
            same(first, second),
            f"{name} must be a function of its arguments alone, and gave something else when it "
            "was called with the same again",
        )
        self._check_fresh(name, arguments, first, second)
        return first

    def _result(self, method: str, arguments: Any) -> Any:
        function = getattr(self.owner, method)
        return attempt(f"{self.name}.{method}", "must not raise", function, *arguments)

    def _check_fresh(self, name: str, arguments: Any, first: Any, second: Any) -> None:
        given, told, told_again = (list(arrays_in(x)) for x in (arguments, first, second))
        for others, whose in (
            (((a, b) for a in told for b in given), "its arguments"),
            (((a, b) for a in told for b in told_again), "what it gave in another call"),
            (combinations(told, 2), "another array that it gave"),
        ):
            need(
                not any(np.shares_memory(a, b) for a, b in others),
                f"{name} must give arrays in memory of their own, such as copies, and gave one "
                f"that shares memory with {whose}",
            )
        need(
            all(array.flags.writeable for array in told),
            f"{name} must give arrays that can be written to, such as copies",
        )


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether a value is an integer, and no truth value."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def arrays_in(value: Any) -> Iterator[Array]:
    """The arrays in a value: itself, or those in a sequence or a dictionary."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, list | tuple | dict):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from arrays_in(entry)


def same(value: Any, other: Any, tolerance: float = 0.0) -> bool:
    """Whether two values are equal: all fields, up to a relative tolerance; NaN equals NaN."""
    if isinstance(value, list | tuple) and isinstance(other, list | tuple):
        return len(value) == len(other) and all(
            same(a, b, tolerance) for a, b in zip(value, other, strict=True)
        )
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(
            same(value[key], other[key], tolerance) for key in value
        )
    if not isinstance(value, np.ndarray | np.generic) or not isinstance(other, type(value)):
        return bool(value == other)
    ours, theirs = np.asarray(value), np.asarray(other)
    if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        return False
    if ours.dtype.names:
        return all(same(ours[name], theirs[name], tolerance) for name in ours.dtype.names)
    if ours.dtype.kind in "fc":
        return bool(np.allclose(ours, theirs, tolerance, tolerance, equal_nan=True))
    return np.array_equal(ours, theirs)


def described(value: Any) -> str:
    """A value in an error: an array by its shape and type."""
    if isinstance(value, np.ndarray):
        return f"shape {value.shape} and type {value.dtype}"
    return f"{type(value).__name__} {shown(value)}"
