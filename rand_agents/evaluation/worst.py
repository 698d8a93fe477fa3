"""The worst layout of many, by successive halving, with an interval of the worst there is.

Every stage plays the layouts that may still be the worst under fresh seeds, half as many as the
stage before and each under twice as many seeds. The worst case over all layouts is then between
two bounds. One is that of the layout that is chosen, on seeds that did not choose it. The other is
the largest of the bounds of all layouts: it fails only where that of the layout that is truly the
worst fails, and needs no correction for their number (intersection-union test, Berger 1982). A
layout may have been bounded at several stages, of which each has its share of the chance to fail.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rand_agents.evaluation.bounds import FloatArray, Limits, lower_bounds, upper_bounds
from rand_agents.evaluation.intervals import ALPHA, Figure
from rand_envs.adversaries.search import worst_of

Rows = NDArray[np.int64]

LAST_SHARE = 0.5
"""Of the chance to fail that is left for layouts other than the chosen: what the last stage has."""
WITNESS_SHARE = 0.2
"""What seeds that play all layouts once more have of it, see `Standing.seen_by`."""


@dataclass(frozen=True)
class Scale:
    """What is compared, of a layout's outcomes: (sign * outcome - shift) / scale, more is worse.

    Attributes:
        sign: -1 where more of an outcome is better.
        shift: Of each layout, (n,), or of all.
        scale: Of each layout, (n,), or of all; positive.
    """

    sign: float
    shift: FloatArray | float = 0.0
    scale: FloatArray | float = 1.0

    def of(self, costs: FloatArray, rows: Rows) -> FloatArray:
        """What costs, sign * outcome, of layouts, (k,), are worth."""
        shift, scale = (s if isinstance(s, float) else s[rows] for s in (self.shift, self.scale))
        worth: FloatArray = (costs - shift) / scale
        return worth


class Standing:
    """What is known of the mean badness of layouts.

    Attributes:
        means: Of the seeds so far, (n,); minus infinity of layouts that were not played.
        upper: Bounds of the means, (n,).
        complete: Whether all means are known exactly.
        limits: Of the outcomes' costs.
    """

    def __init__(self, n: int, limits: Limits, scale: Scale, stages: int) -> None:
        """Know nothing of n layouts, `stages` of which will be played."""
        self.limits, self.scale = limits.moved(scale.sign), scale
        self.every = np.arange(n)
        self.upper = scale.of(np.full(n, self.limits.high), self.every)
        self.means = np.full(n, -np.inf)
        self.complete = False
        self._sums, self._counts = np.zeros(n), np.zeros(n)
        early = ALPHA / 2 * (1 - LAST_SHARE - WITNESS_SHARE) / max(stages - 1, 1)
        self._early, self._last = early, ALPHA / 2 * LAST_SHARE

    def see(self, rows: Rows, outcome: FloatArray, *, last: bool = False) -> None:
        """Take note of fresh outcomes, (k, m), of some layouts, (k,)."""
        costs = self.scale.sign * outcome
        bound = upper_bounds(costs, self.limits, self._last if last else self._early)
        self._bounded(rows, bound)
        self._sums[rows] += costs.sum(1)
        self._counts[rows] += outcome.shape[1]
        self.means[rows] = self.scale.of(self._sums[rows] / self._counts[rows], rows)

    def know(self, rows: Rows, outcome: FloatArray) -> None:
        """Take note of outcomes, (k, m), under all the seeds there are."""
        self.means[rows] = self.scale.of((self.scale.sign * outcome).mean(1), rows)
        self.upper[rows] = self.means[rows]
        self.complete = len(rows) == len(self.every)

    def seen_by(self, witness: Callable[[float], FloatArray]) -> None:
        """Take note of bounds of all costs, (n,), from seeds of their own, at the level given."""
        self._bounded(self.every, witness(ALPHA / 2 * WITNESS_SHARE))

    def _bounded(self, rows: Rows, bound: FloatArray) -> None:
        self.upper[rows] = np.minimum(self.upper[rows], self.scale.of(bound, rows))

    def leader(self, rows: Rows) -> int:
        """The worst of some layouts so far."""
        return int(rows[worst_of(self.means[rows], 1)[0]])


@dataclass(frozen=True)
class Halving:
    """How much is played to find the worst of layouts.

    Attributes:
        most: Layouts of the first stage, at most; half as many of each other.
        stages: How many there are.
    """

    most: int
    stages: int


@dataclass(frozen=True)
class Found:
    """Who came out as the worst.

    Attributes:
        row: Of the layouts.
        mean: Its mean badness, on the seeds of the last stage.
        low: A bound from below of that.
        standing: What is known of all.
    """

    row: int
    mean: float
    low: float
    standing: Standing

    def figure(self, sign: float = 1.0) -> Figure:
        """The mean, and the interval of the worst of all layouts, times a sign."""
        ends = self.low, max(float(self.standing.upper.max()), self.mean)
        low, high = sorted(sign * end for end in (min(ends[0], self.mean), ends[1]))
        # Adding 0 makes a negative zero a plain one.
        guaranteed = self.standing.limits.finite
        return Figure(sign * self.mean + 0.0, (low + 0.0, high + 0.0), guaranteed=guaranteed)


PlayRows = Callable[[Rows, int], tuple[FloatArray, bool]]
"""Outcomes, (k, m), of layouts, (k,), under m fresh seeds, or all there are, which is then said."""


def find_worst(standing: Standing, play: PlayRows, num_seeds: int, effort: Halving) -> Found:
    """The layout that is worst, and how bad that is.

    Args:
        standing: What is known before.
        play: Plays some layouts under so many seeds.
        num_seeds: Seeds of the first stage; each other has twice as many as the one before.
        effort: How much is played.
    """
    if standing.complete:
        leader = standing.leader(standing.every)
        mean = float(standing.means[leader])
        return Found(leader, mean, mean, standing)
    rows, leader = standing.every, -1
    for stage in range(effort.stages):
        rows = _contenders(standing, rows, max(effort.most >> stage, 1))
        leader = standing.leader(rows)
        last = stage == effort.stages - 1
        outcome, is_all = play(rows, num_seeds << stage)
        if is_all:
            standing.know(rows, outcome)
            leader = standing.leader(rows)
            break
        standing.see(rows, outcome, last=last)
    own = standing.scale.sign * outcome[rows == leader]
    low = own.mean(1) if is_all else lower_bounds(own, standing.limits, ALPHA / 2)
    mean, least = (
        float(standing.scale.of(end, np.array([leader]))[0]) for end in (own.mean(1), low)
    )
    return Found(leader, mean, least, standing)


def _contenders(standing: Standing, rows: Rows, most: int) -> Rows:
    """The leader and those whose bounds are above what it has at least, the highest first."""
    if np.isneginf(standing.means[rows]).all():
        return rows[:most]
    leader = standing.leader(rows)
    order = rows[worst_of(standing.upper[rows], most)]
    above = order[standing.upper[order] > standing.means[leader]]
    return np.unique(np.append(above[: most - 1], leader)).astype(np.int64)
