"""What is minimised: the mean over seeds first, then one number over the layouts.

Every objective maps losses of shape (*lead, n, m), n layouts by m seeds, to shape (*lead,).
It is differentiable, and QNorm and PEPG use it: gradients with no leading axis, evolution
with one for the population.
"""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from rand_envs.core.options import convert_options

LOG_FLOOR = 1e-12
"""Added to losses before the logarithm, so that a loss of 0 stays finite."""

USUAL = (1e-5, 1e5)
"""Where the largest mean loss is outside of this, all are scaled to a largest of 1."""

SATURATED = 0.5
"""Fraction of the run after which losses saturate as much as they will."""


class Objective(Protocol):
    """A risk measure over layouts of the mean loss over seeds."""

    def __call__(self, losses: Tensor) -> Tensor:
        """Map losses, shape (*lead, n, m), to shape (*lead,)."""
        ...


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


def check_q(q: float) -> None:
    """Raise ValueError unless q is a number of at least 1 (infinity included)."""
    if not q >= 1.0:
        raise ValueError(f"q must be a number of at least 1 (infinity is legal), got {q}")


@dataclass(frozen=True)
class QNormObjective:
    """The q-norm over layouts of the mean over seeds: q = 1 is the mean, q = inf the maximum."""

    q: float = 1.0

    def __post_init__(self) -> None:
        check_q(self.q)

    def __call__(self, losses: Tensor) -> Tensor:
        """Map losses, shape (*lead, n, m), to shape (*lead,)."""
        return q_norm(losses.mean(-1), self.q)


@dataclass(frozen=True)
class CVaRObjective:
    """The mean over the worst fraction `alpha` of the layouts of the mean over seeds.

    Conditional value at risk (Rockafellar and Uryasev, 2000); alpha = 1 is the mean, and
    alpha <= 1/n the maximum. A fractional number of layouts weighs the last one partly.
    """

    alpha: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 < self.alpha <= 1.0:
            raise ValueError(f"alpha must be above 0 and at most 1, got {self.alpha}")

    def __call__(self, losses: Tensor) -> Tensor:
        """Map losses, shape (*lead, n, m), to shape (*lead,)."""
        means = losses.mean(-1).sort(-1, descending=True).values
        count = max(self.alpha * means.shape[-1], 1.0)
        ranks = torch.arange(means.shape[-1], dtype=means.dtype, device=means.device)
        weights = (count - ranks).clamp(0.0, 1.0) / count
        return (means * weights).sum(-1)


@dataclass(frozen=True)
class Saturating:
    """Another objective of losses that saturate: (1 - exp(-s * loss)) / s for s = `saturation`.

    A small loss is what it was, and none counts more than 1 / s. Where a loss is minus the
    logarithm of the probability of success, divided by s, this is the probability of failure,
    divided by s (generalised cross-entropy, Zhang and Sabuncu 2018). The logarithm alone spends
    the mean over seeds on those that fail for good; saturated, it is as much about those that
    only just fail.
    """

    objective: Objective
    saturation: float

    def __call__(self, losses: Tensor) -> Tensor:
        """Map losses, shape (*lead, n, m), to shape (*lead,)."""
        return self.objective(-torch.expm1(-self.saturation * losses) / self.saturation)


@dataclass(frozen=True)
class Weighted:
    """The mean over seeds, then over layouts that weigh as told, shape (n,)."""

    weights: Tensor

    def __call__(self, losses: Tensor) -> Tensor:
        """Map losses, shape (*lead, n, m), to shape (*lead,)."""
        return (losses.mean(-1) * self.weights.to(losses)).sum(-1)


@dataclass(frozen=True)
class ObjectiveConfig:
    """Which objective a trainer uses, and how q rises during the run.

    Attributes:
        kind: "q-norm", or "cvar" (mean of the worst fraction alpha of the layouts).
        q: The q-norm's exponent: 1 is the mean over layouts, infinity (inf) the maximum.
        q_start: If given, q rises geometrically from here to q, which must then be finite.
        q_rise: Fraction of the run over which q rises.
        alpha: Fraction of the layouts for "cvar".
        of: "cost", or "regret": cost minus the best that one who knew the layout could have had,
            where the game tells it.
        saturation: If above 0, losses saturate, see `Saturating`, with a factor that rises from 0
            to this over the first half of the run.
    """

    kind: Literal["q-norm", "cvar"] = "q-norm"
    q: float = 100.0
    q_start: float | None = None
    q_rise: float = 0.5
    alpha: float = 0.05
    of: Literal["cost", "regret"] = "cost"
    saturation: float = 0.0

    def __post_init__(self) -> None:
        convert_options(self, infinite=["q", "q_start", "saturation"])
        if self.of not in ("cost", "regret"):
            raise ValueError(f'the objective must be of "cost" or "regret", got {self.of!r}')
        if self.kind not in ("q-norm", "cvar"):
            raise ValueError(f'the objective must be "q-norm" or "cvar", got {self.kind!r}')
        check_q(self.q)
        if self.q_start is not None:
            check_q(self.q_start)
            if math.isinf(self.q) or math.isinf(self.q_start):
                raise ValueError("a q that rises needs a finite start and end")
        if not 0.0 < self.q_rise <= 1.0:
            raise ValueError(f"q_rise must be above 0 and at most 1, got {self.q_rise}")
        if not 0.0 <= self.saturation < math.inf:
            raise ValueError(
                f"saturation must be a finite number of at least 0, got {self.saturation}"
            )
        CVaRObjective(self.alpha)

    @property
    def takes_signs(self) -> bool:
        """Whether losses may be below 0: in the mean, the maximum, and CVaR."""
        return self.kind == "cvar" or (self.q_start is None and self.q in (1.0, math.inf))

    def at(self, progress: float) -> Objective:
        """The objective at `progress` in [0, 1] of the run."""
        saturation = self.saturation * min(progress / SATURATED, 1.0)
        objective = self._of_losses(progress)
        return Saturating(objective, saturation) if saturation > 0.0 else objective

    def _of_losses(self, progress: float) -> Objective:
        if self.kind == "cvar":
            return CVaRObjective(self.alpha)
        if self.q_start is None:
            return QNormObjective(self.q)
        risen = min(progress / self.q_rise, 1.0)
        return QNormObjective(self.q_start * (self.q / self.q_start) ** risen)
