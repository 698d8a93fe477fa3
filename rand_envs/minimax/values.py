"""The game value of a task, where one is known: the yardstick of every gap."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rand_envs.grid import GridTask
from rand_envs.minimax.solution import SearchGameSolution, load_solution, shipped_solutions
from rand_envs.minimax.solver import solve_search_game
from rand_envs.task import Task

MAX_SOLVED_CELLS = 16
"""Grids with up to this many free cells are solved on the spot, in seconds."""


@dataclass(frozen=True)
class GameValue:
    """The best worst case that any randomised strategy can reach, in the task's unit.

    Attributes:
        value: The number; None where nothing is known.
        kind: "exact"; "bound" if no strategy can do better, and it is open whether one can do
            as well; None where nothing is known.
    """

    value: float | None
    kind: Literal["exact", "bound"] | None


UNKNOWN = GameValue(None, None)


def game_value(task: Task[Any]) -> GameValue:
    """The game value of a task.

    The grid with fixed walls is a search game: shipped solutions are used where they fit, and
    grids of up to 16 free cells are solved. In recall and colouring a strategy with unlimited
    memory and sight always succeeds, so 1 is a bound for the limited ones that play here.
    """
    if task.unit == "success":
        return GameValue(1.0, "bound")
    if not isinstance(task, GridTask):
        return UNKNOWN
    solution = known_solution(task)
    return UNKNOWN if solution is None else GameValue(float(solution.value), "exact")


def known_solution(task: GridTask) -> SearchGameSolution | None:
    """The exact solution of a grid with fixed walls: shipped, or of up to 16 free cells.

    The latter are solved here, in seconds; None where there is neither, or where the adversary
    places walls.
    """
    if isinstance(task.walls, int):
        return None
    solution = _shipped(task)
    if solution is None and _free_cells(task) <= MAX_SOLVED_CELLS:
        solution = solve_search_game(
            task.size,
            walls=task.walls,
            start=task.start,
            horizon=task.horizon,
            num_episodes=task.num_episodes,
        )
    return None if solution is None or solution.interrupted else solution


def _shipped(task: GridTask) -> SearchGameSolution | None:
    plain = task.walls is None and task.start == (0, 0) and task.num_episodes == 2
    if plain and (*task.size, task.horizon) in shipped_solutions():
        return load_solution(task.size, task.horizon)
    return None


def _free_cells(task: GridTask) -> int:
    walls = np.zeros(task.size, bool) if task.walls is None else np.asarray(task.walls)
    return int((~walls).sum())
