"""The exact game value of a grid with fixed walls: shipped, or solved here if it is small."""

import numpy as np

from rand_envs.core.task import GameValue
from rand_envs.games.grid.classics import OptimalMix
from rand_envs.games.grid.rules import GridTask
from rand_envs.minimax.grid.solution import SearchGameSolution, load_solution, shipped_solutions
from rand_envs.minimax.grid.solver import solve_search_game

MAX_SOLVED_CELLS = 16
"""Grids with up to this many free cells are solved on the spot, in seconds."""


def grid_value(task: GridTask) -> GameValue | None:
    """The exact value of the search game, where `known_solution` has one."""
    solution = known_solution(task)
    return None if solution is None else GameValue(float(solution.value), "exact")


def optimal_player(task: GridTask) -> OptimalMix:
    """The optimal mix of paths; ValueError where no solution is known."""
    solution = known_solution(task)
    if solution is None:
        raise ValueError(
            f"an optimal player is known of grids with fixed walls that are shipped or have up to "
            f"{MAX_SOLVED_CELLS} free cells"
        )
    return OptimalMix(solution, task)


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
