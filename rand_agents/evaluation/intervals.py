"""Estimates over layouts and seeds with 95 % intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rand_envs.core.arrays import Array

FloatArray = NDArray[np.float64]
RESAMPLES = 400
RESAMPLES_AT_ONCE = 50


@dataclass(frozen=True)
class Figure:
    """A number with its 95 % interval.

    Attributes:
        estimate: The number.
        ci95: Lower and upper end; equal to it where the number is exact.
    """

    estimate: float
    ci95: tuple[float, float]


def percentile95(means: FloatArray, higher_is_better: bool) -> FloatArray:
    """The value that 95 % of the layouts are at least as good as; means (n, ...), result (...)."""
    place = int(np.ceil(0.95 * len(means))) - 1
    value: FloatArray = np.partition(-means if higher_is_better else means, place, axis=0)[place]
    return -value if higher_is_better else value


def _t_interval(values: FloatArray) -> tuple[float, float]:
    """95 % t-interval of the mean of independent values; a point where they are all equal."""
    mean = float(values.mean())
    if len(values) < 2 or values.min() == values.max():
        return mean, mean
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return mean - float(half), mean + float(half)


def average_figure(
    outcome: FloatArray, exhaustive: bool, unit: str, all_seeds: bool = False
) -> Figure:
    """Mean of outcomes (n, m), both ways crossed: variance of seed means plus layout means.

    Where all layouts were played, or all seeds there are, these are not random. The sum counts
    the interaction twice and is therefore conservative.
    """
    mean = float(outcome.mean())
    variance = 0.0
    if outcome.shape[1] > 1 and not all_seeds:
        variance += float(outcome.mean(0).var(ddof=1)) / outcome.shape[1]
    if not exhaustive and len(outcome) > 1:
        variance += float(outcome.mean(1).var(ddof=1)) / len(outcome)
    degrees = max(min(s - 1 for s in outcome.shape if s > 1), 1) if outcome.size > 1 else 1
    half = float(stats.t.ppf(0.975, degrees)) * variance**0.5 if variance else 0.0
    return Figure(mean, _clip(mean - half, mean + half, unit))


def _clip(low: float, high: float, unit: str) -> tuple[float, float]:
    return (max(low, 0.0), min(high, 1.0)) if unit == "success" else (low, high)


def p95_figure(
    outcome: FloatArray,
    exhaustive: bool,
    higher: bool,
    rng: np.random.Generator,
    all_seeds: bool = False,
) -> Figure:
    """95th percentile of outcomes (n, m), with a bootstrap over seeds, and over sampled layouts.

    Over neither where all there are were played.
    """
    n, m = outcome.shape
    counts = np.full((m, RESAMPLES), 1 / m)
    if not all_seeds:
        counts = rng.multinomial(m, np.full(m, 1 / m), RESAMPLES).T / m
    draws: list[float] = []
    for some in np.array_split(counts, RESAMPLES // RESAMPLES_AT_ONCE, axis=1):
        means = outcome @ some
        if not exhaustive:
            means = np.take_along_axis(means, rng.integers(0, n, means.shape), 0)
        draws.extend(percentile95(means, higher))
    estimate = float(percentile95(outcome.mean(1), higher))
    # Resampled means spread wider than the means themselves, which shifts their percentile.
    low, high = np.quantile([*draws, estimate], [0.025, 0.975]).round(12)
    return Figure(estimate, (min(float(low), estimate), max(float(high), estimate)))


def mean_interval(outcome: FloatArray, seeds: Array, unit: str, all_seeds: bool = False) -> Figure:
    """Mean of one layout's outcomes, (m,), under independent seeds, (m, ...).

    Clopper-Pearson for success; Student's t for steps; a point where there is only one seed, or
    these are all there are.
    """
    if all_seeds:
        mean = float(outcome.mean())
        return Figure(mean, (mean, mean))
    if unit == "success" and (seeds != seeds[:1]).any():
        test = stats.binomtest(int(outcome.sum()), len(outcome))
        interval = test.proportion_ci(method="exact")
        return Figure(float(outcome.mean()), (float(interval.low), float(interval.high)))
    return Figure(float(outcome.mean()), _t_interval(outcome))
