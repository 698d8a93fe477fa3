"""Reports about hand-written players whose figures are known."""

import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rand_agents import QNorm, SeedSpec
from rand_agents.evaluation.bounds import SUCCESS, UNKNOWN
from rand_agents.evaluation.evaluate import (
    Report,
    evaluate,
    majority_success,
)
from rand_agents.evaluation.intervals import mean_interval, percentile95
from rand_agents.evaluation.report import Search, gap_sign
from rand_envs import ColoringTask, GridTask, RecallTask
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play
from rand_envs.core.task import Task

TASK = RecallTask(2, 2)  # 32 layouts
LARGE = RecallTask(4, 4)


class Player:
    """Succeeds with a probability that depends on the layout, by a hash of layout and seed."""

    task: Task[Any] = TASK

    def __init__(self, task: Task[Any] = TASK, probability: float = 0.5) -> None:
        self.task = task
        self.probability = probability
        self.played: list[Array] = []

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        return rng.integers(1, 2**62, (m, 1))

    def success(self, layouts: Array, noise: Array) -> Array:
        return noise < self.probability

    def play(self, layouts: Array, seeds: Array) -> Play:
        self.played.append(layouts.copy())
        ids = np.array([zlib.crc32(layout.tobytes()) for layout in layouts], np.uint64)
        mixed = (ids[:, None] + np.uint64(1)) * seeds[:, 0].astype(np.uint64)
        mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        noise = (mixed ^ (mixed >> np.uint64(32))).astype(np.float64) / 2.0**64
        outcome = np.asarray(self.success(layouts, noise), np.float64)
        return Play(outcome, outcome.astype(np.int64), outcome.astype(np.float32)[..., None])


class Deterministic(Player):
    """Right where the query is the first key, and always with the same seed."""

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        return np.zeros((m, 1), np.int64)

    def success(self, layouts: Array, noise: Array) -> Array:
        return np.broadcast_to((layouts["query"] == 0)[:, None], noise.shape)


class Weak(Player):
    """Right in three quarters of the draws, but in a quarter where both values are equal to 3."""

    def success(self, layouts: Array, noise: Array) -> Array:
        weak = layouts["values"].all((1, 2)) & (layouts["query"] == 1)
        return noise < np.where(weak, 0.25, 0.75)[:, None]


# Pieces.


@pytest.mark.parametrize(("n", "rank"), [(1, 1), (10, 10), (20, 19), (24, 23), (100, 95)])
def test_the_95th_percentile_is_a_value_that_95_percent_reach(n: int, rank: int) -> None:
    costs = np.random.default_rng(0).permutation(n).astype(np.float64) + 1
    assert percentile95(costs, higher_is_better=False) == rank
    assert percentile95(costs, higher_is_better=True) == n + 1 - rank
    assert (costs <= rank).mean() >= 0.95
    assert (costs <= rank - 1).mean() < 0.95


def play_of(answers: Any, right: Any) -> Play:
    answers, right = np.atleast_2d(answers), np.asarray(right).reshape(-1, 1)
    return Play((answers == right).astype(float), answers, np.zeros((*answers.shape, 1)))


@pytest.mark.parametrize(
    ("answers", "right", "success"),
    [
        ([1, 1, 2], 1, 1.0),
        ([1, 2, 2], 1, 0.0),
        ([1, 1, 2, 2], 1, 0.0),  # a tie is wrong
        ([2, 2, 1, 1], 1, 0.0),
        ([1, 1, 2, 3], 1, 1.0),  # the commonest, though no more than half
        ([1, 2, 3, 3, 1, 1, 2], 1, 1.0),
        ([1, 2, 3], 1, 0.0),
        ([5], 5, 1.0),
        ([4], 5, 0.0),
        ([3, 3, 3], 1, 0.0),
    ],
)
def test_votes_by_hand(answers: list[int], right: int, success: float) -> None:
    assert majority_success(play_of(answers, right)).tolist() == [success]


