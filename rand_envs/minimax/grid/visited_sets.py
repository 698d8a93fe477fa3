"""Exact best responses: a dynamic program over (connected set of visited cells, current cell).

A walk that meets its treasure latest on average wastes no step: between two new cells it takes
a shortest path through visited ones. So a state is the set S of visited cells, which is
connected and holds the start, and the cell on which the last new one was found; a transition
chooses the next new cell, one of the neighbours of S. Sets are numbered by size, smallest
first, so that every transition leads to a larger number.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.compiled import compiled
from rand_envs.minimax.grid.search_grid import Path, SearchGrid, walk_between

MAX_CELLS = 25
IDLE = 1e-11
"""Price of a step besides the search, so that of equally good walks the shorter one is found."""

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class VisitedSets:
    """All connected sets of cells that hold the start, and how they grow by one cell.

    Attributes:
        around: bit mask of the neighbours of each cell, shape (cells,).
        masks: bit mask of each set, by size, shape (sets,); bit i stands for `grid.cells[i]`.
        layers: the sets of size k have numbers layers[k - 1] to layers[k], shape (cells + 1,).
        offsets: the transitions of set i are numbers offsets[i] to offsets[i + 1].
        added: the new cell of each transition, shape (transitions,).
        larger: the number of the larger set of each transition, shape (transitions,).
    """

    around: Ints
    masks: Ints
    layers: NDArray[np.int64]
    offsets: NDArray[np.int64]
    added: NDArray[np.int8]
    larger: Ints

    @classmethod
    def of(cls, grid: SearchGrid) -> "VisitedSets":
        """List the sets of a grid.

        Raises:
            ValueError: where the grid has more than 25 free cells.
        """
        if grid.num_cells > MAX_CELLS:
            raise ValueError(
                f"the exact solver takes at most {MAX_CELLS} free cells, got {grid.num_cells}; "
                f"use bracket_search_game for larger grids"
            )
        around = np.array([sum(1 << j for j in near) for near in grid.neighbors], np.int32)
        number = np.full(1 << grid.num_cells - 1, -1, np.int32)
        return cls(around, *_list_sets(around, number))

    def grown(self, number: int, cell: int) -> int:
        """Number of the set that a set becomes when a cell next to it is added."""
        span = slice(int(self.offsets[number]), int(self.offsets[number + 1]))
        return int(self.larger[span][self.added[span] == cell][0])


_DE_BRUIJN = 0x077CB531
_BIT_INDEX = np.zeros(32, np.int64)
_BIT_INDEX[[(_DE_BRUIJN << i & 0xFFFFFFFF) >> 27 for i in range(32)]] = np.arange(32)


@compiled
def lowest(bits: int) -> int:
    """Index of the lowest set bit, by a de Bruijn product (no loop: this is the hot spot)."""
    index: int = _BIT_INDEX[((bits & -bits) * _DE_BRUIJN & 0xFFFFFFFF) >> 27]
    return index


@compiled
def _frontier(around: Ints, mask: np.int32) -> int:
    """Bit mask of the cells next to a set and not in it."""
    near = 0
    for cell in range(around.size):
        if (mask >> cell) & 1:
            near |= around[cell]
    return near & ~int(mask)


@compiled
def _list_sets(
    around: Ints, number: Ints
) -> tuple[Ints, NDArray[np.int64], NDArray[np.int64], NDArray[np.int8], Ints]:
    """Breadth-first by size. `number` maps a mask without the start's bit to its number."""
    num_cells = around.size
    masks = [np.int32(1)]
    offsets = [0]
    added = [np.int8(0) for _ in range(0)]
    larger = [np.int32(0) for _ in range(0)]
    layers = np.zeros(num_cells + 1, np.int64)
    current = 0
    for size in range(1, num_cells + 1):
        layers[size] = len(masks)
        while current < layers[size]:
            mask = masks[current]
            near = _frontier(around, mask)
            for cell in range(num_cells):
                if (near >> cell) & 1:
                    grown = mask | (1 << cell)
                    if number[grown >> 1] < 0:
                        number[grown >> 1] = len(masks)
                        masks.append(np.int32(grown))
                    added.append(np.int8(cell))
                    larger.append(np.int32(number[grown >> 1]))
            offsets.append(len(added))
            current += 1
    return np.array(masks), layers, np.array(offsets), np.array(added), np.array(larger)


