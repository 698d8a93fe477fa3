"""A solved search game as a value: mixes, bounds, and JSON both ways."""

import json
import math
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from rand_envs.core.arrays import shown, whole_number
from rand_envs.core.options import MAX_COUNT, real_number
from rand_envs.core.sealed import read_json, write_json
from rand_envs.minimax.grid.search_grid import MAX_CELLS, Cell, Path, SearchGrid, checked_shape
from rand_envs.minimax.matrix import Floats

SCHEMA = "rand_envs.search_game/1"


@dataclass(frozen=True, eq=False)
class SearchGameSolution:
    """The bracket of a search game with the two mixes that prove it.

    Attributes:
        grid: shape, walls and start.
        horizon: steps after which an episode ends; None for infinite patience.
        num_episodes: how many episodes are played with the same treasure.
        lower: no player pays less, on average, against the treasure distribution (steps).
        upper: the mix of paths pays no more, whatever the treasure (steps).
        paths: the walker's plans, each a tuple of walks: `path[e]` is walked in episode e while
            the treasure is not found, and is a tuple of (row, column) from the start on. With
            infinite patience a path is one walk. Once found, walk straight to the treasure.
        probabilities: of the paths, shape (paths,).
        treasure_probabilities: of the cells `grid.cells[1:]`, shape (cells - 1,).
        relaxed: whether `lower` is the `slot_bound` of the treasure distribution; otherwise it
            is the cost of an exact best response to it.
        interrupted: stopped before the bracket closed.
    """

    grid: SearchGrid
    horizon: int | None
    num_episodes: int
    lower: float
    upper: float
    paths: tuple[Path, ...]
    probabilities: Floats
    treasure_probabilities: Floats
    relaxed: bool = False
    interrupted: bool = False

    @property
    def value(self) -> float:
        """What the mix guarantees, in steps: the game value up to `gap`."""
        return self.upper

    @property
    def gap(self) -> float:
        """Upper minus lower bound, in steps."""
        return self.upper - self.lower

    @property
    def treasure_distribution(self) -> Floats:
        """Probability of the treasure on each cell, shape (rows, columns), row 0 at the bottom."""
        table = np.zeros(self.grid.shape)
        for cell, probability in zip(self.grid.cells[1:], self.treasure_probabilities, strict=True):
            table[cell] = probability
        return table

    def value_in_return(self, step_reward: float = -0.1, find_reward: float = 1.0) -> float:
        """The value as a mean return: step_reward a step, find_reward an episode.

        Raises:
            ValueError: where a path can miss the treasure in an episode, so that the best
                return is not the return of the fewest steps; or where steps are not a cost.
        """
        if step_reward >= 0:
            raise ValueError(f"the reward of a step must be negative, got {step_reward}")
        if any(set(path[0]) != set(self.grid.cells) for path in self.paths):
            raise ValueError(
                "the value in return is only known where every path visits every cell in the "
                "first episode"
            )
        return step_reward * self.value + find_reward * self.num_episodes

    def to_json(self) -> dict[str, Any]:
        """The solution as plain JSON data; see `from_json` for the schema."""
        return {
            "schema": SCHEMA,
            "shape": list(self.grid.shape),
            "walls": [list(cell) for cell in self.grid.walls],
            "start": list(self.grid.start),
            "horizon": self.horizon,
            "num_episodes": self.num_episodes,
            "lower": self.lower,
            "upper": self.upper,
            "relaxed": self.relaxed,
            "interrupted": self.interrupted,
            "treasure_distribution": self.treasure_distribution.tolist(),
            "probabilities": self.probabilities.tolist(),
            "paths": [[[list(cell) for cell in walk] for walk in path] for path in self.paths],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "SearchGameSolution":
        """Read what `to_json` wrote. Only the form is checked: `verify_search_solution` proves.

        The schema: `shape` [rows, columns]; `walls` a list of cells; `start` a cell; `horizon`
        an integer or null; `num_episodes`; `lower` and `upper` in steps; `relaxed` and
        `interrupted` booleans;
        `treasure_distribution` rows of probabilities, the bottom row first; `probabilities`
        one for each of `paths`; a path is a list of walks, one an episode, a walk a list of
        cells from the start on. A cell is [row, column], row 0 at the bottom.

        Raises:
            ValueError: where a field is missing or of another form.
        """
        if data.get("schema") != SCHEMA:
            raise ValueError(
                f"a solution file needs schema {SCHEMA!r}, got {shown(data.get('schema'))}"
            )
        try:
            return cls._read(data)
        except (KeyError, TypeError) as error:
            raise ValueError(f"the solution file does not follow its schema: {error!r}") from error

    @classmethod
    def _read(cls, data: dict[str, Any]) -> "SearchGameSolution":
        rows, columns = _cell("the shape", data["shape"], MAX_CELLS + 1, MAX_CELLS + 1)
        shape = checked_shape((rows, columns))
        walls = np.zeros(shape, bool)
        for cell in _list("the walls", data["walls"]):
            walls[_cell("a wall", cell, *shape)] = True
        grid = SearchGrid.create(shape, walls, _cell("the start", data["start"], *shape))
        table = _list("the treasure distribution", data["treasure_distribution"])
        chances = [_numbers("a row of the treasure distribution", row) for row in table]
        if [len(row) for row in chances] != [columns] * rows:
            raise ValueError(f"the treasure distribution must have {rows} rows of {columns}")
        treasure = np.array(chances)
        on_cells = np.array([treasure[cell] for cell in grid.cells[1:]])
        if np.abs(treasure).sum() > np.abs(on_cells).sum() + 1e-12:
            raise ValueError("the treasure distribution has mass on the start or on a wall")
        return cls(
            grid=grid,
            horizon=None if data["horizon"] is None else _count("horizon", data["horizon"]),
            num_episodes=_count("num_episodes", data["num_episodes"]),
            lower=_number("lower", data["lower"]),
            upper=_number("upper", data["upper"]),
            paths=tuple(
                tuple(
                    tuple(_cell("a cell of a path", cell, *shape) for cell in _list("a walk", walk))
                    for walk in _list("a path", path)
                )
                for path in _list("the paths", data["paths"])
            ),
            probabilities=np.array(_numbers("the probabilities", data["probabilities"])),
            treasure_probabilities=on_cells,
            relaxed=_truth("relaxed", data["relaxed"]),
            interrupted=_truth("interrupted", data["interrupted"]),
        )

    def save(self, file: str | FilePath) -> None:
        """Write the solution as a JSON file; the file is complete or not there."""
        write_json(file, self.to_json())

    @classmethod
    def load(cls, file: str | FilePath) -> "SearchGameSolution":
        """Read a JSON file written by `save`.

        Raises:
            ValueError: where the file is not JSON, not what was written, or does not follow the
                schema.
        """
        return cls.from_json(read_json(file))


def _list(name: str, data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise ValueError(f"{name} in a solution file must be a list, got {shown(data)}")
    return data


def _cell(name: str, data: Any, rows: int, columns: int) -> Cell:
    if not isinstance(data, list) or len(data) != 2:
        raise ValueError(f"{name} in a solution file must be two integers, got {shown(data)}")
    row = whole_number(f"the first number of {name}", data[0], 0, rows - 1)
    return row, whole_number(f"the second number of {name}", data[1], 0, columns - 1)


def _count(name: str, data: Any) -> int:
    return whole_number(f"{name} in a solution file", data, 0, MAX_COUNT)


def _number(name: str, data: Any) -> float:
    """A float, NaN included: what is finite, the verifier says."""
    is_nan = isinstance(data, float) and math.isnan(data)
    return data if is_nan else real_number(f"{name} in a solution file", data)


def _numbers(name: str, data: Any) -> list[float]:
    return [_number(f"each of {name}", each) for each in _list(name, data)]


def _truth(name: str, data: Any) -> bool:
    if not isinstance(data, bool):
        raise ValueError(f"{name} in a solution file must be true or false, got {shown(data)}")
    return data


def shipped_solutions() -> list[tuple[int, int, int | None]]:
    """The (rows, columns, horizon) of the open grids whose solutions ship with the package."""
    files = (FilePath(item.name) for item in _folder().iterdir())
    found = []
    for stem in (file.stem for file in files if file.suffix == ".json"):
        size, _, horizon = stem.partition("-horizon-")
        rows, columns = size.split("x")
        found.append((int(rows), int(columns), int(horizon) if horizon else None))
    return sorted(found, key=lambda entry: (entry[0], entry[1], entry[2] or 0))


def load_solution(shape: int | tuple[int, int], horizon: int | None = None) -> SearchGameSolution:
    """The shipped solution of an open grid with two episodes from the lower left corner.

    Args:
        shape: size of a square grid, or (rows, columns).
        horizon: steps after which an episode ends; None for infinite patience.

    Raises:
        ValueError: where none ships for that game; `solve_search_game` makes one.
    """
    rows, columns = (shape, shape) if isinstance(shape, int) else shape
    if (rows, columns, horizon) not in shipped_solutions():
        raise ValueError(
            f"no solution ships for {rows} x {columns} with horizon {horizon}, only for "
            f"(rows, columns, horizon) in {shipped_solutions()}; use solve_search_game"
        )
    name = f"{rows}x{columns}" + ("" if horizon is None else f"-horizon-{horizon}")
    return SearchGameSolution.from_json(json.loads((_folder() / f"{name}.json").read_text()))


def _folder() -> Traversable:
    return resources.files("rand_envs.minimax.grid") / "solutions"
