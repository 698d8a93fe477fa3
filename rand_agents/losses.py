"""Differentiable losses per (layout, seed)."""

import torch.nn.functional as F
from torch import Tensor


def bit_cross_entropy(logits: Tensor, bits: Tensor) -> Tensor:
    """Sigmoid binary cross-entropy, mean over the bits, in nats.

    Args:
        logits: Shape (..., d).
        bits: The right bits as 0 and 1, broadcastable to the shape of `logits`.

    Returns:
        Shape (...).
    """
    targets = bits.expand(logits.shape)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(-1)


def conflict_bound(probabilities: Tensor) -> Tensor:
    """Sum over the edges of a cycle of the probability that both ends take one colour.

    If every vertex drew its colour independently, this is the expected number of conflicts,
    and so an upper bound on the probability of an improper colouring (union bound).

    Args:
        probabilities: Of each colour at each vertex, vertices in cycle order, (N, colours, ...).
            These axes come first because loops along short last ones are slow.

    Returns:
        Shape (...).
    """
    return (probabilities * probabilities.roll(1, 0)).sum((0, 1))
