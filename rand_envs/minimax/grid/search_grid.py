"""The grid of a search game: free cells, neighbours, distances, symmetries, and input checks."""

from collections import deque
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Cell = tuple[int, int]
"""(row, column), row 0 at the bottom."""
Walk = tuple[Cell, ...]
"""Cells from the start on, each a neighbour of the one before."""
Path = tuple[Walk, ...]
"""What to walk while the treasure is not found: one walk for each episode, in order."""

MAX_CELLS = 10_000
"""The largest grid, walls included: of a larger one neither a bracket nor its check is feasible."""

STEPS: tuple[Cell, ...] = ((0, 1), (0, -1), (1, 0), (-1, 0))


@dataclass(frozen=True)
class SearchGrid:
    """A rectangular grid with walls and a start from which every free cell can be reached.

    Attributes:
        shape: (rows, columns).
        walls: the wall cells, sorted.
        start: the cell on which every episode starts.
    """

    shape: tuple[int, int]
    walls: tuple[Cell, ...] = ()
    start: Cell = (0, 0)

    @classmethod
    def create(
        cls,
        shape: int | tuple[int, int],
        walls: ArrayLike | None = None,
        start: tuple[int, int] = (0, 0),
    ) -> "SearchGrid":
        """Check and build a grid.

        Args:
            shape: size of a square grid, or (rows, columns).
            walls: booleans of that shape, True on a wall, row 0 at the bottom; None for none.
            start: the start cell.

        Raises:
            ValueError: where a size is not positive or the grid is too large, the walls have
                another shape or cut a cell off, the start is outside or on a wall, or no cell is
                left for the treasure.
        """
        rows, columns = checked_shape(shape)
        mask = np.zeros((rows, columns), bool) if walls is None else np.asarray(walls)
        if mask.shape != (rows, columns) or mask.dtype != np.bool_:
            raise ValueError(
                f"walls must be a boolean array of shape {(rows, columns)}, "
                f"got {mask.dtype} of shape {mask.shape}"
            )
        row, column = (int(s) for s in start)
        if not (0 <= row < rows and 0 <= column < columns):
            raise ValueError(f"the start {start} must be a cell of the {rows} x {columns} grid")
        if mask[row, column]:
            raise ValueError(f"the start {start} must be a free cell, but it is a wall")
        cells = tuple((int(r), int(c)) for r, c in np.argwhere(mask))
        grid = cls((rows, columns), cells, (row, column))
        grid._check_reachable()
        return grid

    def _check_reachable(self) -> None:
        total = self.shape[0] * self.shape[1] - len(self.walls)
        if total < 2:
            raise ValueError("the treasure needs a free cell besides the start, there is none")
        if len(self.cells) < total:
            raise ValueError(
                f"every free cell must be reachable from the start {self.start}, "
                f"the walls cut off {total - len(self.cells)} of {total}"
            )

    @cached_property
    def _distance_of(self) -> dict[Cell, int]:
        walls = set(self.walls)
        distance = {self.start: 0}
        queue = deque([self.start])
        while queue:
            row, column = queue.popleft()
            for down, right in STEPS:
                cell = (row + down, column + right)
                inside = 0 <= cell[0] < self.shape[0] and 0 <= cell[1] < self.shape[1]
                if inside and cell not in walls and cell not in distance:
                    distance[cell] = distance[(row, column)] + 1
                    queue.append(cell)
        return distance

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Free cells: the start first, then the treasure cells, sorted."""
        return (self.start, *sorted(c for c in self._distance_of if c != self.start))

    @cached_property
    def index(self) -> dict[Cell, int]:
        """Position of each free cell in `cells`."""
        return {cell: i for i, cell in enumerate(self.cells)}

    @property
    def num_cells(self) -> int:
        """Number of free cells, the start included."""
        return len(self.cells)

    @cached_property
    def distances(self) -> NDArray[np.int64]:
        """Steps of a shortest path from the start to each of `cells`, shape (num_cells,)."""
        return np.array([self._distance_of[cell] for cell in self.cells])

    @cached_property
    def neighbors(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the free neighbours of each of `cells`."""
        around = ([(r + i, c + j) for i, j in STEPS] for r, c in self.cells)
        return tuple(tuple(self.index[c] for c in cells if c in self.index) for cells in around)

    @cached_property
    def symmetries(self) -> tuple[tuple[int, ...], ...]:
        """The mirrorings and rotations that keep walls and start, as index maps of `cells`."""
        rows, columns = self.shape
        found = []
        for transpose in (False, True) if rows == columns else (False,):
            for flip_rows in (False, True):
                for flip_columns in (False, True):
                    images = []
                    for r, c in self.cells:
                        row = rows - 1 - r if flip_rows else r
                        column = columns - 1 - c if flip_columns else c
                        images.append((column, row) if transpose else (row, column))
                    if images[0] == self.start and set(images) == set(self.cells):
                        found.append(tuple(self.index[image] for image in images))
        return tuple(dict.fromkeys(found))


