"""Objectives and their gradients against the same formulas with fifty digits."""

import math

import numpy as np
import pytest
import torch
from mpmath import mp, mpf

from rand_agents.training.objectives import CVaRObjective, QNormObjective, Saturating

QS = (1.0, 1.5, 2.0, 7.0, 100.0, 10_000.0)
SCALES = (1e-30, 1e-12, 1e-5, 1.0, 1e5, 1e12, 1e30)
LAYOUTS, SEEDS = 7, 3
VALUE = {torch.float64: 1e-6, torch.float32: 1e-5}
"""Relative errors of objectives; where losses are about 1e-5, the floor is one of 1e-7."""
DRAWS = range(3)


def losses_of(scale: float, draw: int, dtype: torch.dtype) -> torch.Tensor:
    """Losses of one order, of many, and such that some layouts have none."""
    rng = np.random.default_rng(draw)
    table = scale * rng.random((LAYOUTS, SEEDS))
    if draw == 1:
        table *= 10.0 ** -rng.integers(0, 7, (LAYOUTS, 1))
    if draw == 2:
        table[::2] = 0.0
    return torch.tensor(table, dtype=dtype, requires_grad=True)


def means_of(losses: torch.Tensor) -> list[mpf]:
    return [mp.fsum(map(mpf, row)) / SEEDS for row in losses.tolist()]


def exact_norm(means: list[mpf], q: float) -> tuple[mpf, list[mpf]]:
    """The q-norm, and its derivatives by the means."""
    norm = (mp.fsum(mean ** mpf(q) for mean in means) / LAYOUTS) ** (1 / mpf(q))
    return norm, [(mean / norm) ** (mpf(q) - 1) / LAYOUTS for mean in means]


@pytest.mark.parametrize("dtype", VALUE, ids=str)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("q", QS)
def test_the_q_norm_and_its_gradient(q: float, scale: float, dtype: torch.dtype) -> None:
    for draw in DRAWS:
        losses = losses_of(scale, draw, dtype)
        value = QNormObjective(q)(losses)
        torch.autograd.backward(value)
        with mp.workdps(50):
            norm, slopes = exact_norm(means_of(losses), q)
            assert abs(mpf(value.item()) - norm) <= VALUE[dtype] * norm
            assert losses.grad is not None
            assert torch.isfinite(losses.grad).all()
            largest = max(slopes) / SEEDS
            # The floor gives what has no loss a slope, and a power of q loses the digits of q.
            allowed = largest * (1e-5 + 10 * q * torch.finfo(dtype).eps)
            for row, slope in zip(losses.grad.tolist(), slopes, strict=True):
                assert all(abs(mpf(own) - slope / SEEDS) <= allowed for own in row)


@pytest.mark.parametrize("dtype", VALUE, ids=str)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("alpha", [1e-3, 0.3, 0.5, 1.0])
def test_cvar(alpha: float, scale: float, dtype: torch.dtype) -> None:
    for draw in DRAWS:
        losses = losses_of(scale, draw, dtype)
        with mp.workdps(50):
            left = count = max(mpf(alpha) * LAYOUTS, mpf(1))
            exact = mpf(0)
            for mean in sorted(means_of(losses), reverse=True):
                exact += mean * min(left, mpf(1)) / count
                left -= min(left, mpf(1))
            found = mpf(CVaRObjective(alpha)(losses).item())
            assert abs(found - exact) <= VALUE[dtype] * exact


@pytest.mark.parametrize("dtype", VALUE, ids=str)
@pytest.mark.parametrize("scale", SCALES)
def test_saturating_losses(scale: float, dtype: torch.dtype) -> None:
    losses = losses_of(scale, 0, dtype)
    found = Saturating(QNormObjective(1.0), 0.7)(losses).item()
    with mp.workdps(50):
        s = mpf(0.7)
        terms = [-mp.expm1(-s * mpf(x)) / s for row in losses.tolist() for x in row]
        exact = mp.fsum(terms) / len(terms)
        assert abs(mpf(found) - exact) <= VALUE[dtype] * exact


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("q", QS)
def test_what_is_no_number_stays_none(q: float, bad: float) -> None:
    losses = torch.ones(LAYOUTS, SEEDS)
    losses[2, 1] = bad
    assert not math.isfinite(QNormObjective(q)(losses).item())
