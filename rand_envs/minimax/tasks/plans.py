"""What one who knows the layout does best from some state on, by going through all that follow."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, rows_at
from rand_envs.core.task import Task
from rand_envs.minimax.tasks.limits import TooLarge, all_actions
from rand_envs.minimax.tasks.successors import step_all

Ints = NDArray[np.int64]

MOST_STEPS = 1 << 16
"""How many actions in different states a plan goes through at most."""


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
    where that is left out; `ended` is what the others cost.
    """

    states: Array
    results: Ints
    next: Ints
    ended: NDArray[np.float64]


def plans(task: Task[Any], states: Array) -> list[Plan | None]:
    """Plan from each of some states, none of them over, shape (n,).

    Where a task's outcomes add up, what costs as much already as the best end found so far is
    not followed. Of actions that are as good as each other the first is taken.

    Returns:
        A plan for each, whatever the others are; None where there are too many states or actions
        to go through.

    Raises:
        ValueError: The action space is not of integers or bits.
    """
    try:
        actions = all_actions(task.action_space)
    except TooLarge:
        return [None] * len(states)
    sign = -1.0 if task.higher_is_better else 1.0
    layers, is_planned = _layers(task, states, actions, sign)
    values, choices = np.zeros(0), []
    for layer in reversed(layers):
        result = np.concatenate([np.append(values, np.inf)[layer.next], layer.ended])
        table = result[layer.results]
        choices.append(table.argmin(1))
        values = table.min(1)
    return _followed(
        task, actions, layers, choices[::-1], np.where(is_planned, sign * values, np.nan)
    )


def _layers(
    task: Task[Any], states: Array, actions: Array, sign: float
) -> tuple[list[_Layer], NDArray[np.bool_]]:
    """All states that follow, without those that cost too much already where outcomes add up.

    And from which of the first states they are not too many.
    """
    best, most = np.full(len(states), np.inf), MOST_STEPS // len(actions)
    owner, counts = np.arange(len(states)), np.ones(len(states), np.int64)
    layers: list[_Layer] = []
    frontier = states
    while len(frontier):
        after = step_all(task, frontier, owner, actions)
        going = len(after.states)
        kept = np.arange(going)
        ended = sign * after.outcomes
        if task.adds_up and going:
            np.minimum.at(best, after.layouts[going:], ended)
            kept = np.flatnonzero(task.outcome(after.states) < best[after.layouts[:going]])
        counts += np.bincount(after.layouts[kept], minlength=len(counts))
        kept = kept[counts[after.layouts[kept]] <= most]
        number = np.full(going, -1)
        number[kept] = np.arange(len(kept))
        layers.append(_Layer(frontier, after.results, number, ended))
        frontier, owner = rows_at(after.states, kept), after.layouts[kept]
    return layers, counts <= most


def _followed(
    task: Task[Any],
    actions: Array,
    layers: list[_Layer],
    choices: list[Ints],
    outcomes: NDArray[np.float64],
) -> list[Plan | None]:
    """All plans at once, step by step; none where there is no outcome."""
    seen: list[list[Array]] = [[] for _ in outcomes]
    done: list[list[Array]] = [[] for _ in outcomes]
    who = np.flatnonzero(~np.isnan(outcomes))
    at = who
    for layer, choice in zip(layers, choices, strict=True):
        if not len(who):
            break
        shown = task.observe(rows_at(layer.states, at))
        for place, owner in enumerate(who.tolist()):
            seen[owner].append(shown[place])
            done[owner].append(actions[choice[at[place]]])
        result = layer.results[at, choice[at]]
        goes_on = result < len(layer.next)
        who, at = who[goes_on], layer.next[result[goes_on]]
    return [
        Plan(float(outcome), np.array(shown), np.array(acted)) if acted else None
        for outcome, shown, acted in zip(outcomes, seen, done, strict=True)
    ]
