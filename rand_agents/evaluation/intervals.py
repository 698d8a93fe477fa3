"""Estimates over layouts and seeds with 95 % intervals.

Where outcomes are bounded, the intervals hold for every distribution of them and every number of
draws. Where they are not, the interval is the usual one for many draws of little skew, and says so.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats

from rand_agents.evaluation.bounds import FloatArray, Limits, lower_bounds, upper_bounds

ALPHA = 0.05
RESAMPLES = 400
RESAMPLES_OF_MANY = 100
"""The same where layouts are more than 10,000: their percentile is slow, and moves little."""
RESAMPLES_AT_ONCE = 50
SLACK = 5
"""One in so many of the layouts beyond the percentile may have bounds that fail."""


@dataclass(frozen=True)
class Figure:
    """A number with its 95 % interval.

    Attributes:
        estimate: The number.
        ci95: Lower and upper end; equal to it where the number is exact.
        guaranteed: Whether the interval holds for every distribution of outcomes; else it is
            approximate, near 95 % where draws are many and not too skewed.
    """

    estimate: float
    ci95: tuple[float, float]
    guaranteed: bool = field(default=True, kw_only=True)


@dataclass(frozen=True)
class Scope:
    """What of all there is was played.

    Attributes:
        layouts: Whether all layouts were; else they are an independent sample.
        seeds: Whether all seeds were, or the only one; else they are an independent sample.
    """

    layouts: bool
    seeds: bool


def percentile95(means: FloatArray, higher_is_better: bool) -> FloatArray:
    """The value that 95 % of the layouts are at least as good as; means (n, ...), result (...)."""
    place = _rank(len(means)) - 1
    value: FloatArray = np.partition(-means if higher_is_better else means, place, axis=0)[place]
    return -value if higher_is_better else value


def _rank(n: int) -> int:
    return int(np.ceil(0.95 * n))


def clipped(figure: Figure, limits: Limits) -> Figure:
    """A figure whose interval goes no further than outcomes can."""
    low, high = figure.ci95
    return replace(figure, ci95=(max(low, limits.low), min(high, limits.high)))


def exactly(number: float) -> Figure:
    """A number that is known."""
    return Figure(number, (number, number))


def _around(estimate: float, low: float, high: float, guaranteed: bool) -> Figure:
    # Adding 0 makes a negative zero a plain one.
    low, high = float(low) + 0.0, float(high) + 0.0
    return Figure(estimate, (min(low, estimate), max(high, estimate)), guaranteed=guaranteed)


def mean_interval(outcome: FloatArray, limits: Limits, all_seeds: bool = False) -> Figure:
    """Mean of independent outcomes, (m,); a point where these are all there are."""
    mean = float(outcome.mean())
    if all_seeds:
        return exactly(mean)
    low, high = (f(outcome[None], limits, ALPHA / 2)[0] for f in (lower_bounds, upper_bounds))
    return _around(mean, low, high, limits.finite)


def average_figure(outcome: FloatArray, limits: Limits, scope: Scope) -> Figure:
    """Mean of the outcomes, (n, m), of n layouts under the same m seeds.

    Where both were drawn, a bound needs draws that are independent: means of blocks that share
    neither layouts nor seeds.
    """
    mean = float(outcome.mean())
    if scope.layouts and scope.seeds:
        return exactly(mean)
    if not limits.finite:
        return _around(mean, *_crossed(outcome, scope), False)
    if scope.seeds:
        draws = outcome.mean(1)
    elif scope.layouts:
        draws = outcome.mean(0)
    else:
        blocks = min(outcome.shape)
        rows, columns = (np.array_split(np.arange(size), blocks) for size in outcome.shape)
        draws = np.array([outcome[np.ix_(*b)].mean() for b in zip(rows, columns, strict=True)])
    single = len(draws) == outcome.size
    found = mean_interval(draws, limits if single else limits.mixed())
    return _around(mean, *found.ci95, found.guaranteed)


def _crossed(outcome: FloatArray, scope: Scope) -> tuple[float, float]:
    """Student's interval, by the variance of seed means plus that of layout means.

    The sum counts the interaction twice and is therefore conservative.
    """
    mean, (n, m) = float(outcome.mean()), outcome.shape
    variance = 0.0
    if m > 1 and not scope.seeds:
        variance += float(outcome.mean(0).var(ddof=1)) / m
    if n > 1 and not scope.layouts:
        variance += float(outcome.mean(1).var(ddof=1)) / n
    degrees = max(min(s - 1 for s in outcome.shape if s > 1), 1) if outcome.size > 1 else 1
    half = float(stats.t.ppf(1 - ALPHA / 2, degrees)) * variance**0.5 if variance else 0.0
    return mean - half, mean + half


def p95_figure(
    outcome: FloatArray,
    limits: Limits,
    scope: Scope,
    higher_is_better: bool,
    rng: np.random.Generator,
) -> Figure:
    """95th percentile, over layouts, of the means of outcomes, (n, m), of layouts under seeds.

    Of a sample of layouts the ranks around it are bounds (order statistics are binomial). Under
    seeds that were drawn every layout's mean has bounds of its own. Too many of these fail with a
    chance that Markov's inequality limits, whatever their dependence: the rank leaves room for
    those that may. Where there are no bounds, a bootstrap stands in.
    """
    means = outcome.mean(1)
    estimate = float(percentile95(means, higher_is_better))
    if scope.layouts and scope.seeds:
        return exactly(estimate)
    if not (limits.finite or scope.seeds):
        ends = _bootstrap(outcome, scope, higher_is_better, rng)
        return _around(estimate, *ends, False)
    sign = -1.0 if higher_is_better else 1.0
    costs, limits = sign * outcome, limits.moved(sign)
    low, high = sorted(sign * end for end in _p95_bounds(costs, limits, scope))
    # An infinite end: the sample is too small to have a bound, and its own range stands in.
    guaranteed = bool(np.isfinite([low, high]).all())
    if not guaranteed:
        low, high = max(low, float(means.min())), min(high, float(means.max()))
    return _around(estimate, low, high, guaranteed)


def _p95_bounds(costs: FloatArray, limits: Limits, scope: Scope) -> tuple[float, float]:
    n = len(costs)
    alpha = ALPHA / 2 if scope.layouts or scope.seeds else ALPHA / 4
    first = last = _rank(n)
    if not scope.layouts:
        first = int(stats.binom.ppf(alpha, n, 0.95))
        last = int(stats.binom.ppf(1 - alpha, n, 0.95)) + 1
    lower = upper = costs.mean(1)
    if not scope.seeds:
        spare = max(n - last, 0) // SLACK
        each = alpha * (spare + 1) / n
        lower, upper = lower_bounds(costs, limits, each), upper_bounds(costs, limits, each)
        first, last = first - spare, last + spare
    low = float(np.partition(lower, first - 1)[first - 1]) if first >= 1 else limits.low
    high = float(np.partition(upper, last - 1)[last - 1]) if last <= n else limits.high
    return low, high


def _bootstrap(
    outcome: FloatArray, scope: Scope, higher_is_better: bool, rng: np.random.Generator
) -> tuple[float, float]:
    """Quantiles of the percentile over resampled seeds, and over resampled layouts."""
    n, m = outcome.shape
    resamples = RESAMPLES if n <= 10_000 else RESAMPLES_OF_MANY
    counts = rng.multinomial(m, np.full(m, 1 / m), resamples).T / m
    draws: list[float] = []
    for some in np.array_split(counts, resamples // RESAMPLES_AT_ONCE, axis=1):
        means = outcome @ some
        if not scope.layouts:
            means = np.take_along_axis(means, rng.integers(0, n, means.shape), 0)
        draws.extend(percentile95(means, higher_is_better))
    # Resampled means spread wider than the means themselves, which shifts their percentile.
    low, high = np.quantile(draws, [ALPHA / 2, 1 - ALPHA / 2]).round(12)
    return float(low), float(high)
