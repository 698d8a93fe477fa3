"""Keys and clicks become actions: at once where an action is one key, else part by part."""

import math
from typing import Any

from rand_envs.core.arrays import Array
from rand_envs.core.task import Task
from rand_envs.rendering.canvas import Point
from rand_envs.rendering.keys import action_of, choices_of, entry_keys
from rand_envs.rendering.painter import Hand, Painter

LARGEST = 64
"""So many entries of an action can be typed."""
ARROWS = ("left", "right", "up", "down")


class Controls:
    """What a person is about to play.

    Args:
        task: The game.

    Raises:
        ValueError: Its actions cannot be typed.
    """

    def __init__(self, task: Task[Any]) -> None:
        self.task = task
        self._counts = choices_of(task) or []
        self._keys = entry_keys(task)
        if not self._counts or not self._keys or len(self._counts) > LARGEST:
            raise ValueError(
                f"{task.env_id} has actions of {task.action_space}, which keys cannot play"
            )
        self.begin()

    def begin(self) -> None:
        """Forget what was typed."""
        self._draft = [0] * len(self._counts)
        self._cursor = 0

    @property
    def is_single(self) -> bool:
        """Whether a key is an action."""
        return len(self._counts) == 1

    @property
    def num_actions(self) -> int:
        """How many different actions there are."""
        return math.prod(self._counts)

    def words(self, line: str) -> list[str]:
        """The keys that a line of text means: their names, beginnings of them, or characters."""
        keys: list[str] = []
        for word in line.lower().split():
            meant = [name for name in self._keys if name.startswith(word)]
            keys += [word] if word in self._keys else meant[:1] if len(meant) == 1 else list(word)
        return keys if self.is_single and keys else [*keys, "return"]

    @property
    def hand(self) -> Hand:
        """What painters show of it."""
        return Hand() if self.is_single else Hand(tuple(self._draft), self._cursor)

    def key(self, name: str, painter: Painter[Any]) -> Array | None:
        """The action that a key completes, if it does."""
        if painter.is_free:
            return self._played() if name in ("return", "space") else None
        value = self._keys.get(name)
        if self.is_single:
            is_legal = value is not None and value < self._counts[0]
            return action_of(self.task, (int(value or 0),)) if is_legal else None
        if name == "return":
            return self._played()
        if value is not None and value < self._counts[self._cursor]:
            self._draft[self._cursor] = value
        if value is not None or name in ("right", "tab", "space"):
            self._cursor = min(self._cursor + 1, len(self._draft) - 1)
        elif name in ("left", "backspace"):
            self._cursor = max(self._cursor - 1, 0)
        return None

    def click(self, point: Point, painter: Painter[Any]) -> Array | None:
        """The action that a click at a point of the picture is, if it is one."""
        if painter.is_free:
            return self._played()
        picked = painter.picked(point)
        if picked is None:
            return None
        if self.is_single:
            return action_of(self.task, (picked,))
        self._cursor = picked
        self._draft[picked] = (self._draft[picked] + 1) % self._counts[picked]
        return None

    def help(self) -> list[tuple[str, str]]:
        """The keys, and what they do."""
        names = list(self._keys)
        shown = names[0] if len(names) == 1 else f"{names[0]}–{names[-1]}"
        if set(names) <= set(ARROWS):
            shown = "arrows"
        if self.is_single:
            return [(shown, "play"), ("Enter", "go on")]
        return [(shown, "set"), ("left", "back"), ("Enter", "play it")]

    def _played(self) -> Array:
        action = action_of(self.task, tuple(self._draft))
        self.begin()
        return action
