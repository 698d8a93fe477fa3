"""One number over layouts of the mean over seeds, checked by hand."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rand_agents.training.configs import ObjectiveConfig
from rand_agents.training.objectives import (
    LOG_FLOOR,
    CVaRObjective,
    QNormObjective,
    q_norm,
)

TABLE = torch.tensor([[0.0, 4.0], [2.0, 4.0], [1.0, 1.0]], dtype=torch.float64)
"""Three layouts under two seeds; the means over seeds are 2, 3 and 1."""

tables = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 4)),
    elements=st.floats(0.0, 10.0),
)


def test_q_norm_by_hand() -> None:
    assert float(QNormObjective(2.0)(TABLE)) == pytest.approx(math.sqrt((4 + 9 + 1) / 3))
    assert float(QNormObjective(3.0)(TABLE)) == pytest.approx(((8 + 27 + 1) / 3) ** (1 / 3))


def test_the_mean_over_seeds_comes_before_the_norm() -> None:
    # The norm over layouts of each seed first, then the mean, is another number: 3.127...
    wrong = (math.sqrt((0 + 4 + 1) / 3) + math.sqrt((16 + 16 + 1) / 3)) / 2
    # And the norm over all (layout, seed) at once is a third one.
    jumbled = math.sqrt((0 + 16 + 4 + 16 + 1 + 1) / 6)
    right = float(QNormObjective(2.0)(TABLE))
    assert right == pytest.approx(2.160246899469287)
    assert abs(right - wrong) > 0.1
    assert abs(right - jumbled) > 0.1


def test_randomising_over_seeds_beats_committing_under_every_q_above_one() -> None:
    committed = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    randomised = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert float(QNormObjective(1.0)(committed)) == float(QNormObjective(1.0)(randomised)) == 0.5
    for q, norm in ((2.0, 0.5**0.5), (100.0, 0.5**0.01), (math.inf, 1.0)):
        assert float(QNormObjective(q)(committed)) == pytest.approx(norm)
        assert float(QNormObjective(q)(randomised)) == pytest.approx(0.5)


def test_q_of_one_is_the_mean_and_infinity_the_maximum() -> None:
    assert float(QNormObjective(1.0)(TABLE)) == 2.0
    assert float(QNormObjective(math.inf)(TABLE)) == 3.0


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("q", [100.0, 1e4, 1e6])
def test_a_large_q_neither_overflows_nor_vanishes(q: float, scale: float) -> None:
    means = scale * torch.tensor([1.0, 2.0, 3.0])
    value = float(q_norm(means, q))
    # n ** (-1/q) max <= norm <= max
    assert 3 * scale * 3 ** (-1 / q) * (1 - 1e-4) <= value <= 3 * scale * (1 + 1e-4)


@pytest.mark.parametrize("q", [1.0, 2.0, 100.0, math.inf])
def test_gradients_are_finite_where_losses_are_zero(q: float) -> None:
    losses = torch.zeros(4, 3, requires_grad=True)
    value = QNormObjective(q)(losses)
    torch.autograd.backward(value)
    assert float(value.detach()) == pytest.approx(0.0, abs=10 * LOG_FLOOR)
    assert losses.grad is not None
    assert torch.isfinite(losses.grad).all()


def test_gradient_weighs_each_layout_by_its_power_of_q() -> None:
    losses = TABLE.clone().requires_grad_()
    torch.autograd.backward(QNormObjective(3.0)(losses))
    norm = (36 / 3) ** (1 / 3)
    # d norm / d mean_i = mean_i ** 2 / (n norm ** 2), shared by the two seeds.
    expected = torch.tensor([4.0, 9.0, 1.0]).double() / (3 * norm**2) / 2
    assert losses.grad is not None
    torch.testing.assert_close(losses.grad, expected.unsqueeze(-1).expand(3, 2))


@given(tables, st.floats(1.0, 50.0), st.floats(1.0, 50.0))
def test_norms_rise_with_q_between_the_mean_and_the_maximum(
    table: np.ndarray, p: float, q: float
) -> None:
    losses = torch.from_numpy(table)
    low, high = (float(QNormObjective(x)(losses)) for x in sorted((p, q)))
    mean, most = float(losses.mean()), float(losses.mean(-1).max())
    slack = 1e-9 * (1 + most)
    assert mean - slack <= low <= high + slack
    assert high <= most + slack


@pytest.mark.parametrize(
    ("alpha", "value"),
    [
        (1.0, 2.5),
        (0.5, 3.5),
        (0.25, 4.0),
        (0.01, 4.0),
        (0.375, (4 + 0.5 * 3) / 1.5),
        (0.7, (4 + 3 + 0.8 * 2) / 2.8),
    ],
)
def test_cvar_by_hand(alpha: float, value: float) -> None:
    losses = torch.tensor([[3.0, 3.0], [0.0, 2.0], [2.0, 2.0], [5.0, 3.0]], dtype=torch.float64)
    assert float(CVaRObjective(alpha)(losses)) == pytest.approx(value)


@given(tables)
def test_cvar_goes_from_the_maximum_to_the_mean(table: np.ndarray) -> None:
    losses = torch.from_numpy(table)
    values = [float(CVaRObjective(alpha)(losses)) for alpha in (1e-9, 0.3, 0.6, 1.0)]
    assert values[0] == pytest.approx(float(losses.mean(-1).max()))
    assert values[-1] == pytest.approx(float(losses.mean()))
    assert all(a >= b - 1e-9 for a, b in itertools.pairwise(values))


@pytest.mark.parametrize(
    "objective",
    [QNormObjective(1.0), QNormObjective(7.0), QNormObjective(math.inf), CVaRObjective(0.3)],
)
def test_a_leading_axis_is_a_population(objective: QNormObjective | CVaRObjective) -> None:
    losses = torch.from_numpy(np.random.default_rng(0).random((5, 4, 3)))
    together = objective(losses)
    assert together.shape == (5,)
    torch.testing.assert_close(together, torch.stack([objective(one) for one in losses]))


def test_q_rises_geometrically_and_then_stays() -> None:
    config = ObjectiveConfig(q=64.0, q_start=4.0, q_rise=0.5)
    for progress, q in ((0.0, 4.0), (0.125, 8.0), (0.25, 16.0), (0.5, 64.0), (0.9, 64.0)):
        objective = config.at(progress)
        assert isinstance(objective, QNormObjective)
        assert objective.q == pytest.approx(q)


def test_without_a_start_q_is_constant() -> None:
    for progress in (0.0, 0.5, 1.0):
        assert ObjectiveConfig(q=math.inf).at(progress) == QNormObjective(math.inf)
        assert ObjectiveConfig("cvar", alpha=0.2).at(progress) == CVaRObjective(0.2)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (ObjectiveConfig(q=1.0), "the mean cost over layouts"),
        (ObjectiveConfig(q=math.inf), "the worst cost over layouts"),
        (ObjectiveConfig(q=4.0, of="regret"), "the q-norm of regret over layouts, q = 4"),
        (ObjectiveConfig("cvar", alpha=0.05), "the mean cost of the worst 5% of the layouts"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_what_is_made_small_is_said(config: ObjectiveConfig, said: str) -> None:
    assert config.summary == said


@pytest.mark.parametrize("q", [0.99, 0.0, -1.0, math.nan])
def test_q_below_one_is_an_error(q: float) -> None:
    with pytest.raises(ValueError, match="q must be a number of at least 1"):
        QNormObjective(q)
    with pytest.raises(ValueError, match="q must be a number"):
        ObjectiveConfig(q=q)
    with pytest.raises(ValueError, match="q must be a number of at least 1"):
        q_norm(torch.ones(2), q)


@pytest.mark.parametrize("alpha", [0.0, -0.1, 1.1, math.nan])
def test_alpha_outside_its_range_is_an_error(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha must be above 0 and at most 1"):
        CVaRObjective(alpha)


def test_illegal_options_are_errors() -> None:
    with pytest.raises(ValueError, match='must be "q-norm" or "cvar"'):
        ObjectiveConfig("max")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="finite start and end"):
        ObjectiveConfig(q=math.inf, q_start=2.0)
    with pytest.raises(ValueError, match="q must be a number of at least 1"):
        ObjectiveConfig(q_start=0.5)
    with pytest.raises(ValueError, match="q_rise must be above 0"):
        ObjectiveConfig(q_rise=0.0)
    with pytest.raises(ValueError, match="saturation must be a finite number of at least 0"):
        ObjectiveConfig(saturation=-1.0)


def test_saturated_log_losses_are_probabilities_of_failure() -> None:
    right = torch.tensor([[0.9, 0.5], [1e-9, 0.4]], dtype=torch.float64)
    losses = -right.log() / 5
    config = ObjectiveConfig(q=1.0, saturation=5.0)
    assert float(config.at(1.0)(losses)) == pytest.approx(float((1 - right).mean()) / 5)
    assert float(config.at(0.5)(losses)) == float(config.at(1.0)(losses)), "after half of the run"
    assert float(config.at(0.0)(losses)) == float(losses.mean()), "none to begin with"
    assert float(config.at(1e-6)(losses)) == pytest.approx(float(losses.mean()), rel=1e-3)
    # By hand: a factor of 1 after a tenth of the run.
    expected = float((1 - (-losses).exp()).mean())
    assert float(config.at(0.1)(losses)) == pytest.approx(expected)
    worst = ObjectiveConfig(q=math.inf, saturation=5.0).at(1.0)
    assert float(worst(losses)) == pytest.approx(float((1 - right).mean(-1).max()) / 5)


def test_a_seed_that_only_just_fails_weighs_more_than_one_that_fails_for_good() -> None:
    losses = torch.tensor([[0.15, 3.0]], dtype=torch.float64, requires_grad=True)
    plain, saturated = (
        torch.autograd.grad(ObjectiveConfig(q=1.0, saturation=s).at(1.0)(losses), losses)[0][0]
        for s in (0.0, 5.0)
    )
    assert plain.tolist() == [0.5, 0.5]
    assert saturated.tolist() == pytest.approx([0.5 * math.exp(-0.75), 0.5 * math.exp(-15)])
