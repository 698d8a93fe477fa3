"""Compiled loops for the CPU: attention of one query a row over a cache of few, short keys.

Torch spends most of such a step on the overhead of many tiny matrix products. The loops run
along the slots of the cache, which lie side by side in memory.
"""

from typing import Any

import numba
import torch
from torch import Tensor


def _scores(queries: Any, keys: Any, valid: Any, hidden: float, scores: Any) -> None:
    for row in range(scores.shape[0]):
        for head in range(scores.shape[1]):
            for slot in range(scores.shape[2]):
                scores[row, head, slot] = 0
            for i in range(queries.shape[2]):
                query = queries[row, head, i]
                for slot in range(scores.shape[2]):
                    scores[row, head, slot] += query * keys[row, head, i, slot]
            for slot in range(scores.shape[2]):
                if not valid[row, slot]:
                    scores[row, head, slot] = hidden


def _mix(shares: Any, values: Any, mixed: Any) -> None:
    for row in range(shares.shape[0]):
        for head in range(shares.shape[1]):
            for i in range(values.shape[2]):
                total = shares[row, head, 0] * values[row, head, i, 0]
                for slot in range(1, shares.shape[2]):
                    total += shares[row, head, slot] * values[row, head, i, slot]
                mixed[row, head, i] = total


# Sums may be reordered, which lets them use vector instructions.
_fast = numba.njit(cache=True, fastmath={"reassoc", "contract", "arcp", "nsz"})
_compiled_scores, _compiled_mix = _fast(_scores), _fast(_mix)


def attend_cached(
    queries: Tensor, keys: Tensor, values: Tensor, valid: Tensor, end: int, softmax: bool
) -> Tensor:
    """Attend with one query a row over the first `end` slots of a cache, on the CPU, no gradient.

    Args:
        queries: Scaled queries, shape (*batch, heads, 1, key_size).
        keys: Contiguous, shape (*batch, heads, key_size, capacity).
        values: Contiguous, shape (*batch, heads, value_size, capacity).
        valid: Which slots a row attends to, shape (*batch, capacity).
        end: Slots in use, at least 1.
        softmax: Softmax attention; else linear, whose shares are the scores themselves.

    Returns:
        Shape (*batch, heads, 1, value_size).
    """
    batch, (heads, key_size, capacity) = keys.shape[:-3], keys.shape[-3:]
    flat = queries.reshape(-1, heads, key_size)
    shares = flat.new_empty(len(flat), heads, end)
    _compiled_scores(
        flat.numpy(),
        keys.view(-1, heads, key_size, capacity).numpy(),
        valid.reshape(-1, capacity).numpy(),
        -1e30 if softmax else 0.0,
        shares.numpy(),
    )
    if softmax:
        shares = torch.softmax(shares, -1)
    mixed = flat.new_empty(len(flat), heads, values.shape[-2])
    stored = values.view(-1, heads, values.shape[-2], capacity)
    _compiled_mix(shares.numpy(), stored.numpy(), mixed.numpy())
    return mixed.view(*batch, heads, 1, -1)
