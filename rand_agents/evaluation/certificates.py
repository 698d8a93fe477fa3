"""What holds with 95 % confidence whatever the adversary picks among the layouts tried.

All bounds are valid for finite samples and come from seeds that selected nothing.

The worst case over n layouts needs no correction for n: the bound of the worst layout is at
most (costs: at least) the weakest bound of all, so the weakest bound at level alpha errs only
where that single layout's bound errs (intersection-union test, Berger 1982). Statements about
all layouts at once do need one: Holm's.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rand_agents.evaluation.bounds import (
    FloatArray,
    Limits,
    binomial_lower,
    binomial_upper,
    lower_bounds,
    upper_bounds,
)
from rand_agents.evaluation.intervals import ALPHA
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play


@dataclass(frozen=True)
class Certificate:
    """Bounds that hold together with the stated confidence.

    Attributes:
        kind: "exact" if every layout of the game was tried, so that the bounds are about the
            game; "bound" if they are about the layouts tried.
        worst: Interval of the worst case, in the task's unit; of an exact one that of `Worst`.
        majority_layouts: Layouts on which the right answer is certified to have more than half
            of the seeds, with Holm's correction, so that many votes find it; None without a
            vote.
        num_layouts: Layouts tried.
        delta: Lower bound, over the layouts, of P(right answer) - P(commonest wrong answer);
            None without a vote.
        votes_by_proposition: Votes that Proposition 2 of arXiv 2408.10818 asks for so that a
            majority fails with probability at most `failure`; None if delta is not positive.
        votes_by_binomial: The fewest (odd) votes for which the exact binomial tail proves the
            same; None if the right answer is not certified to have more than half.
        failure: The failure probability these votes are for.
        best_seed_average: Average over layouts under the best of the seeds tried. The worst
            case of any mix of these seeds cannot be better (Yao's principle).
        confidence: Of `worst`, and of the votes, each.
    """

    kind: Literal["exact", "bound"]
    worst: tuple[float, float]
    majority_layouts: int | None
    num_layouts: int
    delta: float | None
    votes_by_proposition: int | None
    votes_by_binomial: int | None
    failure: float
    best_seed_average: float
    confidence: float = 1.0 - ALPHA


def holm_rejections(p_values: FloatArray, alpha: float) -> int:
    """How many hypotheses Holm's step-down procedure rejects at family-wise level alpha."""
    ordered = np.sort(p_values)
    passed = ordered <= alpha / np.arange(len(ordered), 0, -1)
    return int(len(ordered) if passed.all() else passed.argmin())


def worst_interval(
    outcome: FloatArray, suspect: int, higher_is_better: bool, limits: Limits, alpha: float = ALPHA
) -> tuple[float, float]:
    """Interval of the worst layout's mean, of level 1 - alpha in all.

    Args:
        outcome: Fresh draws, shape (n, m).
        suspect: The layout that looked worst on other draws; it bounds the good end.
        higher_is_better: Success rates in {0, 1}; else bounded costs.
        limits: What the costs can be.
        alpha: Half goes to either end.
    """
    if higher_is_better:
        successes = outcome.sum(1).astype(np.int64)
        return _worst_success(successes, outcome.shape[1], suspect, alpha)
    low = lower_bounds(outcome[suspect : suspect + 1], limits, alpha / 2)[0]
    return float(low), float(upper_bounds(outcome, limits, alpha / 2).max())


def _worst_success(
    successes: NDArray[np.int64], m: int, suspect: int, alpha: float = ALPHA
) -> tuple[float, float]:
    low = binomial_lower(successes, m, alpha / 2).min()
    return float(low), float(binomial_upper(successes[suspect : suspect + 1], m, alpha / 2)[0])


def proposition_votes(delta: float, wrong_answers: int, failure: float) -> int | None:
    """Votes after which a majority errs with probability at most `failure`.

    Proposition 2 of arXiv 2408.10818: more than 2 / delta^2 log(wrong answers / failure).
    """
    if delta <= 0:
        return None
    return max(1, int(np.floor(2.0 / delta**2 * np.log(wrong_answers / failure))) + 1)


def binomial_votes(right: float, failure: float, most: int = 100_001) -> int | None:
    """Fewest odd votes of which more than half are right, but for probability `failure`."""
    if right <= 0.5:
        return None
    votes = np.arange(1, most + 1, 2)
    enough = stats.binom.cdf(votes // 2, votes, right) <= failure
    return int(votes[enough.argmax()]) if enough.any() else None


@dataclass(frozen=True)
class Tally:
    """Successes of n layouts under m independent seeds that selected nothing.

    Attributes:
        successes: Seeds under which each layout succeeded, (n,).
        commonest_wrong: Seeds that gave each layout's commonest wrong answer, (n,); None
            without a vote.
        seed_averages: Mean over the layouts under each seed, (m,).
    """

    successes: NDArray[np.int64]
    commonest_wrong: NDArray[np.int64] | None
    seed_averages: FloatArray

    @classmethod
    def of(cls, play: Play, wrong_answers: int) -> "Tally":
        """Count the successes of a play in which there are so many wrong answers."""
        m = play.outcome.shape[1]
        successes = play.outcome.sum(1).astype(np.int64)
        wrong = None
        if play.answer is not None:
            several = wrong_answers > 1
            wrong = _commonest_wrong(play.answer, play.outcome) if several else m - successes
        return cls(successes, wrong, play.outcome.mean(0))

    def __add__(self, other: "Tally") -> "Tally":
        """The same layouts under the seeds of both; there must be only one wrong answer."""
        if self.commonest_wrong is None or other.commonest_wrong is None:
            wrong = None
        else:
            wrong = self.commonest_wrong + other.commonest_wrong
        averages = np.concatenate([self.seed_averages, other.seed_averages])
        return Tally(self.successes + other.successes, wrong, averages)


def certify(
    play: Play,
    suspect: int,
    *,
    exhaustive: bool,
    higher_is_better: bool,
    limits: Limits,
    wrong_answers: int,
    failure: float = 0.01,
) -> Certificate:
    """Turn fresh plays of n layouts under m independent seeds into a certificate.

    Args:
        play: Outcomes and answers, shape (n, m), on seeds that selected nothing.
        suspect: Index of the layout that looked worst on other seeds.
        exhaustive: Whether these are all layouts of the game.
        higher_is_better: Success; else bounded costs.
        limits: What outcomes can be.
        wrong_answers: How many wrong answers there are.
        failure: Failure probability that the votes are for.
    """
    if higher_is_better:
        tally = Tally.of(play, wrong_answers)
        return certify_success(
            tally, suspect, exhaustive=exhaustive, wrong_answers=wrong_answers, failure=failure
        )
    return Certificate(
        kind="exact" if exhaustive else "bound",
        worst=worst_interval(play.outcome, suspect, False, limits),
        majority_layouts=None,
        num_layouts=len(play.outcome),
        delta=None,
        votes_by_proposition=None,
        votes_by_binomial=None,
        failure=failure,
        best_seed_average=float(play.outcome.mean(0).min()),
    )


def certify_success(
    tally: Tally,
    suspect: int,
    *,
    exhaustive: bool,
    wrong_answers: int,
    failure: float = 0.01,
) -> Certificate:
    """`certify` for success, which needs no more than the counts."""
    delta = proposition = binomial = majority = None
    successes, m = tally.successes, len(tally.seed_averages)
    if tally.commonest_wrong is not None:
        right = binomial_lower(successes, m, ALPHA / 2)
        wrong = binomial_upper(tally.commonest_wrong, m, ALPHA / 2)
        p_values = stats.binom.sf(np.arange(m + 1) - 1, m, 0.5)[successes]
        majority = holm_rejections(p_values, ALPHA)
        delta = float((right - wrong).min())
        proposition = proposition_votes(delta, wrong_answers, failure)
        binomial = binomial_votes(float(right.min()), failure)
    return Certificate(
        kind="exact" if exhaustive else "bound",
        worst=_worst_success(successes, m, suspect),
        majority_layouts=majority,
        num_layouts=len(successes),
        delta=delta,
        votes_by_proposition=proposition,
        votes_by_binomial=binomial,
        failure=failure,
        best_seed_average=float(tally.seed_averages.max()),
    )


def _commonest_wrong(answers: Array, outcome: FloatArray) -> NDArray[np.int64]:
    """How many seeds gave the commonest wrong answer to each layout, (n,)."""
    counts = np.zeros(len(answers), np.int64)
    for row, (given, right) in enumerate(zip(answers, outcome, strict=True)):
        wrong = given[right < 0.5]
        if len(wrong):
            counts[row] = np.unique(wrong, return_counts=True)[1].max()
    return counts
