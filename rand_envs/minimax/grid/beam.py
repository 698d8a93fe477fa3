"""Good walks on grids too large for the exact best response: beam search over new cells."""

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.compiled import compiled
from rand_envs.minimax.grid.search_grid import Path, SearchGrid, walk_between
from rand_envs.minimax.matrix import Floats

Ints = NDArray[np.int32]
Keys = NDArray[np.uint64]


class BeamWalker:
    """Approximate best responses on one grid.

    A partial walk is the cells visited, the cell it is on and the weighted time so far. All
    partial walks of the beam grow by one new cell at a time; of two with the same cells and
    position the cheaper survives, and of all the best `width` by cost so far plus an estimate
    of the cost to come.
    """

    def __init__(self, grid: SearchGrid, rng: np.random.Generator) -> None:
        self.grid = grid
        self.near = np.full((grid.num_cells, 4), -1, np.int32)
        for cell, others in enumerate(grid.neighbors):
            self.near[cell, : len(others)] = others
        self._keys = rng.integers(1, 1 << 63, (2, grid.num_cells)).astype(np.uint64)

    def respond(
        self, weights: Floats, *, width: int, stranded: float, num_paths: int
    ) -> list[Path]:
        """The best walks in the last beam, the best first.

        Args:
            weights: probability of the treasure on each cell, shape (cells,), 0 on the start.
            width: how many partial walks are kept.
            stranded: price of an unvisited cell with one free neighbour left or none, relative
                to its weight times the number of cells still to come.
            num_paths: how many walks to return at most.
        """
        parents, added = _grow(self.near, self._keys, weights, width, stranded)
        paths = []
        for last in range(min(num_paths, int((added[-1] >= 0).sum()))):
            order, at = [], last
            for level in range(len(added) - 1, 0, -1):
                order.append(int(added[level, at]))
                at = int(parents[level, at])
            paths.append(self._path(order[::-1]))
        return paths

    def _path(self, order: list[int]) -> Path:
        walk, seen = [0], {0}
        for cell in order:
            walk += walk_between(self.grid, seen, walk[-1], cell)
            seen.add(cell)
        return (tuple(self.grid.cells[i] for i in walk),)


def _grow(
    near: Ints, keys: Keys, weights: Floats, width: int, stranded: float
) -> tuple[Ints, Ints]:
    """Parents and new cells of the beam, shape (cells, width): one level for each new cell."""
    cells = len(near)
    parents = np.full((cells, width), -1, np.int32)
    added = np.full((cells, width), -1, np.int32)
    added[0, 0] = 0
    seen = np.zeros((1, cells), np.bool_)
    seen[0, 0] = True
    costs, hashes = np.zeros(1), np.zeros(1, np.uint64)
    for level in range(1, cells):
        at = added[level - 1, : len(seen)]
        found = np.empty((2, len(seen) * cells), np.int32)
        values = np.empty((2, len(seen) * cells))
        count = _children(near, weights, stranded, seen, costs, at, found, values)
        (parent, new), (total, score) = found[:, :count], values[:, :count]
        sets = hashes[parent] ^ keys[0, new]
        order = np.argsort(score, kind="stable")
        _, first = np.unique((sets ^ keys[1, new])[order], return_index=True)
        kept = order[np.sort(first)[:width]]
        parents[level, : len(kept)], added[level, : len(kept)] = parent[kept], new[kept]
        seen = seen[parent[kept]]
        seen[np.arange(len(kept)), new[kept]] = True
        costs, hashes = total[kept], sets[kept]
    return parents, added


@compiled
def _children(
    near: Ints,
    weights: Floats,
    stranded: float,
    seen: NDArray[np.bool_],
    costs: Floats,
    at: Ints,
    found: Ints,
    values: Floats,
) -> int:
    """Write all partial walks with one more cell: parent and cell, cost and score; count them."""
    cells = near.shape[0]
    queue = np.empty(cells, np.int32)
    steps = np.empty(cells, np.int32)
    count = 0
    for i in range(at.size):
        left = 0.0
        coming = -1
        for cell in range(cells):
            if not seen[i, cell]:
                left += weights[cell]
                coming += 1
        steps[:] = -1
        steps[at[i]] = 0
        queue[0] = at[i]
        head, tail = 0, 1
        while head < tail:
            cell = queue[head]
            head += 1
            for way in range(4):
                other = near[cell, way]
                if other >= 0 and steps[other] < 0:
                    steps[other] = steps[cell] + 1
                    if seen[i, other]:
                        queue[tail] = other
                        tail += 1
                    else:
                        total = costs[i] + steps[other] * left
                        ahead = (left - weights[other]) / 2
                        lost = stranded * _stranded(near, weights, seen[i], other)
                        found[0, count] = i
                        found[1, count] = other
                        values[0, count] = total
                        values[1, count] = total + (ahead + lost) * (coming + 1)
                        count += 1
    return count


@compiled
def _stranded(near: Ints, weights: Floats, seen: NDArray[np.bool_], at: int) -> float:
    """Weight of the unvisited cells with no way on but one, the walker's cell not counted."""
    total = 0.0
    for cell in range(near.shape[0]):
        if not seen[cell] and cell != at:
            ways = 0
            for way in range(4):
                other = near[cell, way]
                if other >= 0 and not seen[other]:
                    ways += 1
            if ways == 0:
                total += weights[cell]
            elif ways == 1:
                total += 0.5 * weights[cell]
    return total
