"""Every interval that is printed holds as often as it says, by simulation of what is known.

`pytest -n 0 -m slow -s tests/rand_agents/evaluation/test_coverage.py` simulates each 2,000 times
and prints how often the truth was inside, and how wide the intervals were.
"""

from collections.abc import Callable

import numpy as np
import pytest

from rand_agents.evaluation.bounds import SUCCESS, UNKNOWN, Limits
from rand_agents.evaluation.certificates import worst_interval
from rand_agents.evaluation.intervals import (
    Figure,
    Scope,
    average_figure,
    mean_interval,
    p95_figure,
)
from rand_agents.evaluation.worst import Halving, Rows, Scale, Standing, find_worst
from rand_envs.core.arrays import Array

Rng = np.random.Generator
Case = Callable[[Rng], tuple[Figure, float]]

STEPS = Limits(0.0, 50.0)
ALL, SOME = True, False


def skewed(rng: Rng, chance: float, shape: tuple[int, ...]) -> Array:
    """10 steps, and with a small chance 50."""
    return np.where(rng.random(shape) < chance, 50.0, 10.0)


def mean_of_skewed(chance: float, m: int) -> Case:
    return lambda rng: (mean_interval(skewed(rng, chance, (m,)), STEPS), 10 + 40 * chance)


def mean_of_success(chance: float, m: int) -> Case:
    return lambda rng: (
        mean_interval((rng.random(m) < chance).astype(float), SUCCESS),
        chance,
    )


class Crossed:
    """Steps with a layout's, a seed's and a noise of their own, mostly small, seldom 50."""

    def __init__(self, n: int, m: int, scope: Scope) -> None:
        self.n, self.m, self.scope = n, m, scope
        self.hardness = np.random.default_rng(7).beta(0.4, 4.0, 200)

    def draw(self, rng: Rng) -> tuple[Array, Array]:
        """Outcomes, (n, m), and the true means of all layouts there are."""
        every = self.hardness[: self.n] if self.scope.layouts else self.hardness
        rows = np.arange(self.n) if self.scope.layouts else rng.integers(0, len(every), self.n)
        chance = every[rows, None] * (rng.random(self.m) < 0.5)
        if self.scope.seeds:
            return np.repeat(50 * every[rows, None] * 0.5, self.m, 1), 25 * every
        return np.where(rng.random((self.n, self.m)) < chance, 50.0, 0.0), 25 * every

    def average(self, rng: Rng) -> tuple[Figure, float]:
        outcome, truth = self.draw(rng)
        return average_figure(outcome, STEPS, self.scope), float(truth.mean())

    def percentile(self, rng: Rng) -> tuple[Figure, float]:
        outcome, truth = self.draw(rng)
        figure = p95_figure(outcome, STEPS, self.scope, False, rng)
        return figure, float(np.sort(truth)[int(np.ceil(0.95 * len(truth))) - 1])


def succeeding(n: int, m: int) -> Case:
    """The 95th percentile of the success of n layouts, near ties among them."""
    rates = np.linspace(0.6, 0.95, n)

    def case(rng: Rng) -> tuple[Figure, float]:
        outcome = (rng.random((n, m)) < rates[:, None]).astype(float)
        figure = p95_figure(outcome, SUCCESS, Scope(ALL, SOME), True, rng)
        return figure, float(np.sort(rates)[::-1][int(np.ceil(0.95 * n)) - 1])

    return case


def worst(rates: Array, limits: Limits, scale: Scale, truth: float) -> Case:
    """The worst of layouts whose outcomes are the limits' ends, by chance."""

    def case(rng: Rng) -> tuple[Figure, float]:
        def draw(rows: Rows, m: int) -> Array:
            drawn = rng.random((len(rows), m)) < rates[rows, None]
            return np.where(drawn, limits.high, limits.low)

        standing = Standing(len(rates), limits, scale, 4)
        standing.see(standing.every, draw(standing.every, 30))
        found = find_worst(standing, lambda rows, m: (draw(rows, m), False), 60, Halving(16, 3))
        return found.figure(-1.0 if limits.two_valued else 1.0), truth

    return case


def certified(rng: Rng) -> tuple[Figure, float]:
    chances = np.array([0.02] * 10 + [0.1] * 10)
    outcome = np.where(rng.random((20, 200)) < chances[:, None], 50.0, 10.0)
    return Figure(14.0, worst_interval(outcome, 12, False, STEPS)), 14.0


TIED = np.concatenate([np.full(40, 0.6), np.linspace(0.6, 0.95, 60)])
SELDOM = np.concatenate([np.full(30, 0.01), np.full(70, 0.02)])
BEST = np.linspace(1.0, 8.0, 100)

