"""Seeds to play under: all there are where they are few, else independent draws."""

from typing import Protocol, runtime_checkable

import numpy as np

from rand_envs.core.arrays import Array
from rand_envs.core.player import Player


@runtime_checkable
class ListedSeeds(Protocol):
    """A player whose seeds can be listed."""

    def every_seed(self) -> Array | None:
        """All seeds, equally likely, shape (count, ...); None where they are too many."""
        ...


def listed_seeds(player: Player) -> Array | None:
    """All seeds of a player, equally likely, (count, ...); None where they cannot be listed."""
    return player.every_seed() if isinstance(player, ListedSeeds) else None


class Seeds:
    """What gives seeds of a player, again and again.

    Args:
        player: Whose.
        rng: Draws them.
        only: The one seed there is, (1, ...), where that is known.
    """

    def __init__(self, player: Player, rng: np.random.Generator, only: Array | None = None) -> None:
        self._player, self._rng = player, rng
        self._every = listed_seeds(player) if only is None else only

    def __call__(self, count: int) -> tuple[Array, bool]:
        """Seeds, (m, ...): all there are, if these are not more than `count`, which is said."""
        if self._every is not None and len(self._every) <= count:
            return self._every, True
        return self._player.draw_seeds(self._rng, count), False
