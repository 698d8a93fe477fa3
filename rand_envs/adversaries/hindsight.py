"""What one person's play tells an adversary about the layouts that they were not shown.

A person plays a layout once, so that only its cost is seen.  But the rules are known, and so are
all that they saw and did.  On another layout they would have done the same as long as they had
seen the same; from there on they get the benefit of the doubt, and are charged the least that the
rules allow.  So no loss is larger than the true one, and it is exact where nothing that was seen
tells the two layouts apart.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array
from rand_envs.core.task import Task

MAX_ROWS = 200_000
"""With more states and actions at once, what could still be reached is not gone through."""

Floats = NDArray[np.float64]


def hindsight_losses(
    task: Task[Any], layouts: Array, states: Sequence[Array], actions: Sequence[Array]
) -> Floats:
    """Lower bounds of what a player would have lost on each layout, (n,); larger is worse.

    Args:
        task: the rules.
        layouts: shape (n,).
        states: all states of the instance that was played, each of shape (1,).
        actions: the actions between them, one fewer.
    """
    sign = -1.0 if task.higher_is_better else 1.0
    outcome = np.full(len(layouts), np.nan)
    rows, state = np.arange(len(layouts)), task.initial(layouts)
    left_rows, left_states = [], []
    for before, action in zip(states, actions, strict=False):
        same = _equal(task.observe(state), task.observe(before))
        left_rows.append(rows[~same])
        left_states.append(state[~same])
        rows, state = rows[same], state[same]
        if not len(rows):
            break
        moved = task.step(state, np.repeat(action[None], len(rows), axis=0))
        over = moved.terminated
        outcome[rows[over]] = task.outcome(moved.state[over])
        rows, state = rows[~over], moved.state[~over]
    left_rows.append(rows)
    left_states.append(state)
    open_ = np.concatenate(left_rows)
    if len(open_):
        outcome[open_] = _best_from(task, layouts[open_], np.concatenate(left_states))
    losses: Floats = sign * outcome
    return losses


def _equal(seen: Array, shown: Array) -> NDArray[np.bool_]:
    """Which observations, (n, ...), are the one of shape (1, ...)."""
    same: NDArray[np.bool_] = (seen == shown).reshape(len(seen), -1).all(axis=1)
    return same


def _best_from(task: Task[Any], layouts: Array, states: Array) -> Floats:
    """The best outcome that can still be reached from each state, (n,), or a bound of it."""
    sign = -1.0 if task.higher_is_better else 1.0
    best = np.full(len(states), np.inf)
    actions = _every_action(task)
    rows = np.arange(len(states))
    while len(rows) and actions is not None and len(rows) * len(actions) <= MAX_ROWS:
        rows = np.repeat(rows, len(actions))
        tried = np.tile(actions, (len(states), *[1] * (actions.ndim - 1)))
        moved = task.step(np.repeat(states, len(actions)), tried)
        over = moved.terminated
        np.minimum.at(best, rows[over], sign * task.outcome(moved.state[over]))
        rows, states = _distinct(rows[~over], moved.state[~over])
    if len(rows):
        known = task.best_outcome(layouts)
        limit = task.outcome_range[1 if task.higher_is_better else 0]
        bound = np.full(len(layouts), limit) if known is None else known
        best[rows] = np.minimum(best[rows], (sign * bound)[rows])
    found: Floats = sign * best
    return found


def _every_action(task: Task[Any]) -> Array | None:
    """All actions, (a, ...), where they are few and can be listed."""
    space: Any = task.action_space
    shape = space.shape
    if hasattr(space, "n") and not shape:
        return np.arange(space.start, space.start + space.n, dtype=space.dtype)
    counts = getattr(space, "nvec", np.full(shape, 2) if hasattr(space, "n") else None)
    if counts is None or np.log(counts.astype(float)).sum() > np.log(MAX_ROWS):
        return None
    flat = np.array(list(np.ndindex(*counts.reshape(-1).tolist())), space.dtype)
    start = np.asarray(getattr(space, "start", np.zeros(shape, space.dtype)))
    listed: Array = flat.reshape(-1, *shape) + start
    return listed.astype(space.dtype)


def _distinct(rows: Array, states: Array) -> tuple[Array, Array]:
    """Pairs of a row and a state without those that are there twice."""
    if not len(rows):
        return rows, states
    parts = (rows[:, None], np.ascontiguousarray(states)[:, None])
    keyed = np.concatenate([part.view(np.uint8) for part in parts], axis=1)
    keys = np.ascontiguousarray(keyed).view(np.dtype((np.void, keyed.shape[1]))).reshape(-1)
    first = np.unique(keys, return_index=True)[1]
    return rows[first], states[first]
