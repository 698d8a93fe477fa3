import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rand_envs.minimax import (
    SearchGrid,
    best_response,
    load_solution,
    solve_matrix_game,
    solve_search_game,
    uniform_average,
    verify_search_solution,
)
from rand_envs.minimax.columns import Bracket
from rand_envs.minimax.grid.search_grid import path_costs, walk_between

Cell = tuple[int, int]

WALLED: dict[str, tuple[Cell, list[Cell], Cell]] = {
    "corridor": ((3, 3), [(1, 1)], (0, 0)),
    "rooms": ((4, 4), [(1, 0), (1, 1), (2, 3)], (0, 0)),
    "from the middle": ((3, 5), [(0, 2), (2, 1)], (1, 2)),
}


def walls_of(shape: Cell, cells: list[Cell]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, bool)
    for cell in cells:
        mask[cell] = True
    return mask


def all_sensible_costs(grid: SearchGrid, num_episodes: int) -> NDArray[np.float64]:
    """Costs of every order of new cells joined by shortest paths through visited ones."""
    rows: list[NDArray[np.float64]] = []

    def grow(walk: list[int], seen: set[int]) -> None:
        if len(seen) == grid.num_cells:
            path = (tuple(grid.cells[i] for i in walk),)
            rows.append(path_costs(grid, path, num_episodes, None))
        for cell in {near for c in seen for near in grid.neighbors[c]} - seen:
            grow([*walk, *walk_between(grid, seen, walk[-1], cell)], seen | {cell})

    grow([0], {0})
    return np.unique(rows, axis=0)


@pytest.mark.parametrize(
    ("size", "value"), [(2, 4), (3, 8), (4, 278 / 23)], ids=["2x2", "3x3", "4x4"]
)
def test_the_solver_finds_the_known_values(size: int, value: float) -> None:
    solution = solve_search_game(size)
    assert solution.value == pytest.approx(value, abs=1e-7)
    assert 0 <= solution.gap <= 1e-7
    assert verify_search_solution(solution).ok


@pytest.mark.slow
def test_the_solver_finds_52_thirds_on_five_by_five() -> None:
    solution = solve_search_game(5)
    assert solution.value == pytest.approx(52 / 3, abs=1e-5)
    assert solution.gap <= 1e-5


@pytest.mark.parametrize(("size", "average"), [(3, 6.75), (4, 11.2)])
def test_the_best_average_is_that_of_a_uniform_treasure(size: int, average: float) -> None:
    assert uniform_average(size) == pytest.approx(average, abs=1e-7)


@pytest.mark.slow
def test_the_best_average_on_five_by_five() -> None:
    assert uniform_average(5) == pytest.approx(50 / 3, abs=1e-7)


@pytest.mark.parametrize(
    ("shape", "walls", "start", "num_episodes"),
    [
        ((2, 3), [], (0, 0), 2),
        ((2, 3), [], (0, 1), 3),
        ((3, 3), [(1, 1)], (0, 0), 2),
        ((3, 3), [(0, 1), (2, 2)], (1, 1), 1),
        ((3, 3), [(1, 2), (1, 0)], (0, 0), 2),
    ],
)
def test_the_value_is_that_of_the_linear_program_over_all_sensible_walks(
    shape: Cell, walls: list[Cell], start: Cell, num_episodes: int
) -> None:
    mask = walls_of(shape, walls)
    costs = all_sensible_costs(SearchGrid.create(shape, mask, start), num_episodes)
    solution = solve_search_game(shape, mask, start, num_episodes=num_episodes)
    assert solution.value == pytest.approx(solve_matrix_game(costs).value, abs=1e-7)


@pytest.mark.parametrize("name", WALLED)
def test_walled_grids_verify(name: str) -> None:
    shape, walls, start = WALLED[name]
    solution = solve_search_game(shape, walls_of(shape, walls), start)
    report = verify_search_solution(solution)
    assert report.ok
    assert report.lower == pytest.approx(report.upper, abs=1e-7)


def test_four_by_five_verifies() -> None:
    solution = solve_search_game((4, 5))
    report = verify_search_solution(solution)
    assert report.ok
    assert report.lower == pytest.approx(report.upper, abs=1e-7)
    assert solution.value == pytest.approx(load_solution((4, 5)).value, abs=1e-7)


def capped_value_by_brute_force(shape: Cell, horizon: int, num_episodes: int) -> float:
    """The linear program over all sequences of moves in all episodes."""
    grid = SearchGrid.create(shape)
    orders = [[0]]
    for _ in range(horizon):
        orders = [[*order, near] for order in orders for near in grid.neighbors[order[-1]]]
    walks = [tuple(grid.cells[i] for i in order) for order in orders]
    rows = [
        path_costs(grid, path, num_episodes, horizon)
        for path in itertools.product(walks, repeat=num_episodes)
    ]
    return solve_matrix_game(np.unique(rows, axis=0)).value


