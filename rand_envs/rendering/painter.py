"""What the painter of a game must provide, and what it may."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array
from rand_envs.core.task import Task
from rand_envs.rendering.canvas import Canvas, Point
from rand_envs.rendering.heat import above_uniform, paint_marginals
from rand_envs.rendering.tally import FirstVisits, Outcomes, Tally

T = TypeVar("T", bound=Task[Any])

TEXT_WIDTH = 80
"""Characters in a line of text, where its parts are short enough."""


@dataclass(frozen=True)
class Hand:
    """What a person who plays is about to do.

    Attributes:
        draft: the action so far, of the action space's shape, flat.
        cursor: the entry of it that the keyboard changes; None where an action is one key.
    """

    draft: tuple[int, ...] = ()
    cursor: int | None = None


class Painter(ABC, Generic[T]):
    """Shows one instance of a game so far, as a picture and as text.

    What follows `lines` has defaults, and is for people who play and for windows that watch.

    Args:
        task: the rules.
        states: all states since the reset, each a structured array of shape (1,).
        actions: the actions between them, one fewer.
    """

    size: tuple[float, float]
    """Logical width and height of the picture."""
    hides: ClassVar[bool] = False
    """Whether it shows only what the player has seen where it has a `hand`."""
    hand: Hand | None = None
    """That of a person who plays; None for spectators, who see all."""
    keys: ClassVar[Mapping[str, int]] = {}
    """Actions by the keys that play them, such as "left"; by default digits."""
    sizes: ClassVar[Mapping[str, Any]] = {}
    """Arguments of the game at a size for people who play, where the default is not."""
    tally: ClassVar[type[Tally]] = Outcomes
    """What is counted over the instances that are watched."""

    def __init__(self, task: T, states: Sequence[Array], actions: Sequence[Array]) -> None:
        self.task = task
        self.states = states
        self.actions = [action.reshape(-1) for action in actions]
        self.state = states[-1][0]

    @property
    @abstractmethod
    def success(self) -> bool | None:
        """Whether the instance was a success; None before its end."""

    @property
    @abstractmethod
    def status(self) -> str:
        """What is going on, in a few words."""

    @abstractmethod
    def paint(self, canvas: Canvas) -> None:
        """Draw all below the header."""

    @abstractmethod
    def lines(self) -> list[str]:
        """The same facts as lines of text."""

    @property
    def question(self) -> str:
        """What the player has to decide, in a sentence."""
        return "Play an action"

    @property
    def is_free(self) -> bool:
        """Whether the next action changes nothing, so that any will do."""
        return False

    def picked(self, point: Point) -> int | None:
        """The action that a click plays, or the entry of it that it changes; None for neither."""
        return None

    @property
    def answer(self) -> str | None:
        """What the player answered, for a count of votes; None before."""
        return None

    def paint_weights(self, canvas: Canvas, layouts: Array, weights: NDArray[np.float64]) -> None:
        """Draw how probable layouts, (n,), are, below the header of a picture of this size."""
        paint_marginals(canvas, self.size, layouts, weights)


class BoardPainter(Painter[T]):
    """A painter of a game that is played on places, numbered from 0, of which layouts hurt one."""

    tally = FirstVisits

    @property
    @abstractmethod
    def visits(self) -> dict[int, int]:
        """The step, from 0, in which each place that was visited was so first."""

    @abstractmethod
    def places_of(self, layouts: Array) -> NDArray[np.int64]:
        """The place that each layout is about, (n,)."""

    @abstractmethod
    def paint_places(
        self, canvas: Canvas, shades: Mapping[int, float], texts: Mapping[int, str]
    ) -> None:
        """Draw the empty board, with places shaded from 0 to 1 and labelled."""

    def paint_weights(self, canvas: Canvas, layouts: Array, weights: NDArray[np.float64]) -> None:
        """Shade each place by the probability that the layout is about it."""
        total = np.bincount(self.places_of(layouts), weights).astype(np.float64)
        shades = dict(enumerate(above_uniform(total, int((total > 0).sum())).tolist()))
        texts = {place: f"{100 * share:.0f}%" for place, share in enumerate(total) if share > 0}
        self.paint_places(canvas, shades, texts)


def wrapped(parts: Sequence[str], separator: str = "") -> list[str]:
    """Join parts to lines of at most `TEXT_WIDTH` characters, at least one part a line."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(separator) + len(part) > TEXT_WIDTH:
            lines[-1] += separator.rstrip()
            lines.append(part)
        else:
            lines[-1] += separator + part
    return lines


def plural(count: int, noun: str) -> str:
    """The count and the noun: "1 step", "2 steps"."""
    return f"{count} {noun}{'s' * (count != 1)}"
