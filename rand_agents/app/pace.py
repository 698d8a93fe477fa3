"""How long a run still takes, when its parts go at different speeds."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn

PATIENCE = 5.0
"""Seconds between the first lines of a log; they become rarer, and a long run's stay few."""


class Pace:
    """Measures updates, and tells what the rest of them will take.

    Args:
        phases: Parts of the run, each with its last update, as `Agent.phases` gives them.
        done: Updates before this.
    """

    def __init__(self, phases: Sequence[tuple[str, int]], done: int) -> None:
        self._phases = phases
        self._done = done
        self._seconds = [0.0] * len(phases)
        self._counts = [0] * len(phases)
        self._at = time.monotonic()
        self._is_first = True

    @property
    def phase(self) -> str:
        """The part that the run is in."""
        return self._phases[self._place(self._done)][0]

    def _place(self, update: int) -> int:
        return next(
            (i for i, (_, end) in enumerate(self._phases) if update < end), len(self._phases) - 1
        )

    def tick(self, done: int) -> None:
        """Learn that so many updates are done."""
        now = time.monotonic()
        place = self._place(self._done)
        # In the first update what was not there before is compiled.
        if not self._is_first:
            self._seconds[place] += now - self._at
            self._counts[place] += done - self._done
        self._at, self._done, self._is_first = now, done, False

    def left(self) -> str:
        """What the rest will take, as far as the speed of its parts is known."""
        seconds, is_known, begin = 0.0, True, 0
        for (_, end), spent, count in zip(self._phases, self._seconds, self._counts, strict=True):
            rest = max(end - max(begin, self._done), 0)
            begin = end
            if rest and count:
                seconds += rest * spent / count
            elif rest:
                is_known = False
        if not any(self._counts):
            return "?"
        return f"{'' if is_known else 'at least '}{clock(seconds)}"


def clock(seconds: float) -> str:
    """Seconds as "1:02:03", or "2:03" of less than an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def progress_bar(errors: Console, *between: ProgressColumn, transient: bool = False) -> Progress:
    """A bar with the time left, which whoever shows it puts in.

    Args:
        errors: Where to show it.
        between: What stands between the bar and the times.
        transient: Whether nothing of it remains.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(20),
        *between,
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]} left"),
        console=errors,
        transient=transient,
    )


class Lines:
    """When a line is due where a bar cannot be redrawn, as in a log file."""

    def __init__(self, console: Console) -> None:
        """Begin; nothing is ever due on a terminal."""
        self._is_terminal = console.is_terminal
        self._began = time.monotonic()
        self._next = PATIENCE

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def is_due(self) -> bool:
        """Whether one is, which counts as printed then."""
        passed = self.passed
        if self._is_terminal or passed < self._next:
            return False
        self._next = 1.2 * passed + PATIENCE
        return True