def test_votes_are_taken_on_each_layout() -> None:
    play = play_of([[1, 1, 2], [1, 2, 2], [0, 0, 0]], [1, 1, 0])
    assert majority_success(play).tolist() == [1.0, 0.0, 1.0]
    with pytest.raises(ValueError, match="this game has no vote"):
        majority_success(Play(play.outcome, None, play.output))


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (499, 1000)])
def test_success_has_a_clopper_pearson_interval(successes: int, n: int) -> None:
    outcome = (np.arange(n) < successes).astype(float)
    figure = mean_interval(outcome, SUCCESS)
    low = stats.beta.ppf(0.025, successes, n - successes + 1) if successes else 0.0
    high = stats.beta.ppf(0.975, successes + 1, n - successes) if successes < n else 1.0
    assert figure.estimate == successes / n
    assert figure.ci95 == pytest.approx((low, high))


def test_clopper_pearson_by_the_rule_of_three() -> None:
    figure = mean_interval(np.zeros(100), SUCCESS)
    assert figure.ci95[1] == pytest.approx(1 - 0.025 ** (1 / 100))


def test_outcomes_without_bounds_have_a_t_interval_that_is_called_approximate() -> None:
    figure = mean_interval(np.array([1.0, 2.0, 3.0]), UNKNOWN)
    assert not figure.guaranteed
    half = 4.302652729911275 / math.sqrt(3)
    assert figure.estimate == 2.0
    assert figure.ci95 == pytest.approx((2 - half, 2 + half))


# Reports.


def test_a_small_space_is_played_whole() -> None:
    report = evaluate(Player())
    assert report.exhaustive
    assert report.num_layouts == 32
    assert report.worst.kind == "estimate"
    assert (report.env_id, report.config) == ("RandRecall-v0", TASK.config)
    assert report.unit == "success"
    report = evaluate(Player(LARGE), layouts=50, search_rounds=1)
    assert not report.exhaustive
    assert report.num_layouts == 50
    assert report.worst.kind == "bound"


def test_a_report_says_how_hard_it_searched() -> None:
    assert evaluate(Player()).search is None, "all layouts were tried"
    report = evaluate(Player(LARGE), layouts=5, search_rounds=3, search_starts=2)
    assert report.to_json()["search"] == {"rounds": 3, "starts": 2, "seeds": 64}
    assert "3 rounds of mutation, after an ascent from each of the 2 worst played" in str(report)
    # The standard, where nothing else is asked for; one seed is enough where there is one.
    report = evaluate(Deterministic(LARGE), layouts=5)
    assert report.search == Search(rounds=30, starts=4, seeds=1)
    assert "no search" in str(evaluate(Player(LARGE), layouts=5, search_rounds=0))


def test_figures_of_a_known_player() -> None:
    report = evaluate(Weak(), num_seeds=400, num_fresh_seeds=2000)
    assert report.average.ci95[0] <= (31 * 0.75 + 0.25) / 32 <= report.average.ci95[1]
    assert report.average.ci95[1] - report.average.ci95[0] < 0.05
    # One layout in 32 is below 0.75, so that the 95th percentile is not.
    assert report.p95.estimate == pytest.approx(0.71, abs=0.04)
    assert report.worst.layout == {"values": [[1, 1], [1, 1]], "query": 1}
    assert report.worst.ci95[0] <= 0.25 <= report.worst.ci95[1]
    assert report.seed_variance == pytest.approx(3 / 16, abs=0.01)
    assert report.constant_seed_variance == 0.0
    assert report.correlation == pytest.approx(0.02, abs=0.03)
    assert sum(report.histogram) == 32
    assert len(report.bin_edges) == 21
    assert sum(report.histogram[4:7]) == 1
    assert report.sampled is None
    assert report.majority is not None
    five, many = report.majority
    assert (five.votes, many.votes) == (5, 31)
    # P(at least 3 of 5 right) at 3/4 and 1/4; of 31 votes nearly certain.
    expected = (31 * stats.binom.sf(2, 5, 0.75) + stats.binom.sf(2, 5, 0.25)) / 32
    assert five.average.estimate == pytest.approx(expected, abs=0.1)
    assert many.average.estimate == pytest.approx(31 / 32, abs=0.02)
    low, high = five.worst.ci95
    assert low <= stats.binom.sf(2, 5, 0.25) <= high
    assert many.worst.estimate == pytest.approx(0.0, abs=0.03)


