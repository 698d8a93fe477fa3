"""Batches as arrays, numbers from random words, and checks of single numbers."""

import math
import numbers
import reprlib
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.generators import Generators

Array = NDArray[Any]
Json = dict[str, Any]
HALF = np.uint64(32)

LONGEST = 500
"""So many characters of a wrong value are told."""


def as_bytes(batch: Array) -> Array:
    """A view of a structured array whose rows NumPy copies as bytes.

    It copies structures field by field, which takes ten times as long. (`getfield` and `view`
    give the same view, and `view` takes twice as long.)
    """
    rows: Array = batch.getfield(_bytes(batch.dtype.itemsize))
    return rows


@cache
def _bytes(count: int) -> np.dtype[np.void]:
    return np.dtype((np.void, count))


def copied(batch: Array) -> Array:
    """Copy a structured array."""
    copy: Array = as_bytes(batch).copy().getfield(batch.dtype)
    return copy


def rows_at(batch: Array, index: NDArray[Any]) -> Array:
    """Take rows of a structured array, by their indices or a mask."""
    taken: Array = as_bytes(batch)[index].getfield(batch.dtype)
    return taken


def random_words(rngs: Sequence[np.random.Generator], count: int) -> NDArray[np.uint64]:
    """Draw `count` 64-bit words from each generator, shape (len(rngs), count).

    Raises:
        ValueError: a Mersenne Twister, whose words have 32 bits only.
    """
    if isinstance(rngs, Generators):
        return rngs.words(count)
    if isinstance(rngs[0].bit_generator, np.random.MT19937):
        raise ValueError("the generator must give 64-bit words, as np.random.default_rng does")
    # Raw words cost a tenth of Generator.bytes or .integers, and resets are all about that cost.
    drawn = [rng.bit_generator.random_raw(count) for rng in rngs]
    return np.concatenate(drawn).reshape(len(rngs), count)


def words_below(words: NDArray[np.uint64], bound: int) -> NDArray[np.int64]:
    """Map uniform words to integers in [0, bound); the bias is below bound / 2**32."""
    below: NDArray[np.int64] = ((words >> HALF) * np.uint64(bound) >> HALF).view(np.int64)
    return below


def whole_number(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return `value` as an int; ValueError unless it is an integer in [low, high]."""
    legal = f"from {low} to {high}" if high is not None else f"of at least {low}"
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_integer or value < low or (high is not None and value > high):
        raise ValueError(f"{name} must be an integer {legal}, got {shown(value)}")
    return int(value)


def shown(value: Any) -> str:
    """A value in an error, on one line and in brief, whatever it is."""
    text = " ".join(_BRIEF.repr(value).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


_BRIEF = reprlib.Repr()
_BRIEF.maxlevel = 8
_BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxdict = 30
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = LONGEST


def finite_number(name: str, value: Any) -> float:
    """Return `value` as a float; ValueError unless it is a finite real number."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        # An integer may be larger than every float.
        with suppress(OverflowError):
            number = float(value)
            if math.isfinite(number):
                return number
    raise ValueError(f"{name} must be a finite number, got {shown(value)}")
