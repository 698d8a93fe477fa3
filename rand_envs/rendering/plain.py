"""What is drawn of a game that has no painter of its own: what is seen and done, as text."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rand_envs.core.arrays import Array
from rand_envs.core.task import Task
from rand_envs.rendering.canvas import HEADER, MARGIN, Canvas
from rand_envs.rendering.colors import INK, MUTED
from rand_envs.rendering.painter import Painter, plural

LINES_SHOWN = 14
"""The newest so many lines stand in a picture."""
LINE_HEIGHT = 26.0
LONGEST = 60
"""Characters of an observation or an action, after which it is cut."""


class PlainPainter(Painter[Task[Any]]):
    """One line a step, what the player did and what it saw then; below, the state it is in."""

    hides = True

    def __init__(self, task: Task[Any], states: Sequence[Array], actions: Sequence[Array]) -> None:
        super().__init__(task, states, actions)
        self._seen = [task.observe(state)[0] for state in states]
        self._shown = min(LINES_SHOWN, task.max_steps + 1)
        self.size = (540.0, HEADER + (self._shown + 2.5) * LINE_HEIGHT)
        self._ended = False
        if len(actions):
            last = np.asarray(actions[-1])[None]
            self._ended = bool(task.step(states[-2], last).terminated[0])

    @property
    def success(self) -> bool | None:
        """Whether the instance was a success; None before its end."""
        return bool(self.task.success(self.states[-1])[0]) if self._ended else None

    @property
    def status(self) -> str:
        """How many steps were played, and the outcome at the end."""
        text = plural(len(self.actions), "step")
        if not self._ended:
            return text
        return f"{text}, {self.task.unit} {self.task.outcome(self.states[-1])[0]:g}"

    def lines(self) -> list[str]:
        """The first observation, then actions with what followed; and the state."""
        return [*self._steps(), self._bottom()]

    def _steps(self) -> list[str]:
        acted = [f"{step}: played {_short(a)}" for step, a in enumerate(self.actions, 1)]
        return [
            f"{before}saw {_short(seen)}"
            for before, seen in zip(["0: ", *(f"{a}, " for a in acted)], self._seen, strict=True)
        ]

    def _bottom(self) -> str:
        """The state, which a player does not see before the end: their draft instead."""
        if self.hand is None or self._ended:
            return self._state()
        return f"to be played: {_short(np.array(self.hand.draft))}" if self.hand.draft else ""

    def _state(self) -> str:
        names = self.state.dtype.names or ()
        return f"state: {', '.join(f'{name} {_short(self.state[name])}' for name in names)}"

    def paint(self, canvas: Canvas) -> None:
        """Write the newest lines, and the state at the bottom."""
        lines = self._steps()[-self._shown :]
        for place, line in enumerate(lines):
            color = INK if place == len(lines) - 1 else MUTED
            at = (MARGIN, HEADER + (place + 0.7) * LINE_HEIGHT)
            canvas.text(line, at, 20, color, "left", self.size[0] - 2 * MARGIN)
        at = (MARGIN, HEADER + (self._shown + 1.4) * LINE_HEIGHT)
        canvas.text(self._bottom(), at, 18, MUTED, "left", self.size[0] - 2 * MARGIN)


def _short(value: Array) -> str:
    """A value on one line."""
    values = np.asarray(value)
    single = values.ndim == 0 or values.shape == (1,)
    text = str(values.reshape(-1)[0]) if single else " ".join(map(str, values.reshape(-1)))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2]} …"