HOLD: dict[str, Case] = {
    "mean, 50 with .02, m = 100": mean_of_skewed(0.02, 100),
    "mean, 50 with .001, m = 100": mean_of_skewed(0.001, 100),
    "mean, 50 with .001, m = 1000": mean_of_skewed(0.001, 1000),
    "mean, 50 with .5, m = 20": mean_of_skewed(0.5, 20),
    "success .98, m = 100": mean_of_success(0.98, 100),
    "vote on the worst .7, m = 200": mean_of_success(0.7, 200),
    "average, all layouts": Crossed(24, 50, Scope(ALL, SOME)).average,
    "average, all seeds": Crossed(300, 2, Scope(SOME, ALL)).average,
    "average, both drawn": Crossed(300, 50, Scope(SOME, SOME)).average,
    "average, few layouts, both drawn": Crossed(40, 8, Scope(SOME, SOME)).average,
    "95th, 24 layouts, 16 seeds": Crossed(24, 16, Scope(ALL, SOME)).percentile,
    "95th, all seeds": Crossed(300, 2, Scope(SOME, ALL)).percentile,
    "95th, both drawn": Crossed(300, 50, Scope(SOME, SOME)).percentile,
    "95th of success, 24 layouts, 16 seeds": succeeding(24, 16),
    "95th of success, 1000 layouts, 100 seeds": succeeding(1000, 100),
    "worst success, 40 tied": worst(TIED, SUCCESS, Scale(-1.0), 0.6),
    "worst steps, seldom 50, 70 tied": worst(SELDOM, Limits(10.0, 50.0), Scale(1.0), 10.8),
    "largest regret": worst(
        SELDOM, Limits(10.0, 50.0), Scale(1.0, shift=BEST), float((10 + 40 * SELDOM - BEST).max())
    ),
    "competitive ratio": worst(
        SELDOM, Limits(10.0, 50.0), Scale(1.0, scale=BEST), float(((10 + 40 * SELDOM) / BEST).max())
    ),
    "certified worst steps": certified,
}


def approximate_average(rng: Rng) -> tuple[Figure, float]:
    outcome = rng.standard_normal((30, 1)) + 0.7 * rng.standard_normal(20)
    outcome = outcome + rng.standard_normal((30, 20))
    return average_figure(outcome, UNKNOWN, Scope(SOME, SOME)), 0.0


def approximate_mean(rng: Rng) -> tuple[Figure, float]:
    return mean_interval(rng.exponential(size=100), UNKNOWN), 1.0


def approximate_percentile(rng: Rng) -> tuple[Figure, float]:
    layouts = np.linspace(0.0, 10.0, 100)
    outcome = layouts[:, None] + rng.standard_normal((100, 20))
    return p95_figure(outcome, UNKNOWN, Scope(ALL, SOME), False, rng), layouts[94]


def approximate_vote(rng: Rng) -> tuple[Figure, float]:
    right = (rng.random((200, 20)) < np.linspace(0.7, 1.0, 200)[:, None]).astype(float)
    return average_figure(right, UNKNOWN, Scope(ALL, SOME)), 0.85


APPROXIMATE: dict[str, Case] = {
    "average of returns": approximate_average,
    "mean of returns": approximate_mean,
    "95th of returns": approximate_percentile,
    "average of votes": approximate_vote,
}


def simulated(case: Case, runs: int) -> tuple[float, float, bool]:
    """How often the truth is inside, the mean width, and whether that is said to be guaranteed."""
    rng = np.random.default_rng(0)
    figures = [case(rng) for _ in range(runs)]
    inside = [f.ci95[0] - 1e-9 <= truth <= f.ci95[1] + 1e-9 for f, truth in figures]
    width = float(np.mean([f.ci95[1] - f.ci95[0] for f, _ in figures]))
    return float(np.mean(inside)), width, all(f.guaranteed for f, _ in figures)


@pytest.mark.parametrize("name", HOLD)
def test_intervals_hold(name: str) -> None:
    share, _, guaranteed = simulated(HOLD[name], 60)
    assert guaranteed
    # 95 % but for three standard errors of 60 simulations.
    assert share >= 0.866


@pytest.mark.parametrize("name", APPROXIMATE)
def test_others_are_called_approximate(name: str) -> None:
    share, _, guaranteed = simulated(APPROXIMATE[name], 60)
    assert not guaranteed
    assert share >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("name", [*HOLD, *APPROXIMATE])
def test_intervals_hold_in_2000_simulations(name: str) -> None:
    share, width, guaranteed = simulated((HOLD | APPROXIMATE)[name], 2000)
    print(f"\n{name:42} {'' if guaranteed else '~ '}{100 * share:.1f} % inside, width {width:.3g}")
    # 95 % but for three standard errors; what is approximate only has to be near.
    assert share >= (0.935 if guaranteed else 0.8)


def test_an_average_is_that_of_all_that_was_played() -> None:
    outcome = np.random.default_rng(2).random((30, 7))
    for layouts in (ALL, SOME):
        for seeds in (ALL, SOME):
            figure = average_figure(outcome, Limits(0.0, 1.0), Scope(layouts, seeds))
            assert figure.estimate == outcome.mean()


def test_a_bound_is_no_wider_than_it_must_be() -> None:
    # The interval of a mean of a thousand outcomes is at most a third wider than the usual one.
    outcome = np.random.default_rng(1).random(1000) * 50
    low, high = mean_interval(outcome, STEPS).ci95
    usual = 2 * 1.96 * outcome.std() / 1000**0.5
    assert high - low <= usual * 4 / 3
