"""Games with too many rows to list: column generation with a best-response oracle.

"Column" is the linear programmer's word; here every generated column is a pure strategy of
the minimising player, a row of the cost matrix.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from rand_envs.minimax.matrix import Floats, MatrixGameSolution, solve_matrix_game

S = TypeVar("S")


@dataclass(frozen=True)
class Bracket:
    """Where the search stands after an iteration: the value is in [lower, upper]."""

    iteration: int
    lower: float
    upper: float
    num_strategies: int
    seconds: float

    @property
    def gap(self) -> float:
        """Upper minus lower bound."""
        return self.upper - self.lower


@dataclass(frozen=True)
class Response(Generic[S]):
    """The oracle's answer to a distribution over the adversary's choices.

    Attributes:
        lower: a proven lower bound on the mean cost of any strategy against the distribution;
            its minimum, where the oracle is exact.
        strategies: good strategies against it, the best first.
        costs: their costs against each of the adversary's choices, shape (strategies, choices).
    """

    lower: float
    strategies: Sequence[S]
    costs: Floats


@dataclass(frozen=True)
class ColumnSolution(Generic[S]):
    """A bracket of the value with the mixes that prove it.

    Attributes:
        strategies: the strategies of positive probability.
        probabilities: their probabilities, shape (strategies,).
        adversary: the distribution that proves `lower`, shape (choices,).
        lower: no mix pays less, on average, against `adversary`.
        upper: the mix pays no more, whatever the adversary chooses.
        interrupted: stopped by the user or the clock before the gap closed.
        pool: all strategies found, those of the mix among them.
    """

    strategies: tuple[S, ...]
    probabilities: Floats
    adversary: Floats
    lower: float
    upper: float
    interrupted: bool
    pool: tuple[S, ...]


class _Search(Generic[S]):
    """The strategies generated so far without repetition, and the bracket that they prove."""

    def __init__(self, best_response: Callable[[Floats], Response[S]], question: Floats) -> None:
        self._best_response = best_response
        self._started = time.monotonic()
        self._seen: set[bytes] = set()
        self.strategies: list[S] = []
        self.rows: list[Floats] = []
        self.lower, self.best = -np.inf, question

    def add(self, response: Response[S]) -> bool:
        """Keep an answer's strategies; whether any of them is new."""
        before = len(self.rows)
        for strategy, row in zip(response.strategies, response.costs, strict=True):
            if row.tobytes() not in self._seen:
                self._seen.add(row.tobytes())
                self.strategies.append(strategy)
                self.rows.append(row)
        return len(self.rows) > before

    def close(
        self,
        tolerance: float,
        smoothing: float,
        time_limit: float | None,
        on_progress: Callable[[Bracket], None] | None,
    ) -> ColumnSolution[S]:
        """Ask until the bracket is closed, or stuck, or the user or the clock ends it."""
        question, iteration, at_duals, game, interrupted = self.best, 0, False, None, False
        try:
            while True:
                iteration += 1
                response = self._best_response(question)
                if response.lower > self.lower:
                    self.lower, self.best = response.lower, question
                fresh = self.add(response)
                game = solve_matrix_game(np.stack(self.rows))
                seconds = time.monotonic() - self._started
                bracket = Bracket(iteration, self.lower, game.upper, len(self.rows), seconds)
                if on_progress is not None:
                    on_progress(bracket)
                if bracket.gap <= tolerance or (at_duals and not fresh):
                    break
                if time_limit is not None and seconds > time_limit:
                    interrupted = True
                    break
                at_duals = not fresh
                weight = 0.0 if at_duals else smoothing
                question = weight * self.best + (1 - weight) * game.column_strategy
        except KeyboardInterrupt:
            if game is None or not np.isfinite(self.lower):
                raise
            interrupted = True
        return self._solution(game, interrupted)

    def _solution(self, game: MatrixGameSolution, interrupted: bool) -> ColumnSolution[S]:
        """The equilibrium of a game among the strategies, and what its mix pays at most."""
        support = np.flatnonzero(game.row_strategy > 1e-12)
        probabilities = game.row_strategy[support] / game.row_strategy[support].sum()
        upper = float((probabilities @ np.stack([self.rows[i] for i in support])).max())
        return ColumnSolution(
            strategies=tuple(self.strategies[i] for i in support),
            probabilities=probabilities,
            adversary=self.best,
            lower=self.lower,
            upper=upper,
            interrupted=interrupted,
            pool=tuple(self.strategies),
        )


def solve_by_columns(
    best_response: Callable[[Floats], Response[S]],
    num_choices: int,
    *,
    tolerance: float = 1e-7,
    smoothing: float = 0.5,
    time_limit: float | None = None,
    on_progress: Callable[[Bracket], None] | None = None,
    initial: Response[S] | None = None,
    start: Floats | None = None,
) -> ColumnSolution[S]:
    """Close the bracket of a game whose minimising player answers by an oracle.

    Each iteration solves the matrix game over the strategies found so far (its value is an
    upper bound), and asks the oracle for best responses to the adversary's optimal mix there
    (its answer is a lower bound). The question is moved towards the distribution with the best
    lower bound so far, which damps the oscillation of the linear program's duals (Wentges
    1997); where that yields nothing new, the next question is asked at the duals themselves.

    Args:
        best_response: answers a distribution over the adversary's choices, shape (choices,).
        num_choices: how many choices the adversary has.
        tolerance: stops when upper minus lower bound is at most this.
        smoothing: weight in [0, 1) of the best distribution so far in the next question.
        time_limit: seconds after which the bracket reached is returned; None for no limit.
        on_progress: called with the bracket after every iteration.
        initial: strategies to start from, with their costs.
        start: the first question, shape (choices,); None for the uniform distribution.

    Returns:
        The bracket and the mixes that prove it. A KeyboardInterrupt ends the search early and
        returns the bracket so far, once one iteration is done.

    Raises:
        ValueError: where there are no choices or the tolerance is negative.
    """
    if num_choices < 1:
        raise ValueError("the adversary needs at least one choice, got none")
    if not tolerance >= 0:
        raise ValueError(f"the tolerance must be at least 0, got {tolerance}")
    question = np.full(num_choices, 1.0 / num_choices) if start is None else start
    search = _Search(best_response, question)
    if initial is not None:
        search.add(initial)
    return search.close(tolerance, smoothing, time_limit, on_progress)
