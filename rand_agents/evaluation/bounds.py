"""One-sided confidence bounds of means of bounded outcomes, valid for every distribution.

Exact binomial bounds (Clopper and Pearson 1934) where there are two outcomes; else the hedged
capital of Waudby-Smith and Ramdas (2024, "Estimating means of bounded random variables by betting",
section 4): a gambler who bets that the mean is above m gets rich only where it is, or by a chance
that Ville's inequality bounds. No skew and no sample size breaks either.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FloatArray = NDArray[np.float64]

BOLDNESS = 0.9
"""The gambler stakes at most this share of what there is; the paper's c."""
HALVINGS = 30
AT_ONCE = 2_000_000
"""Outcomes whose bounds are computed together, to limit the memory."""


@dataclass(frozen=True)
class Limits:
    """What an outcome can be.

    Attributes:
        low: No outcome is below.
        high: No outcome is above; both are infinite where that is not known.
        two_valued: Whether every outcome is one or the other.
    """

    low: float
    high: float
    two_valued: bool = False

    @property
    def finite(self) -> bool:
        """Whether outcomes are known to be bounded, so that there is a bound of their mean."""
        return bool(np.isfinite([self.low, self.high]).all())

    def moved(self, sign: float = 1.0, shift: float = 0.0, scale: float = 1.0) -> "Limits":
        """The limits of (sign * outcome - shift) / scale."""
        low, high = sorted((sign * end - shift) / scale for end in (self.low, self.high))
        return Limits(low, high, self.two_valued)

    def mixed(self) -> "Limits":
        """The limits of means of several outcomes, which have many values."""
        return Limits(self.low, self.high)


SUCCESS = Limits(0.0, 1.0, two_valued=True)
UNKNOWN = Limits(-np.inf, np.inf)


def upper_bounds(outcome: FloatArray, limits: Limits, alpha: float) -> FloatArray:
    """Upper bounds of the means of rows of independent draws, (k, n) to (k,).

    Args:
        outcome: Draws, of one mean in a row.
        limits: What they can be. Where that is not known, the bound is Student's, which holds
            approximately, where draws are many and not too skewed.
        alpha: Probability with which each bound may fail.
    """
    if not limits.finite:
        return -_student_lower(-outcome, alpha)
    width = limits.high - limits.low
    if width == 0.0:
        return np.full(len(outcome), limits.high)
    # From the top, so that the bound from below is the one that is needed.
    fall = np.clip((limits.high - outcome) / width, 0.0, 1.0)
    if limits.two_valued:
        below = binomial_lower(np.rint(fall.sum(1)).astype(np.int64), outcome.shape[1], alpha)
    else:
        parts = np.array_split(fall, -(-fall.size // AT_ONCE)) if fall.size else [fall]
        below = np.concatenate([betting_lower(part, alpha) for part in parts])
    bound: FloatArray = limits.high - width * below
    return bound


def lower_bounds(outcome: FloatArray, limits: Limits, alpha: float) -> FloatArray:
    """Lower bounds, see `upper_bounds`."""
    bound: FloatArray = -upper_bounds(-outcome, limits.moved(-1.0), alpha)
    return bound


def binomial_lower(successes: NDArray[np.int64], draws: int, alpha: float) -> FloatArray:
    """One-sided Clopper-Pearson lower bounds of success probabilities, level 1 - alpha each."""
    # There are few counts, and quantiles are slow.
    counts, place = np.unique(successes, return_inverse=True)
    bound = np.where(counts == 0, 0.0, stats.beta.ppf(alpha, counts, draws - counts + 1))
    return bound[place].astype(np.float64)


def binomial_upper(successes: NDArray[np.int64], draws: int, alpha: float) -> FloatArray:
    """One-sided Clopper-Pearson upper bounds of success probabilities, level 1 - alpha each."""
    upper: FloatArray = 1.0 - binomial_lower(draws - successes, draws, alpha)
    return upper


def betting_lower(draws: FloatArray, alpha: float) -> FloatArray:
    """Lower bounds of means of independent draws in [0, 1], (k, n) to (k,), level 1 - alpha each.

    The mean m is refuted once the capital of who bets against it, the product of
    1 + min(stake_i, c / m) (x_i - m), has been above 1 / alpha. Stakes depend on earlier draws
    alone. The capital falls with m, so that halving finds the largest m that is refuted.
    """
    n = draws.shape[1]
    place = np.arange(1, n + 1)
    means = (0.5 + draws.cumsum(1)) / (place + 1)
    variances = (0.25 + ((draws - means) ** 2).cumsum(1)) / (place + 1)
    before = np.concatenate([np.full((len(draws), 1), 0.25), variances[:, :-1]], 1)
    stakes = np.sqrt(2 * np.log(1 / alpha) / (n * before))
    low, high = np.zeros(len(draws)), np.ones(len(draws))
    for _ in range(HALVINGS):
        m = ((low + high) / 2)[:, None]
        capital = np.log1p(np.minimum(stakes, BOLDNESS / m) * (draws - m)).cumsum(1).max(1)
        refuted = capital >= np.log(1 / alpha)
        low, high = np.where(refuted, m[:, 0], low), np.where(refuted, high, m[:, 0])
    return low


def _student_lower(outcome: FloatArray, alpha: float) -> FloatArray:
    """Student's lower bounds of means, (k, n) to (k,); the mean itself where all are equal."""
    n = outcome.shape[1]
    means: FloatArray = outcome.mean(1)
    if n < 2:
        return means
    half = stats.t.ppf(1 - alpha, n - 1) * outcome.std(1, ddof=1) / np.sqrt(n)
    bound: FloatArray = means - half
    return bound
