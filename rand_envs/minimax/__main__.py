"""Command line: python -m rand_envs.minimax grid | bracket | verify."""

import sys
from dataclasses import dataclass
from pathlib import Path as FilePath

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from rand_envs.minimax import (
    Bracket,
    SearchGameSolution,
    bracket_search_game,
    solve_search_game,
    verify_search_solution,
)

CLOSED = 1e-6


@dataclass
class Grid:
    """Solve the treasure search on a grid exactly (up to 25 free cells)."""

    size: tuple[int, ...]
    """Size of a square grid, or rows and columns."""
    walls: tuple[str, ...] = ()
    """Wall cells as row,column with row 0 at the bottom, e.g. 1,2 2,2."""
    start: tuple[int, int] = (0, 0)
    """Row and column of the start."""
    horizon: int | None = None
    """Steps after which an episode ends; None for infinite patience."""
    num_episodes: int = 2
    """How many episodes are played with the same treasure."""
    out: FilePath | None = None
    """Write the solution to this JSON file."""

    def run(self) -> int:
        """Solve, print the table, and return the exit status."""
        shape = _shape(self.size)
        walls = _walls(shape, self.walls)
        with _Progress() as progress:
            solution = solve_search_game(
                shape, walls, self.start, self.horizon, self.num_episodes, on_progress=progress
            )
        return _report(solution, self.out)


@dataclass
class BracketGrid:
    """Bound the value on a grid of any size (infinite patience)."""

    size: tuple[int, ...]
    """Size of a square grid, or rows and columns."""
    walls: tuple[str, ...] = ()
    """Wall cells as row,column with row 0 at the bottom, e.g. 1,2 2,2."""
    start: tuple[int, int] = (0, 0)
    """Row and column of the start."""
    num_episodes: int = 2
    """How many episodes are played with the same treasure."""
    seconds: float = 600.0
    """When to stop."""
    width: int = 300
    """Width of the beam."""
    out: FilePath | None = None
    """Write the solution to this JSON file."""

    def run(self) -> int:
        """Bound, print the table, and return the exit status."""
        shape = _shape(self.size)
        with _Progress() as progress:
            solution = bracket_search_game(
                shape,
                _walls(shape, self.walls),
                self.start,
                self.num_episodes,
                seconds=self.seconds,
                width=self.width,
                on_progress=progress,
            )
        return _report(solution, self.out)


@dataclass
class Verify:
    """Check a solution file from scratch: walks, worst treasure, best response."""

    file: tyro.conf.Positional[FilePath]
    """A JSON file written by the other commands."""

    def run(self) -> int:
        """Verify, print what was found, and return 1 where the file is rejected."""
        report = verify_search_solution(self.file)
        console = Console()
        if report.upper is not None:
            console.print(
                f"lower {report.lower:.9g}, upper {report.upper:.9g} "
                f"(treasure on {report.worst_treasure})"
            )
        for reason in report.reasons:
            console.print(f"rejected: {reason}")
        console.print("verified" if report.ok else "not verified")
        return 0 if report.ok else 1


class _Progress:
    """One line on stderr that shows the bracket closing."""

    def __init__(self) -> None:
        self._bar = tqdm(desc="bracket", unit=" iterations", file=sys.stderr)

    def __enter__(self) -> "_Progress":
        return self

    def __call__(self, bracket: Bracket) -> None:
        self._bar.set_postfix_str(
            f"{bracket.lower:.6f} to {bracket.upper:.6f}, {bracket.num_strategies} paths",
            refresh=False,
        )
        self._bar.update()

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def _shape(size: tuple[int, ...]) -> tuple[int, int]:
    if len(size) not in (1, 2):
        raise ValueError(f"--size takes one or two numbers, got {len(size)}")
    return (size[0], size[-1])


def _walls(shape: tuple[int, int], cells: tuple[str, ...]) -> NDArray[np.bool_] | None:
    mask = np.zeros(shape, bool)
    for cell in cells:
        try:
            row, column = (int(part) for part in cell.split(","))
        except ValueError:
            raise ValueError(f"a wall must be written row,column, got {cell!r}") from None
        if not (0 <= row < shape[0] and 0 <= column < shape[1]):
            raise ValueError(f"the wall {cell} must be inside the {shape[0]} x {shape[1]} grid")
        mask[row, column] = True
    return mask if cells else None


def _report(solution: SearchGameSolution, out: FilePath | None) -> int:
    console = Console()
    console.print(_table(solution))
    console.print(_treasure(solution))
    if solution.interrupted:
        console.print("stopped before the bracket closed")
    if out is not None:
        solution.save(out)
        console.print(f"written to {out}")
    return 0


def _table(solution: SearchGameSolution) -> Table:
    rows, columns = solution.grid.shape
    table = Table(title=f"treasure search on {rows} x {columns}", show_header=False)
    steps = f"steps over {solution.num_episodes} episodes"
    kind = "value" if solution.gap <= CLOSED else "at most"
    table.add_row(kind, f"{solution.value:.6f} {steps}")
    table.add_row("bracket", f"[{solution.lower:.9f}, {solution.upper:.9f}]", style="dim")
    table.add_row("gap", f"{solution.gap:.2e} ({solution.gap / solution.lower:.2%})")
    table.add_row("horizon", "none" if solution.horizon is None else str(solution.horizon))
    table.add_row("paths in the mix", str(len(solution.paths)))
    return table


def _treasure(solution: SearchGameSolution) -> Table:
    table = Table(title="treasure distribution (top row first)", show_header=False)
    walls = set(solution.grid.walls)
    probabilities = solution.treasure_distribution
    for row in reversed(range(solution.grid.shape[0])):
        cells = []
        for column in range(solution.grid.shape[1]):
            here = (row, column)
            text = "wall" if here in walls else f"{probabilities[here]:.4f}"
            cells.append("start" if here == solution.grid.start else text)
        table.add_row(*cells)
    return table


def main() -> None:
    """Run the command line."""
    command = tyro.extras.subcommand_cli_from_dict(
        {"grid": Grid, "bracket": BracketGrid, "verify": Verify},
        description=__doc__,
    )
    try:
        sys.exit(command.run())
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
