"""Two rounds of linear attention on cycles: the fast path of colouring.

After one round a vertex has seen the unordered window (vertex, its two neighbours), whatever
cycle it lies on: on N = 10 vertices there are 360 of them, against 2,560 places in 256 cycles.
And without LayerNorm and MLP what a neighbour adds to a vertex in round 1 is one vector for each
ordered pair. So round 1 is computed on pairs, every linear map of round 2 once on each window,
and what is left for a place in a cycle are two scores and as many sums of logits: the values of
round 2 enter the logits through one folded matrix.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rand_agents.kernels.ring_kernel import Sizes, kernels
from rand_agents.policies.architecture import TransformerConfig
from rand_agents.policies.transformer import SeedTransformer, Weights, affine


def windows_of(num_vertices: int) -> int:
    """How many unordered windows of a vertex and two neighbours there are."""
    return num_vertices * (num_vertices - 1) * (num_vertices - 2) // 2


def covers(model: SeedTransformer, cycles: Tensor) -> bool:
    """Whether `cycle_logits` computes this architecture, and saves work on cycles (n, N)."""
    c = model.config
    two_rounds = c.mask == "neighbours" and c.num_blocks == 2
    return model.is_plain and two_rounds and windows_of(cycles.shape[1]) <= cycles.numel()


def cycle_logits(
    model: SeedTransformer, cycles: Tensor, seeds: Tensor, weights: Weights | None = None
) -> Tensor:
    """Logits of the colours at every place of cycles whose tokens are one-hot, under every seed.

    Equal to `model(one_hot(cycles), seeds, weights)` up to the order of axes and rounding.

    Args:
        model: A policy that `covers` accepts.
        cycles: Vertices in order, integers of shape (n, N).
        seeds: Shape (m, seed_dim).
        weights: As in `SeedTransformer.forward`.

    Returns:
        Shape (N, colours, *lead, m, n).
    """
    w = model.named_weights() if weights is None else weights
    num_vertices = cycles.shape[1]
    numbers, pairs = (part.to(cycles.device) for part in _windows(num_vertices))
    number = numbers[cycles, cycles.roll(1, -1), cycles.roll(-1, -1)]
    tables = _window_tables(model, w, num_vertices, pairs, seeds)
    lead = tables.shape[:-2]
    c = model.config
    sizes = Sizes(c.num_heads, c.key_size, c.output_dim)
    flat = tables.reshape(-1, *tables.shape[-2:])
    logits: Tensor = (_Round.apply if flat.is_cpu else _round)(flat, number, sizes)
    return logits.reshape(*logits.shape[:2], *lead, -1)


@lru_cache(maxsize=8)
def _windows(num_vertices: int) -> tuple[Tensor, Tensor]:
    """Every unordered window of a vertex and two others beside it, W of them.

    Returns:
        The window's number by its middle and its two sides, shape (N, N, N); and its two ordered
        pairs (middle, side) as N middle + side, shape (2, W).
    """
    N = num_vertices
    middle, left, right = np.indices((N, N, N)).reshape(3, -1)
    legal = (left < right) & (left != middle) & (right != middle)
    middle, left, right = middle[legal], left[legal], right[legal]
    number = np.zeros((N, N, N), np.int64)
    number[middle, left, right] = number[middle, right, left] = np.arange(len(middle))
    pairs = np.stack([N * middle + left, N * middle + right])
    return torch.from_numpy(number), torch.from_numpy(pairs)


def _window_tables(
    model: SeedTransformer, w: Weights, num_vertices: int, pairs: Tensor, seeds: Tensor
) -> Tensor:
    """Rows [queries, keys, folded values, logits] of every window, (*lead, m, W, columns).

    Heads stand side by side. A folded value is what a head's value adds to the logits when its
    score is 1; the logits are those of the window without round 2.
    """
    c = model.config
    tokens = torch.eye(num_vertices, dtype=seeds.dtype, device=seeds.device)
    x = model.embed(w, tokens, seeds)
    queries, keys, values = (
        _by_head(part, c.num_heads)
        for part in torch.split(affine(x, _maps(c, w, 0)), _widths(c, x.shape[-1]), -1)
    )
    scores = queries @ keys.transpose(-1, -2)
    # What a neighbour adds to a vertex, and half of what the vertex is without neighbours.
    parts = (scores.unsqueeze(-1) * values.unsqueeze(-3)).sum(-4) + 0.5 * x.unsqueeze(-2)
    chosen = parts.flatten(-3, -2).index_select(-2, pairs.reshape(-1))
    x = chosen.reshape(*chosen.shape[:-2], *pairs.shape, -1).sum(-3)
    maps = torch.cat([_maps(c, w, 1, w["read_out"]), w["read_out"]], -1)
    unmapped = maps.shape[-1] - c.output_dim
    return affine(x, maps, torch.nn.functional.pad(w["read_out_bias"], (unmapped, 0)))


def _by_head(x: Tensor, heads: int) -> Tensor:
    """(..., T, heads * size) to (..., heads, T, size)."""
    return x.reshape(*x.shape[:-1], heads, -1).transpose(-2, -3)


def _widths(c: TransformerConfig, width: int) -> list[int]:
    """Columns of the queries, keys and values that `_maps` gives."""
    return [c.num_heads * c.key_size, c.num_heads * c.key_size, c.num_heads * width]


def _maps(c: TransformerConfig, w: Weights, block: int, after: Tensor | None = None) -> Tensor:
    """Queries, keys, and values with their projection folded in, and `after` too if given."""
    projection = w[f"project_{block}"] if after is None else w[f"project_{block}"] @ after
    rows = projection.reshape(*projection.shape[:-2], c.num_heads, -1, projection.shape[-1])
    folded = _by_head(w[f"value_{block}"], c.num_heads) @ rows
    queries = w[f"query_{block}"] * (c.key_size**-0.5 if c.scale else 1.0)
    return torch.cat([queries, w[f"key_{block}"], folded.transpose(-2, -3).flatten(-2)], -1)


def _round(tables: Tensor, number: Tensor, sizes: Sizes) -> Tensor:
    """Round 2 in torch: logits (N, C, R, n) from tables (R, W, columns), numbers (n, N)."""
    n, num_vertices = number.shape
    rows = tables.index_select(1, number.reshape(-1)).reshape(len(tables), n, num_vertices, -1)
    width, folded = sizes.heads * sizes.key_size, sizes.heads * sizes.colors
    parts = torch.split(rows, [width, width, folded, sizes.colors], -1)
    queries, keys, values = (part.reshape(*part.shape[:-1], sizes.heads, -1) for part in parts[:3])
    logits = parts[3]
    for shift in (1, -1):
        scores = (queries * keys.roll(shift, 2)).sum(-1, keepdim=True)
        logits = logits + (scores * values.roll(shift, 2)).sum(-2)
    return logits.permute(2, 3, 0, 1)


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tables: Tensor, number: Tensor, sizes: Sizes) -> Tensor:
        rows, (n, num_vertices) = len(tables), number.shape
        tables = tables.contiguous()
        out = tables.new_empty(num_vertices, sizes.colors, rows, n)
        scores = tables.new_empty(rows, n, num_vertices, 2, sizes.heads)
        kernels(sizes).forward(*map(_array, (tables, number, scores, out)))
        ctx.save_for_backward(tables, number, scores)
        ctx.sizes = sizes
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        tables, number, scores = ctx.saved_tensors
        slopes = torch.zeros_like(tables)
        kernels(ctx.sizes).backward(
            *map(_array, (tables, number, scores, grad.contiguous(), slopes))
        )
        return slopes, None, None


def _array(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().numpy()
    return array
