"""What users of the package import: exact values, their files, and bounds with certificates."""

from rand_envs.core.task import GameValue
from rand_envs.minimax.coloring.game import ColoringBracket, solve_coloring_game
from rand_envs.minimax.coloring.rules import ColoringRule, anneal_coloring_rule
from rand_envs.minimax.columns import Bracket, ColumnSolution, Response, solve_by_columns
from rand_envs.minimax.grid.bracket import bracket_search_game
from rand_envs.minimax.grid.relaxation import best_slots, slot_bound
from rand_envs.minimax.grid.search_grid import Cell, Path, SearchGrid, Walk
from rand_envs.minimax.grid.solution import SearchGameSolution, load_solution, shipped_solutions
from rand_envs.minimax.grid.solver import best_response, solve_search_game, uniform_average
from rand_envs.minimax.grid.verify import VerificationReport, verify_search_solution
from rand_envs.minimax.matrix import MatrixGameSolution, solve_matrix_game
from rand_envs.minimax.tasks import TaskSolution, TooLarge, solve_task, verify_task_solution
from rand_envs.minimax.values import game_value

__all__ = [
    "Bracket",
    "Cell",
    "ColoringBracket",
    "ColoringRule",
    "ColumnSolution",
    "GameValue",
    "MatrixGameSolution",
    "Path",
    "Response",
    "SearchGameSolution",
    "SearchGrid",
    "TaskSolution",
    "TooLarge",
    "VerificationReport",
    "Walk",
    "anneal_coloring_rule",
    "best_response",
    "best_slots",
    "bracket_search_game",
    "game_value",
    "load_solution",
    "shipped_solutions",
    "slot_bound",
    "solve_by_columns",
    "solve_coloring_game",
    "solve_matrix_game",
    "solve_search_game",
    "solve_task",
    "uniform_average",
    "verify_search_solution",
    "verify_task_solution",
]
