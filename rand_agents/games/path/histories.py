"""Histories of minds: what the gradient of sampled play goes through, and which share of it.

A leaf is a mind that nothing continues; its history is a mind at each moment so far.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rand_agents.games.path.contexts import Model
from rand_agents.games.path.episodes import Ints, Minds

Floats = NDArray[Any]

TOKENS_AT_ONCE = 1 << 17
"""How many tokens are answered in one batch of the gradient, to bound its memory."""
PARTS, SMALL = 4, 32
"""Into how many batches histories are sorted by length, if each has at least so many."""


@dataclass(frozen=True)
class Leaves:
    """Histories as sequences of at most T steps, padded at their ends.

    Attributes:
        tokens: Shape (leaves, T, token_dim).
        codes: What was done, (leaves, T, parts).
        weights: What the log-probability of each action weighs, (leaves, T); that of a mind that
            several histories share stands in one of them.
        counts: The same for its entropy.
        root: Where each begins, (leaves,).
    """

    tokens: Tensor
    codes: Tensor
    weights: Tensor
    counts: Tensor
    root: Ints

    def part(self, number: int, count: int) -> "Leaves":
        """One of `count` parts, of like lengths; where it would be empty, a history of no weight.

        So a gradient goes through the policy in every part.
        """
        is_empty = number >= len(self.root)
        some = slice(0, 1) if is_empty else slice(number, None, count)
        weights, counts = ((1 - is_empty) * each[some] for each in (self.weights, self.counts))
        return Leaves(self.tokens[some], self.codes[some], weights, counts, self.root[some])

    def answers(self, model: Model, seeds: Tensor) -> Tensor:
        """Outputs at each step, (leaves, T, dim), where roots have these seeds, (roots, dim)."""
        own = seeds[torch.from_numpy(self.root).to(seeds.device)]
        outputs: Tensor = model(self.tokens, own)[:, -self.tokens.shape[1] :]
        return outputs


def histories(moments: Sequence[Minds]) -> Ints:
    """Of each leaf the mind at every moment, (leaves, T), or -1."""
    tracks: list[Ints] = []
    leaves = 0
    for t in reversed(range(len(moments))):
        goes_on = np.zeros(len(moments[t].tokens), bool)
        track = np.full(leaves, -1)
        if tracks:
            parents, later = moments[t + 1].parents, tracks[-1]
            goes_on[parents] = True
            track[: len(later)] = np.where(later >= 0, parents[later], -1)
        ends = np.flatnonzero(~goes_on)
        track = np.concatenate([track, ends])
        leaves = len(track)
        tracks.append(track)
    table = np.full((leaves, len(tracks)), -1)
    for t, track in enumerate(reversed(tracks)):
        table[: len(track), t] = track
    return table


def leaves_of(
    moments: Sequence[Minds],
    weights: list[Floats],
    counts: list[Floats],
    branches: int | None,
    rng: np.random.Generator,
) -> list[Leaves]:
    """Histories in batches of like lengths, so that little is padded.

    Args:
        moments: All that was seen and done.
        weights: Of each mind at each moment.
        counts: The same.
        branches: How many histories of each root are drawn beside its longest; None for all.
        rng: Draws them.
    """
    minds = histories(moments)
    root = moments[0].parents[minds[:, 0]]
    shares = [np.ones(len(moment.tokens)) for moment in moments]
    if branches is not None:
        chosen, shares = drawn(minds, root, branches, rng)
        minds, root = minds[chosen], root[chosen]
    lengths = (minds >= 0).sum(1)
    order = np.argsort(lengths, kind="stable")
    minds, root, lengths = minds[order], root[order], lengths[order]
    shape = minds.shape
    like = moments[0]
    tokens = like.tokens.new_zeros(*shape, like.tokens.shape[-1])
    codes = like.codes.new_zeros(*shape, like.codes.shape[-1])
    weighed, counted = np.zeros(shape), np.zeros(shape)
    for t, moment in enumerate(moments):
        alive = np.flatnonzero(minds[:, t] >= 0)
        mind = minds[alive, t]
        at, where = (torch.from_numpy(index).to(tokens.device) for index in (mind, alive))
        tokens[where, t], codes[where, t] = moment.tokens[at], moment.codes[at]
        own, first = np.unique(mind, return_index=True)
        weighed[alive[first], t] = weights[t][own] / shares[t][own]
        counted[alive[first], t] = counts[t][own] / shares[t][own]
    found = []
    for begin, end in itertools.pairwise(_batches(lengths)):
        some = slice(begin, end), slice(0, int(lengths[end - 1]))
        weight, count = (torch.from_numpy(part[some]).to(tokens) for part in (weighed, counted))
        found.append(Leaves(tokens[some], codes[some], weight, count, root[begin:end]))
    return found


def drawn(
    minds: Ints, root: Ints, branches: int, rng: np.random.Generator
) -> tuple[Ints, list[Floats]]:
    """Some leaves of each root, and for each moment the probability of each mind to be in one.

    A root's longest history is always one of them; `branches` others are drawn without
    repetition. The inverse probability makes sums over what was drawn unbiased (Horvitz and
    Thompson 1952).

    Args:
        minds: Of each leaf the mind at every moment, (leaves, T), or -1.
        root: Of each leaf.
        branches: At least 1.
        rng: Draws.
    """
    length = (minds >= 0).sum(1)
    order = np.lexsort((rng.random(len(root)), root))
    longest = np.lexsort((rng.random(len(root)), -length, root))
    begin = np.flatnonzero(np.r_[True, np.diff(root[longest]) != 0])
    always = np.zeros(len(root), bool)
    always[longest[begin]] = True
    order = order[~always[order]]
    place = np.arange(len(order)) - np.searchsorted(root[order], root[order])
    chosen = np.sort(np.concatenate([np.flatnonzero(always), order[place < branches]]))
    others = np.bincount(root, minlength=root.max() + 1) - 1
    shares = []
    for t in range(minds.shape[1]):
        alive = minds[:, t] >= 0
        mind, size = minds[alive, t], int(minds[:, t].max()) + 1
        through = np.bincount(mind, weights=~always[alive], minlength=size)
        of = np.zeros(size, np.int64)
        of[mind] = others[root[alive]]
        missed = np.ones(size)
        for draw in range(branches):
            missed *= np.clip((of - through - draw) / np.maximum(of - draw, 1), 0.0, None)
        share = 1.0 - missed
        share[minds[always & alive, t]] = 1.0
        shares.append(share)
    return chosen, shares


def _batches(lengths: Ints) -> list[int]:
    """Where batches of histories begin, sorted by length, and where the last one ends."""
    count = min(PARTS, -(-len(lengths) // SMALL))
    ends = np.linspace(0, len(lengths), count + 1).astype(np.int64)
    bounds = [0]
    for begin, end in itertools.pairwise(ends):
        most = max(1, TOKENS_AT_ONCE // int(lengths[end - 1]))
        bounds += [*range(begin + most, end, most), int(end)]
    return bounds