class Spaced(Weak):
    """Its seed is its noise, and evenly spaced over the seeds of a vote."""

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        return rng.random((m, 1))

    def draw_votes(self, rng: np.random.Generator, m: int) -> Array:
        return rng.permutation((np.arange(m) + 0.5) / m)[:, None]

    def play(self, layouts: Array, seeds: Array) -> Play:
        outcome = self.success(layouts, np.tile(seeds[:, 0], (len(layouts), 1))).astype(float)
        return Play(outcome, outcome.astype(np.int64), outcome.astype(np.float32)[..., None])


def test_votes_use_the_seeds_that_the_player_draws_for_them() -> None:
    report = evaluate(Spaced(), votes=(5,))
    assert report.majority is not None
    (five,) = report.majority
    # Four of five are right, or one of five on the weak layout: never otherwise.
    assert five.average.estimate == 31 / 32
    assert five.average.ci95 == (31 / 32, 31 / 32)
    assert five.worst.estimate == 0.0


def test_an_agent_votes_without_repetition_if_its_seeds_are_distinct() -> None:
    agent = QNorm("SeedTransformer", RecallTask(2, 2), seeds=SeedSpec(3, "bits", "distinct"))
    votes = agent.draw_votes(np.random.default_rng(0), 8)
    assert len(np.unique(votes, axis=0)) == 8
    assert len(np.unique(agent.draw_seeds(np.random.default_rng(0), 8), axis=0)) < 8


def test_a_player_with_one_seed_has_points_for_figures() -> None:
    report = evaluate(Deterministic())
    assert report.num_seeds == 1
    assert report.average.estimate == 0.5
    assert report.average.ci95 == (0.5, 0.5)
    assert report.p95.estimate == 0.0
    assert report.p95.ci95 == (0.0, 0.0)
    assert report.worst.estimate == 0.0
    assert report.worst.ci95 == (0.0, 0.0)
    assert report.worst.layout["query"] == 1
    assert report.seed_variance == report.constant_seed_variance == 0.0
    assert report.correlation is None
    assert report.majority is None
    assert (report.histogram[0], report.histogram[-1]) == (16, 16)


def test_one_seed_on_a_sample_of_layouts_still_has_an_interval() -> None:
    report = evaluate(Deterministic(LARGE), layouts=400)
    low, high = report.average.ci95
    assert low < report.average.estimate < high
    assert low <= 0.25 <= high  # the query is the first of four keys


def test_pure_noise_does_not_look_bad() -> None:
    # Of 2,000 means over 30 seeds the lowest is about 0.2: choosing it is not being bad.
    player = Player(LARGE, 0.5)
    lows = []
    for rng_seed in range(5):
        report = evaluate(
            player, layouts=2000, num_seeds=30, search_rounds=2, votes=(), rng_seed=rng_seed
        )
        naive = min(edge for edge, n in zip(report.bin_edges, report.histogram, strict=False) if n)
        assert naive < 0.3
        assert report.worst.estimate > 0.44
        lows.append(report.worst.ci95[0] <= 0.5 <= report.worst.ci95[1])
    assert sum(lows) >= 3


@pytest.mark.parametrize(("sign", "correlation"), [(1, 1.0), (-1, -1.0)])
def test_seeds_that_agree_or_contradict_each_other(sign: int, correlation: float) -> None:
    class Pair(Player):
        def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
            return np.arange(m)[:, None] % 2

        def play(self, layouts: Array, seeds: Array) -> Play:
            first = (layouts["query"] == 0).astype(float)
            second = first if sign > 0 else 1 - first
            outcome = np.stack([first, second], 1)[:, seeds[:, 0]]
            return Play(outcome, None, outcome[..., None].astype(np.float32))

    report = evaluate(Pair(), num_seeds=2, num_fresh_seeds=2)
    assert report.correlation == pytest.approx(correlation)
    assert report.seed_variance == (0.0 if sign > 0 else 0.25)


