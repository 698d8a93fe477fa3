"""The layouts of RandRecall-v0: the values of all keys, and the key asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, Json, shown, whole_number, words_below
from rand_envs.core.layouts.space import Layout, LayoutSpace, check_listable, layout_fields


@dataclass(frozen=True)
class RecallLayout(Layout):
    """The bits of every value, N tuples of d bits, and the index of the key asked for."""

    values: tuple[tuple[int, ...], ...]
    query: int

    def to_json(self) -> Json:
        """Return {"values": N lists of d bits, "query": index}."""
        return {"values": [list(value) for value in self.values], "query": self.query}


class RecallSpace(LayoutSpace[RecallLayout]):
    """All values of `num_pairs` keys, `value_bits` bits each, and all queries."""

    def __init__(self, num_pairs: int, value_bits: int) -> None:
        self.num_pairs = num_pairs
        self.value_bits = value_bits
        self.dtype = np.dtype([("values", np.int8, (num_pairs, value_bits)), ("query", np.int64)])
        self.num_words = -(-num_pairs * value_bits // 64) + 1

    @property
    def size(self) -> int:
        """Number of legal layouts, N * 2**(N * d)."""
        return int(self.num_pairs << (self.num_pairs * self.value_bits))

    def from_words(self, words: NDArray[np.uint64]) -> Array:
        """Take the values' bits from all words but the last, and the query from the last."""
        raw = np.ascontiguousarray(words[:, :-1]).view(np.uint8)
        bits = np.unpackbits(raw, axis=1, count=self.num_pairs * self.value_bits)
        return self._build(bits, words_below(words[:, -1], self.num_pairs))

    def sample_stratified(self, rng: np.random.Generator, n: int) -> Array:
        """Draw values for every N layouts, and ask for each key after them, in random order."""
        drawn = self.sample(rng, -(-n // self.num_pairs))
        queries = rng.permuted(np.tile(np.arange(self.num_pairs), (len(drawn), 1)), axis=1)
        layouts = drawn.repeat(self.num_pairs)
        layouts["query"] = queries.reshape(-1)
        return layouts[:n]

    def enumerate(self) -> Array:
        """Every legal layout once, values in lexicographic order, then queries."""
        check_listable(self.size, self.dtype)
        num_bits = self.num_pairs * self.value_bits
        code, query = np.divmod(np.arange(self.size), self.num_pairs)
        return self._build((code[:, None] >> np.arange(num_bits)[::-1]) & 1, query)

    def mutate(self, rng: np.random.Generator, layouts: Array) -> Array:
        """Flip one bit of each layout or, half of the time, ask for another key."""
        mutated = layouts.copy()
        n = len(layouts)
        flips = (rng.random(n) < 0.5) | (self.num_pairs == 1)
        pair = rng.integers(self.num_pairs, size=n)
        bit = rng.integers(self.value_bits, size=n)
        mutated["values"][np.arange(n), pair, bit] ^= flips
        if self.num_pairs > 1:
            moved = layouts["query"] + rng.integers(1, self.num_pairs, size=n)
            mutated["query"] = np.where(flips, layouts["query"], moved % self.num_pairs)
        return mutated

    def variants(self, layouts: Array) -> Array:
        """Each layout with every query, shape (n * N,)."""
        varied = np.repeat(layouts, self.num_pairs)
        varied["query"] = np.tile(np.arange(self.num_pairs), len(layouts))
        return varied

    def sweep(self, rng: np.random.Generator) -> Iterator[Callable[[Array], Array]]:
        """Flip each bit of the values."""
        bits = np.argwhere(np.ones((self.num_pairs, self.value_bits)))
        return (partial(_flipped, pair=pair, bit=bit) for pair, bit in rng.permutation(bits))

    def validate(self, layout: RecallLayout | Mapping[str, Any]) -> RecallLayout:
        """Return the legal layout; ValueError says what is wrong."""
        values, query = layout_fields(layout, RecallLayout, ["values", "query"])
        shape = (self.num_pairs, self.value_bits)
        try:
            bits = np.asarray(values)
        except ValueError:
            bits = np.empty(0)
        if bits.shape != shape or bits.dtype.kind not in "iu" or ((bits != 0) & (bits != 1)).any():
            raise ValueError(
                f"the values of a recall layout must be {shape[0]} rows of {shape[1]} bits, "
                f"each 0 or 1, got {shown(values)}"
            )
        query = whole_number("the query of a recall layout", query, 0, self.num_pairs - 1)
        return RecallLayout(tuple(map(tuple, bits.tolist())), query)

    def pack(self, layouts: Sequence[RecallLayout | Mapping[str, Any]]) -> Array:
        """Validate layouts and turn them into one structured array of shape (n,)."""
        legal = map(self.validate, layouts)
        return np.array([(layout.values, layout.query) for layout in legal], self.dtype)

    def unpack(self, layouts: Array) -> list[RecallLayout]:
        """The layouts of a structured array, shape (n,), as values."""
        return [
            RecallLayout(tuple(map(tuple, values)), query)
            for values, query in zip(
                layouts["values"].tolist(), layouts["query"].tolist(), strict=True
            )
        ]

    def _build(self, bits: Array, query: Array) -> Array:
        layouts = np.empty(len(query), self.dtype)
        layouts["values"] = bits.reshape(-1, self.num_pairs, self.value_bits)
        layouts["query"] = query
        return layouts


def _flipped(layouts: Array, pair: int, bit: int) -> Array:
    """The layouts with one bit of their values flipped."""
    flipped = layouts.copy()
    flipped["values"][:, pair, bit] ^= 1
    return flipped
