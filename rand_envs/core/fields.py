"""Layout spaces made of Gymnasium's spaces: `Layouts(keeper=Discrete(3))`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete, Space
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, Json, words_below
from rand_envs.core.layouts import MAX_ENUMERATED, Layout, LayoutSpace, layout_fields

Legal = Callable[[Array], NDArray[np.bool_]]

MAX_DRAWS = 1000
"""How often an illegal layout is drawn anew before the space counts as empty."""
MUTATIONS_TRIED = 20
"""How many changes of a layout are tried for a legal one."""
STEP = 0.1
"""Standard deviation of a mutation of a real number, as a share of its range."""


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
    there is a `legal`, of the layouts that it accepts.

    Args:
        legal: says which layouts of a batch, shape (n,), are legal, as booleans of shape (n,);
            None if all are. Field `name` of the batch is `layouts["name"]`, shape (n, *shape).
        **fields: Discrete, MultiDiscrete, MultiBinary, or Box with finite bounds.

    Raises:
        ValueError: there is no field, one has another space, or `legal` gives no booleans or
            accepts no layout.
    """

    def __init__(self, legal: Legal | None = None, **fields: Space[Any]) -> None:
        if not fields:
            raise ValueError(
                "a layout needs at least one field, such as Layouts(corner=Discrete(3))"
            )
        self.fields = {name: _Field(name, space) for name, space in fields.items()}
        self.dtype = np.dtype([(f.name, f.dtype, f.shape) for f in self.fields.values()])
        self.num_words = sum(f.length for f in self.fields.values())
        self._legal = legal
        self._all: Array | None = None
        if legal is not None:
            self.from_words(np.zeros((1, self.num_words), np.uint64))

    @property
    def _product(self) -> int | None:
        """How many layouts there are, legal or not; None if they are not countable."""
        counts = [f.count for f in self.fields.values()]
        return None if None in counts else prod(c for c in counts if c is not None)

    @property
    def size(self) -> int | None:
        """Number of legal layouts; None with a Box, or too many layouts to try `legal` on all."""
        product = self._product
        if self._legal is None or product is None:
            return product
        return len(self.enumerate()) if product <= MAX_ENUMERATED else None

    def matches(self, other: LayoutSpace[Any]) -> bool:
        """Whether the other space has the same fields, and the same `legal`."""
        return (
            isinstance(other, Layouts)
            and {n: f.space for n, f in self.fields.items()}
            == {n: f.space for n, f in other.fields.items()}
            and _code(self._legal) == _code(other._legal)
        )

    def from_words(self, words: NDArray[np.uint64]) -> Array:
        """Turn uniform words, shape (n, num_words), into layouts; illegal ones are drawn anew.

        A new draw is a function of the old words, so that layouts depend on nothing else.

        Raises:
            ValueError: no legal layout was found.
        """
        layouts = self._built(words)
        for _ in range(MAX_DRAWS):
            wrong = ~self._legal_mask(layouts)
            if not wrong.any():
                return layouts
            words = np.where(wrong[:, None], _scrambled(words), words)
            layouts[wrong] = self._built(words[wrong])
        raise ValueError(f"of {MAX_DRAWS} layouts drawn in turn, `legal` accepts none")

    def enumerate(self) -> Array:
        """Every legal layout once, shape (size,), the last field's values changing fastest.

        Raises:
            ValueError: there are more than `MAX_ENUMERATED`, or a field is a Box.
        """
        if self._all is None:
            self._all = self._enumerated()
        return self._all.copy()

    def _enumerated(self) -> Array:
        product = self._product
        if product is None or product > MAX_ENUMERATED:
            number = "real numbers, which are not countable" if product is None else f"{product}"
            raise ValueError(
                f"at most {MAX_ENUMERATED} layouts can be listed, and there are {number}"
            )
        layouts = np.zeros(product, self.dtype)
        codes = np.arange(product)
        for field in reversed(self.fields.values()):
            digits = np.empty((product, field.length), np.int64)
            for place in reversed(range(field.length)):
                codes, digits[:, place] = np.divmod(codes, field.radix(place))
            field.put(layouts, digits + field.low)
        legal: Array = layouts[self._legal_mask(layouts)]
        return legal

    def mutate(self, rng: np.random.Generator, layouts: Array) -> Array:
        """Change one number of each layout: an integer to any other, a real one by a little.

        A layout whose changes were all illegal stays as it is.
        """
        mutated = layouts.copy()
        waiting = np.arange(len(layouts))
        for _ in range(MUTATIONS_TRIED if self._legal else 1):
            tried = layouts[waiting].copy()
            place = rng.integers(self.num_words, size=len(tried))
            first = 0
            for field in self.fields.values():
                at = np.flatnonzero((first <= place) & (place < first + field.length))
                field.change(rng, tried, at, place[at] - first)
                first += field.length
            legal = self._legal_mask(tried)
            mutated[waiting[legal]] = tried[legal]
            waiting = waiting[~legal]
            if not len(waiting):
                break
        return mutated

    def sweep(self, rng: np.random.Generator) -> Iterator[Callable[[Array], Array]]:
        """Each integer in turn to its next value; real numbers only mutate."""
        places = [
            (field, place)
            for field in self.fields.values()
            for place in range(field.length if field.sizes is not None else 0)
        ]
        return (partial(self._advanced, *places[i]) for i in rng.permutation(len(places)))

    def _advanced(self, field: "_Field", place: int, layouts: Array) -> Array:
        advanced = layouts.copy()
        flat = advanced[field.name].reshape(len(layouts), field.length)
        low = int(field.low[place])
        flat[:, place] = low + (flat[:, place] - low + 1) % field.radix(place)
        advanced[field.name] = flat.reshape(layouts[field.name].shape)
        legal = self._legal_mask(advanced)
        advanced[~legal] = layouts[~legal]
        return advanced

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

    def _built(self, words: NDArray[np.uint64]) -> Array:
        layouts = np.zeros(len(words), self.dtype)
        first = 0
        for field in self.fields.values():
            field.put(layouts, field.numbers(words[:, first : first + field.length]))
            first += field.length
        return layouts

    def _legal_mask(self, layouts: Array) -> NDArray[np.bool_]:
        if self._legal is None:
            return np.ones(len(layouts), bool)
        mask = np.asarray(self._legal(layouts))
        if mask.shape != (len(layouts),) or mask.dtype != np.bool_:
            raise ValueError(
                f"legal(layouts) must give booleans of shape ({len(layouts)},), one a layout, got "
                f"shape {mask.shape} and type {mask.dtype}"
            )
        return mask


