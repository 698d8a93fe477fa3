"""The layouts of RandColoring-v0: cycles through labelled vertices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, Json, shown
from rand_envs.core.compiled import compiled
from rand_envs.core.layouts.space import Layout, LayoutSpace, check_listable, layout_fields

MAX_RANKED = 32
"""Of so many words it is faster to count the smaller ones than to sort them."""


@dataclass(frozen=True)
class ColoringLayout(Layout):
    """A Hamiltonian cycle on labelled vertices, as the vertices in order.

    In canonical form it starts at vertex 0 and its second vertex is below its last.
    """

    cycle: tuple[int, ...]

    def to_json(self) -> Json:
        """Return {"cycle": list of vertices}."""
        return {"cycle": list(self.cycle)}


class ColoringSpace(LayoutSpace[ColoringLayout]):
    """All cycles through `num_vertices` labelled vertices, each in canonical form."""

    def __init__(self, num_vertices: int) -> None:
        self.num_vertices = num_vertices
        self.dtype = np.dtype([("cycle", np.int64, (num_vertices,))])
        self.num_words = num_vertices - 1

    @property
    def size(self) -> int:
        """Number of cycles, (N - 1)! / 2."""
        return factorial(self.num_vertices - 1) // 2

    def from_words(self, words: NDArray[np.uint64]) -> Array:
        """Order the vertices 1, ..., N - 1 by their words."""
        order = np.zeros(words.shape, np.int64)
        if words.shape[1] <= MAX_RANKED:
            _rank(words, order)
        if not order.all():
            order = 1 + words.argsort(axis=1, kind="stable")
        return self._build(order)

    def enumerate(self) -> Array:
        """Every cycle once, in lexicographic order."""
        check_listable(self.size, self.dtype)
        orders = 1 + _permutations(self.num_vertices - 1)
        return self._build(orders[orders[:, 0] < orders[:, -1]])

    def mutate(self, rng: np.random.Generator, layouts: Array) -> Array:
        """Reverse a random part of each cycle (2-opt); a triangle stays as it is."""
        last = self.num_vertices - 1
        parts = [
            (first, end)
            for first in range(1, last)
            for end in range(first + 1, last + 1)
            if (first, end) != (1, last)
        ]
        if not parts:
            return layouts.copy()
        first, end = np.array(parts)[rng.integers(len(parts), size=len(layouts))].T[:, :, None]
        place = np.arange(self.num_vertices)[None, :]
        source = np.where((first <= place) & (place <= end), first + end - place, place)
        return self._build(np.take_along_axis(layouts["cycle"], source, axis=1)[:, 1:])

    def validate(self, layout: ColoringLayout | Mapping[str, Any]) -> ColoringLayout:
        """Return the cycle in canonical form; ValueError says what is wrong."""
        (cycle,) = layout_fields(layout, ColoringLayout, ["cycle"])
        N = self.num_vertices
        try:
            vertices = np.asarray(cycle)
        except ValueError:
            vertices = np.empty(0)
        is_integer = vertices.shape == (N,) and vertices.dtype.kind in "iu"
        if not is_integer or sorted(vertices.tolist()) != list(range(N)):
            raise ValueError(
                f"the cycle of a colouring layout must hold each of the vertices 0 to {N - 1} "
                f"once, got {shown(cycle)}"
            )
        order = np.roll(vertices, -int(vertices.argmin()))
        return self.unpack(self._build(order[None, 1:]))[0]

    def pack(self, layouts: Sequence[ColoringLayout | Mapping[str, Any]]) -> Array:
        """Validate layouts and turn them into one structured array of shape (n,)."""
        return np.array([(self.validate(layout).cycle,) for layout in layouts], self.dtype)

    def unpack(self, layouts: Array) -> list[ColoringLayout]:
        """The layouts of a structured array, shape (n,), as values."""
        return [ColoringLayout(tuple(cycle)) for cycle in layouts["cycle"].tolist()]

    def _build(self, orders: Array) -> Array:
        """Close orders of 1, ..., N - 1, shape (n, N - 1), to canonical cycles."""
        layouts = np.empty(len(orders), self.dtype)
        _close(orders, layouts["cycle"])
        return layouts


@compiled
def _rank(words: Array, order: Array) -> None:
    """The vertices 1, ..., N - 1 in the order of their words, where no two are equal.

    Args:
        words: shape (n, N - 1).
        order: zeros of the same shape; some are left where words are equal.
    """
    n, count = words.shape
    for i in range(n):
        for vertex in range(count):
            word = words[i, vertex]
            rank = 0
            for other in range(count):
                rank += words[i, other] < word
            order[i, rank] = 1 + vertex


@compiled
def _close(orders: Array, cycle: Array) -> None:
    n, count = orders.shape
    for i in range(n):
        cycle[i, 0] = 0
        backwards = orders[i, 0] > orders[i, count - 1]
        place, step = (count - 1, -1) if backwards else (0, 1)
        for k in range(count):
            cycle[i, 1 + k] = orders[i, place]
            place += step


def _permutations(count: int) -> NDArray[np.int64]:
    """All orders of 0, ..., count - 1 in lexicographic order, shape (count!, count)."""
    if count == 0:
        return np.zeros((1, 0), np.int64)
    rest = _permutations(count - 1)
    firsts = [
        np.column_stack([np.full(len(rest), first), rest + (rest >= first)])
        for first in range(count)
    ]
    return np.concatenate(firsts)
