"""Certificates: known values, and coverage by simulation."""

import numpy as np
import pytest
from scipy import stats

from rand_agents import QNorm, evaluate
from rand_agents.evaluation.bounds import SUCCESS, Limits, binomial_lower, binomial_upper
from rand_agents.evaluation.certificates import (
    Tally,
    binomial_votes,
    certify,
    certify_success,
    holm_rejections,
    proposition_votes,
    worst_interval,
)
from rand_envs import ColoringTask, GridTask, RecallTask
from rand_envs.core.player import Play
from rand_envs.minimax import game_value

TRIALS = 400


def test_clopper_pearson_known_ends() -> None:
    # With no success of n the upper bound is 1 - alpha^(1/n): the rule of three's exact form.
    none, every = np.array([0]), np.array([20])
    assert binomial_lower(none, 20, 0.025)[0] == 0.0
    assert binomial_upper(none, 20, 0.025)[0] == pytest.approx(1 - 0.025 ** (1 / 20))
    assert binomial_upper(every, 20, 0.025)[0] == 1.0
    assert binomial_lower(every, 20, 0.025)[0] == pytest.approx(0.025 ** (1 / 20))
    test = stats.binomtest(13, 20).proportion_ci(0.95, "exact")
    assert binomial_lower(np.array([13]), 20, 0.025)[0] == pytest.approx(test.low)
    assert binomial_upper(np.array([13]), 20, 0.025)[0] == pytest.approx(test.high)


def test_worst_case_of_success_is_covered() -> None:
    rng = np.random.default_rng(0)
    # Many layouts tie near the worst: here a careless bound on the minimum would fail.
    rates = np.concatenate([np.full(40, 0.5), np.linspace(0.5, 0.9, 20)])
    covered = 0
    for _ in range(TRIALS):
        outcome = (rng.random((60, 80)) < rates[:, None]).astype(float)
        suspect = int(np.argmin((rng.random((60, 80)) < rates[:, None]).mean(1)))
        low, high = worst_interval(outcome, suspect, True, SUCCESS)
        covered += low <= rates.min() <= high
    assert covered / TRIALS >= 0.95


