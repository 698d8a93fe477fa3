"""The fast path of colouring against whole cycles through the transformer."""

import dataclasses
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from rand_agents.games.accelerated.coloring import ColoringGame
from rand_agents.kernels import ring
from rand_agents.kernels.ring_kernel import Sizes
from rand_agents.policies.transformer import SeedTransformer, TransformerConfig
from rand_envs.games.coloring.rules import ColoringTask

SIZES = [(1, 16, 3), (2, 3, 4)]
"""Heads, key size and colours: each is compiled anew, so that there are few."""


def model_of(config: TransformerConfig, dtype: torch.dtype = torch.float64) -> SeedTransformer:
    """A policy whose biases too are away from 0, and whose scores are moderate."""
    model = SeedTransformer(config, 1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    return model.to(dtype)


def batch_of(game: ColoringGame, n: int, m: int, seed_dim: int) -> tuple[Any, Tensor]:
    rng = np.random.default_rng(3)
    return game.task.layout_space.sample(rng, n), torch.from_numpy(rng.random((m, seed_dim)))


def plain_costs(model: SeedTransformer, layouts: Any, seeds: Tensor, weights: Any = None) -> Tensor:
    """Minus log-probabilities, edge by edge, that the ends differ, through the transformer."""
    cycles = torch.from_numpy(layouts["cycle"].copy())
    tokens = torch.nn.functional.one_hot(cycles, cycles.shape[1]).to(seeds).unsqueeze(1)
    each = model(tokens, seeds, weights).log_softmax(-1)
    both = each.unsqueeze(-1) + each.roll(1, -2).unsqueeze(-2)
    same = torch.eye(each.shape[-1], dtype=torch.bool)
    differ: Tensor = both.masked_fill(same, -torch.inf).logsumexp((-2, -1))
    return -differ.sum(-1)


PLACEMENTS: tuple[Literal["own", "every"], ...] = ("own", "every")


@pytest.mark.parametrize(("heads", "key_size", "colors"), SIZES)
@settings(deadline=None, max_examples=15)
@given(st.data())
def test_losses_and_gradients_are_those_of_whole_cycles(
    heads: int, key_size: int, colors: int, data: st.DataObject
) -> None:
    game = ColoringGame(ColoringTask(data.draw(st.integers(3, 7)), colors))
    placement: Literal["own", "every"] = data.draw(st.sampled_from(PLACEMENTS))
    config = dataclasses.replace(
        game.default_policy(),
        seed_dim=3 if placement == "every" else game.token_dim,
        seed_placement=placement,
        num_heads=heads,
        key_size=key_size,
        value_size=data.draw(st.integers(1, 9)),
        model_size=data.draw(st.integers(1, 18)),
        embedding=data.draw(st.sampled_from(("none", "linear", "gelu"))),
        scale=data.draw(st.booleans()),
    )
    layouts, seeds = batch_of(game, 40, 5, config.seed_dim)
    upstream = torch.from_numpy(np.random.default_rng(4).standard_normal((40, 5)))
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 1e-4)):
        model, seeds, upstream = model_of(config, dtype), seeds.to(dtype), upstream.to(dtype)
        assert ring.covers(model, torch.from_numpy(layouts["cycle"].copy()))
        ours, plain = game.costs(model, layouts, seeds), plain_costs(model, layouts, seeds)
        # An edge beyond this is as likely as float32 can tell from impossible.
        assume(float(plain.detach().max()) < 80.0)
        torch.testing.assert_close(ours, plain, rtol=tolerance, atol=tolerance)
        wanted = torch.autograd.grad(plain, list(model.parameters()), upstream)
        slopes = torch.autograd.grad(ours, list(model.parameters()), upstream)
        for slope, right in zip(slopes, wanted, strict=True):
            # Rounding is relative to the terms of a sum, which can cancel.
            largest = max(1.0, float(right.abs().max()))
            torch.testing.assert_close(slope, right, rtol=tolerance, atol=tolerance * largest)


@pytest.mark.parametrize(("heads", "key_size", "colors"), SIZES)
def test_compiled_loops_are_the_torch_round(heads: int, key_size: int, colors: int) -> None:
    sizes = Sizes(heads, key_size, colors)
    columns = 2 * heads * key_size + heads * colors + colors
    rng = np.random.default_rng(0)
    number = torch.from_numpy(rng.integers(0, 12, (9, 4)))
    tables = torch.from_numpy(rng.standard_normal((3, 12, columns))).requires_grad_()
    compiled = ring._Round.apply(tables, number, sizes)  # type: ignore[no-untyped-call]
    plain = ring._round(tables, number, sizes)
    assert compiled.shape == (4, colors, 3, 9)
    torch.testing.assert_close(compiled, plain, rtol=1e-12, atol=1e-12)
    upstream = torch.from_numpy(rng.standard_normal(compiled.shape))
    (slope,) = torch.autograd.grad(compiled, tables, upstream)
    torch.testing.assert_close(slope, *torch.autograd.grad(plain, tables, upstream))


def test_a_population_is_a_loop_over_candidates() -> None:
    game = ColoringGame(ColoringTask(6))
    model = model_of(game.default_policy())
    layouts, seeds = batch_of(game, 30, 4, 6)
    weights = {
        name: torch.stack([weight.detach(), 0.5 * weight.detach()])
        for name, weight in model.named_weights().items()
    }
    costs = game.costs(model, layouts, seeds, weights)
    assert costs.shape == (2, 30, 4)
    for i in range(2):
        alone = {name: weight[i] for name, weight in weights.items()}
        torch.testing.assert_close(costs[i], plain_costs(model, layouts, seeds, alone))


def test_many_cycles_are_played_as_each_of_them_alone() -> None:
    game = ColoringGame(ColoringTask(6))
    model = model_of(game.default_policy(), torch.float32)
    layouts, seeds = batch_of(game, 50, 8, 6)
    assert not ring.covers(model, torch.zeros(1, 6, dtype=torch.long))
    with torch.no_grad():
        together = game.play(model, layouts, seeds.float())
        alone = [game.play(model, layouts[i : i + 1], seeds.float()) for i in range(50)]
    np.testing.assert_array_equal(together.outcome, np.concatenate([p.outcome for p in alone]))
    outputs = np.concatenate([p.output for p in alone])
    np.testing.assert_allclose(together.output, outputs, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_blocks": 1},
        {"num_blocks": 3},
        {"attention": "softmax"},
        {"layer_norm": True},
        {"mlp_factor": 2},
    ],
)
def test_other_architectures_go_through_whole_cycles(changes: dict[str, Any]) -> None:
    game = ColoringGame(ColoringTask(6))
    model = model_of(dataclasses.replace(game.default_policy(), **changes))
    layouts, seeds = batch_of(game, 30, 2, 6)
    assert not ring.covers(model, torch.from_numpy(layouts["cycle"].copy()))
    torch.testing.assert_close(
        game.costs(model, layouts, seeds), plain_costs(model, layouts, seeds)
    )
