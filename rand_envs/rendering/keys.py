"""Which keys play which actions of a game."""

import math
import string
from typing import Any

import numpy as np
import pygame
from gymnasium.spaces import Discrete, MultiBinary, MultiDiscrete

from rand_envs.core.arrays import Array
from rand_envs.core.task import Task, resolved

CHARACTERS = string.digits + string.ascii_lowercase
"""Keys of actions that have no names, in order."""


def choices_of(task: Task[Any]) -> list[int] | None:
    """How many values each entry of an action has, flat; None where they are no whole numbers."""
    space = task.action_space
    if isinstance(space, Discrete):
        return [int(space.n)]
    if isinstance(space, MultiBinary):
        return [2] * math.prod(space.shape)
    if isinstance(space, MultiDiscrete):
        return [int(count) for count in space.nvec.reshape(-1)]
    return None


def action_of(task: Task[Any], draft: tuple[int, ...]) -> Array:
    """The action of a draft, entries from 0, in the shape and the type of the action space."""
    space: Any = task.action_space
    start = np.asarray(getattr(space, "start", 0))
    action: Array = (np.array(draft).reshape(space.shape) + start).astype(space.dtype)
    return action


def entry_keys(task: Task[Any]) -> dict[str, int]:
    """The keys of the values of one entry, from 0: those that the painter names, or characters.

    Empty where there are more values than keys.
    """
    painter: Any = None if task.painter is None else resolved(task.painter)
    named = {} if painter is None else dict(painter.keys)
    most = max(choices_of(task) or [len(CHARACTERS) + 1])
    return named or (
        {} if most > len(CHARACTERS) else dict(zip(CHARACTERS, range(most), strict=False))
    )


def key_codes(task: Task[Any]) -> dict[tuple[int, ...], Any]:
    """Whole actions by pygame's codes of single keys, numbered where they have several entries.

    Raises:
        ValueError: there are more actions than keys.
    """
    counts = choices_of(task)
    if counts is None or math.prod(counts) > len(CHARACTERS):
        kind = "" if counts is None else f"{math.prod(counts):,} different "
        raise ValueError(
            f"{task.env_id} has {kind}actions of {task.action_space}, more than keys: "
            f"python -m rand_agents play {task.env_id} takes them part by part"
        )
    if len(counts) == 1 and isinstance(task.action_space, Discrete):
        keys = entry_keys(task)
        return {(_code(name),): action_of(task, (value,))[()] for name, value in keys.items()}
    every = np.ndindex(*counts)
    return {
        (_code(name),): action_of(task, draft)
        for name, draft in zip(CHARACTERS, every, strict=False)
    }


def _code(name: str) -> int:
    code: int = getattr(pygame, f"K_{name if len(name) == 1 else name.upper()}")
    return code
