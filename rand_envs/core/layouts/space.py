"""Layouts, all that the adversary chooses of one instance, and the spaces of legal ones.

A batch of layouts is one NumPy structured array of shape (n,) with the dtype of its layout
space.  One layout on its own is a frozen dataclass (`Layout`): a value that can be validated,
hashed and written as JSON.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, Json, random_words, shown

MAX_ENUMERATED = 2_000_000
"""The most layouts that `LayoutSpace.enumerate` lists."""
MOST_DIGITS = 9
"""Numbers of layouts are written out up to so many."""
MAX_BYTES = 2**30
"""The most memory of such a list."""


class Layout(ABC):
    """All that the adversary chooses of one instance. Subclasses are frozen dataclasses."""

    @abstractmethod
    def to_json(self) -> Json:
        """Return a dictionary that `LayoutSpace.validate` turns back into an equal layout."""


L = TypeVar("L", bound=Layout)


class LayoutSpace(ABC, Generic[L]):
    """The set of legal layouts of one task."""

    dtype: np.dtype[Any]
    """Structured dtype of a batch of layouts."""
    num_words: int
    """How many random 64-bit words one uniform layout is made of."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({counted(self.size)} layouts of {self.dtype})"

    @property
    @abstractmethod
    def size(self) -> int | None:
        """Number of legal layouts; None where it has no closed form and is not counted."""

    @abstractmethod
    def from_words(self, words: NDArray[np.uint64]) -> Array:
        """Turn uniform random words, shape (n, num_words), into n layouts."""

    @abstractmethod
    def enumerate(self) -> Array:
        """Every legal layout once, shape (size,). ValueError where there are too many."""

    @abstractmethod
    def mutate(self, rng: np.random.Generator, layouts: Array) -> Array:
        """A small random change of each layout, legal again; same shape as `layouts`."""

    @abstractmethod
    def validate(self, layout: L | Mapping[str, Any]) -> L:
        """Return the legal layout in canonical form; ValueError says what is wrong."""

    @abstractmethod
    def pack(self, layouts: Sequence[L | Mapping[str, Any]]) -> Array:
        """Validate layouts and turn them into one structured array of shape (n,)."""

    @abstractmethod
    def unpack(self, layouts: Array) -> list[L]:
        """The layouts of a structured array, shape (n,), as values."""

    def variants(self, layouts: Array) -> Array:
        """Layouts near each of the given ones, all of which a search for the worst starts from."""
        return layouts

    def sweep(self, rng: np.random.Generator) -> Iterator[Callable[[Array], Array]]:
        """Single changes of layouts, in random order, that reach every coordinate once.

        Each takes a batch, shape (n,), and gives one of the same shape, every layout changed
        alike and legal, or as it was. Nothing where a space has no coordinates.
        """
        return iter(())

    def matches(self, other: "LayoutSpace[Any]") -> bool:
        """Whether a batch of the other space's layouts is one of this space's."""
        return type(self) is type(other) and self.dtype == other.dtype

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Draw n layouts, shape (n,), from the distribution of `from_words`."""
        if n < 1:
            raise ValueError(f"the number of layouts must be at least 1, got {n}")
        return self.from_words(random_words([rng], n * self.num_words).reshape(n, -1))

    def sample_stratified(self, rng: np.random.Generator, n: int) -> Array:
        """Draw n layouts that cover the space more evenly, where a space knows how to.

        Each layout on its own is distributed as by `sample`, but they are not independent.
        """
        return self.sample(rng, n)

    def sample_each(self, rngs: Sequence[np.random.Generator]) -> Array:
        """Draw one layout from each generator, shape (len(rngs),)."""
        return self.from_words(random_words(rngs, self.num_words))


def counted(size: int | None) -> str:
    """A number of layouts in words: some have more digits than a person, or a float, can take."""
    if size is None:
        return "uncounted"
    if size < 10**MOST_DIGITS:
        return f"{size:,}"
    return f"{size:.1e}" if size < 10**300 else f"about 1e+{math.log10(size):.0f}"


def check_listable(count: int, dtype: np.dtype[Any]) -> None:
    """ValueError where a list of so many layouts of a type would be too long, or too large."""
    if count > MAX_ENUMERATED or count * dtype.itemsize > MAX_BYTES:
        raise ValueError(
            f"at most {MAX_ENUMERATED} layouts can be listed, in {MAX_BYTES} bytes, and there "
            f"are {counted(count)} of {dtype.itemsize} bytes"
        )


def layout_fields(layout: Any, kind: type[Layout], names: Sequence[str]) -> list[Any]:
    """Return the named fields of a layout given as a `kind` or as its JSON dictionary.

    A name that ends in "?" may be missing from a dictionary; its field is then None.

    Raises:
        ValueError: `layout` is neither, a field is missing, or there is an unknown one.
    """
    fields = [name.rstrip("?") for name in names]
    if isinstance(layout, kind):
        return [getattr(layout, name) for name in fields]
    needed = {name for name in names if not name.endswith("?")}
    if not isinstance(layout, Mapping) or not needed <= set(layout) <= set(fields):
        wanted = f"a {kind.__name__} or a dictionary with the keys {', '.join(fields)}"
        raise ValueError(f"a layout must be {wanted}, got {shown(layout)}")
    return [layout.get(name) for name in fields]
