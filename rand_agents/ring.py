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

from rand_agents.ring_kernel import Sizes, kernels
from rand_agents.transformer import SeedTransformer, Weights, affine


def windows_of(num_vertices: int) -> int:
    """How many unordered windows of a vertex and two neighbours there are."""
    return num_vertices * (num_vertices - 1) * (num_vertices - 2) // 2


def covers(model: SeedTransformer, cycles: Tensor) -> bool:
    """Whether `cycle_logits` computes this architecture, and saves work on cycles (n, N)."""
    c = model.config
    plain = not (c.layer_norm or c.mlp_factor or c.max_length or c.seed_placement == "first")
    two_rounds = c.mask == "neighbours" and c.attention == "linear" and c.num_blocks == 2
    return plain and two_rounds and windows_of(cycles.shape[1]) <= cycles.numel()


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
    parts = [part.to(cycles.device) for part in _window_parts(num_vertices)]
    number = parts[0][cycles, cycles.roll(1, -1), cycles.roll(-1, -1)]
    tables = _window_tables(model, w, num_vertices, parts[1:], seeds)
    lead = tables.shape[:-2]
    c = model.config
    sizes = Sizes(c.num_heads, c.key_size, c.output_dim)
    flat = tables.reshape(-1, *tables.shape[-2:])
    logits = _compiled_round(flat, number, sizes) if flat.is_cpu else _round(flat, number, sizes)
    return logits.reshape(*logits.shape[:2], *lead, -1)


@lru_cache(maxsize=8)
def _window_parts(num_vertices: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The number of every window, and the parts of each: all W windows.

    Returns:
        The window's number by its middle and its two sides, shape (N, N, N); and of every window
        the middle and the two ordered pairs (middle, side) as N middle + side, shape (W,).
    """
    N = num_vertices
    middle, left, right = np.indices((N, N, N)).reshape(3, -1)
    legal = (left < right) & (left != middle) & (right != middle)
    middle, left, right = middle[legal], left[legal], right[legal]
    number = np.zeros((N, N, N), np.int64)
    number[middle, left, right] = number[middle, right, left] = np.arange(len(middle))
    parts = (number, middle, N * middle + left, N * middle + right)
    first, second, third, fourth = (torch.from_numpy(part) for part in parts)
    return first, second, third, fourth


def _window_tables(
    model: SeedTransformer, w: Weights, num_vertices: int, parts: list[Tensor], seeds: Tensor
) -> Tensor:
    """Rows [queries, keys, folded values, logits] of every window, (*lead, m, W, columns).

    Heads stand side by side. A folded value is what a head's value adds to the logits when its
    score is 1; the logits are those of the window without round 2.
    """
    c = model.config
    tokens = torch.eye(num_vertices, dtype=seeds.dtype, device=seeds.device)
    x = model.embed(w, tokens, seeds)
    pairs = _pairs(model, w, x)
    middle, left, right = parts
    x = (
        x.index_select(-2, middle)
        + pairs.index_select(-2, left)
        + pairs.index_select(-2, right)
    )
    folded = _per_head(w["project_1"], c.num_heads) @ w["read_out"].unsqueeze(-3)
    values = _per_head(w["value_1"].transpose(-1, -2), c.num_heads).transpose(-1, -2) @ folded
    values = values.transpose(-2, -3).flatten(-2)
    scale = c.key_size**-0.5 if c.scale else 1.0
    maps = torch.cat([scale * w["query_1"], w["key_1"], values, w["read_out"]], -1)
    bias = w["read_out_bias"]
    return affine(x, maps, torch.nn.functional.pad(bias, (maps.shape[-1] - bias.shape[-1], 0)))


def _per_head(weight: Tensor, heads: int) -> Tensor:
    """Rows of a weight, (*lead, heads * size, k), by head: (*lead, heads, size, k)."""
    return weight.reshape(*weight.shape[:-2], heads, -1, weight.shape[-1])


def _pairs(model: SeedTransformer, w: Weights, x: Tensor) -> Tensor:
    """What round 1 adds to a vertex for a neighbour, (*lead, m, N * N, width)."""
    c = model.config
    queries, keys, values = (
        affine(x, w[f"{name}_0"]).unflatten(-1, (c.num_heads, -1)).unbind(-2)
        for name in ("query", "key", "value")
    )
    projections = _per_head(w["project_0"], c.num_heads).unbind(-3)
    scale = c.key_size**-0.5 if c.scale else 1.0
    pairs = sum(
        (scale * query @ key.transpose(-1, -2)).unsqueeze(-1)
        * affine(value, projection).unsqueeze(-3)
        for query, key, value, projection in zip(queries, keys, values, projections, strict=True)
    )
    return pairs.flatten(-3, -2)  # type: ignore[union-attr]


def _round(tables: Tensor, number: Tensor, sizes: Sizes) -> Tensor:
    """Round 2 in torch: logits (N, C, R, n) from tables (R, W, columns), numbers (n, N)."""
    n, num_vertices = number.shape
    rows = tables.index_select(1, number.reshape(-1)).unflatten(1, (n, num_vertices))
    keys = sizes.heads * sizes.key_size
    parts = [keys, keys, sizes.heads * sizes.colors, sizes.colors]
    queries, keys_, values, logits = rows.split(parts, -1)
    for shift in (1, -1):
        products = (queries * keys_.roll(shift, 2)).unflatten(-1, (sizes.heads, -1))
        moved = values.roll(shift, 2).unflatten(-1, (sizes.heads, -1))
        logits = logits + (products.sum(-1, keepdim=True) * moved).sum(-2)
    return logits.permute(2, 3, 0, 1)


def _compiled_round(tables: Tensor, number: Tensor, sizes: Sizes) -> Tensor:
    """`_round` on the CPU."""
    out: Tensor = _Round.apply(tables, number, sizes)  # type: ignore[no-untyped-call]
    return out


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
