"""Zero-sum games given as a matrix: the row player pays, and mixes to pay least."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MatrixGameSolution:
    """An equilibrium of a finite zero-sum game, with its own certificate.

    Attributes:
        value: what the row player's mix pays at most; the game value up to `gap`.
        row_strategy: probabilities over rows, shape (rows,).
        column_strategy: probabilities over columns, shape (columns,).
        lower: what any row pays at least against `column_strategy`, on average.
        upper: what `row_strategy` pays at most, on average, over all columns.
    """

    value: float
    row_strategy: Floats
    column_strategy: Floats
    lower: float
    upper: float

    @property
    def gap(self) -> float:
        """Upper minus lower bound: how far either mix can be from optimal."""
        return self.upper - self.lower


def solve_matrix_game(costs: ArrayLike) -> MatrixGameSolution:
    """Solve a matrix game exactly, up to rounding, as a linear program (von Neumann 1928).

    The primal is min v subject to p @ costs <= v, p a distribution; the duals of those
    inequalities are the column player's optimal mix. Both are solved by HiGHS at once, and
    both bounds are evaluated on the original matrix afterwards, so that they hold whatever
    the solver's tolerances.

    Args:
        costs: shape (rows, columns), what the row player pays to the column player.

    Returns:
        The value, both mixed strategies and the duality gap.

    Raises:
        ValueError: where `costs` is not a finite matrix with a row and a column.
        RuntimeError: where the linear program fails.
    """
    matrix = _checked(costs)
    shift = float(matrix.min())
    scale = float(matrix.max()) - shift or 1.0
    row_strategy, column_strategy = _solve((matrix - shift) / scale)
    upper = float((row_strategy @ matrix).max())
    lower = float((matrix @ column_strategy).min())
    return MatrixGameSolution(upper, row_strategy, column_strategy, lower, upper)


def _checked(costs: ArrayLike) -> Floats:
    matrix = np.asarray(costs, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(
            f"a game needs a matrix of costs with at least one row and one column, "
            f"got shape {matrix.shape}"
        )
    if not np.isfinite(matrix).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(matrix))[0])
        raise ValueError(
            f"every cost must be finite, got {matrix[row, column]} at row {row}, column {column}"
        )
    return matrix


def _solve(matrix: Floats) -> tuple[Floats, Floats]:
    rows, columns = matrix.shape
    result: Any = linprog(
        np.append(np.zeros(rows), 1.0),
        A_ub=np.column_stack([matrix.T, -np.ones(columns)]),
        b_ub=np.zeros(columns),
        A_eq=np.append(np.ones(rows), 0.0)[None, :],
        b_eq=np.ones(1),
        bounds=[(0, None)] * rows + [(None, None)],
        method="highs",
    )
    if result.status != 0:
        raise RuntimeError(f"the linear program of the game failed: {result.message}")
    return distribution(result.x[:rows]), distribution(-result.ineqlin.marginals)


def distribution(weights: ArrayLike) -> Floats:
    """Clip tiny negatives left by a solver and normalise to sum 1."""
    clipped = np.maximum(np.asarray(weights, dtype=np.float64), 0.0)
    normalised: Floats = clipped / clipped.sum()
    return normalised