def checked_shape(shape: int | tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a grid; ValueError unless there are some, and not too many cells."""
    rows, columns = (shape, shape) if isinstance(shape, int) else (int(s) for s in shape)
    if rows < 1 or columns < 1:
        raise ValueError(f"a grid needs at least one row and one column, got {shape}")
    if rows * columns > MAX_CELLS:
        raise ValueError(f"a grid may have at most {MAX_CELLS} cells, got {rows} x {columns}")
    return rows, columns


def walk_between(grid: SearchGrid, inside: set[int], source: int, target: int) -> list[int]:
    """Cells after `source` on a shortest path to `target` through cells of `inside`."""
    before = {source: source}
    queue = deque([source])
    while target not in before:
        cell = queue.popleft()
        for near in grid.neighbors[cell]:
            if near not in before and (near in inside or near == target):
                before[near] = cell
                queue.append(near)
    steps = [target]
    while before[steps[-1]] != source:
        steps.append(before[steps[-1]])
    return steps[::-1]


def cut_to_horizon(grid: SearchGrid, walk: Walk, horizon: int, num_episodes: int) -> Path:
    """A walk stopped by the horizon, and what it missed visited nearest first from the start."""
    walks = [walk[: horizon + 1]]
    everywhere = set(range(grid.num_cells))
    missed = everywhere - {grid.index[cell] for cell in walks[0]}
    while missed and len(walks) < num_episodes:
        steps = [0]
        while missed and len(steps) <= horizon:
            ways = [walk_between(grid, everywhere, steps[-1], cell) for cell in sorted(missed)]
            nearest: list[int] = min(ways, key=len)
            steps += nearest
            missed -= set(steps[: horizon + 1])
        walks.append(tuple(grid.cells[i] for i in steps[: horizon + 1]))
    return tuple(walks)


def path_costs(
    grid: SearchGrid, path: Path, num_episodes: int, horizon: int | None
) -> NDArray[np.float64]:
    """Steps over all episodes for a treasure on each cell but the start, shape (cells - 1,).

    A treasure first met in episode e (counted from 0) after t steps costs the e horizons
    before it, t, and a shortest path in each later episode; one never met costs the horizon
    in every episode.

    Raises:
        ValueError: where the horizon is infinite and a cell is never visited.
    """
    never = np.inf if horizon is None else float(horizon * num_episodes)
    costs = np.full(grid.num_cells, never)
    for episode, walk in reversed(list(enumerate(path))):
        before = episode * (horizon or 0)
        seen = walk if horizon is None else walk[: horizon + 1]
        for time, cell in reversed(list(enumerate(seen))):
            i = grid.index[cell]
            costs[i] = before + time + (num_episodes - 1 - episode) * grid.distances[i]
    if not np.isfinite(costs).all():
        raise ValueError("a walk of infinite patience must visit every cell")
    return costs[1:]
