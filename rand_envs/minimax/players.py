"""The player of a solution file: it plays the mix of strategies that the file proves to be good."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rand_envs.core.player import Player
from rand_envs.core.register import TASKS
from rand_envs.core.regret import RegretTask
from rand_envs.core.sealed import parsed_json
from rand_envs.core.task import Task
from rand_envs.minimax.grid.solution import SCHEMA, SearchGameSolution
from rand_envs.minimax.tasks.solution import TaskSolution

Maker = Callable[[Any], Player]


def is_solution_file(file: str | Path) -> bool:
    """Whether a file says of itself that it holds a solution of a game."""
    try:
        data = parsed_json(Path(file).read_text())
    except (ValueError, OSError):
        return False
    is_search = isinstance(data, dict) and data.get("schema") == SCHEMA
    return is_search or TaskSolution.is_file_of_one(file)


def player_from(file: str | Path) -> tuple[Task[Any], Maker]:
    """The game that a solution file is of, and what makes its player from that game.

    Raises:
        ValueError: the file does not hold a solution, or its game is not registered.
    """
    if TaskSolution.is_file_of_one(file):
        solution = TaskSolution.load(file)
        if solution.env_id not in TASKS:
            raise ValueError(
                f"{file} holds a solution of {solution.env_id}, which nothing registers: import "
                "the module that does (--import MODULE)"
            )
        try:
            task = TASKS[solution.env_id](**solution.config)
        except TypeError as error:
            raise ValueError(f"{file} holds a solution of no {solution.env_id}: {error}") from None
        return (RegretTask(task) if solution.unit == "regret" else task), solution.player
    # Here, as classical players of the grid need solutions themselves.
    from rand_envs.games.grid.classics import OptimalMix

    search = SearchGameSolution.load(file)
    return OptimalMix(search).task, lambda task: OptimalMix(search, task)
