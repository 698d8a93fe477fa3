"""What one named field of a layout may be: the bounds of its numbers, from a Gymnasium space."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete, Space
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, shown


class Field:
    """One named space: its numbers, flattened, as integers or reals from `low` to `high`.

    Attributes:
        name: Of the field.
        space: The Gymnasium space.
        shape: Of a value, and `length`, how many numbers it has.
        low: The smallest of each number, shape (length,); int64 or float64.
        high: The largest.
        sizes: How many values each integer has, int64; 0 of reals.
        first: The smallest of each integer, int64; 0 of reals.

    Raises:
        ValueError: the space is another one, or not bounded; or the name is not one.
    """

    def __init__(self, name: str, space: Space[Any]) -> None:
        if not name.isidentifier() or name.startswith("_") or name in ("values", "to_json"):
            raise ValueError(
                "a field of a layout needs a name as an attribute has, without a leading "
                f"underscore, and other than values and to_json, got {name!r}"
            )
        self.name, self.space = name, space
        bounds = _bounds(space)
        if bounds is None or bounds[0].size == 0:
            raise ValueError(
                f"field {name} of a layout must be Discrete, MultiDiscrete, MultiBinary or a Box "
                "with finite bounds, of at least one number, and each number with less than "
                f"2^63 values, got {space}"
            )
        low, high = bounds
        self.shape = () if isinstance(space, Box) and low.shape == (1,) else low.shape
        self.low, self.high = low.reshape(-1), high.reshape(-1)
        self.length = len(self.low)
        self.dtype = low.dtype
        is_real = low.dtype.kind == "f"
        self._kinds = "iuf" if is_real else "iub" if isinstance(space, MultiBinary) else "iu"
        self.first = np.zeros(self.length, np.int64) if is_real else self.low
        self.sizes = np.zeros(self.length, np.int64) if is_real else self.high - self.low + 1

    def checked(self, value: Any) -> Array:
        """The value as an array; ValueError unless it is in the space."""
        try:
            array = np.asarray(value)
        except ValueError:
            array = np.empty(0, object)
        legal = array.shape == self.shape and array.dtype.kind in self._kinds
        flat = array.reshape(-1)
        if not legal or not ((flat >= self.low) & (flat <= self.high)).all():
            raise ValueError(f"{self.name} of a layout must be in {self.space}, got {shown(value)}")
        return array


def _bounds(space: Space[Any]) -> tuple[Array, Array] | None:
    """The smallest and the largest value of each number, int64 or float64; None if unfit."""
    if isinstance(space, Discrete):
        return _integers(space.start, int(space.start) + int(space.n) - 1)
    if isinstance(space, MultiDiscrete):
        return _integers(space.start, space.start.astype(object) + space.nvec - 1)
    if isinstance(space, MultiBinary):
        return np.zeros(space.shape, np.int64), np.ones(space.shape, np.int64)
    if not isinstance(space, Box) or not space.is_bounded():
        return None
    if np.dtype(space.dtype).kind != "f":
        return _integers(space.low, space.high)
    low, high = _as_written(space.low), _as_written(space.high)
    with np.errstate(over="ignore"):
        return (low, high) if np.isfinite(high - low).all() else None


def _integers(low: Any, high: Any) -> tuple[Array, Array] | None:
    """Both as int64; None where a number or the count of one does not fit."""
    # As Python's integers, which do not overflow.
    first = [int(number) for number in np.ravel(low).tolist()]
    last = [int(number) for number in np.ravel(high).tolist()]
    if any(max(b, b - a + 1) >= 2**63 for a, b in zip(first, last, strict=True)):
        return None
    shape = np.shape(low)
    return np.array(first, np.int64).reshape(shape), np.array(last, np.int64).reshape(shape)


def _as_written(bounds: Array) -> NDArray[np.float64]:
    """Bounds as whoever wrote the space meant them: 0.1, not the float32 that is next to it."""
    written = [float(str(bound)) for bound in bounds.reshape(-1)]
    return np.array(written, np.float64).reshape(bounds.shape)
