"""Sampled play of the grid as the generic path records it, from compiled roll-outs."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rand_agents.games.accelerated.grid_rollout import GridRollout
from rand_agents.games.path.episodes import Moment

Ints = NDArray[np.int64]


def sampled(rollout: GridRollout) -> tuple[Tensor, list[Moment]]:
    """Costs, (n, m), and all that was seen and done.

    Args:
        rollout: Of one candidate, with a generator that draws its actions.
    """
    found, after, draws = rollout.played()
    assert draws is not None
    n, m = rollout.n, rollout.m
    until, costs = (part[0].numpy().astype(np.int64).reshape(-1) for part in (found, found + after))
    group = np.repeat(rollout.group.numpy(), m)
    seed = np.tile(np.arange(m), n)
    observed, actions = draws.observed[0], draws.actions[0]
    searching = observed.shape[1] - 1
    treasure = np.repeat(rollout.treasure.numpy(), m)
    # A row's mind is that of its search until it has found its treasure: rows with one group and
    # seed share it.
    shared = group * m + seed
    alone = len(rollout.moves) * m + (group * (searching + 1) + treasure) * m + seed
    moments: list[Moment] = []
    mind = seed
    for time in range(int(costs.max())):
        rows = np.flatnonzero(costs > time)
        on_own = until[rows] <= time
        key = np.where(on_own, alone[rows], shared[rows])
        _, first, minds = np.unique(key, return_index=True, return_inverse=True)
        who = np.where(on_own[first], treasure[rows[first]], searching)
        at = (group[rows[first]], who, seed[rows[first]], time)
        tokens = rollout.tokens[torch.from_numpy(observed[at].astype(np.int64))]
        codes = torch.from_numpy(actions[at].astype(np.int64)).unsqueeze(-1)
        before = np.full(len(rows), float(time))
        moments.append(Moment(tokens, codes, mind[rows[first]], rows, minds, before))
        mind = mind.copy()
        mind[rows] = minds
    return (found + after)[0], moments
