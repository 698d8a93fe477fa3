"""Exact ground truth: matrix games, the grid as a search game, and bounds with certificates."""

from rand_envs.minimax.bracket import bracket_search_game
from rand_envs.minimax.coloring import ColoringBracket, solve_coloring_game
from rand_envs.minimax.coloring_rules import ColoringRule, anneal_coloring_rule
from rand_envs.minimax.columns import Bracket, ColumnSolution, Response, solve_by_columns
from rand_envs.minimax.matrix import MatrixGameSolution, solve_matrix_game
from rand_envs.minimax.relaxation import best_slots, slot_bound
from rand_envs.minimax.search_grid import Cell, Path, SearchGrid, Walk
from rand_envs.minimax.solution import SearchGameSolution, load_solution, shipped_solutions
from rand_envs.minimax.solver import best_response, solve_search_game, uniform_average
from rand_envs.minimax.values import GameValue, game_value, known_solution
from rand_envs.minimax.verify import VerificationReport, verify_search_solution

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
    "VerificationReport",
    "Walk",
    "anneal_coloring_rule",
    "best_response",
    "best_slots",
    "bracket_search_game",
    "game_value",
    "known_solution",
    "load_solution",
    "shipped_solutions",
    "slot_bound",
    "solve_by_columns",
    "solve_coloring_game",
    "solve_matrix_game",
    "solve_search_game",
    "uniform_average",
    "verify_search_solution",
]