@pytest.mark.parametrize(
    ("shape", "horizon", "num_episodes"),
    [
        ((2, 2), 2, 2),
        ((2, 2), 3, 3),
        ((2, 3), 3, 2),
        ((2, 3), 4, 2),
        ((2, 3), 5, 1),
        ((1, 4), 3, 2),
    ],
)
def test_the_value_under_a_horizon_is_that_of_all_sequences_of_moves(
    shape: Cell, horizon: int, num_episodes: int
) -> None:
    solution = solve_search_game(shape, horizon=horizon, num_episodes=num_episodes)
    expected = capped_value_by_brute_force(shape, horizon, num_episodes)
    assert solution.value == pytest.approx(expected, abs=1e-7)
    assert verify_search_solution(solution).ok


def test_a_short_horizon_helps_the_walker_and_a_long_one_changes_nothing() -> None:
    values = {h: solve_search_game(4, horizon=h).value for h in (14, 15, 16)}
    assert values[14] == pytest.approx(12.0377358, abs=1e-6)
    assert values[15] == pytest.approx(12.0689655, abs=1e-6)
    assert values[16] == pytest.approx(278 / 23, abs=1e-7)


def test_the_value_in_return_counts_steps_and_finds() -> None:
    solution = load_solution(5)
    assert solution.value_in_return() == pytest.approx(2 - 0.1 * 52 / 3)
    assert solution.value_in_return(-1, 0) == pytest.approx(-52 / 3)


def test_no_value_in_return_where_a_path_may_miss_the_treasure() -> None:
    with pytest.raises(ValueError, match="every path visits every cell"):
        solve_search_game(4, horizon=6).value_in_return()
    with pytest.raises(ValueError, match="must be negative, got 0"):
        load_solution(3).value_in_return(step_reward=0)


def test_a_solver_stopped_by_the_user_returns_its_bracket() -> None:
    def stop(bracket: Bracket) -> None:
        if bracket.iteration == 3:
            raise KeyboardInterrupt

    solution = solve_search_game(4, on_progress=stop)
    assert solution.interrupted
    assert solution.lower < 278 / 23 < solution.upper
    assert verify_search_solution(solution).ok


@pytest.mark.parametrize("iteration", [1, 3, 11])
def test_a_solver_with_a_horizon_returns_its_bracket_too(iteration: int) -> None:
    seen: list[Bracket] = []

    def stop(bracket: Bracket) -> None:
        seen.append(bracket)
        if len(seen) == iteration:
            raise KeyboardInterrupt

    solution = solve_search_game(4, horizon=14, on_progress=stop)
    assert all(b.lower - 1e-6 <= 12.0377358 <= b.upper + 1e-6 for b in seen)
    assert solution.interrupted
    assert solution.lower - 1e-6 <= 12.0377358 <= solution.upper + 1e-6
    assert verify_search_solution(solution).ok


def test_the_best_response_to_a_certain_treasure_goes_straight_to_it() -> None:
    table = np.zeros((3, 3))
    table[2, 1] = 1
    cost, path = best_response(3, table)
    assert cost == pytest.approx(6)
    assert path[0][3] == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (0, 3)}, "at least one row and one column"),
        ({"shape": 1}, "needs a free cell besides the start"),
        ({"shape": 3, "walls": np.zeros((2, 3), bool)}, r"shape \(3, 3\)"),
        ({"shape": 3, "walls": np.zeros((3, 3))}, "boolean array"),
        ({"shape": 3, "walls": np.eye(3, dtype=bool), "start": (0, 1)}, "cut off"),
        ({"shape": 3, "walls": np.eye(3, dtype=bool)}, "free cell, but it is a wall"),
        ({"shape": 3, "start": (3, 0)}, "must be a cell of the 3 x 3 grid"),
        ({"shape": 6}, "at most 25 free cells, got 36: bracket_search_game"),
        ({"shape": 3, "horizon": 3}, r"at least 4, the distance .* to \(2, 2\), got 3"),
        ({"shape": 3, "num_episodes": 0}, "at least one episode, got 0"),
        ({"shape": 3, "tolerance": -1.0}, "tolerance must be at least 0"),
    ],
)
def test_games_that_are_none_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        solve_search_game(**arguments)


@pytest.mark.parametrize(
    "table", [np.zeros((3, 3)), np.eye(3), -np.ones((3, 3)), np.ones(3), np.full((3, 3), np.nan)]
)
def test_distributions_that_are_none_are_refused(table: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="must"):
        best_response(3, table)
