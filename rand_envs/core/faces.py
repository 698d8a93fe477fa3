"""What the two faces of a task share: what they remember, tell and draw."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from rand_envs.core.arrays import Array
from rand_envs.core.task import Task, as_json


class History:
    """States, each of shape (1,), and the actions between them, since the last reset."""

    def __init__(self, states: list[Array] | None = None) -> None:
        self.states: list[Array] = states or []
        self.actions: list[Array] = []


def started(value: Array | None) -> Array:
    """What there is from the first reset on."""
    if value is None:
        raise ResetNeeded("no instance was started: call reset() first")
    return value


def first_of(facts: dict[str, Array]) -> dict[str, Any]:
    """Facts of a batch of one as plain Python values."""
    return {key: values.item() for key, values in facts.items()}


def infos_of(facts: dict[str, Array], mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Facts of the sub-environments under the mask, in the form of a vector environment."""
    infos: dict[str, Any] = {}
    given = mask.copy()
    for key, values in facts.items():
        infos[key] = values
        if len(values) < len(mask):
            infos[key] = np.zeros(len(mask), values.dtype)
            infos[key][mask] = values
        infos[f"_{key}"] = given
    return infos


def draw(task: Task[Any], mode: str, past: History, for_player: bool = False) -> Any:
    """A picture of an instance so far, or a text; all of it, or what its player has seen."""
    # Imported here so that the environments work where there is no pygame.
    from rand_envs import rendering

    started(past.states[0] if past.states else None)
    view: dict[str, Any] = {"hand": rendering.Hand()} if for_player else {}
    if mode == "ansi":
        return rendering.render_text(task, past.states, past.actions, **view)
    return rendering.render_frame(task, past.states, past.actions, **view)


def plain_spec(spec: EnvSpec | None) -> EnvSpec | None:
    """The same specification with arguments that can be written as JSON, where that is possible."""
    if spec is None:
        return None
    plain = copy.copy(spec)
    plain.kwargs = {name: _plain(value) for name, value in spec.kwargs.items()}
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(map(_plain, value)) if type(value) in (tuple, list) else value
    return as_json(value) if isinstance(value, np.ndarray | np.generic) else value
