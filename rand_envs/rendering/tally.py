"""What is counted over the instances that somebody watches: outcomes, votes, first visits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar

from rand_envs.core.task import Task
from rand_envs.rendering.canvas import HEADER, MARGIN, Canvas
from rand_envs.rendering.colors import BLUE, FAINT, INK, MUTED, RIGHT, WRONG, Color

if TYPE_CHECKING:
    from rand_envs.rendering.painter import Painter

WIDTH, HEIGHT = 540.0, 420.0
MOST_BARS = 8
"""So many lines of bars there are at most."""


class Tally(ABC):
    """Counts over instances, and draws what it counted."""

    title: ClassVar[str]
    of_one_layout: ClassVar[bool] = False
    """Whether it begins anew where another layout is played."""
    size: tuple[float, float] = (WIDTH, HEIGHT)

    def __init__(self, task: Task[Any]) -> None:
        self.task = task

    def copied(self) -> Tally:
        """The same counts, to go on from."""
        other = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Counter):
                setattr(other, name, value.copy())
        return other

    @abstractmethod
    def add(self, painter: Painter[Any]) -> None:
        """Count an instance, as far as it was played."""

    @property
    @abstractmethod
    def remark(self) -> str:
        """What was counted, in a few words."""

    @abstractmethod
    def paint(self, canvas: Canvas) -> None:
        """Draw the counts below the header."""


class Outcomes(Tally):
    """How often each outcome came up."""

    title = "Outcomes"

    def __init__(self, task: Task[Any]) -> None:
        super().__init__(task)
        self._counts: Counter[float] = Counter()

    def add(self, painter: Painter[Any]) -> None:
        """Count the outcome of an instance that has ended."""
        if painter.success is not None:
            self._counts[float(self.task.outcome(painter.states[-1])[0])] += 1

    @property
    def remark(self) -> str:
        """How many there were."""
        return f"{self.task.unit} of {self._counts.total()} instances"

    def paint(self, canvas: Canvas) -> None:
        """One bar an outcome, the best at the top."""
        best_first = sorted(self._counts, reverse=self.task.higher_is_better)
        bars = [(f"{value:g}", self._counts[value], BLUE) for value in best_first]
        paint_bars(canvas, bars)


class Votes(Tally):
    """How often each answer was given to one layout: what a majority would say."""

    title = "Votes on this layout"
    of_one_layout = True

    def __init__(self, task: Task[Any]) -> None:
        super().__init__(task)
        self._counts: Counter[tuple[str, bool]] = Counter()

    def add(self, painter: Painter[Any]) -> None:
        """Count the answer of an instance that has one."""
        if painter.answer is not None:
            self._counts[painter.answer, bool(painter.success)] += 1

    @property
    def remark(self) -> str:
        """What the majority says."""
        if not self._counts:
            return "no answer yet"
        (answer, right), votes = self._counts.most_common(1)[0]
        verdict = "right" if right else "wrong"
        return f"majority so far: {answer}, {verdict} ({votes} of {self._counts.total()})"

    def paint(self, canvas: Canvas) -> None:
        """One bar an answer, the commonest at the top, green where it is right."""
        ranked = self._counts.most_common()
        paint_bars(canvas, [(a, count, RIGHT if right else WRONG) for (a, right), count in ranked])


class FirstVisits(Tally):
    """When each place is visited first, on average, and by how many instances."""

    title = "First visits"

    def __init__(self, task: Task[Any]) -> None:
        super().__init__(task)
        self._painter: Any = None
        self._instances = 0
        self._sums: Counter[int] = Counter()
        self._counts: Counter[int] = Counter()

    def add(self, painter: Any) -> None:
        """Count the visits of an instance so far; the painter is a `BoardPainter`."""
        self._painter, self.size = painter, painter.size
        self._instances += 1
        for place, step in painter.visits.items():
            self._sums[place] += step
            self._counts[place] += 1

    @property
    def remark(self) -> str:
        """What the colours and numbers mean."""
        return f"mean step, the darker the more often, of {self._instances} instances"

    def paint(self, canvas: Canvas) -> None:
        """The board, each place as dark as it is visited often, with its mean step."""
        if self._painter is None:
            return
        shades = {place: count / self._instances for place, count in self._counts.items()}
        texts = {p: f"{self._sums[p] / count:.1f}" for p, count in self._counts.items()}
        self._painter.paint_places(canvas, shades, texts)


def paint_bars(canvas: Canvas, bars: Sequence[tuple[str, int, Color]]) -> None:
    """Draw counts as horizontal bars below the header, each with its label and its count."""
    total = sum(count for _, count, _ in bars)
    most = max((count for _, count, _ in bars), default=1)
    shown = bars if len(bars) <= MOST_BARS else bars[: MOST_BARS - 1]
    row, left, right = 36.0, MARGIN + 150.0, WIDTH - MARGIN - 90.0
    for place, (label, count, color) in enumerate(shown):
        y = HEADER + 8 + place * row
        canvas.text(label, (left - 12, y + 0.45 * row), 22, INK, "right", left - MARGIN - 12)
        canvas.rect((left, y), (right - left, 0.8 * row), FAINT, radius=4)
        canvas.rect((left, y), ((right - left) * count / most, 0.8 * row), color, radius=4)
        text = f"{count}  {100 * count / total:.0f}%"
        canvas.text(text, (right + 10, y + 0.45 * row), 20, MUTED, "left", 90)
    if len(shown) < len(bars):
        rest = total - sum(count for _, count, _ in shown)
        y = HEADER + 8 + len(shown) * row + 0.45 * row
        canvas.text(
            f"and {rest} more of {len(bars) - len(shown)} others", (left, y), 20, MUTED, "left"
        )
