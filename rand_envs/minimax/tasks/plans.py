"""What one who knows the layout does best from some state on, by going through all that follow."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, rows_at
from rand_envs.core.task import Task
from rand_envs.minimax.tasks.limits import all_actions
from rand_envs.minimax.tasks.successors import Successors, step_all

Ints = NDArray[np.int64]

MOST_STATES = 1 << 20
"""How many states are gone through at most, from all that are given together."""


@dataclass(frozen=True)
class Plan:
    """The best that can be done from a state on, where the layout is known.

    Attributes:
        outcome: Of the instance in the end.
        observations: What is seen before each action, shape (length, *observation_space.shape).
        actions: Shape (length, *action_space.shape).
    """

    outcome: float
    observations: Array
    actions: Array


@dataclass(frozen=True)
class _Layer:
    """States after so many steps, (k,), and what each action leads to, by number, (k, actions).

    Of the results those come first that go on, `next` says which of the next layer they are, -1
    where that is left out; `ended` is what the others are worth.
    """

    states: Array
    results: Ints
    next: Ints
    ended: NDArray[np.float64]


def plans(task: Task[Any], states: Array) -> list[Plan] | None:
    """Plan from each of some states, none of them over, shape (n,).

    Where fewer are better, outcomes must never fall in the course of an instance: what costs
    as much already as the best end found so far is not followed. Of actions that are as good
    as each other the first is taken.

    Returns:
        A plan for each; None where there are too many states to go through.

    Raises:
        ValueError: Actions cannot be listed.
    """
    actions = all_actions(task.action_space)
    sign = -1.0 if task.higher_is_better else 1.0
    best = np.full(len(states), np.inf)
    owner, layers, count = np.arange(len(states)), [], 0
    frontier = states
    while len(frontier):
        count += len(frontier)
        if count > MOST_STATES:
            return None
        after = step_all(task, frontier, owner, actions)
        going = len(after.states)
        ended = sign * after.outcomes
        np.minimum.at(best, after.layouts[going:], ended)
        kept = _worth_following(task, after, best)
        number = np.full(going, -1)
        number[kept] = np.arange(len(kept))
        layers.append(_Layer(frontier, after.results, number, ended))
        frontier, owner = rows_at(after.states, kept), after.layouts[kept]
    values, choices = np.zeros(0), []
    for layer in reversed(layers):
        result = np.concatenate([np.append(values, np.inf)[layer.next], layer.ended])
        table = result[layer.results]
        choices.append(table.argmin(1))
        values = table.min(1)
    return _followed(task, actions, layers, choices[::-1], sign * values)


def _worth_following(task: Task[Any], after: Successors, best: NDArray[np.float64]) -> Ints:
    going = len(after.states)
    if task.higher_is_better or not going:
        return np.arange(going)
    return np.flatnonzero(task.outcome(after.states) < best[after.layouts[:going]])


def _followed(
    task: Task[Any],
    actions: Array,
    layers: list[_Layer],
    choices: list[Ints],
    outcomes: NDArray[np.float64],
) -> list[Plan]:
    """All plans at once, step by step."""
    seen: list[list[Array]] = [[] for _ in outcomes]
    done: list[list[Array]] = [[] for _ in outcomes]
    who, at = np.arange(len(outcomes)), np.arange(len(outcomes))
    for layer, choice in zip(layers, choices, strict=True):
        shown = task.observe(rows_at(layer.states, at))
        for place, owner in enumerate(who.tolist()):
            seen[owner].append(shown[place])
            done[owner].append(actions[choice[at[place]]])
        result = layer.results[at, choice[at]]
        goes_on = result < len(layer.next)
        who, at = who[goes_on], layer.next[result[goes_on]]
    return [
        Plan(float(outcome), np.array(shown), np.array(acted))
        for outcome, shown, acted in zip(outcomes, seen, done, strict=True)
    ]
