"""Sampled play of the grid as the generic path records it, from compiled roll-outs."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rand_agents.games.accelerated.grid_rollout import GridRollout
from rand_agents.games.path.episodes import Moment
from rand_agents.games.path.plans import Plans
from rand_agents.kernels.grid_kernel import Draws
from rand_envs.core.arrays import Array, rows_at

Ints = NDArray[np.int64]


def sampled(rollout: GridRollout) -> tuple[Tensor, list[Moment]]:
    """Costs, (n, m), and all that was seen and done.

    Args:
        rollout: Of one candidate, with a generator that draws its actions.
    """
    found, after, draws = rollout.played()
    assert draws is not None
    until, costs = (part[0].numpy().astype(np.int64).reshape(-1) for part in (found, found + after))
    return (found + after)[0], _moments(rollout, draws, until, costs)


def sampled_until_known(
    rollout: GridRollout, layouts: Array, plans: Plans
) -> tuple[Tensor, list[Moment], Ints] | None:
    """The same until each row knows where its treasure is; and by which plan it goes on.

    None where something cannot be planned: then rows would have to play on.

    Args:
        rollout: As above, cut, and with the same walls in all layouts.
        layouts: That it plays, shape (n,).
        plans: Are asked for how to go on.
    """
    found, _, draws = rollout.played()
    assert draws is not None
    task, (n, m) = rollout.task, (rollout.n, rollout.m)
    until = found[0].numpy().astype(np.int64)
    # When all others are found, the last one is known.
    last = until.argmax(0)
    known = np.sort(until, 0)[-2] if n > 1 else np.ones(m, np.int64)
    is_last = np.zeros(until.shape, bool)
    is_last[last, np.arange(m)] = (known < until.max(0)) & (known < task.max_steps)
    until[last, np.arange(m)] = known
    row, path = np.nonzero(is_last | (until <= task.max_steps - task.horizon))
    steps, searches = until[row, path], is_last[row, path]
    state = task.initial(rows_at(layouts, row))
    # What was found ends its episode at once.
    state["episode"], state["episode_steps"] = np.divmod(steps, task.horizon)
    finds = np.flatnonzero(~searches)
    state["episode"][finds] = (steps[finds] - 1) // task.horizon + 1
    state["episode_steps"][finds], state["finds"][finds], state["found"][finds] = 0, 1, True
    state["steps"] = steps
    before = path[searches], steps[searches] - 1
    seen, done = (part[0, 0, -1][before] for part in (draws.observed, draws.actions))
    at = rollout.moves.numpy()[0, seen // 2, done]
    state["cell"][searches] = np.where(steps[searches] % task.horizon, at, rollout.start)
    end = np.full(until.shape, -1)
    end[row, path] = plans.of(state)
    if (end[row, path] < 0).any():
        return None
    costs = torch.from_numpy(until.astype(np.float32))
    plans.charge(costs, end)
    flat = until.reshape(-1)
    return costs, _moments(rollout, draws, flat, flat), end.reshape(-1)


def _moments(rollout: GridRollout, draws: Draws, until: Ints, length: Ints) -> list[Moment]:
    """What rows saw and did that search until a step, and play until another, each (n * m,)."""
    n, m = rollout.n, rollout.m
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
    for time in range(int(length.max())):
        rows = np.flatnonzero(length > time)
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
    return moments
