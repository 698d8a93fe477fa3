"""Layout sources in the JSON of a trainer's file, and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rand_envs.adversaries.found import Found
from rand_envs.adversaries.sources import Hedge, WorstFor
from rand_envs.core.arrays import Array, Json, shown, whole_number
from rand_envs.core.layouts.space import L, LayoutSpace
from rand_envs.core.sources import Fixed, LayoutSource, Sweep, Uniform

KINDS: dict[str, Any] = {
    kind.__name__: kind for kind in (Uniform, Fixed, Sweep, WorstFor, Hedge, Found)
}
"""Sources whose whole state is their JSON. Of others a file holds the name alone."""


class Missing(LayoutSource[L]):
    """Stands for a source of somebody's, which a file names but cannot hold."""

    def __init__(self, space: LayoutSpace[L], name: str) -> None:
        super().__init__(space)
        self.name = name

    def draw(self, rngs: Sequence[np.random.Generator], env_ids: ArrayLike) -> Array:
        """Nothing can be drawn: ValueError."""
        raise ValueError(self.why)

    @property
    def why(self) -> str:
        """What is missing, and how it is given."""
        return (
            f"the agent was trained on layouts of {self.name}, which its file cannot hold: load it "
            "with env=, an environment that was made with layouts=, that source"
        )


def stored(source: LayoutSource[Any] | None) -> Json | None:
    """A source as JSON; None for none."""
    if source is None:
        return None
    if isinstance(source, Missing):
        return {"source": source.name, "is_missing": True}
    name = type(source).__name__
    if KINDS.get(name) is not type(source):
        return {"source": name, "is_missing": True}
    when = {"learn_every": source.learn_every, "learn_from": source.learn_from}
    state: Json = KINDS[name].to_json(source)
    return state | when


def restored(space: LayoutSpace[L], data: Json) -> LayoutSource[L]:
    """The source that `stored` described; ValueError if the data are of none."""
    name = data.get("source")
    if data.get("is_missing") is True:
        return Missing(space, str(name))
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"a stored source must be one of {', '.join(KINDS)}, got {shown(name)}")
    source: LayoutSource[L]
    try:
        source = KINDS[name].from_json(space, data)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"the data do not describe a {name} source: {error!r}") from error
    # Only a trainer's file says when it learned.
    for when, least in (("learn_every", 1), ("learn_from", 0)):
        setattr(source, when, whole_number(when, data.get(when, getattr(source, when)), least))
    return source
