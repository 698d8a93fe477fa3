"""Even mixes of a matrix game: some of its rows, with repetition, each as likely as the others.

That is what a policy can hold whose seeds are as likely as each other. The row player pays; the
worst column counts, and a share of the mean over columns, since a worst case alone does not
care what is wasted in columns that cost less.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AVERAGE = 0.1
"""What the mean over columns counts beside the worst."""
SOFT = 0.005
"""How far the soft maximum over columns may lie above the maximum, as a share of the range of
costs: many columns often cost as much as the worst, and one row cannot mend them all."""
STARTS = 100
"""How often a choice is begun anew."""
WORTH = 1e-3
"""By which share another choice must be better."""


def with_mean(costs: Floats) -> Floats:
    """Costs, (K, n), each with a share of the mean over columns."""
    mixed: Floats = (1.0 - AVERAGE) * costs + AVERAGE * costs.mean(1, keepdims=True)
    return mixed


def with_uniform(weights: Floats) -> Floats:
    """Weights of columns, (n,), under which costs mean what `with_mean` makes of them."""
    mixed: Floats = (1.0 - AVERAGE) * weights + AVERAGE / len(weights)
    return mixed


@dataclass(frozen=True)
class SoftMaximum:
    """The soft maximum over columns, the last axis, with a share of the mean.

    Attributes:
        rate: For a unit of cost, positive; the larger, the nearer to the maximum.
    """

    rate: float

    @classmethod
    def of(cls, costs: Floats, soft: float = SOFT) -> "SoftMaximum":
        """At most a share of the range of costs, (K, n), above the maximum."""
        return cls(math.log(costs.shape[1] + 1) / (soft * (np.ptp(costs) or 1.0)))

    def __call__(self, means: Floats) -> Any:
        """Of mean costs, (*lead, n), shape (*lead,)."""
        top = means.max(-1, keepdims=True)
        soft = top[..., 0] + np.log(np.exp(self.rate * (means - top)).mean(-1)) / self.rate
        return (1.0 - AVERAGE) * soft + AVERAGE * means.mean(-1)

    def slopes(self, means: Floats) -> Floats:
        """Derivatives by mean costs, (n,)."""
        slopes = np.exp(self.rate * (means - means.max()))
        return with_uniform(slopes / slopes.sum())


def even_mix(costs: Floats, mix: Floats, count: int, before: Ints | None = None) -> Ints:
    """As many rows, with repetition, that together cost least in their worst columns.

    Found by exchanging one for another as long as that helps, from draws of a mix and from the
    last choice, each of whose places keeps a row like the one it had.

    Args:
        costs: Shape (K, n).
        mix: Probabilities of rows, (K,).
        count: How many, k.
        before: The last choice, (k,).

    Returns:
        Their numbers, (k,).
    """
    rng = np.random.default_rng(0)
    starts = [rng.choice(len(costs), size=count, p=mix) for _ in range(STARTS)]
    least, best = math.inf, starts[0]
    for picked in starts if before is None else [before.copy(), *starts]:
        value = math.inf
        while (now := _exchanged(costs, picked)) < value - 1e-9:
            value = now
        # Another choice must be worth it that it is learned.
        if value < least * (1.0 - WORTH):
            best, least = picked, value
    return np.sort(best) if before is None else _matched(costs, best, before)


def _exchanged(costs: Floats, picked: Ints) -> float:
    """Exchange each of those picked for the best there is, in place; how bad they are then."""
    soft = SoftMaximum.of(costs)
    total = costs[picked].sum(0)
    value = math.inf
    for place, own in enumerate(picked.tolist()):
        values = soft((total - costs[own] + costs) / len(picked))
        best = int(values.argmin())
        if values[best] < values[own]:
            total = total - costs[own] + costs[best]
            picked[place] = best
        value = float(values[picked[place]])
    return value


def _matched(costs: Floats, chosen: Ints, before: Ints) -> Ints:
    """The same numbers in an order in which each costs about what the one before it did."""
    apart = np.abs(costs[chosen][:, None] - costs[before]).sum(-1)
    number, place = linear_sum_assignment(apart)
    ordered: Ints = chosen[number[np.argsort(place)]]
    return ordered
