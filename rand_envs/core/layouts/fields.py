"""Layout spaces made of Gymnasium's spaces: `Layouts(keeper=Discrete(3))`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod
from typing import Any

import numpy as np
from gymnasium.spaces import Space
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, Json, copied
from rand_envs.core.compiled import Intrinsic, compiled
from rand_envs.core.layouts.bounds import Field
from rand_envs.core.layouts.space import (
    MAX_BYTES,
    MAX_ENUMERATED,
    Layout,
    LayoutSpace,
    check_listable,
    layout_fields,
)

Legal = Callable[[Array], NDArray[np.bool_]]

MAX_DRAWS = 100_000
"""How often an illegal layout is drawn anew before the space counts as empty."""
MAX_AT_ONCE = 2**18
"""The most numbers that are drawn at once in search of legal layouts, to bound the memory."""
MUTATIONS_TRIED = 20
"""How many changes of a layout are tried for a legal one."""
STEP = 0.1
"""Standard deviation of a mutation of a real number, as a share of its range."""
PROBES = 256
"""On so many layouts two `legal` must agree to count as the same."""


@dataclass(frozen=True)
class FieldLayout(Layout):
    """Named values, one for each field of a `Layouts` space; `layout.name` gives one of them.

    Attributes:
        values: (name, value) pairs; a value is a number or a nested tuple of numbers.
    """

    values: tuple[tuple[str, Any], ...]

    def __getattr__(self, name: str) -> Any:
        for field, value in object.__getattribute__(self, "values"):
            if field == name:
                return value
        raise AttributeError(f"the layout has no field {name!r}")

    def to_json(self) -> Json:
        """Return {name: number or nested lists of numbers}."""
        return {name: _listed(value) for name, value in self.values}


class Layouts(LayoutSpace[FieldLayout]):
    """Layouts with named fields, each with the values of a Gymnasium space.

    Layouts are drawn uniformly: of integers, of numbers within the bounds of a Box, and where
    there is a `legal`, of the layouts that it accepts. These are found by drawing again, so
    it must accept more than about one in 10,000.

    Args:
        legal: says which layouts of a batch, shape (n,), are legal, as booleans of shape (n,);
            None if all are. Field `name` of the batch is `layouts["name"]`, shape (n, *shape).
        **fields: Discrete, MultiDiscrete, MultiBinary, or Box with finite bounds. A Box of
            shape (1,), which is what `Box(0.25, 1.0)` makes, is one number of shape ().

    Raises:
        ValueError: there is no field, one has another space or a name that a layout cannot
            have, or `legal` gives no booleans or accepts no layout.
    """

    def __init__(self, legal: Legal | None = None, **fields: Space[Any]) -> None:
        if not fields:
            raise ValueError(
                "a layout needs at least one field, such as Layouts(corner=Discrete(3))"
            )
        if legal is not None and not callable(legal):
            raise ValueError(f"legal must be a function of a batch of layouts, got {legal!r}")
        self.fields = {name: Field(name, space) for name, space in fields.items()}
        parts = list(self.fields.values())
        self.dtype = np.dtype([(f.name, f.dtype, f.shape) for f in parts])
        # Every number takes 8 bytes, so that a batch is also one matrix, (n, num_words): of
        # integers from `first`, `sizes` many, and of reals from `low` to `high`.
        self.num_words = sum(f.length for f in parts)
        self._first = np.concatenate([f.first for f in parts])
        self._sizes = np.concatenate([f.sizes for f in parts])
        self._counts = np.maximum(self._sizes, 1).astype(np.uint64)
        self._shares = np.uint64(2**64 - 1) // self._counts
        self._low = np.concatenate([f.low for f in parts]).astype(np.float64)
        self._high = np.concatenate([f.high for f in parts]).astype(np.float64)
        self._is_real = self._sizes == 0
        self._movable = np.flatnonzero((self._sizes > 1) | (self._low < self._high))
        self._product = None if self._is_real.any() else prod(self._sizes.tolist())
        self._legal = legal
        if legal is not None:
            self.sample(np.random.default_rng(0), 1)

    @property
    def size(self) -> int | None:
        """Number of legal layouts; None with real numbers, or too many to try `legal` on all."""
        if self._legal is None or self._product is None:
            return self._product
        most = min(MAX_ENUMERATED, MAX_BYTES // self.dtype.itemsize)
        return len(self._listed) if self._product <= most else None

    def matches(self, other: LayoutSpace[Any]) -> bool:
        """Whether the other space has the same fields in the same order, and the same `legal`."""
        if not isinstance(other, Layouts) or not super().matches(other):
            return False
        spaces, others = ([f.space for f in s.fields.values()] for s in (self, other))
        return spaces == others and self._is_as_legal_as(other)

    def from_words(self, words: NDArray[np.uint64]) -> Array:
        """Turn uniform words, shape (n, num_words), into layouts; illegal ones are drawn anew.

        A new draw is a function of the old words, so that layouts depend on nothing else.

        Raises:
            ValueError: no legal layout was found.
        """
        layouts = self._built(words)
        if self._legal is None:
            return layouts
        wrong = np.flatnonzero(~self._legal_mask(layouts))
        tried = 0
        while len(wrong):
            if tried >= MAX_DRAWS:
                raise ValueError(f"of {MAX_DRAWS} layouts drawn in turn, `legal` accepts none")
            most = max(1, MAX_AT_ONCE // (len(wrong) * self.num_words))
            count = min(most, max(1, tried))
            drawn = self._built(_redrawn(words[wrong], tried, count))
            legal = self._legal_mask(drawn).reshape(len(wrong), count)
            found = legal.any(axis=1)
            rows = np.flatnonzero(found)
            layouts[wrong[rows]] = drawn[rows * count + legal[rows].argmax(axis=1)]
            wrong, tried = wrong[~found], tried + count
        return layouts

    def enumerate(self) -> Array:
        """Every legal layout once, shape (size,), the last field's values changing fastest.

        Raises:
            ValueError: they are too many to be listed, or a field is of real numbers.
        """
        return copied(self._listed)

    @cached_property
    def _listed(self) -> Array:
        product = self._product
        if product is None:
            raise ValueError("layouts of real numbers, which are not countable, cannot be listed")
        check_listable(product, self.dtype)
        numbers = np.empty((product, self.num_words), np.int64)
        codes = np.arange(product)
        for place in reversed(range(self.num_words)):
            codes, numbers[:, place] = np.divmod(codes, self._sizes[place])
        layouts = self._layouts(numbers + self._first)
        legal: Array = layouts[self._legal_mask(layouts)]
        return legal

    def mutate(self, rng: np.random.Generator, layouts: Array) -> Array:
        """Change one number of each layout: an integer to any other, a real one by a little.

        A layout whose changes were all illegal stays as it is.
        """
        mutated = copied(layouts)
        waiting = np.arange(len(layouts) if len(self._movable) else 0)
        for _ in range(MUTATIONS_TRIED if self._legal else 1):
            if not len(waiting):
                break
            place = self._movable[rng.integers(len(self._movable), size=len(waiting))]
            tried = self._layouts(self._moved(rng, self._numbers(layouts[waiting]), place))
            legal = self._legal_mask(tried)
            mutated[waiting[legal]] = tried[legal]
            waiting = waiting[~legal]
        return mutated

    def sweep(self, rng: np.random.Generator) -> Iterator[Callable[[Array], Array]]:
        """Each integer in turn to its next value; real numbers only mutate."""
        places = rng.permutation(np.flatnonzero(self._sizes > 1))
        return (partial(self._advanced, place) for place in places.tolist())

    def validate(self, layout: FieldLayout | Mapping[str, Any]) -> FieldLayout:
        """Return the legal layout in canonical form; ValueError says what is wrong."""
        return self.unpack(self.pack([layout]))[0]

    def pack(self, layouts: Sequence[FieldLayout | Mapping[str, Any]]) -> Array:
        """Validate layouts and turn them into one structured array of shape (n,)."""
        packed = np.zeros(len(layouts), self.dtype)
        for i, layout in enumerate(layouts):
            given = layout.to_json() if isinstance(layout, FieldLayout) else layout
            values = layout_fields(given, FieldLayout, list(self.fields))
            for field, value in zip(self.fields.values(), values, strict=True):
                packed[field.name][i] = field.checked(value)
        legal = self._legal_mask(packed)
        if not legal.all():
            wrong = self.unpack(packed[~legal][:1])[0].to_json()
            raise ValueError(f"the layout must be one that `legal` accepts, got {wrong}")
        return packed

    def unpack(self, layouts: Array) -> list[FieldLayout]:
        """The layouts of a structured array, shape (n,), as values."""
        columns = [layouts[name].tolist() for name in self.fields]
        return [
            FieldLayout(tuple((n, _frozen(v)) for n, v in zip(self.fields, row, strict=True)))
            for row in zip(*columns, strict=True)
        ]

    def __repr__(self) -> str:
        fields = [f"{name}={field.space}" for name, field in self.fields.items()]
        return f"Layouts({', '.join(['legal=...'] * (self._legal is not None) + fields)})"

    def _numbers(self, layouts: Array) -> NDArray[np.int64]:
        """Layouts, (n,), as the matrix of their numbers, (n, num_words), reals as their bits."""
        return np.ascontiguousarray(layouts).view(np.int64).reshape(-1, self.num_words)

    def _layouts(self, numbers: NDArray[np.int64]) -> Array:
        layouts: Array = numbers.reshape(-1).view(self.dtype)
        return layouts

    def _built(self, words: NDArray[np.uint64]) -> Array:
        """The layouts of uniform words, (n, num_words), legal or not."""
        numbers = np.empty(words.shape, np.int64)
        _number(words, self._counts, self._shares, self._first, numbers)
        if self._product is None:
            real = self._is_real
            share = (words[:, real] >> np.uint64(11)) / 2.0**53
            low, high = self._low[real], self._high[real]
            numbers.view(np.float64)[:, real] = np.minimum(low + (high - low) * share, high)
        return self._layouts(numbers)

    def _moved(
        self, rng: np.random.Generator, numbers: NDArray[np.int64], place: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The numbers, (n, num_words), changed at a place each, (n,)."""
        rows = np.arange(len(numbers))
        first, sizes = self._first[place], np.maximum(self._sizes[place], 2)
        # Unsigned, as sums of two numbers below 2^63 stay below 2^64.
        shifted = (numbers[rows, place] - first).astype(np.uint64)
        shifted += rng.integers(1, sizes).astype(np.uint64)
        real, low, high = self._is_real[place], self._low[place], self._high[place]
        step = STEP * (high - low) * rng.standard_normal(len(rows))
        old = numbers.view(np.float64)[rows, place]
        moved = numbers.copy()
        moved[rows, place] = first + (shifted % sizes.astype(np.uint64)).astype(np.int64)
        reals = moved.view(np.float64)
        reals[rows[real], place[real]] = np.clip(old + step, low, high)[real]
        return moved

    def _advanced(self, place: int, layouts: Array) -> Array:
        numbers = self._numbers(layouts).copy()
        first = self._first[place]
        numbers[:, place] = first + (numbers[:, place] - first + 1) % self._sizes[place]
        advanced = self._layouts(numbers)
        return np.where(self._legal_mask(advanced), advanced, layouts)

    def _legal_mask(self, layouts: Array) -> NDArray[np.bool_]:
        if self._legal is None or not len(layouts):
            return np.ones(len(layouts), bool)
        mask = np.asarray(self._legal(layouts))
        if mask.shape != (len(layouts),) or mask.dtype != np.bool_:
            raise ValueError(
                f"legal(layouts) must give booleans of shape ({len(layouts)},), one a layout, got "
                f"shape {mask.shape} and type {mask.dtype}"
            )
        return mask

    def _is_as_legal_as(self, other: "Layouts") -> bool:
        """Whether `legal` is the same code and, as it may know other numbers, says the same."""
        if self._legal is other._legal:
            return True
        if _code(self._legal) != _code(other._legal):
            return False
        rng = np.random.default_rng(0)
        words = rng.integers(2**64, size=(PROBES, self.num_words), dtype=np.uint64)
        probes = self._built(words)
        return np.array_equal(self._legal_mask(probes), other._legal_mask(probes))


