"""The score function: gradients of mean costs where only sampled play is to be had.

For the weight w of a row in the objective's gradient, the gradient of the objective is the mean
of w (G_t - b_t) grad log p(a_t), summed over the steps t: G_t the cost from t on, b_t a baseline
that does not depend on a_t (Williams 1992). Costs before t are left out, as they do not depend on
a_t either. The baseline is the mean of G_t over other paths of the same layout that last as long:
of the same seed, or, where there is none, of the other seeds (leave one out; Kool et al. 2019).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rand_agents.games.path.contexts import Model
from rand_agents.games.path.episodes import Ints, Moment
from rand_agents.games.path.spaces import ActionCode

Floats = NDArray[Any]

TOKENS_AT_ONCE = 1 << 17
"""How many tokens are answered in one batch of the gradient, to bound its memory."""


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
    """

    actions: ActionCode
    moments: list[Moment]
    costs: Tensor
    so_far: float
    seeds: Tensor
    paths: int
    temperature: float = 1.0

    def backward(self, model: Model, slopes: Tensor, entropy: float) -> float:
        """Add the gradient of the objective to the model's parameters.

        Args:
            model: The policy that played.
            slopes: Derivatives of the objective by the costs, shape (n, m * paths).
            entropy: What a nat of entropy is worth, in units of the objective, in the mean over
                what rows did; its gradient is added too.

        Returns:
            The mean entropy in nats.
        """
        weights = self._weights(slopes.detach().double().cpu().numpy())
        ones = np.ones(self.costs.numel())
        counts = [np.bincount(m.minds, ones[: len(m.minds)]) for m in self.moments]
        total = sum(float(count.sum()) for count in counts)
        mean_entropy = 0.0
        for leaves in self._leaves(weights, counts):
            outputs = model(leaves.tokens, leaves.seeds)[:, -leaves.tokens.shape[1] :]
            outputs = outputs / self.temperature
            logs = self.actions.log_probability(outputs, leaves.codes)
            spread = (leaves.counts * self.actions.entropy(outputs)).sum() / total
            loss = (leaves.weights * logs).sum() - entropy * spread
            loss.backward()  # type: ignore[no-untyped-call]
            mean_entropy += spread.item()
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

    def _leaves(self, weights: list[Floats], counts: list[Floats]) -> "list[_Leaves]":
        """The histories that nothing continues; every mind's weight stands in one of them."""
        owner, minds = self._histories()
        steps = len(self.moments)
        shape = minds.shape
        first = self.moments[0]
        tokens = first.tokens.new_zeros(*shape, first.tokens.shape[-1])
        codes = first.codes.new_zeros(*shape, first.codes.shape[-1])
        weighed, counted = np.zeros(shape), np.zeros(shape)
        for t, moment in enumerate(self.moments):
            alive = np.flatnonzero(minds[:, t] >= 0)
            mind = minds[alive, t]
            at = torch.from_numpy(mind).to(tokens.device)
            tokens[torch.from_numpy(alive).to(at), t] = moment.tokens[at]
            codes[torch.from_numpy(alive).to(at), t] = moment.codes[at]
            owned = owner[t][mind] == alive
            weighed[alive, t] = np.where(owned, weights[t][mind], 0.0)
            counted[alive, t] = np.where(owned, counts[t][mind], 0.0)
        root = torch.from_numpy(first.parents[minds[:, 0]]).to(tokens.device)
        count = max(1, TOKENS_AT_ONCE // steps)
        return [
            _Leaves(
                tokens[some],
                codes[some],
                torch.from_numpy(weighed[some]).to(tokens),
                torch.from_numpy(counted[some]).to(tokens),
                self.seeds[root[some]],
            )
            for begin in range(0, shape[0], count)
            for some in [slice(begin, begin + count)]
        ]

    def _histories(self) -> tuple[list[Ints], Ints]:
        """The leaf that owns each mind, and each leaf's mind at every moment, (leaves, T) or -1."""
        owners: list[Ints] = []
        tracks: list[Ints] = []
        leaves = 0
        for t in reversed(range(len(self.moments))):
            owner = np.full(len(self.moments[t].tokens), -1)
            track = np.full(leaves, -1)
            if owners:
                parents, later = self.moments[t + 1].parents, tracks[-1]
                # Assigned backwards, so that the first child's leaf owns its parent.
                owner[parents[::-1]] = owners[-1][::-1]
                track[: len(later)] = np.where(later >= 0, parents[later], -1)
            ends = np.flatnonzero(owner < 0)
            owner[ends] = leaves + np.arange(len(ends))
            track = np.concatenate([track, ends])
            leaves = len(track)
            owners.append(owner)
            tracks.append(track)
        table = np.full((leaves, len(tracks)), -1)
        for t, track in enumerate(reversed(tracks)):
            table[: len(track), t] = track
        return owners[::-1], table


@dataclass(frozen=True)
class _Leaves:
    """Histories as sequences of T steps, padded at their ends."""

    tokens: Tensor
    codes: Tensor
    weights: Tensor
    counts: Tensor
    seeds: Tensor


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