@compiled
def missing(mask: np.int32, weights: Floats) -> float:
    """Weight of the cells outside a set."""
    total = 0.0
    for cell in range(weights.size):
        if not (mask >> cell) & 1:
            total += weights[cell]
    return total


@compiled
def patient_costs(
    around: Ints,
    masks: Ints,
    offsets: NDArray[np.int64],
    added: NDArray[np.int8],
    larger: Ints,
    weights: Floats,
    costs: Floats,
) -> None:
    """Least mean steps still to come from every (set, cell), for a walker of infinite patience.

    The sum over steps of the weight not yet found equals the weighted sum of first-visit times.

    Args:
        around: see `VisitedSets`, as are masks, offsets, added and larger.
        masks: the sets.
        offsets: their transitions.
        added: the new cell of each.
        larger: the larger set of each.
        weights: probability of the treasure on each cell, shape (cells,).
        costs: written; shape (sets, cells), meaningful for cells of the set.
    """
    for i in range(masks.size - 1, -1, -1):
        mask = masks[i]
        left = missing(mask, weights) + IDLE
        begin, end = offsets[i], offsets[i + 1]
        for cell in range(weights.size):
            costs[i, cell] = 0.0 if begin == end else np.inf
        for k in range(begin, end):
            cell = added[k]
            total = costs[larger[k], cell]
            reached = 0
            ring = around[cell] & mask
            while ring:
                total += left
                reached |= ring
                outer = 0
                while ring:
                    inner = lowest(ring)
                    ring &= ring - 1
                    outer |= around[inner]
                    costs[i, inner] = min(costs[i, inner], total)
                ring = outer & mask & ~reached


class PatientWalker:
    """Best responses of a walker of infinite patience on one grid, with the tables kept."""

    def __init__(self, grid: SearchGrid) -> None:
        self.grid = grid
        self.sets = VisitedSets.of(grid)
        self._costs = np.empty((self.sets.masks.size, grid.num_cells))

    def respond(
        self, weights: Floats, rng: np.random.Generator, num_paths: int
    ) -> tuple[float, list[Path]]:
        """A lower bound on the mean first-visit time, and paths that reach it up to 1e-8.

        Args:
            weights: probability of the treasure on each cell, shape (cells,), 0 on the start.
            rng: breaks ties.
            num_paths: how many paths to draw; they need not differ.

        The bound is the least cost with `IDLE` included, less `IDLE` times the length of the
        longest walk that can be optimal: each new cell is fewer than `cells` steps away.
        """
        sets = self.sets
        patient_costs(
            sets.around, sets.masks, sets.offsets, sets.added, sets.larger, weights, self._costs
        )
        paths = [self._trace(weights, rng) for _ in range(num_paths)]
        return float(self._costs[0, 0]) - IDLE * self.grid.num_cells**2, paths

    def _trace(self, weights: Floats, rng: np.random.Generator) -> Path:
        sets, walk, number = self.sets, [0], 0
        while sets.offsets[number] < sets.offsets[number + 1]:
            span = slice(int(sets.offsets[number]), int(sets.offsets[number + 1]))
            mask = sets.masks[number]
            inside = {i for i in range(self.grid.num_cells) if mask >> i & 1}
            ways = [walk_between(self.grid, inside, walk[-1], int(c)) for c in sets.added[span]]
            left = missing(mask, weights)
            steps = np.array([len(way) for way in ways])
            totals = self._costs[sets.larger[span], sets.added[span]] + (left + IDLE) * steps
            chosen = rng.choice(np.flatnonzero(totals <= totals.min() + IDLE / 10))
            walk += ways[chosen]
            number = int(sets.larger[span][chosen])
        return (tuple(self.grid.cells[i] for i in walk),)