@compiled
def _number(words: Array, sizes: Array, shares: Array, first: Array, numbers: Array) -> None:
    """Integers from words: `sizes` many from `first`; shares are the sizes' parts of 2**64."""
    for i in range(len(words)):
        for k in range(len(sizes)):
            # A division takes ten times as long as a product, whose quotient is at most 1 short.
            left = words[i, k] - _high_word(words[i, k], shares[k]) * sizes[k]
            left -= sizes[k] if left >= sizes[k] else np.uint64(0)
            numbers[i, k] = np.int64(left) + first[k]


@Intrinsic
def _high_word(typing: Any, a: Any, b: Any) -> Any:
    """The upper 64 bits of a product of two words."""
    from llvmlite import ir
    from numba import types

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(value, wide) for value in values))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


def _redrawn(words: NDArray[np.uint64], drawn: int, count: int) -> NDArray[np.uint64]:
    """The next `count` words after `drawn` of the streams that words, (n, k), start.

    In shape (n * count, k), by SplitMix64 (Steele, Lea and Flood, 2014).
    """
    turns = np.arange(drawn + 1, drawn + count + 1, dtype=np.uint64)
    mixed = words[:, None] + (turns * np.uint64(0x9E3779B97F4A7C15))[:, None]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    redrawn: NDArray[np.uint64] = (mixed ^ (mixed >> np.uint64(31))).reshape(-1, words.shape[1])
    return redrawn


def _code(legal: Legal | None) -> Any:
    """What tells functions apart that a class defines anew for each of its objects."""
    while isinstance(legal, partial):
        legal = legal.func
    return getattr(legal, "__code__", type(legal))


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _listed(value: Any) -> Any:
    return list(map(_listed, value)) if isinstance(value, tuple) else value
