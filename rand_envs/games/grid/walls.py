"""Random walls in grids: any number of them, never cutting off a free cell."""

from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
"""Cells of n grids, shape (n, rows * columns), row by row."""

NEIGHBOURS = np.zeros((3, 3, 3), bool)
"""Connects each cell of a batch of grids, shape (n, R, C), with the four around it."""
NEIGHBOURS[1] = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]


class WallBuilder:
    """Lays `count` walls in grids so that all free cells can be reached from the start.

    Args:
        rows: height of the grids.
        columns: width of the grids.
        start: index of the start cell, row * columns + column; never a wall.
        count: number of walls of a finished grid, at most rows * columns - 2.
    """

    def __init__(self, rows: int, columns: int, start: int, count: int) -> None:
        self.shape = (rows, columns)
        self.num_cells = rows * columns
        self.start = start
        self.count = count

    def connected(self, walls: Mask) -> Mask:
        """Whether all free cells of each grid can be reached from the start, shape (n,)."""
        # Imported here, since it takes longer than all of the package's own code.
        from scipy.ndimage import label

        parts, _ = label(~walls.reshape(-1, *self.shape), structure=NEIGHBOURS)
        parts = parts.reshape(walls.shape)
        reached: Mask = (walls | (parts == parts[:, [self.start]])).all(axis=1)
        return reached

    def lay(self, walls: Mask, kept_free: Mask, order: NDArray[Any]) -> Mask:
        """Add walls in the given order of cells, skipping those that would cut off a cell.

        Skipped cells get another turn, so that from bare grids with only the start kept free
        there is always room for all walls.

        Args:
            walls: the walls there are.
            kept_free: cells that must stay free; the start always does.
            order: indices of cells, shape (n, rows * columns).
        """
        walls = walls.copy()
        added = True
        while added:
            added = False
            for cell in order.T:
                at = np.arange(len(walls))
                open_ = ~walls[at, cell] & ~kept_free[at, cell] & (cell != self.start)
                at = at[open_ & (walls.sum(axis=1) < self.count)]
                trial = walls[at]
                trial[np.arange(len(at)), cell[at]] = True
                legal = self.connected(trial)
                walls[at[legal]] = trial[legal]
                added = added or bool(legal.any())
        return walls

    def move(self, rng: np.random.Generator, walls: Mask, kept_free: Mask) -> Mask:
        """Take one wall away and put it elsewhere; unchanged where that is impossible.

        It is, for one, where the wall stands among walls: a hole that cannot be reached.
        """
        lifted = np.zeros_like(walls)
        lifted[np.arange(len(walls)), pick(rng, walls)] = True
        order = rng.random(walls.shape).argsort(axis=1)
        moved = self.lay(walls & ~lifted, kept_free | lifted, order)
        enough = moved.sum(axis=1, keepdims=True) == self.count
        return np.where(enough, moved, walls)

    @property
    def num_candidates(self) -> int:
        """In how many ways the walls can be placed, connected or not."""
        return comb(self.num_cells - 1, self.count)

    def enumerate(self) -> Mask:
        """All finished grids once, in lexicographic order of their wall cells."""
        cells = [cell for cell in range(self.num_cells) if cell != self.start]
        chosen = np.array(list(combinations(cells, self.count)))
        walls = np.zeros((len(chosen), self.num_cells), bool)
        walls[np.arange(len(chosen))[:, None], chosen] = True
        return walls[self.connected(walls)]


def pick(rng: np.random.Generator, mask: Mask) -> NDArray[np.int64]:
    """A random true place in each row of a mask, shape (n,); 0 where there is none."""
    picked: NDArray[np.int64] = np.where(mask, rng.random(mask.shape), -1.0).argmax(axis=1)
    return picked