def test_layouts_do_not_depend_on_the_player() -> None:
    class Other(Deterministic):
        def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
            rng.random(1000)
            return super().draw_seeds(rng, m)

    one, two = Player(LARGE), Other(LARGE)
    for player in (one, two):
        evaluate(player, layouts=64, search_rounds=0)
    np.testing.assert_array_equal(one.played[0], two.played[0])
    third = Player(LARGE)
    evaluate(third, layouts=64, search_rounds=0, rng_seed=1)
    assert (one.played[0] != third.played[0]).any()


def test_the_same_rng_seed_gives_the_same_report() -> None:
    reports = [evaluate(Weak(), rng_seed=k).to_json() for k in (3, 3, 4)]
    assert reports[0] == reports[1]
    assert reports[0]["average"] != reports[2]["average"]


def test_given_layouts_are_a_sample() -> None:
    layouts = TASK.layout_space.enumerate()[:8]
    report = evaluate(Deterministic(), layouts=layouts, search_rounds=0)
    assert report.num_layouts == 8
    assert not report.exhaustive
    assert report.average.estimate == 0.5
    assert report.worst.kind == "bound"


def test_steps_are_better_when_fewer() -> None:
    class Walker(Player):
        def success(self, layouts: Array, noise: Array) -> Array:
            steps: Array = layouts["treasure"].sum(1)[:, None] + np.where(noise < 0.5, 1.0, 3.0)
            return steps

    report = evaluate(Walker(GridTask(3)), num_seeds=300)
    assert report.unit == "steps"
    assert report.worst.layout["treasure"] == [2, 2]
    assert report.worst.ci95[0] <= 6.0 <= report.worst.ci95[1]
    assert report.p95.estimate == pytest.approx(6.0, abs=0.3)
    assert report.average.estimate == pytest.approx(18 / 8 + 2, abs=0.3)
    assert report.bin_edges[-1] == 50.0
    assert (report.majority, report.loss) == (None, None)


def test_loss_is_what_training_makes_small() -> None:
    class Lossy(Player):
        def losses(self, layouts: Array, seeds: Array) -> Array:
            hard = layouts["query"] == 1
            return np.broadcast_to(np.where(hard, 3.0, 1.0)[:, None], (len(layouts), len(seeds)))

    report = evaluate(Lossy(), num_seeds=10)
    assert report.loss is not None
    assert report.loss["average"].estimate == 2.0
    assert report.loss["p95"].estimate == 3.0
    assert evaluate(Player(), num_seeds=10).loss is None


