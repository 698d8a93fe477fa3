"""Layouts that were found to hurt, kept up while the player learns."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from rand_envs.adversaries.search import badness, search_seeds, whole_badness, worsen, worst_of
from rand_envs.adversaries.sources import Adversary
from rand_envs.core.arrays import Array, Json, finite_number, random_words, whole_number
from rand_envs.core.layouts.space import L, LayoutSpace
from rand_envs.core.options import convert_options, restore_generator, rng_seed_number
from rand_envs.core.player import Player

MUTATIONS = 16
"""Changes that each layout is tried with when it learns, in a space that has no sweeps."""

NEWCOMERS = 1 / 8
"""The share of the pool that is drawn anew when it learns."""


@dataclass(frozen=True)
class FoundConfig:
    """How much of what a trainer plays are found layouts, and how they are found.

    Attributes:
        share: The share of found layouts in what is drawn; the others are as from `Uniform`.
        size: How many are kept.
        learn_every: Updates of a trainer after which they are changed again.
        num_seeds: Seeds that score them, drawn anew each time, at most.
    """

    share: float = 0.5
    size: int = 128
    learn_every: int = 100
    num_seeds: int = 64

    def __post_init__(self) -> None:
        convert_options(self)

    def source(self, space: LayoutSpace[L], rng_seed: int) -> "Found[L] | None":
        """The source of these options; None, which is uniform layouts, where the share is 0."""
        if self.share == 0.0:
            return None
        found = Found(space, self.size, self.share, self.num_seeds, rng_seed)
        found.learn_every = whole_number("learn_every", self.learn_every, 1)
        return found


class Found(Adversary[L]):
    """A pool of layouts that hurt a player, each of which is made worse whenever it learns.

    It is the search of `rand_envs.adversaries.search_worst`, spread over the training: a layout
    is changed coordinate by coordinate (by mutation in a space without), and a change is kept
    where more seeds fail, or as many with a larger loss. Each goes its own way, so the pool stays
    as varied as it began; the easiest are replaced by random ones, as are repeated ones.

    Of a player that plays all layouts at once (`WholePlayer`), the pool is the worst of them all.

    Sub-environments draw from the pool, uniformly; before it learned for the first time its
    layouts are random. With a `share` below 1 the others of what is drawn are as from `Uniform`.

    Args:
        space: The space to search.
        size: How many layouts are kept.
        share: The share of draws from the pool.
        num_seeds: Seeds that score them when it learns, at most; see `search_seeds`.
        rng_seed: Determines the first layouts, all changes, and the seeds that score them; they
            are drawn as `np.random.default_rng(rng_seed)` draws.

    Raises:
        ValueError: A number is illegal.
    """

    kind = "bound"

    def __init__(
        self,
        space: LayoutSpace[L],
        size: int = 128,
        share: float = 1.0,
        num_seeds: int = 64,
        rng_seed: int = 0,
    ) -> None:
        super().__init__(space)
        self.share = finite_number("the share", share)
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"the share must be above 0 and at most 1, got {share}")
        self.num_seeds = whole_number("num_seeds", num_seeds, 1)
        self._rng = np.random.default_rng(rng_seed_number(rng_seed))
        self._kept = space.sample(self._rng, whole_number("size", size, 1))

    @property
    def layouts(self) -> list[L]:
        """The pool, the worst first once it has learned."""
        return self.space.unpack(self._kept)

    @property
    def config(self) -> FoundConfig:
        """The options that make such a source."""
        return FoundConfig(self.share, len(self._kept), self.learn_every, self.num_seeds)

    def learn(self, player: Player) -> None:
        """Renew a part of the pool, and make all of it worse for a player, on fresh seeds."""
        seeds = search_seeds(player, self._rng, self.num_seeds)
        known = whole_badness(player, seeds)
        if known is not None:
            worst = np.resize(worst_of(known, len(self._kept)), len(self._kept))
            self._kept = self.space.enumerate()[worst]
            return
        self._renew(badness(player, self._kept, seeds))
        layouts, scores = worsen(player, self._kept, self._changes(), seeds)
        self._kept = layouts[np.argsort(-scores, kind="stable")]

    def _renew(self, scores: Array) -> None:
        """Replace the easiest, (size,), by random layouts, first of all those that repeat."""
        _, firsts = np.unique(self._kept, return_index=True)
        repeats = np.ones(len(self._kept), bool)
        repeats[firsts] = False
        count = max(int(NEWCOMERS * len(self._kept)), int(repeats.sum()))
        if count:
            leaving = np.lexsort((scores, ~repeats))[:count]
            self._kept[leaving] = self.space.sample(self._rng, count)

    def _changes(self) -> Iterable[Callable[[Array], Array]]:
        """A sweep, or as many mutations where the space has none."""
        sweep = list(self.space.sweep(self._rng))
        return sweep or [partial(self.space.mutate, self._rng)] * MUTATIONS

    def draw(self, rngs: Sequence[np.random.Generator], env_ids: ArrayLike) -> Array:
        """One of the pool by each generator, or a random one, shape (len(rngs),)."""
        words = random_words(rngs, 1)[:, 0]
        drawn: Array = self._kept[(words % np.uint64(len(self._kept))).astype(np.int64)]
        if self.share < 1.0:
            others = random_words(rngs, 1)[:, 0] / 2.0**64 >= self.share
            drawn[others] = self.space.sample_each(rngs)[others]
        return drawn

    def batch(self, rng: np.random.Generator, n: int, stratified: bool = False) -> Array:
        """As large a part of the pool as `share` says, without repetition, and random layouts."""
        count = min(max(round(self.share * n), 1), n)
        drawn: Array = self._kept[np.resize(rng.permutation(len(self._kept)), count)]
        if count == n:
            return drawn
        sample = self.space.sample_stratified if stratified else self.space.sample
        return np.concatenate([drawn, sample(rng, n - count)])

    def to_json(self) -> Json:
        """The pool, the options and the generator."""
        return {
            "source": "Found",
            "share": self.share,
            "num_seeds": self.num_seeds,
            "layouts": [layout.to_json() for layout in self.layouts],
            "rng": self._rng.bit_generator.state,
        }

    @classmethod
    def from_json(cls, space: LayoutSpace[L], data: Json) -> Self:
        """The source that `to_json` described."""
        cls.check_name(data)
        source = cls(space, len(data["layouts"]), data["share"], data["num_seeds"])
        source._kept = space.pack(data["layouts"])
        restore_generator(source._rng, data["rng"])
        return source
