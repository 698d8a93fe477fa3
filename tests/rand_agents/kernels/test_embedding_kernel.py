"""The compiled hidden layer: torch's numbers and gradients, to single precision."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from rand_agents.kernels.embedding_kernel import hidden_units
from rand_agents.kernels.lanes import LANES


def inputs(units: int, tokens: int, seeds: int, scale: float) -> list[torch.Tensor]:
    torch.manual_seed(0)
    shapes = [(units, tokens), (units, seeds)] * 2
    return [(scale * torch.randn(shape)).requires_grad_() for shape in shapes]


@given(
    st.integers(1, 9),
    st.integers(1, 7),
    st.sampled_from([LANES, 3 * LANES]),
    st.sampled_from([0.1, 1.0, 5.0]),
)
@settings(max_examples=20, deadline=None)
def test_values_and_gradients_are_torch_s(
    units: int, tokens: int, seeds: int, scale: float
) -> None:
    x = inputs(units, tokens, seeds, scale)
    direction = torch.randn(units, tokens, seeds)
    found = hidden_units(*x)
    slopes = torch.autograd.grad((found * direction).sum(), x)
    exact = [part.detach().double().requires_grad_() for part in x]
    token, seed, gate_token, gate_seed = exact
    gate = gate_token.unsqueeze(-1) + gate_seed.unsqueeze(1)
    expected = F.gelu(token.unsqueeze(-1) + seed.unsqueeze(1)) * gate
    expected_slopes = torch.autograd.grad((expected * direction).sum(), exact)
    size = 1 + scale**2
    torch.testing.assert_close(found.double(), expected, atol=1e-6 * size, rtol=1e-6)
    for slope, wanted in zip(slopes, expected_slopes, strict=True):
        summed = units * tokens * seeds
        torch.testing.assert_close(
            slope.double(), wanted, atol=1e-6 * size * summed**0.5, rtol=1e-5
        )


@pytest.mark.parametrize("x", [-40.0, -6.0, 0.0, 6.0, 40.0])
def test_far_from_zero_it_is_zero_or_the_identity(x: float) -> None:
    token = torch.full((1, 1), x, requires_grad=True)
    rest = [torch.zeros(1, LANES), torch.ones(1, 1), torch.zeros(1, LANES)]
    found = hidden_units(token, *rest)
    assert found.detach().flatten().tolist() == pytest.approx(
        [F.gelu(torch.tensor(x)).item()] * LANES, abs=1e-6
    )
    torch.autograd.backward(found.mean())
    expected = 0.5 if x == 0 else float(x > 0)
    assert token.grad is not None
    assert token.grad.item() == pytest.approx(expected, abs=1e-6)