def test_minimum_of_observed_rates_is_not_covered_without_care() -> None:
    """The naive interval around the worst observed rate fails: the maximum of noise is biased."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(TRIALS):
        successes = (rng.random((60, 80)) < 0.5).sum(1)
        interval = stats.binomtest(int(successes.min()), 80).proportion_ci(0.95, "exact")
        covered += interval.low <= 0.5 <= interval.high
    assert covered / TRIALS < 0.5


def test_worst_case_of_steps_is_covered() -> None:
    rng = np.random.default_rng(2)
    costs = np.array([2.0, 6.0, 10.0, 24.0])
    chances = np.array([[0.3, 0.4, 0.25, 0.05]] * 10 + [[0.6, 0.2, 0.1, 0.1]] * 10)
    means = chances @ costs
    limits = Limits(2.0, 24.0)
    covered, widths = 0, []
    for _ in range(TRIALS):
        outcome = np.stack([rng.choice(costs, 200, p=p) for p in chances])
        low, high = worst_interval(outcome, int(means.argmax()), False, limits)
        covered += low <= means.max() <= high
        widths.append(high - low)
    assert covered / TRIALS >= 0.95
    assert np.mean(widths) < 22.0 / 3


def test_holm_by_hand() -> None:
    # Thresholds at alpha = 0.05, n = 4: 0.0125, 0.0167, 0.025, 0.05.
    assert holm_rejections(np.array([0.03, 0.001, 0.016, 0.02]), 0.05) == 4
    assert holm_rejections(np.array([0.03, 0.001, 0.017, 0.02]), 0.05) == 1
    assert holm_rejections(np.array([0.02] * 4), 0.05) == 0


def test_holm_keeps_the_family_wise_error() -> None:
    rng = np.random.default_rng(3)
    false_claims = 0
    for _ in range(TRIALS):
        right = np.concatenate([np.full(20, 0.5), np.full(20, 0.8)])
        successes = rng.binomial(101, right)
        p_values = stats.binom.sf(successes - 1, 101, 0.5)
        claimed = np.sort(p_values)[: holm_rejections(p_values, 0.05)]
        false_claims += bool(np.isin(p_values[:20], claimed).any())
    assert false_claims / TRIALS <= 0.07


def test_votes_by_hand() -> None:
    # 2 / 0.5^2 * ln(1 / 0.01) = 36.8.
    assert proposition_votes(0.5, 1, 0.01) == 37
    assert proposition_votes(0.0, 1, 0.01) is None
    # Three votes of which each is right with probability 0.9 fail with 0.028, five with 0.0086.
    assert binomial_votes(0.9, 0.01) == 5
    assert binomial_votes(0.5, 0.01) is None
    assert binomial_votes(0.501, 1e-9, most=101) is None


@pytest.mark.parametrize("right", [0.6, 0.75, 0.95])
def test_binomial_votes_never_exceed_the_proposition(right: float) -> None:
    exact = binomial_votes(right, 0.01)
    general = proposition_votes(2 * right - 1, 1, 0.01)
    assert exact is not None
    assert general is not None
    assert exact <= general


def test_delta_and_best_seed_by_hand() -> None:
    m = 400
    outcome = np.ones((2, m))
    outcome[0, :100] = 0.0
    answer = np.full((2, m), 7)
    answer[0, :60], answer[0, 60:100] = 1, 2
    play = Play(outcome, answer, outcome[..., None].astype(np.float32))
    found = certify(
        play, 0, exhaustive=True, higher_is_better=True, limits=SUCCESS, wrong_answers=3
    )
    right = stats.binomtest(300, m).proportion_ci(0.95, "exact").low
    wrong = stats.binomtest(60, m).proportion_ci(0.95, "exact").high
    assert found.delta == pytest.approx(right - wrong)
    assert found.majority_layouts == 2
    assert found.best_seed_average == 1.0
    assert found.kind == "exact"


def test_counts_of_two_sets_of_seeds_certify_like_all_at_once() -> None:
    rng = np.random.default_rng(0)
    outcome = (rng.random((30, 200)) < 0.9).astype(float)
    whole = Play(outcome, outcome.astype(np.int64), outcome[..., None].astype(np.float32))
    halves = [
        Play(part, part.astype(np.int64), part[..., None].astype(np.float32))
        for part in (outcome[:, :50], outcome[:, 50:])
    ]
    together = Tally.of(halves[0], 1) + Tally.of(halves[1], 1)
    at_once = certify(
        whole, 3, exhaustive=True, higher_is_better=True, limits=SUCCESS, wrong_answers=1
    )
    assert certify_success(together, 3, exhaustive=True, wrong_answers=1) == at_once
    assert 0.7 < at_once.worst[0] < at_once.worst[1] < 1.0
    mute = [Play(half.outcome, None, half.output) for half in halves]
    together = Tally.of(mute[0], 1) + Tally.of(mute[1], 1)
    found = certify_success(together, 3, exhaustive=True, wrong_answers=1)
    assert found.worst == at_once.worst
    nothing = (found.majority_layouts, found.delta, found.votes_by_proposition)
    assert (*nothing, found.votes_by_binomial) == (None,) * 4


def test_report_carries_certificate_and_gap() -> None:
    agent = QNorm("SeedTransformer", ColoringTask(5), rng_seed=3)
    report = evaluate(
        agent, num_seeds=40, num_fresh_seeds=100, votes=(5,), game_value=game_value(agent.task)
    )
    assert report.gap is not None
    assert report.gap.estimate == pytest.approx(1.0 - report.worst.estimate)
    assert report.certificate is not None
    low, high = report.certificate.worst
    assert 0.0 <= low <= high <= 1.0
    assert report.certificate.kind == "exact"
    assert report.to_json()["certificate"]["num_layouts"] == 12


def test_game_values_of_small_tasks() -> None:
    assert game_value(RecallTask()).kind == "bound"
    assert game_value(ColoringTask()).value == 1.0
    assert game_value(GridTask(3)).value == pytest.approx(8.0, abs=1e-6)
    assert game_value(GridTask(3)).kind == "exact"
    assert game_value(GridTask(3, start=(1, 1))).value == pytest.approx(7.0, abs=1e-6)
    assert game_value(GridTask()).value == pytest.approx(52 / 3, abs=1e-4)
    assert game_value(GridTask(4, walls=2)).value is None
    assert game_value(GridTask(6)).value is None
