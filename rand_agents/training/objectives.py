"""What is minimised: the mean over seeds first, then one number over the layouts.

Every objective maps losses of shape (*lead, n, m), n layouts by m seeds, to shape (*lead,).
It is differentiable, and QNorm and PEPG use it: gradients with no leading axis, evolution
with one for the population.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from rand_agents.training.configs import check_alpha, check_q

LOG_FLOOR = 1e-12
"""Added to losses before the logarithm, so that a loss of 0 stays finite."""

USUAL = (1e-5, 1e5)
"""Where the largest mean loss is outside of this, all are scaled to a largest of 1."""


class Objective(ABC):
    """A risk measure over layouts of the mean loss over seeds."""

    def means(self, losses: Tensor) -> Tensor:
        """What it needs to know of each layout: losses, (*lead, n, m), to shape (*lead, n)."""
        return losses.mean(-1)

    @abstractmethod
    def of(self, means: Tensor) -> Tensor:
        """Map what `means` gave of all layouts, shape (*lead, n), to shape (*lead,)."""

    def __call__(self, losses: Tensor) -> Tensor:
        """Map losses, shape (*lead, n, m), to shape (*lead,)."""
        return self.of(self.means(losses))


def q_norm(means: Tensor, q: float) -> Tensor:
    """The normalised q-norm ``(1/n sum_i means_i ** q) ** (1/q)`` over the last axis.

    Computed in log space: ``exp((logsumexp(q log(means)) - log n) / q)``; q = inf is the maximum.

    Args:
        means: Non-negative values, shape (*lead, n).
        q: At least 1; may be infinite.

    Returns:
        Shape (*lead,).

    Raises:
        ValueError: If q is below 1 or not a number.
    """
    check_q(q)
    if math.isinf(q):
        return means.amax(-1)
    if q == 1.0:
        return means.mean(-1)
    scale = _scale(means)
    logs = torch.log(means / scale + LOG_FLOOR)
    norm = torch.exp((torch.logsumexp(q * logs, -1) - math.log(means.shape[-1])) / q)
    return norm * scale.squeeze(-1)


def _scale(means: Tensor) -> Tensor:
    """1, or the largest of means that the floor would swamp or whose logarithm is large."""
    largest = means.detach().amax(-1, keepdim=True)
    unusual = (largest > 0.0) & ((largest < USUAL[0]) | (largest > USUAL[1]))
    return torch.where(unusual & largest.isfinite(), largest, torch.ones_like(largest))


@dataclass(frozen=True)
class QNormObjective(Objective):
    """The q-norm over layouts of the mean over seeds: q = 1 is the mean, q = inf the maximum."""

    q: float = 1.0

    def __post_init__(self) -> None:
        check_q(self.q)

    def of(self, means: Tensor) -> Tensor:
        """Map means, shape (*lead, n), to shape (*lead,)."""
        return q_norm(means, self.q)


@dataclass(frozen=True)
class CVaRObjective(Objective):
    """The mean over the worst fraction `alpha` of the layouts of the mean over seeds.

    Conditional value at risk (Rockafellar and Uryasev, 2000); alpha = 1 is the mean, and
    alpha <= 1/n the maximum. A fractional number of layouts weighs the last one partly.
    """

    alpha: float = 0.05

    def __post_init__(self) -> None:
        check_alpha(self.alpha)

    def of(self, means: Tensor) -> Tensor:
        """Map means, shape (*lead, n), to shape (*lead,)."""
        means = means.sort(-1, descending=True).values
        count = max(self.alpha * means.shape[-1], 1.0)
        ranks = torch.arange(means.shape[-1], dtype=means.dtype, device=means.device)
        weights = (count - ranks).clamp(0.0, 1.0) / count
        return (means * weights).sum(-1)


@dataclass(frozen=True)
class Saturating(Objective):
    """Another objective of losses that saturate: (1 - exp(-s * loss)) / s for s = `saturation`.

    A small loss is what it was, and none counts more than 1 / s. Where a loss is minus the
    logarithm of the probability of success, divided by s, this is the probability of failure,
    divided by s (generalised cross-entropy, Zhang and Sabuncu 2018). The logarithm alone spends
    the mean over seeds on those that fail for good; saturated, it is as much about those that
    only just fail.
    """

    objective: Objective
    saturation: float

    def means(self, losses: Tensor) -> Tensor:
        """Means over seeds of saturated losses, (*lead, n, m): shape (*lead, n)."""
        return self.objective.means(-torch.expm1(-self.saturation * losses) / self.saturation)

    def of(self, means: Tensor) -> Tensor:
        """Map means, shape (*lead, n), to shape (*lead,)."""
        return self.objective.of(means)


@dataclass(frozen=True)
class Weighted(Objective):
    """The mean over seeds, then over layouts that weigh as told, shape (n,)."""

    weights: Tensor

    def of(self, means: Tensor) -> Tensor:
        """Map means, shape (*lead, n), to shape (*lead,)."""
        return (means * self.weights.to(means)).sum(-1)
