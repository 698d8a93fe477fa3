"""What a task names beside its rules: a painter, players, a game value."""

from copy import deepcopy
from importlib.util import find_spec
from typing import Any

import numpy as np

from rand_envs.core.arrays import Array, shown
from rand_envs.core.check_task.calls import attempt, described, need, told
from rand_envs.core.check_task.play import check_not_beaten
from rand_envs.core.check_task.rules import check_outcome
from rand_envs.core.player import Play
from rand_envs.core.task import GameValue, Task, resolved

NUM_LAYOUTS, NUM_SEEDS = 6, 4
"""So many layouts and seeds players play."""


def check_painter(task: Task[Any], name: str) -> None:
    """Draw the first frame and the one after an action, where pygame can be imported.

    Raises:
        ValueError: the painter cannot be found, or it raises.
    """
    if find_spec("pygame") is None:
        return
    # Here, so that tasks can be checked where there is no pygame.
    from rand_envs.rendering import Hand, render_frame, render_text

    where = f"{name}.painter"
    if task.painter is not None:
        attempt(where, "must be a Painter, or name one as module:name", resolved, task.painter)
    first = task.initial(task.layout_space.sample(np.random.default_rng(4), 1))
    action = _an_action(task)
    states = [first, task.step(first, action[None]).state]
    for steps in (0, 1):
        played = task, states[: steps + 1], [action][:steps]
        attempt(where, f"must draw an instance after {steps} steps", render_frame, *played)
        attempt(where, f"must describe an instance after {steps} steps", render_text, *played)
        view = *played, None, None, Hand()
        attempt(where, f"must draw what a player sees after {steps} steps", render_frame, *view)


def check_players(task: Task[Any], name: str) -> None:
    """Let each player play; one that is not made for this task (ValueError) is left out.

    Raises:
        ValueError: a player cannot be found or raises, or its outcomes are not legal.
    """
    rng = np.random.default_rng(5)
    layouts = task.layout_space.sample(rng, NUM_LAYOUTS)
    for label, named in task.players.items():
        where = f"{name}.players[{label!r}]"
        make = attempt(where, "must be a function of the task, or name one", resolved, named)
        try:
            player = make(task)
        except ValueError:
            continue
        except Exception as error:
            raise ValueError(
                f"{where} must make a player of the task, and raised {told(error)}"
            ) from error
        seeds = attempt(
            f"{where}.draw_seeds", "must draw seeds", lambda p: p.draw_seeds(rng, NUM_SEEDS), player
        )
        need(
            isinstance(seeds, np.ndarray) and len(seeds) == NUM_SEEDS,
            f"{where}.draw_seeds must give an array of {NUM_SEEDS} seeds, got {described(seeds)}",
        )
        played = attempt(
            f"{where}.play", "must play", lambda p, s: p.play(layouts, s), player, seeds
        )
        _check_played(task, layouts, played, name, f"{where}.play")


def _check_played(task: Task[Any], layouts: Array, played: Any, name: str, where: str) -> None:
    need(isinstance(played, Play), f"{where} must give a Play, got {described(played)}")
    shape = (NUM_LAYOUTS, NUM_SEEDS)
    need(
        np.shape(played.outcome) == shape,
        f"{where} must give outcomes of shape {shape}, got {described(played.outcome)}",
    )
    check_outcome(task, played.outcome, f"the outcome of {where}")
    for part, fits in (
        ("answer", played.answer is None or np.shape(played.answer) == shape),
        ("output", np.shape(played.output)[:2] == shape and np.ndim(played.output) == 3),
    ):
        need(fits, f"{where} must give an {part} as Play says, of shape {shape} and more")
    best = task.best_outcome(layouts)
    if best is not None:
        for outcome in played.outcome.T:
            check_not_beaten(task, best, outcome, name)


def check_value(task: Task[Any], name: str) -> None:
    """ValueError unless the game value is unknown, or a number that an outcome can be."""
    where = f"{name}.known_value"
    value = attempt(where, "must give a GameValue or None", task.known_value)
    if value is None:
        return
    need(isinstance(value, GameValue), f"{where} must be a GameValue or None, got {shown(value)}")
    need(
        value.kind in ((None,) if value.value is None else ("exact", "bound")),
        f"{where} must be of the kind exact or bound, or None where it is not known, got "
        f"{shown(value)}",
    )
    if value.value is not None:
        check_outcome(task, np.array(value.value), where)


def _an_action(task: Task[Any]) -> Array:
    space = deepcopy(task.action_space)
    space.seed(0)
    return np.asarray(space.sample())
