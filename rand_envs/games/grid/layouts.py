"""The layouts of RandGrid-v0: a treasure, and walls that never cut off a cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import HALF, Array, Json, shown, whole_number
from rand_envs.core.compiled import compiled
from rand_envs.core.layouts.space import Layout, LayoutSpace, check_listable, layout_fields
from rand_envs.games.grid.walls import WallBuilder, pick

Cell = tuple[int, int]
"""(row, column); row 0 is at the bottom."""

MAX_WORK = 10**7
"""Each wall that is placed costs a look at every cell: with more a reset takes seconds."""


@dataclass(frozen=True)
class GridLayout(Layout):
    """The treasure's cell and the sorted wall cells, each as (row, column)."""

    treasure: Cell
    walls: tuple[Cell, ...] = ()

    def to_json(self) -> Json:
        """Return {"treasure": [row, column], "walls": list of [row, column]}."""
        return {"treasure": list(self.treasure), "walls": [list(cell) for cell in self.walls]}


class GridSpace(LayoutSpace[GridLayout]):
    """Treasures on any free cell but the start, in a grid whose free cells are connected.

    Args:
        rows: height of the grid.
        columns: width of the grid.
        start: where the player starts; never a wall.
        walls: wall cells, boolean of shape (rows, columns), the same in all layouts; or how
            many walls the adversary places.

    Raises:
        ValueError: walls are on the start or cut off a cell, or leave none for the treasure, or
            there are too many for the adversary to place.
    """

    def __init__(self, rows: int, columns: int, start: Cell, walls: Array | int) -> None:
        self.rows, self.columns = rows, columns
        self.num_cells = rows * columns
        self.start = start
        self.dtype = np.dtype([("treasure", np.int64, (2,)), ("walls", np.bool_, (rows, columns))])
        self._start = start[0] * columns + start[1]
        self._fixed = None if isinstance(walls, int) else walls.reshape(-1)
        count = walls if isinstance(walls, int) else int(walls.sum())
        self.num_walls = whole_number("the number of walls", count, 0, self.num_cells - 2)
        if self._fixed is None and self.num_walls * self.num_cells > MAX_WORK:
            raise ValueError(
                f"the number of walls to place times that of cells must be at most {MAX_WORK}, "
                f"got {self.num_walls} * {self.num_cells}"
            )
        self.num_treasures = self.num_cells - 1 - self.num_walls
        self.num_words = 1 if self._fixed is not None else 1 + self.num_cells
        self._builder = WallBuilder(rows, columns, self._start, self.num_walls)
        if self._fixed is not None:
            self._check_walls(self._fixed)

    @property
    def size(self) -> int | None:
        """Number of treasure cells; None where the adversary places walls."""
        return None if self._fixed is None else self.num_treasures

    def matches(self, other: LayoutSpace[Any]) -> bool:
        """Whether the other grid has the same size, start and walls, if they are fixed."""
        if not isinstance(other, GridSpace) or not super().matches(other):
            return False
        if self._fixed is not None:
            same = other._fixed is not None and np.array_equal(self._fixed, other._fixed)
        else:
            same = self.num_walls == other.num_walls
        return same and self.start == other.start

    def from_words(self, words: NDArray[np.uint64]) -> Array:
        """Hide the treasure by the last word, after laying the walls in the order of the rest.

        A wall that would cut off a free cell is skipped: every legal layout can occur but,
        where the adversary places walls, not all are equally likely.
        """
        if self._fixed is not None:
            walls = self._fixed[None]
        else:
            bare = np.zeros((len(words), self.num_cells), bool)
            walls = self._builder.lay(bare, bare, words[:, :-1].argsort(axis=1))
        return self._build(walls, words[:, -1], self.num_treasures)

    def enumerate(self) -> Array:
        """Every layout once: walls in lexicographic order, then treasures, row by row."""
        ways = self._builder.num_candidates if self._fixed is None else 1
        check_listable(ways * self.num_treasures, self.dtype)
        walls = self._builder.enumerate() if self._fixed is None else self._fixed[None]
        count = self.num_treasures
        number = np.tile(np.arange(count, dtype=np.uint64), len(walls))
        return self._build(np.repeat(walls, count, 0), number << HALF, 2**32)

    def mutate(self, rng: np.random.Generator, layouts: Array) -> Array:
        """Move each treasure to another cell or, half of the time, one of the adversary's walls.

        A layout in which neither can move stays as it is.
        """
        mutated = layouts.copy()
        walls = layouts["walls"].reshape(-1, self.num_cells)
        treasure = np.zeros_like(walls)
        treasure[np.arange(len(walls)), layouts["treasure"] @ (self.columns, 1)] = True
        moves_wall = np.zeros(len(layouts), bool)
        if self._fixed is None:
            moved = self._builder.move(rng, walls, treasure)
            moves_wall = (rng.random(len(layouts)) < 0.5) & (moved != walls).any(axis=1)
            mutated["walls"][moves_wall] = moved[moves_wall].reshape(-1, self.rows, self.columns)
        legal = self._treasure_cells(walls) & ~treasure
        moves_treasure = ~moves_wall & legal.any(axis=1)
        cell = pick(rng, legal)[moves_treasure]
        mutated["treasure"][moves_treasure] = np.stack(np.divmod(cell, self.columns), axis=1)
        return mutated

    def validate(self, layout: GridLayout | Mapping[str, Any]) -> GridLayout:
        """Return the legal layout; ValueError says what is wrong.

        Walls that the task fixes may be left out.
        """
        treasure, walls = layout_fields(layout, GridLayout, ["treasure", "walls?"])
        treasure = as_cell("the treasure", treasure, self.rows, self.columns)
        if isinstance(walls, str) or not isinstance(walls or (), Sequence):
            raise ValueError(f"the walls of a layout must be a list of cells, got {shown(walls)}")
        is_wall = np.zeros((self.rows, self.columns), bool)
        for cell in walls or ():
            is_wall[as_cell("a wall", cell, self.rows, self.columns)] = True
        if not walls and self._fixed is not None:
            is_wall = self._fixed.reshape(is_wall.shape)
        self._check_walls(is_wall.reshape(-1))
        if treasure == self.start or is_wall[treasure]:
            place = "the start" if treasure == self.start else "a wall"
            raise ValueError(
                "the treasure must be on a free cell other than the start, "
                f"got {treasure}, which is {place}"
            )
        return GridLayout(treasure, _cells(is_wall))

    def pack(self, layouts: Sequence[GridLayout | Mapping[str, Any]]) -> Array:
        """Validate layouts and turn them into one structured array of shape (n,)."""
        packed = np.zeros(len(layouts), self.dtype)
        for i, layout in enumerate(map(self.validate, layouts)):
            packed["treasure"][i] = layout.treasure
            for cell in layout.walls:
                packed["walls"][i][cell] = True
        return packed

    def unpack(self, layouts: Array) -> list[GridLayout]:
        """The layouts of a structured array, shape (n,), as values."""
        treasures = layouts["treasure"].tolist()
        return [
            GridLayout((row, column), _cells(walls))
            for (row, column), walls in zip(treasures, layouts["walls"], strict=True)
        ]

    def _treasure_cells(self, walls: Array) -> NDArray[np.bool_]:
        legal: NDArray[np.bool_] = ~walls
        legal[:, self._start] = False
        return legal

    def _build(self, walls: Array, words: NDArray[np.uint64], bound: int) -> Array:
        """Layouts of walls, or the same for all, with treasures by words, as by `words_below`."""
        layouts = np.empty(len(words), self.dtype)
        _hide(self._start, walls, words, bound, layouts["walls"], layouts["treasure"])
        return layouts

    def _check_walls(self, walls: Array) -> None:
        if self._fixed is not None and not np.array_equal(walls, self._fixed):
            raise ValueError("the walls of a layout must be the fixed walls of its task")
        if walls.sum() != self.num_walls:
            raise ValueError(
                f"a layout must have {self.num_walls} different wall cells, got {walls.sum()}"
            )
        if walls[self._start]:
            raise ValueError(f"the start must be a free cell, got a wall on {self.start}")
        if not self._builder.connected(walls[None])[0]:
            raise ValueError("walls must leave every free cell reachable from the start")


@compiled
def _hide(start: int, walls: Array, words: Array, bound: int, laid: Array, treasure: Array) -> None:
    """Lay walls, and each treasure on a cell where one may be, counted row by row."""
    n, rows, columns = laid.shape
    for i in range(n):
        own = i if len(walls) > 1 else 0
        left, cell = np.int64((words[i] >> HALF) * np.uint64(bound) >> HALF), 0
        for row in range(rows):
            for column in range(columns):
                laid[i, row, column] = walls[own, cell]
                if not walls[own, cell] and cell != start:
                    if left == 0:
                        treasure[i, 0], treasure[i, 1] = row, column
                    left -= 1
                cell += 1


def as_cell(name: str, value: Any, rows: int, columns: int) -> Cell:
    """Return a (row, column) inside the grid; ValueError says what is wrong."""
    if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray) or len(value) != 2:
        raise ValueError(f"{name} must be a (row, column) pair, got {shown(value)}")
    row = whole_number(f"the row of {name}", value[0], 0, rows - 1)
    return row, whole_number(f"the column of {name}", value[1], 0, columns - 1)


def _cells(mask: Array) -> tuple[Cell, ...]:
    return tuple((row, column) for row, column in np.argwhere(mask).tolist())
