"""What every action does in every state of a layer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, rows_at
from rand_envs.core.task import Task
from rand_envs.minimax.tasks.fingerprints import Prints, distinct, fingerprints

Ints = NDArray[np.int64]

STEPS = 1 << 16
"""How many instances are stepped at once, to bound the memory."""


@dataclass(frozen=True)
class Successors:
    """The distinct results of actions: states that go on, then layouts that ended.

    Attributes:
        results: of each action in each state, shape (pairs, actions).
        layouts: index of the layout of each result, shape (results,).
        prints: of each result, shape (results, 2).
        states: those that go on, shape (going on,).
        outcomes: of those that ended, shape (ended,).
        observations: shape (kinds, *observation_space.shape).
        seen: which of them each state shows, shape (going on,).
    """

    results: Ints
    layouts: Ints
    prints: Prints
    states: Array
    outcomes: NDArray[np.float64]
    observations: Array
    seen: Ints


@dataclass(frozen=True)
class _Batch:
    """The distinct results of one batch; the outcome is 0 where the state goes on."""

    results: Ints
    layouts: Ints
    prints: Prints
    states: Array
    outcomes: NDArray[np.float64]
    ended: NDArray[np.bool_]


def step_all(task: Task[Any], states: Array, layouts: Ints, actions: Array) -> Successors:
    """Play every action in every state.

    Args:
        task: the rules.
        states: none of them over, shape (pairs,).
        layouts: index of the layout of each, shape (pairs,).
        actions: shape (actions, *action_space.shape).

    Raises:
        ValueError: an outcome is not finite.
    """
    at_once = max(1, STEPS // len(actions))
    batches = [
        _step(task, states[low : low + at_once], layouts[low : low + at_once], actions)
        for low in range(0, len(states), at_once)
    ]
    first, number = distinct(np.concatenate([batch.prints for batch in batches]))
    ended = np.concatenate([batch.ended for batch in batches])[first]
    # States that go on come first, so that their results are their indices.
    order = np.argsort(ended, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    chosen = first[order]
    going_on = chosen[: np.count_nonzero(~ended)]
    offsets = np.cumsum([0, *(len(batch.prints) for batch in batches)])
    numbers = place[number]
    kept = rows_at(np.concatenate([batch.states for batch in batches]), going_on)
    # Rules need not know what an empty batch shows.
    seen = np.asarray(task.observe(kept)) if len(kept) else np.empty((0, 1))
    first_seen, kind = distinct(fingerprints(seen))
    return Successors(
        results=np.concatenate(
            [numbers[batch.results + low] for batch, low in zip(batches, offsets, strict=False)]
        ),
        layouts=np.concatenate([batch.layouts for batch in batches])[chosen],
        prints=np.concatenate([batch.prints for batch in batches])[chosen],
        states=kept,
        outcomes=np.concatenate([batch.outcomes for batch in batches])[chosen[len(going_on) :]],
        observations=seen[first_seen],
        seen=kind,
    )


def _step(task: Task[Any], states: Array, layouts: Ints, actions: Array) -> _Batch:
    num_actions = len(actions)
    pair, action = np.divmod(np.arange(len(states) * num_actions), num_actions)
    transition = task.step(rows_at(states, pair), actions[action])
    ended = np.array(transition.terminated, bool)
    layout = layouts[pair]
    outcome = np.zeros(len(pair))
    if ended.any():
        outcome[ended] = task.outcome(rows_at(transition.state, np.flatnonzero(ended)))
    if not np.isfinite(outcome).all():
        raise ValueError(f"{task.env_id} has outcomes that are not finite")
    prints = np.empty((len(pair), 2), np.uint64)
    # The complement tells an ended layout from a state that happens to look like its outcome.
    prints[ended] = fingerprints(~layout[ended], outcome[ended])
    going_on = rows_at(transition.state, np.flatnonzero(~ended))
    prints[~ended] = fingerprints(layout[~ended], going_on)
    first, number = distinct(prints)
    return _Batch(
        results=number.reshape(-1, num_actions),
        layouts=layout[first],
        prints=prints[first],
        states=rows_at(transition.state, first),
        outcomes=outcome[first],
        ended=ended[first],
    )
