from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import ArrayLike

from rand_envs.minimax import Bracket, Response, solve_by_columns, solve_matrix_game
from rand_envs.minimax.matrix import Floats


def test_rock_paper_scissors_is_worth_nothing_and_mixed_evenly() -> None:
    game = solve_matrix_game([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    assert game.value == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(game.row_strategy, 1 / 3)
    np.testing.assert_allclose(game.column_strategy, 1 / 3)


def test_a_two_by_two_game_without_saddle_has_the_textbook_value() -> None:
    # (a d - b c) / (a + d - b - c) for costs [[a, b], [c, d]]
    game = solve_matrix_game([[3, -1], [-2, 4]])
    assert game.value == pytest.approx((3 * 4 - (-1) * (-2)) / (3 + 4 + 1 + 2))


def test_dominated_rows_are_not_played() -> None:
    game = solve_matrix_game([[1, 0], [0, 1], [2, 2]])
    assert game.row_strategy[2] == 0
    assert game.value == pytest.approx(0.5)


def test_a_constant_game_is_worth_its_constant() -> None:
    assert solve_matrix_game(np.full((3, 2), 7.5)).value == 7.5


@pytest.mark.parametrize("rng_seed", range(20))
def test_random_games_close_their_duality_gap(rng_seed: int) -> None:
    rng = np.random.default_rng(rng_seed)
    game = solve_matrix_game(rng.normal(size=rng.integers(1, 30, 2)) * 10.0 ** rng.integers(-3, 4))
    assert game.gap + 1e-12 >= 0
    assert game.gap < 1e-9 * max(1, abs(game.value))


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ([], "at least one row and one column"),
        (np.zeros((0, 3)), "at least one row and one column"),
        ([1.0, 2.0], "at least one row and one column"),
        ([[0, np.nan]], "finite, got nan at row 0, column 1"),
        ([[0], [np.inf]], "finite, got inf at row 1, column 0"),
    ],
)
def test_games_that_are_none_are_refused(costs: ArrayLike, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        solve_matrix_game(costs)


def best_rows(costs: Floats, interrupt_at: int | None = None) -> Callable[[Floats], Response[int]]:
    calls: list[Floats] = []

    def respond(adversary: Floats) -> Response[int]:
        calls.append(adversary)
        if interrupt_at is not None and len(calls) == interrupt_at:
            raise KeyboardInterrupt
        means = costs @ adversary
        row = int(means.argmin())
        return Response(float(means[row]), [row], costs[[row]])

    return respond


def test_column_generation_agrees_with_the_whole_matrix_and_its_bracket_narrows() -> None:
    costs = np.random.default_rng(3).random((400, 12))
    brackets: list[Bracket] = []
    found = solve_by_columns(best_rows(costs), 12, on_progress=brackets.append)
    assert found.upper == pytest.approx(solve_matrix_game(costs).value, abs=1e-6)
    assert found.upper - found.lower <= 1e-7
    assert all(b.lower <= found.upper + 1e-9 for b in brackets)
    assert all(b.upper >= found.lower - 1e-9 for b in brackets)
    lowers, uppers = [b.lower for b in brackets], [b.upper for b in brackets]
    assert lowers == sorted(lowers)
    assert all(after <= before + 1e-9 for before, after in pairwise(uppers))


def test_an_interrupted_search_returns_its_bracket() -> None:
    costs = np.random.default_rng(3).random((400, 12))
    value = solve_matrix_game(costs).value
    found = solve_by_columns(best_rows(costs, interrupt_at=5), 12)
    assert found.interrupted
    assert found.lower <= value <= found.upper
    mix = found.probabilities @ costs[list(found.strategies)]
    assert mix.max() == pytest.approx(found.upper)


def test_a_search_interrupted_before_its_first_bracket_has_nothing_to_return() -> None:
    with pytest.raises(KeyboardInterrupt):
        solve_by_columns(best_rows(np.eye(3), interrupt_at=1), 3)
