"""Adversaries back from the JSON that a trainer's file holds."""

from typing import Any

from rand_envs.adversaries.found import Found
from rand_envs.adversaries.sources import Adversary, Hedge, WorstFor
from rand_envs.core.arrays import Json, whole_number
from rand_envs.core.layouts.space import L, LayoutSpace


def restored(space: LayoutSpace[L], data: Json) -> Adversary[L]:
    """The adversary that its `to_json` described; ValueError if the data are of none."""
    kinds: dict[str, type[Adversary[Any]]] = {
        kind.__name__: kind for kind in (WorstFor, Hedge, Found)
    }
    name = data.get("source")
    if not isinstance(name, str) or name not in kinds:
        raise ValueError(f"a stored adversary must be one of {', '.join(kinds)}, got {name!r}")
    try:
        source = kinds[name].from_json(space, data)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"the data do not describe a {name} source: {error!r}") from error
    # Only a trainer's file says when it learned.
    for when, least in (("learn_every", 1), ("learn_from", 0)):
        setattr(source, when, whole_number(when, data.get(when, getattr(source, when)), least))
    return source
