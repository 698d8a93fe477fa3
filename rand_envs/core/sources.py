"""Layout sources: who picks the layout of each new instance.

A source is one object that all sub-environments of an experiment may share.  It is
asked at every reset, autoresets included, so what it decides persists.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Union

import numpy as np
from numpy.typing import ArrayLike

from rand_envs.core.arrays import Array, Json, shown, whole_number
from rand_envs.core.layouts.space import L, Layout, LayoutSpace
from rand_envs.core.player import Player


class LayoutSource(ABC, Generic[L]):
    """Picks layouts of one space.

    A source knows neither the actions nor the random seeds of a policy: the adversary
    is oblivious.
    """

    learn_every: int = 50
    """How many updates a trainer does before it lets the source learn again."""
    learn_from: int = 0
    """How many updates it does before it lets the source learn for the first time."""

    def __init__(self, space: LayoutSpace[L]) -> None:
        self.space = space

    def learn(self, player: Player) -> None:
        """Adapt to a player, by playing it on seeds of the source's own; most sources do not.

        A trainer that draws its layouts from the source calls this after `learn_from` updates, so
        at once if that is 0, and every `learn_every` updates from then on.
        """

    @abstractmethod
    def draw(self, rngs: Sequence[np.random.Generator], env_ids: ArrayLike) -> Array:
        """Pick a layout for each sub-environment that starts a new instance.

        Args:
            rngs: the generator of each such sub-environment, n in all.
            env_ids: their indices, shape (n,), in increasing order; 0 for a lone environment.

        Returns:
            n layouts, a structured array of shape (n,).
        """

    def batch(self, rng: np.random.Generator, n: int, stratified: bool = False) -> Array:
        """Pick the layouts of a trainer's update, shape (n,).

        Args:
            rng: the trainer's generator.
            n: how many.
            stratified: whether random ones are drawn evenly, see `LayoutSpace.sample_stratified`.
        """
        return self.draw([rng] * n, np.arange(n))


class Uniform(LayoutSource[L]):
    """Draws every layout from the space's own distribution, by the environment's generator."""

    def to_json(self) -> Json:
        """Its kind, which is all there is to it."""
        return {"source": "Uniform"}

    @classmethod
    def from_json(cls, space: LayoutSpace[L], data: Json) -> "Uniform[L]":
        """The source that `to_json` described."""
        return cls(space)

    def draw(self, rngs: Sequence[np.random.Generator], env_ids: ArrayLike) -> Array:
        """Pick a layout by each generator, shape (len(rngs),)."""
        return self.space.sample_each(rngs)


class Fixed(LayoutSource[L]):
    """Always gives the same layout: sub-environment i gets `layouts[i % len(layouts)]`.

    Args:
        space: the space the layouts belong to.
        layouts: one layout, or a sequence of them.

    Raises:
        ValueError: a layout is not legal, or there is none.
    """

    def __init__(
        self,
        space: LayoutSpace[L],
        layouts: L | Mapping[str, Any] | Sequence[L | Mapping[str, Any]],
    ) -> None:
        super().__init__(space)
        self._layouts = space.pack(_listed(layouts))
        if len(self._layouts) == 0:
            raise ValueError("layouts must hold at least one layout, got an empty sequence")

    def draw(self, rngs: Sequence[np.random.Generator], env_ids: ArrayLike) -> Array:
        """Give each sub-environment its own layout, shape (len(rngs),)."""
        chosen: Array = self._layouts[np.asarray(env_ids) % len(self._layouts)]
        return chosen

    def to_json(self) -> Json:
        """The layouts."""
        layouts = [layout.to_json() for layout in self.space.unpack(self._layouts)]
        return {"source": "Fixed", "layouts": layouts}

    @classmethod
    def from_json(cls, space: LayoutSpace[L], data: Json) -> "Fixed[L]":
        """The source that `to_json` described."""
        return cls(space, data["layouts"])


class Sweep(LayoutSource[L]):
    """Gives all layouts of the space in turn, then starts again.

    The cursor is shared by all sub-environments, and pickled with the source.

    Raises:
        ValueError: the space is too large to be listed.
    """

    def __init__(self, space: LayoutSpace[L]) -> None:
        super().__init__(space)
        self._layouts = space.enumerate()
        self._cursor = 0

    def draw(self, rngs: Sequence[np.random.Generator], env_ids: ArrayLike) -> Array:
        """Give the next len(rngs) layouts of the sweep."""
        turns = self._cursor + np.arange(len(rngs))
        self._cursor = (self._cursor + len(rngs)) % len(self._layouts)
        chosen: Array = self._layouts[turns % len(self._layouts)]
        return chosen

    def restart(self) -> None:
        """Make the next layout the first one."""
        self._cursor = 0

    def to_json(self) -> Json:
        """Which layout is next."""
        return {"source": "Sweep", "cursor": self._cursor}

    @classmethod
    def from_json(cls, space: LayoutSpace[L], data: Json) -> "Sweep[L]":
        """The source that `to_json` described."""
        source = cls(space)
        last = len(source._layouts) - 1
        source._cursor = whole_number("the cursor of a sweep", data["cursor"], 0, last)
        return source


# mypy takes no type variable on its own in an alias written with `|`.
LayoutsArgument = Union[  # noqa: UP007
    LayoutSource[L], L, Mapping[str, Any], Sequence[L | Mapping[str, Any]], None
]
"""What an environment takes as `layouts`: see `as_source`."""


def as_source(
    layouts: LayoutsArgument[L], space: LayoutSpace[L], num_envs: int | None = None
) -> LayoutSource[L]:
    """Turn the `layouts` argument of an environment into a source.

    Args:
        layouts: None for `Uniform`; one layout, or a sequence with one per sub-environment,
            for `Fixed`; or a source, which is returned as it is.
        space: the layout space of the environment's task.
        num_envs: where given, a sequence must have this length.

    Raises:
        ValueError: the source is for another space, a layout is not legal, or the sequence
            has the wrong length.
    """
    if layouts is None:
        return Uniform(space)
    if isinstance(layouts, LayoutSource):
        if not space.matches(layouts.space):
            raise ValueError(
                f"the layout source must be for the layouts of the environment, {space!r}, and is "
                f"for others, {layouts.space!r}"
            )
        return layouts
    return Fixed(space, _listed(layouts, num_envs))


def pack_for(
    num_envs: int,
    layouts: L | Mapping[str, Any] | Sequence[L | Mapping[str, Any]],
    space: LayoutSpace[L],
) -> Array:
    """Pack one layout for all sub-environments, or one for each, shape (num_envs,).

    Raises:
        ValueError: a layout is not legal, or the sequence has the wrong length.
    """
    packed = space.pack(_listed(layouts, num_envs))
    return np.resize(packed, num_envs)


def _listed(
    layouts: L | Mapping[str, Any] | Sequence[L | Mapping[str, Any]], num_envs: int | None = None
) -> Sequence[L | Mapping[str, Any]]:
    if isinstance(layouts, Layout | Mapping):
        return [layouts]
    if isinstance(layouts, str | bytes) or not isinstance(layouts, Sequence):
        raise ValueError(f"layouts must be a layout or a sequence of layouts, got {shown(layouts)}")
    if num_envs is not None and len(layouts) != num_envs:
        raise ValueError(
            f"layouts must be one layout, or one for each of the {num_envs} environments, "
            f"got {len(layouts)}"
        )
    return layouts
