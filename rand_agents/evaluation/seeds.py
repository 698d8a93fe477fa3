"""Seeds to play under: all there are where they are few, else independent draws."""

from typing import Literal, Protocol, runtime_checkable

import numpy as np

from rand_envs.core.arrays import Array
from rand_envs.core.player import Player


@runtime_checkable
class ListedSeeds(Protocol):
    """A player whose seeds can be listed."""

    def every_seed(self) -> Array | None:
        """All seeds, equally likely, shape (count, ...); None where they are too many."""
        ...


def kind_of(exhaustive: bool, all_seeds: bool) -> Literal["exact", "estimate", "bound"]:
    """What a worst case is, by whether every layout was tried, and under every seed."""
    if not exhaustive:
        return "bound"
    return "exact" if all_seeds else "estimate"


class Seeds:
    """What gives seeds of a player, again and again.

    Args:
        player: Whose.
        rng: Draws them.
        count: How many; all seeds there are, if these are not more.
        only: The one seed there is, (1, ...), where that is known.

    Attributes:
        all: Whether all there are are given.
    """

    def __init__(
        self, player: Player, rng: np.random.Generator, count: int, only: Array | None = None
    ) -> None:
        self._player, self._rng, self._count = player, rng, count
        every = only
        if every is None and isinstance(player, ListedSeeds):
            every = player.every_seed()
        self._every = every if every is not None and len(every) <= count else None
        self.all = self._every is not None

    def __call__(self) -> Array:
        """Seeds, (m, ...)."""
        if self._every is not None:
            return self._every
        return self._player.draw_seeds(self._rng, self._count)
