"""The embedding's hidden layer of every token under every seed, with gradients, for the CPU.

Before its activation a hidden unit is a number of the token plus a number of the seed; so is its
gate. Compiled loops compute GELU and gate in one pass and keep nothing but their small inputs: a
step that writes each intermediate result to memory spends most of its time there.
"""

from typing import Any

import torch
from torch import Tensor

from rand_agents.kernels import lane_functions, lanes
from rand_agents.kernels.lane_functions import normal_density, normal_tail
from rand_agents.kernels.lanes import LANES, by_sign, larger, load, sources_of, spread, store, total
from rand_envs.core.compiled.keeping import kept


def hidden_units(token: Tensor, seed: Tensor, gate_token: Tensor, gate_seed: Tensor) -> Tensor:
    """GELU(token + seed) * (gate_token + gate_seed) of every token and seed.

    Right to 1e-7 of single precision.

    Args:
        token: Shape (H, R), H units of R tokens, float32 on the CPU.
        seed: Shape (H, M), of M seeds; M is a multiple of LANES.
        gate_token: As token.
        gate_seed: As seed.

    Returns:
        Shape (H, R, M).
    """
    units: Tensor = _Hidden.apply(token, seed, gate_token, gate_seed)  # type: ignore[no-untyped-call]
    return units


class _Hidden(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, token: Tensor, seed: Tensor, gate_token: Tensor, gate_seed: Tensor
    ) -> Tensor:
        inputs = tuple(x.detach().contiguous() for x in (token, seed, gate_token, gate_seed))
        ctx.save_for_backward(*inputs)
        out = token.new_empty(*token.shape, seed.shape[1])
        _forward(*(x.numpy() for x in inputs), out.view(-1).numpy())
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        inputs = ctx.saved_tensors
        slopes = tuple(map(torch.zeros_like, inputs))
        _backward(
            *(x.numpy() for x in inputs),
            grad.contiguous().view(-1).numpy(),
            *(x.numpy() for x in slopes),
        )
        return slopes


def _entry_points(sources: int) -> tuple[Any, Any]:
    # `sources` is held for numba's cache, see `lanes.sources_of`.
    @kept(nogil=True, error_model="numpy")
    def forward(token: Any, seed: Any, gate_token: Any, gate_seed: Any, out: Any) -> None:
        """Write the units, flat (H, R, M)."""
        _ = sources
        (units, tokens), seeds = token.shape, seed.shape[1]
        for h in range(units):
            for r in range(tokens):
                for j in range(0, seeds, LANES):
                    x = spread(token[h], r) + load(seed[h], j)
                    gate = spread(gate_token[h], r) + load(gate_seed[h], j)
                    size = larger(x, 0.0 - x)
                    gelu = larger(x, 0.0) - size * normal_tail(size)
                    store(gelu * gate, out, (h * tokens + r) * seeds + j)

    @kept(nogil=True, error_model="numpy")
    def backward(
        token: Any, seed: Any, gate_token: Any, gate_seed: Any, grad: Any,
        d_token: Any, d_seed: Any, d_gate_token: Any, d_gate_seed: Any,
    ) -> None:  # fmt: skip
        """Add to the slopes of the inputs, given those of the units."""
        _ = sources
        (units, tokens), seeds = token.shape, seed.shape[1]
        for h in range(units):
            for r in range(tokens):
                sum_x = load(seed[h], 0) * 0.0
                sum_gate = sum_x
                for j in range(0, seeds, LANES):
                    x = spread(token[h], r) + load(seed[h], j)
                    gate = spread(gate_token[h], r) + load(gate_seed[h], j)
                    slope = load(grad, (h * tokens + r) * seeds + j)
                    size = larger(x, 0.0 - x)
                    tail = normal_tail(size)
                    below = by_sign(x, 1.0 - tail, tail)
                    d_gate = slope * (larger(x, 0.0) - size * tail)
                    d_x = slope * gate * (below + x * normal_density(x))
                    sum_x, sum_gate = sum_x + d_x, sum_gate + d_gate
                    store(load(d_seed[h], j) + d_x, d_seed[h], j)
                    store(load(d_gate_seed[h], j) + d_gate, d_gate_seed[h], j)
                d_token[h, r] = total(sum_x)
                d_gate_token[h, r] = total(sum_gate)

    return forward, backward


_forward, _backward = _entry_points(sources_of(lanes.__file__, lane_functions.__file__, __file__))
