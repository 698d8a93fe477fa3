"""What the painter of a game must provide."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from rand_envs.core.arrays import Array
from rand_envs.core.task import Task
from rand_envs.rendering.canvas import Canvas

T = TypeVar("T", bound=Task[Any])

TEXT_WIDTH = 80
"""Characters in a line of text, where its parts are short enough."""


class Painter(ABC, Generic[T]):
    """Shows one instance of a game so far, as a picture and as text.

    Args:
        task: the rules.
        states: all states since the reset, each a structured array of shape (1,).
        actions: the actions between them, one fewer.
    """

    size: tuple[float, float]
    """Logical width and height of the picture."""

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