class _Field:
    """One named space: its numbers, flattened, as integers below `sizes` above `low`, or reals."""

    def __init__(self, name: str, space: Space[Any]) -> None:
        self.name, self.space = name, space
        self.sizes: NDArray[np.int64] | None
        if isinstance(space, Discrete):
            self.shape: tuple[int, ...] = ()
            self.sizes, self.low = np.array([space.n]), np.array([space.start])
        elif isinstance(space, MultiDiscrete):
            self.shape = space.shape
            self.sizes, self.low = space.nvec.reshape(-1), space.start.reshape(-1)
        elif isinstance(space, MultiBinary):
            self.shape = space.shape
            self.sizes = np.full(prod(space.shape), 2)
            self.low = np.zeros(prod(space.shape), np.int64)
        elif isinstance(space, Box) and np.isfinite([space.low, space.high]).all():
            self.shape, self.low = space.shape, space.low.reshape(-1).astype(np.float64)
            self.high = space.high.reshape(-1).astype(np.float64)
            self.sizes = None
            if np.issubdtype(space.dtype, np.integer):
                self.low = self.low.astype(np.int64)
                self.sizes = self.high.astype(np.int64) - self.low + 1
        else:
            raise ValueError(
                f"field {name} of a layout must be Discrete, MultiDiscrete, MultiBinary or a Box "
                f"with finite bounds, got {space}"
            )
        self.length = prod(self.shape)
        self.dtype = np.dtype(np.float64 if self.sizes is None else np.int64)

    @property
    def count(self) -> int | None:
        """Number of values; None of real ones."""
        return None if self.sizes is None else prod(map(int, self.sizes))

    def radix(self, place: int) -> int:
        """Number of values of the integer at a place."""
        assert self.sizes is not None
        return int(self.sizes[place])

    def put(self, layouts: Array, numbers: Array) -> None:
        """Write flat numbers, (n, length), into the field."""
        layouts[self.name] = numbers.reshape(len(layouts), *self.shape)

    def numbers(self, words: NDArray[np.uint64]) -> Array:
        """Uniform flat numbers from uniform words, both (n, length)."""
        if self.sizes is None:
            numbers = (self.high - self.low) * ((words >> np.uint64(11)) / 2.0**53)
        else:
            pairs = zip(words.T, self.sizes.tolist(), strict=True)
            numbers = np.stack([words_below(column, size) for column, size in pairs], axis=1)
        drawn: Array = self.low + numbers
        return drawn

    def change(
        self, rng: np.random.Generator, layouts: Array, at: Array, place: NDArray[np.int64]
    ) -> None:
        """Mutate the number at a place of the field, in the layouts `at`, both (k,)."""
        flat = layouts[self.name].reshape(len(layouts), self.length)
        old, low = flat[at, place], self.low[place]
        if self.sizes is None:
            span = self.high[place] - low
            moved = old + STEP * span * rng.standard_normal(len(at))
            new = np.clip(moved, low, self.high[place])
        else:
            sizes = self.sizes[place]
            shift = 1 + (rng.random(len(at)) * (sizes - 1)).astype(np.int64)
            new = low + (old - low + np.where(sizes > 1, shift, 0)) % sizes
        flat[at, place] = new
        layouts[self.name] = flat.reshape(layouts[self.name].shape)

    def checked(self, value: Any) -> Array:
        """The value as an array; ValueError unless it is in the space."""
        try:
            array = np.asarray(value)
        except ValueError:
            array = np.empty(0, object)
        real = self.sizes is None
        legal = array.shape == self.shape and array.dtype.kind in ("iuf" if real else "iu")
        if legal and real:
            flat = array.reshape(-1)
            legal = bool(((flat >= self.low) & (flat <= self.high)).all())
        elif legal and self.sizes is not None:
            flat = array.reshape(-1) - self.low
            legal = bool(((flat >= 0) & (flat < self.sizes)).all())
        if not legal:
            raise ValueError(f"{self.name} of a layout must be in {self.space}, got {value!r}")
        return array


def _scrambled(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Other words, each a function of the old one: SplitMix64 (Steele, Lea and Flood, 2014)."""
    mixed = words + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _code(legal: Legal | None) -> Any:
    """What tells functions apart that a class defines anew for each of its objects."""
    return getattr(legal, "__code__", legal)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _listed(value: Any) -> Any:
    return list(map(_listed, value)) if isinstance(value, tuple) else value
