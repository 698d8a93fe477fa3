"""Adversaries back from the JSON that a trainer's file holds."""

from typing import Any

from rand_envs.adversaries.found import Found
from rand_envs.adversaries.sources import Adversary, Hedge, WorstFor
from rand_envs.core.arrays import Json
from rand_envs.core.layouts.space import L, LayoutSpace


def restored(space: LayoutSpace[L], data: Json) -> Adversary[L]:
    """The adversary that its `to_json` described; ValueError if the data are of none."""
    kinds: dict[str, type[Adversary[Any]]] = {
        kind.__name__: kind for kind in (WorstFor, Hedge, Found)
    }
    name = data.get("source")
    if name not in kinds:
        raise ValueError(f"a stored adversary must be one of {', '.join(kinds)}, got {name!r}")
    source = kinds[name].from_json(space, data)
    # Only a trainer's file says when it learned.
    source.learn_every = data.get("learn_every", source.learn_every)
    source.learn_from = data.get("learn_from", source.learn_from)
    return source