def test_losses_and_samples_of_very_many_layouts_are_of_a_part_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who plays all layouts at once may have too many to play them one by one."""
    agent = QNorm("SeedTransformer", ColoringTask(7), rng_seed=1)
    played: list[int] = []
    losses = agent.losses

    def counted(layouts: Array, seeds: Array) -> Array:
        played.append(len(layouts))
        return losses(layouts, seeds)

    monkeypatch.setattr(agent, "losses", counted)
    effort: dict[str, Any] = {"num_seeds": 5, "num_fresh_seeds": 5, "votes": ()}
    whole = evaluate(agent, **effort)
    monkeypatch.setattr("rand_agents.evaluation.evaluate.MAX_EXHAUSTIVE", 40)
    part = evaluate(agent, **effort)
    assert played == [360, 40]
    assert (part.average, part.worst, part.exhaustive) == (whole.average, whole.worst, True)
    assert part.loss is not None
    assert whole.loss is not None
    low, high = part.loss["average"].ci95
    assert low < whole.loss["average"].estimate < high


def test_a_report_survives_json(tmp_path: Path) -> None:
    report = evaluate(Weak(), num_seeds=10)
    report.save(tmp_path / "deep" / "report.json")
    facts = json.loads((tmp_path / "deep" / "report.json").read_text())
    own = {name: facts.pop(name) for name in ("sha256", "code", "command", "machine", "seconds")}
    assert facts == json.loads(json.dumps(report.to_json()))
    assert facts.keys() == set(Report.__dataclass_fields__)
    assert len(own["code"]["digest"]) == 16
    assert own["command"].startswith("python ")
    assert {"cpu", "torch", "numba"} <= set(own["machine"])
    assert facts["worst"]["estimate"] == report.worst.estimate
    assert facts["average"]["ci95"] == list(report.average.ci95)
    space = TASK.layout_space
    assert space.validate(facts["worst"]["layout"]).to_json() == report.worst.layout


def test_results_of_every_layout_come_on_request() -> None:
    report = evaluate(Weak(), num_seeds=10, per_layout=True)
    assert report.layouts is not None
    assert len(report.layouts) == 32
    means = [figure.estimate for figure in report.layouts]
    assert np.mean(means) == pytest.approx(report.average.estimate)
    first = report.to_json()["layouts"][0]
    assert first.keys() == {"layout", "estimate", "ci95", "guaranteed"}
    assert TASK.layout_space.validate(first["layout"]).to_json() == first["layout"]
    assert evaluate(Weak(), num_seeds=10).layouts is None


def test_a_report_shows_itself_as_a_table_with_the_gap() -> None:
    report = evaluate(Weak(), num_seeds=10)
    assert repr(report) == str(report)
    assert report.gap is not None, "the game value was found without being given"
    assert "gap to the game value" in str(report)
    # Of a search the gap may be larger, of a bound of the value smaller.
    assert report.gap_sign == ""
    assert gap_sign("exact", "estimate") == ""
    assert (gap_sign("exact", "bound"), gap_sign("bound", "exact")) == ("≥", "≤")
    assert gap_sign("bound", "bound") == "≈"
    searched = evaluate(Player(LARGE), layouts=5, num_seeds=5, search_rounds=1)
    assert searched.gap is not None
    assert f"{searched.gap_sign} {100 * searched.gap.estimate:.1f} %" in str(searched)
    assert searched.gap_sign in ("≥", "≈")


def test_near_ties_have_an_interval_that_holds_for_all_of_them() -> None:
    # All layouts are equal: whichever is named, the worst case is 0.5.
    for rng_seed in range(5):
        report = evaluate(Player(), num_seeds=20, num_fresh_seeds=50, votes=(), rng_seed=rng_seed)
        low, high = report.worst.ci95
        assert low <= 0.5 <= high
        assert report.certificate is not None
        assert report.certificate.worst == report.worst.ci95


def test_a_coloring_vote_is_on_the_verdict() -> None:
    task = ColoringTask(4)
    report = evaluate(Player(task, 0.9), votes=(31,))
    assert report.majority is not None
    assert report.majority[0].average.estimate == 1.0
    report = evaluate(Player(task, 0.1), votes=(31,))
    assert report.majority is not None
    assert report.majority[0].average.estimate == 0.0


@pytest.mark.parametrize("name", ["num_seeds", "num_fresh_seeds"])
def test_fewer_than_two_seeds_are_an_error(name: str) -> None:
    one: dict[str, Any] = {name: 1}
    with pytest.raises(ValueError, match="must be an integer of at least 2, got 1"):
        evaluate(Player(), **one)


def test_no_layouts_are_an_error() -> None:
    with pytest.raises(ValueError, match="number of layouts must be at least 1, got 0"):
        evaluate(Player(LARGE), layouts=0)
    with pytest.raises(ValueError, match="number of layouts must be at least 1, got 0"):
        evaluate(Player(), layouts=TASK.layout_space.enumerate()[:0])


def test_a_vote_of_nobody_is_an_error() -> None:
    with pytest.raises(ValueError, match="votes must be an integer of at least 1, got 0"):
        evaluate(Player(), votes=(0,))
