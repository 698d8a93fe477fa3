"""Shows a bracket closing on stderr: one line that is redrawn, or a few lines in a log."""

import sys
import time
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from rand_envs.minimax.columns import Bracket

PATIENCE = 5.0
"""Seconds between the first lines of a log; they become rarer, and a long run's stay few."""


class Progress:
    """What a solver calls with its bracket after every iteration."""

    def __init__(self, limit: float | None = None) -> None:
        """Begin.

        Args:
            limit: Seconds after which the solver stops at the latest; None where nobody knows.
        """
        self._limit = limit
        self._began = time.monotonic()
        self._next = PATIENCE
        self._said = self._last = ""
        self._bar = tqdm(desc="bracket", unit=" iterations", file=sys.stderr, disable=None)

    def __enter__(self) -> "Progress":
        return self

    def __call__(self, bracket: "Bracket") -> None:
        """Show where the search stands."""
        passed = time.monotonic() - self._began
        self._last = (
            f"{bracket.lower:.6f} to {bracket.upper:.6f}, {bracket.num_strategies} strategies"
            f"{self._left(passed)}"
        )
        self._bar.set_postfix_str(self._last, refresh=False)
        self._bar.update()
        if passed >= self._next:
            self._say(passed)

    def _left(self, passed: float) -> str:
        if self._limit is None:
            return ""
        return f", at most {max(self._limit - passed, 0.0):.0f} s left"

    def _say(self, passed: float) -> None:
        """A line, where no bar can be redrawn."""
        self._next = 1.2 * passed + PATIENCE
        if self._bar.disable and self._last != self._said:
            sys.stderr.write(f"after {passed:.0f} s: bracket {self._last}\n")
            self._said = self._last

    def __exit__(self, *_: object) -> None:
        """End with where it stands."""
        self._say(time.monotonic() - self._began)
        self._bar.close()
