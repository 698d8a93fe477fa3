"""The score function: gradients of mean costs where only sampled play is to be had.

For the weight w of a row in the objective's gradient, the gradient of the objective is the mean
of w (G_t - b_t) grad log p(a_t), summed over the steps t: G_t the cost from t on, b_t a baseline
that does not depend on a_t (Williams 1992). Costs before t are left out, as they do not depend on
a_t either. The baseline is the mean of G_t over other paths of the same layout that last as long:
of the same seed, or, where there is none, of the other seeds (leave one out; Kool et al. 2019).
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rand_agents.games.path.contexts import Model
from rand_agents.games.path.episodes import Ints, Moment
from rand_agents.games.path.histories import Floats, leaves_of
from rand_agents.games.path.spaces import ActionCode


@dataclass(frozen=True)
class Episodes:
    """Sampled play of n layouts under m seeds, `paths` times each, to learn from.

    Attributes:
        actions: Probabilities of what was done.
        moments: All that was seen and done.
        costs: Of each row, shape (n, m * paths); paths of one seed stand together.
        so_far: What turns a moment's outcomes into costs so far, but for a constant: 1 or -1.
        seeds: Of each path, shape (m * paths, seed_dim).
        paths: How often each seed was played.
        temperature: What outputs were divided by.
        branches: How many histories of each path the gradient follows beside the longest, drawn
            by `rng` without bias; None for all.
        rng: Draws them.
        end: By which of the `Plans` each row plays on, whose cost it has, -1 for none, (rows,);
            None where all play themselves.
    """

    actions: ActionCode
    moments: list[Moment]
    costs: Tensor
    so_far: float
    seeds: Tensor
    paths: int
    temperature: float = 1.0
    branches: int | None = None
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    end: Ints | None = None

    def backward(
        self, model: Model, slopes: Tensor, entropy: float, part: tuple[int, int] = (0, 1)
    ) -> float:
        """Add the gradient of the objective to the model's parameters.

        Args:
            model: The policy that played.
            slopes: Derivatives of the objective by the costs, shape (n, m * paths).
            entropy: What a nat of entropy is worth, in units of the objective, in the mean over
                what rows did; its gradient is added too.
            part: Of the histories: a number, and of how many parts, whose gradients sum up.

        Returns:
            The mean entropy in nats; of a part what it adds to that.
        """
        weights = self._weights(slopes.detach().double().cpu().numpy())
        counts = [np.bincount(moment.minds).astype(np.float64) for moment in self.moments]
        total = sum(float(count.sum()) for count in counts)
        mean_entropy = 0.0
        for leaves in leaves_of(self.moments, weights, counts, self.branches, self.rng):
            leaves = leaves.part(*part)
            outputs = leaves.answers(model, self.seeds) / self.temperature
            logs = self.actions.log_probability(outputs, leaves.codes)
            surprise = (leaves.counts * self.actions.entropy(outputs)).sum() / total
            loss = (leaves.weights * logs).sum() - entropy * surprise
            torch.autograd.backward(loss)
            mean_entropy += surprise.item()
        return mean_entropy

    def _weights(self, slopes: Floats) -> list[Floats]:
        """What the log-probability of each mind's action weighs, at each moment (G,)."""
        costs = self.costs.double().cpu().numpy()
        to_go = np.zeros((len(self.moments), costs.size))
        plays = np.zeros(to_go.shape, bool)
        final = costs.reshape(-1)
        start = self.so_far * self.moments[0].outcomes
        for t, moment in enumerate(self.moments):
            spent = self.so_far * moment.outcomes - start[moment.rows]
            to_go[t, moment.rows] = final[moment.rows] - spent
            plays[t, moment.rows] = True
        shape = (len(to_go), len(costs), -1, self.paths)
        base = _baseline(to_go.reshape(shape), plays.reshape(shape)).reshape(to_go.shape)
        advantage = slopes.reshape(-1) * (to_go - base)
        return [
            np.bincount(moment.minds, weights=advantage[t, moment.rows])
            for t, moment in enumerate(self.moments)
        ]


def _baseline(to_go: Floats, plays: NDArray[np.bool_]) -> Floats:
    """Mean over the others of the same layout that still play, all of shape (T, n, m, paths)."""
    same_seed, num_same = _others(to_go, plays, (3,))
    same_layout, num_layout = _others(to_go, plays, (2, 3))
    base = np.where(num_same > 0, same_seed, np.where(num_layout > 0, same_layout, 0.0))
    return np.where(plays, base, 0.0)


def _others(
    values: Floats, plays: NDArray[np.bool_], axes: tuple[int, ...]
) -> tuple[Floats, Floats]:
    """Means over axes of the values that play but the own one, and how many these are."""
    own = np.where(plays, values, 0.0)
    count = plays.sum(axes, keepdims=True) - plays
    mean = (own.sum(axes, keepdims=True) - own) / np.maximum(count, 1)
    return mean, count
