"""The promises of the rules, on instances that random actions play."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from rand_envs.core.arrays import Array
from rand_envs.core.check_task.calls import Watched, described, need, same
from rand_envs.core.check_task.rules import Rules, check_outcome
from rand_envs.core.task import Task

NUM_INSTANCES = 8
"""So many instances are played side by side."""
MAX_MOVES = 500
"""So many different actions are drawn for an instance; longer games play them again."""
MAX_STEPS = 10_000
"""So many steps of an instance are played at most."""
ROUNDING = 1e-6
"""Relative difference that may be between an instance alone and one among others."""

Record = dict[str, Any]
"""What one call of a rule said of one instance, by the name of the method."""


def check_play(task: Task[Any], twin: Task[Any], name: str) -> None:
    """Play a batch; play it in another order, one by one, by its twin, and by standing still.

    Args:
        task: the task.
        twin: the one that its config builds.
        name: what the task is called in sentences.

    Raises:
        ValueError: a rule breaks a promise.
    """
    layouts = task.layout_space.sample(np.random.default_rng(2), NUM_INSTANCES)
    moves = _random_moves(task)
    rules = Rules(task, name, watched=True)
    stories = play(rules, layouts, moves, name)
    _check_best(task, layouts, stories, name)

    order = np.random.default_rng(3).permutation(NUM_INSTANCES)
    plain = Rules(task, name)
    shuffled = play(plain, layouts[order], [move[order] for move in moves], name)
    for i, story in zip(order.tolist(), shuffled, strict=True):
        _check_same(stories[i], story, name, "in another order of the batch")
    for i in range(NUM_INSTANCES):
        row = slice(i, i + 1)
        (alone,) = play(plain, layouts[row], [move[row] for move in moves], name)
        _check_same(stories[i], alone, name, "alone")
    for ours, theirs in zip(stories, play(Rules(twin, name), layouts, moves, name), strict=True):
        _check_same(ours, theirs, name, f"in the task that {name}(**config) builds")
    play(rules, layouts, _still_moves(task), name)


def play(rules: Rules, layouts: Array, moves: Sequence[Array], name: str) -> list[list[Record]]:
    """Play each instance to its end; ValueError if one goes on after `max_steps`.

    Of longer ones the first `MAX_STEPS` steps are played.

    Args:
        rules: those of the task.
        layouts: shape (n,).
        moves: actions of shape (n, *action_space.shape), step after step, round and round.
        name: what the task is called in sentences.

    Returns:
        For each instance what the rules said of it.
    """
    stories: list[list[Record]] = [[] for _ in layouts]
    state = rules.initial(layouts)
    going = np.arange(len(layouts))
    _tell(stories, going, {"initial": state} | rules.seen(state))
    for step in range(min(rules.task.max_steps, MAX_STEPS)):
        after = rules.step(state, moves[step % len(moves)][going])
        said = {"step": after.state, "step's reward": after.reward}
        said |= {"step's terminated": after.terminated} | rules.seen(after.state)
        _tell(stories, going, said)
        over = after.terminated
        if over.any():
            _tell(stories, going[over], rules.ended(after.state[over]))
        state, going = after.state[~over], going[~over]
        if not len(going):
            return stories
    if rules.task.max_steps > MAX_STEPS:
        return stories
    raise ValueError(
        f"{name}.step must end every instance within max_steps = {rules.task.max_steps} steps, "
        f"and {len(going)} of {len(layouts)} went on"
    )


def _tell(stories: list[list[Record]], rows: Array, said: Record) -> None:
    for place, row in enumerate(rows.tolist()):
        stories[row].append({key: values[place] for key, values in said.items()})


def _check_same(ours: list[Record], theirs: list[Record], name: str, where: str) -> None:
    for our, their in zip(ours, theirs, strict=False):
        for key in our:
            need(
                key in their and same(our[key], their[key], ROUNDING),
                f"{name}.{key} must depend on nothing but an instance's own layout and actions, "
                f"and is otherwise {where}",
            )
    need(len(ours) == len(theirs), f"{name}.step must end an instance as early {where}")


def _check_best(task: Task[Any], layouts: Array, stories: list[list[Record]], name: str) -> None:
    best = Watched(task, name)("best_outcome", layouts)
    if best is None:
        return
    where = f"{name}.best_outcome"
    fits = isinstance(best, np.ndarray) and best.shape == layouts.shape and best.dtype.kind == "f"
    need(fits, f"{where} must be None or floats of shape {layouts.shape}, got {described(best)}")
    check_outcome(task, best, where)
    ended = np.array(["outcome" in story[-1] for story in stories])
    outcomes = [story[-1]["outcome"] for story in stories if "outcome" in story[-1]]
    check_not_beaten(task, best[ended], np.array(outcomes), name)


def check_not_beaten(task: Task[Any], best: Array, outcome: Array, name: str) -> None:
    """ValueError if an outcome, shape (n,), is better than the best there can be, (n,)."""
    if not len(best):
        return
    gain = outcome - best if task.higher_is_better else best - outcome
    need(
        (gain <= ROUNDING * (1 + np.abs(best))).all(),
        f"{name}.best_outcome must be what nobody beats, and where it is "
        f"{best[gain.argmax()]:g}, an outcome of {outcome[gain.argmax()]:g} was reached",
    )


def _random_moves(task: Task[Any]) -> list[Array]:
    space = deepcopy(task.action_space)
    space.seed(0)
    return [
        np.stack([space.sample() for _ in range(NUM_INSTANCES)])
        for _ in range(min(task.max_steps, MAX_MOVES))
    ]


def _still_moves(task: Task[Any]) -> list[Array]:
    """The same action at every step, as of a player that stands still."""
    space = deepcopy(task.action_space)
    space.seed(1)
    return [np.stack([space.sample()] * NUM_INSTANCES)]
