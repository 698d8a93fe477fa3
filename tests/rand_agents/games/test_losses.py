"""Losses per (layout, seed) against exact values."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rand_agents.games.accelerated.coloring import conflict_loss
from rand_agents.games.accelerated.recall import bit_cross_entropy

COLORINGS = np.array(list(itertools.product(range(3), repeat=5)))
PROPER = (np.roll(COLORINGS, 1, axis=1) != COLORINGS).all(1)


def exact_improper(probabilities: np.ndarray) -> float:
    """Probability that independent colours on C5 are improper, by going through all 3^5."""
    each = probabilities[np.arange(5), COLORINGS].prod(1)
    return float(each[~PROPER].sum())


def test_cross_entropy_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)], [math.log(3.0), -math.log(4.0)]])
    bits = torch.tensor([1.0, 0.0])
    # P(1) = 1/2 and 3/4 in the first row, 3/4 and 1/5 in the second.
    expected = [(math.log(2) + math.log(4)) / 2, (math.log(4 / 3) + math.log(5 / 4)) / 2]
    torch.testing.assert_close(bit_cross_entropy(logits, bits), torch.tensor(expected))


def test_cross_entropy_broadcasts_bits_over_seeds() -> None:
    logits = torch.zeros(4, 3, 7)
    assert bit_cross_entropy(logits, torch.ones(4, 1, 7)).shape == (4, 3)


def test_cross_entropy_of_extreme_logits_is_finite() -> None:
    logits = torch.tensor([[1e4], [-1e4]])
    torch.testing.assert_close(bit_cross_entropy(logits, torch.ones(1)), torch.tensor([0.0, 1e4]))


def test_c5_has_thirty_proper_colorings() -> None:
    assert PROPER.sum() == 2**5 - 2  # (k - 1)^n + (-1)^n (k - 1) with k = 3


def test_conflict_loss_of_sure_colors_counts_conflicts() -> None:
    sure = 30.0 * torch.nn.functional.one_hot(torch.from_numpy(COLORINGS).T, 3).mT.double()
    conflicts = (np.roll(COLORINGS, 1, axis=1) == COLORINGS).sum(1)
    # Sure of one colour, both ends differ with probability 2 * 2 * exp(-30).
    each = 30.0 - math.log(4.0)
    np.testing.assert_allclose(conflict_loss(sure).numpy(), each * conflicts, atol=1e-9)


def test_conflict_loss_of_uniform_colors() -> None:
    uniform = torch.zeros(10, 3, 2, 7)
    torch.testing.assert_close(conflict_loss(uniform), torch.full((2, 7), 10 * math.log(1.5)))


@given(arrays(np.float64, (5, 3), elements=st.floats(1e-3, 1.0)))
def test_conflict_loss_is_at_least_the_exact_probability(weights: np.ndarray) -> None:
    probabilities = weights / weights.sum(-1, keepdims=True)
    loss = float(conflict_loss(torch.from_numpy(weights).log()))
    conflicts = (probabilities * np.roll(probabilities, 1, 0)).sum()
    assert loss >= conflicts - 1e-12, "the sum of the edges' probabilities"
    assert conflicts >= exact_improper(probabilities) - 1e-12


def test_conflict_loss_where_one_vertex_alone_is_random() -> None:
    probabilities = np.eye(3)[[0, 1, 0, 1, 2]]
    probabilities[4] = [0.1, 0.2, 0.7]
    loss = float(conflict_loss(torch.from_numpy(probabilities).log()))
    # One neighbour has the first colour for sure, the other the second.
    assert loss == pytest.approx(-math.log(0.9) - math.log(0.8))


@pytest.mark.parametrize("sure", [20.0, 60.0])
def test_conflict_loss_keeps_its_slope_where_a_conflict_is_sure(sure: float) -> None:
    logits = torch.zeros(4, 3)
    logits[[0, 1], 0] = sure
    logits[2, 1] = sure
    logits.requires_grad_()
    torch.autograd.backward(conflict_loss(logits))
    assert logits.grad is not None
    # Either end may change its colour: each has half of the slope, and other edges add none.
    assert logits.grad[:2, 0].tolist() == pytest.approx([0.5, 0.5], rel=1e-3)
    assert logits.grad.isfinite().all()


def test_conflict_loss_of_what_no_number_can_hold_is_finite() -> None:
    logits = torch.zeros(4, 3)
    logits[:, 0] = 1e4
    assert conflict_loss(logits).isfinite()
