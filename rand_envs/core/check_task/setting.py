"""The promises of a setting: its id, unit, spaces and length, and a config that rebuilds it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import parse_env_id
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

from rand_envs.core.arrays import shown
from rand_envs.core.check_task.calls import attempt, is_whole, need
from rand_envs.core.layouts.space import LayoutSpace
from rand_envs.core.task import Task

SPACES = Box | Discrete | MultiDiscrete | MultiBinary


def check_attributes(task: Task[Any], name: str) -> None:
    """Check what a task is known by; ValueError says what is missing or wrong."""
    kinds: list[tuple[str, str, Callable[[Any], bool]]] = [
        ("env_id", 'a string of the form "Name-v0"', _is_id),
        ("unit", 'a string, "success", "return" or that of a cost', _is_word),
        ("max_steps", "a whole number of at least 1", _is_count),
        ("wrong_answers", "a whole number of at least 1", _is_count),
        ("layout_space", "a LayoutSpace", lambda x: isinstance(x, LayoutSpace)),
        ("observation_space", "a Box, Discrete, MultiDiscrete or MultiBinary", _is_space),
        ("action_space", "a Box, Discrete, MultiDiscrete or MultiBinary", _is_space),
        ("outcome_range", "the least and the largest outcome", _is_range),
        ("players", "a dictionary of players by their names", _is_named),
    ]
    for attribute, legal, holds in kinds:
        need(hasattr(task, attribute), f"{name}.{attribute} must be {legal}, and is missing")
        value = getattr(task, attribute)
        need(holds(value), f"{name}.{attribute} must be {legal}, got {shown(value)}")


def check_config(task: Task[Any], name: str) -> Task[Any]:
    """Check that `type(task)(**config)` is an equal task; return it.

    Raises:
        ValueError: the config is no JSON, builds none, or builds another one.
    """
    config = attempt(f"{name}.config", "must be a dictionary", lambda: task.config)
    written = attempt(f"{name}.config", "must be JSON-ready", lambda: json.dumps(config))
    need(
        isinstance(config, dict) and json.loads(written) == config,
        f"{name}.config must be a dictionary that is the same after JSON, got {shown(config)}",
    )
    build = f"{name}(**config)"
    twin: Task[Any] = attempt(build, "must build an equal task", lambda: type(task)(**config))
    for attribute in ("config", "unit", "max_steps", "observation_space", "action_space"):
        ours, theirs = getattr(task, attribute), getattr(twin, attribute)
        need(
            ours == theirs,
            f"{build} must build an equal task, and builds one whose {attribute} is "
            f"{shown(theirs)} instead of {shown(ours)}",
        )
    space, other = task.layout_space, twin.layout_space
    need(
        space.matches(other) and other.matches(space),
        f"{build} must build an equal task, and builds one whose layout_space does not match",
    )
    return twin


def _is_id(value: Any) -> bool:
    try:
        return isinstance(value, str) and parse_env_id(value)[2] is not None
    except gym.error.Error:
        return False


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_count(value: Any) -> bool:
    return is_whole(value) and int(value) >= 1


def _is_named(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _is_space(value: Any) -> bool:
    return isinstance(value, SPACES)


def _is_range(value: Any) -> bool:
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    if not all(isinstance(end, int | float | np.number) for end in value):
        return False
    low, high = map(float, value)
    return low <= high
