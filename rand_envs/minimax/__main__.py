"""Exact values of games, files that prove them, and a check of such files.

    python -m rand_envs.minimax grid --size 3 --start 1 1
    python -m rand_envs.minimax bracket --size 8 --seconds 60
    python -m rand_envs.minimax task RandPatrol-v0 --out patrol.json
    python -m rand_envs.minimax verify patrol.json

Such a file plays the mix that it proves to be good:

    python -m rand_agents watch patrol.json
"""

import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tyro.conf import FlagCreatePairsOff

from rand_envs import minimax
from rand_envs.core.arrays import whole_number
from rand_envs.core.plain import plain_where_needed, unread
from rand_envs.core.register import TASKS
from rand_envs.core.regret import RegretTask
from rand_envs.core.sealed import parsed_json
from rand_envs.core.task import Task
from rand_envs.core.writing import checked_output
from rand_envs.minimax.progress import Progress

if TYPE_CHECKING:
    # A name of this is what makes the solvers be imported, which a slip should not wait for.
    from rand_envs.minimax import SearchGameSolution

CLOSED = 1e-6
INTERRUPTED = 130
MAX_SIDE = 100
"""The longest side of a grid: a wider beam than any machine has memory for is no bracket."""

SHOWN = 10
"""So many layouts of an adversary's mix are printed."""


Flag = Annotated[bool, FlagCreatePairsOff]


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
    overwrite: Flag = False
    """Replace the file if there is one."""

    def run(self) -> int:
        """Solve, print the table, and return the exit status."""
        shape = _shape(self.size)
        walls = _walls(shape, self.walls)
        _check_out(self.out, self.overwrite)
        with Progress() as progress:
            solution = minimax.solve_search_game(
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
    overwrite: Flag = False
    """Replace the file if there is one."""

    def run(self) -> int:
        """Bound, print the table, and return the exit status."""
        shape = _shape(self.size)
        _check_out(self.out, self.overwrite)
        with Progress(self.seconds) as progress:
            solution = minimax.bracket_search_game(
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
class SolveTask:
    """Solve any small registered task exactly; Ctrl-C prints the bracket so far."""

    env_id: tyro.conf.Positional[str]
    """The id of the task, such as RandPatrol-v0."""
    arguments: str = "{}"
    """Its arguments as JSON, e.g. '{"graph": ["line", 4]}'."""
    import_: Annotated[tuple[str, ...], tyro.conf.arg(name="import")] = ()
    """Modules that register games of your own."""
    regret: bool = False
    """Whether the outcome is regret, where the task tells the best one."""
    out: FilePath | None = None
    """Write the solution to this JSON file."""
    overwrite: Flag = False
    """Replace the file if there is one."""

    def run(self) -> int:
        """Solve, print the bracket, and return the exit status."""
        task = _task(self.env_id, self.arguments, self.import_, self.regret)
        _check_out(self.out, self.overwrite)
        with Progress() as progress:
            solution = minimax.solve_task(task, on_progress=progress)
        # The file first: whatever becomes of the output, the result is kept.
        if self.out is not None:
            solution.save(self.out)
        console = Console(soft_wrap=True, markup=False)
        closed = "value" if solution.gap <= CLOSED else "value between"
        bounds = (solution.lower, solution.upper)[: 1 if solution.gap <= CLOSED else 2]
        console.print(f"{closed} {' and '.join(f'{b:.9g}' for b in bounds)} ({solution.unit})")
        console.print(f"{len(solution.strategies)} strategies in the mix; the adversary mixes")
        for layout, probability in sorted(solution.adversary, key=lambda pair: -pair[1])[:SHOWN]:
            console.print(f"  {probability:.4f}  {json.dumps(layout)}", markup=False)
        if len(solution.adversary) > SHOWN:
            console.print(f"  and {len(solution.adversary) - SHOWN} more layouts")
        if self.out is not None:
            console.print(f"written to {self.out}")
        return 0


@dataclass
class Verify:
    """Check a solution file from scratch, by code that shares nothing with the solver."""

    file: tyro.conf.Positional[FilePath]
    """A JSON file written by the other commands."""
    import_: Annotated[tuple[str, ...], tyro.conf.arg(name="import")] = ()
    """Modules that register games of your own, for their solutions."""

    def run(self) -> int:
        """Verify, print what was found, and return 1 where the file is rejected."""
        if self.file.is_dir():
            raise IsADirectoryError(f"{self.file} is a folder: give a solution file in it")
        if not self.file.is_file():
            raise FileNotFoundError(f"there is no solution file {self.file}")
        if minimax.TaskSolution.is_file_of_one(self.file):
            solution = minimax.TaskSolution.load(self.file)
            arguments = json.dumps(solution.config)
            task = _task(solution.env_id, arguments, self.import_, solution.unit == "regret")
            report: Any = minimax.verify_task_solution(solution, task)
            worst = f"worst layout {json.dumps(report.worst_layout)}"
        else:
            report = minimax.verify_search_solution(self.file)
            worst = f"treasure on {report.worst_treasure}"
        console = Console(soft_wrap=True, markup=False)
        if report.upper is not None:
            console.print(f"lower {report.lower:.9g}, upper {report.upper:.9g} ({worst})")
        for reason in report.reasons:
            console.print(f"rejected: {reason}")
        console.print("verified" if report.ok else "not verified")
        return 0 if report.ok else 1


def _task(env_id: str, arguments: str, modules: Sequence[str], regret: bool) -> Task[Any]:
    sys.path.insert(0, "")
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ValueError(f"the module {module} cannot be imported: {error}") from None
    if env_id not in TASKS:
        raise ValueError(f"the task must be one of {', '.join(sorted(TASKS))}, got {env_id}")
    try:
        config = parsed_json(arguments)
    except ValueError as error:
        raise ValueError(f"arguments of {env_id} must be a JSON object of them: {error}") from None
    try:
        task = TASKS[env_id](**config)
    except TypeError as error:
        raise ValueError(f"arguments of {env_id} must be a JSON object of them: {error}") from None
    return RegretTask(task) if regret else task


def _shape(size: tuple[int, ...]) -> tuple[int, int]:
    if len(size) not in (1, 2):
        raise ValueError(f"--size takes one or two numbers, got {len(size)}")
    for side in size:
        whole_number("--size", side, 1, MAX_SIDE)
    return (size[0], size[-1])


def _check_out(out: FilePath | None, overwrite: bool) -> None:
    """Before anything is solved."""
    if out is not None:
        checked_output(out, "--out", overwrite=overwrite)


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


def _report(solution: "SearchGameSolution", out: FilePath | None) -> int:
    if out is not None:
        solution.save(out)
    console = Console(markup=False)
    console.print(_table(solution))
    console.print(_treasure(solution))
    if solution.interrupted:
        console.print("stopped before the bracket closed")
    if out is not None:
        console.print(f"written to {out}", soft_wrap=True)
    return 0


def _table(solution: "SearchGameSolution") -> Table:
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


def _treasure(solution: "SearchGameSolution") -> Table:
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


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command line, the process's by default; without a word on it, print the help."""
    plain_where_needed()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        command = tyro.extras.subcommand_cli_from_dict(
            {"grid": Grid, "bracket": BracketGrid, "task": SolveTask, "verify": Verify},
            prog="python -m rand_envs.minimax",
            description=__doc__,
            args=words or ["--help"],
        )
        sys.exit(command.run())
    except BrokenPipeError:
        sys.exit(unread())
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
