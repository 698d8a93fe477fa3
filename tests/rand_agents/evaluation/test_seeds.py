"""All seeds are played where they are few, and what is then exact is called so."""

import numpy as np
import pytest

from rand_agents import QNorm, SeedSpec, evaluate
from rand_agents.evaluation.seeds import Seeds
from rand_envs import GridTask, RecallTask
from rand_envs.core.arrays import Array

GRID = GridTask(3, horizon=9)


def agent(bits: int, draw: str = "independent") -> QNorm:
    seeds = SeedSpec(bits, "bits", draw)  # type: ignore[arg-type]
    made = QNorm("SeedTransformer", GRID, seeds=seeds, rng_seed=2)
    made.model.weights["first_seed"].data.mul_(30)
    made.model.weights["positions"].data.mul_(30)
    return made


def every(bits: int) -> Array:
    return np.array(np.meshgrid(*[[0.0, 1.0]] * bits)).reshape(bits, -1).T.astype(np.float32)


def test_with_few_seeds_every_figure_is_the_plain_mean_over_all() -> None:
    player = agent(3)
    report = evaluate(player, num_seeds=20, num_fresh_seeds=40, per_layout=True)
    means = player.play(GRID.layout_space.enumerate(), every(3)).outcome.mean(1)
    assert (report.num_seeds, report.all_seeds, report.exhaustive) == (8, True, True)
    assert report.average.estimate == pytest.approx(means.mean())
    assert report.worst.estimate == pytest.approx(means.max())
    assert report.p95.estimate == pytest.approx(np.sort(means)[7])
    for figure in (report.average, report.p95, report.worst, report.gap):
        assert figure is not None
        assert figure.ci95 == (figure.estimate, figure.estimate)
    assert report.regret is not None
    assert report.regret.worst.ci95 == (report.regret.worst.estimate,) * 2
    assert "8 seeds (all there are)" in str(report)
    assert report.layouts is not None
    assert [figure.estimate for figure in report.layouts] == pytest.approx(means.tolist())
    assert all(figure.ci95 == (figure.estimate,) * 2 for figure in report.layouts)
    assert evaluate(player, num_seeds=20, num_fresh_seeds=40, rng_seed=9).worst == report.worst


def test_more_seeds_than_are_played_are_drawn() -> None:
    report = evaluate(agent(6), num_seeds=20, num_fresh_seeds=40)
    assert (report.num_seeds, report.all_seeds) == (20, False)
    assert report.average.ci95[0] < report.average.estimate < report.average.ci95[1]
    gaussian = evaluate(QNorm("SeedTransformer", GRID), num_seeds=20, num_fresh_seeds=40)
    assert not gaussian.all_seeds


def test_all_seeds_on_a_sample_of_layouts_leave_the_layouts_to_chance() -> None:
    player = QNorm("SeedTransformer", RecallTask(8, 3), seeds=SeedSpec(3, "bits"), rng_seed=1)
    report = evaluate(player, layouts=60, num_seeds=20, num_fresh_seeds=40, search_rounds=1)
    assert (report.num_seeds, report.all_seeds, report.exhaustive) == (8, True, False)
    assert report.average.ci95[0] < report.average.estimate < report.average.ci95[1]
    assert report.worst.ci95 == (report.worst.estimate, report.worst.estimate)
    assert report.worst.kind == "bound"


def test_a_worst_case_is_exact_only_where_every_mean_is(monkeypatch: pytest.MonkeyPatch) -> None:
    # 64 seeds: fewer than score the worst, more than all layouts are asked to be played under.
    player = agent(6)
    report = evaluate(player, num_seeds=20, num_fresh_seeds=100)
    means = player.play(GRID.layout_space.enumerate(), every(6)).outcome.mean(1)
    assert (report.num_seeds, report.all_seeds, report.worst.kind) == (64, True, "exact")
    assert report.worst.estimate == pytest.approx(means.max())
    monkeypatch.setattr("rand_agents.evaluation.trial.FULL_PLAYS", 100)
    report = evaluate(player, num_seeds=20, num_fresh_seeds=100)
    assert (report.num_seeds, report.all_seeds, report.worst.kind) == (20, False, "estimate")
    low, high = report.worst.ci95
    assert low <= means.max() <= high


def test_seeds_are_given_anew_unless_they_are_all() -> None:
    few, many = (Seeds(agent(bits), np.random.default_rng(1)) for bits in (3, 6))
    np.testing.assert_array_equal(np.sort(few(16)[0], 0), np.sort(every(3), 0))
    np.testing.assert_array_equal(few(8)[0], few(16)[0])
    assert few(8)[1]
    seeds, is_all = many(16)
    assert (seeds.shape, is_all) == ((16, 6), False)
    assert (many(16)[0] != many(16)[0]).any()
