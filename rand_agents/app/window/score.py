"""A running mean beside the game value."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rand_agents.app.window.sheet import Line
from rand_agents.evaluation.intervals import Figure, mean_interval
from rand_agents.evaluation.tables import interval_of, number
from rand_agents.evaluation.trial import limits_of
from rand_envs.core.task import GameValue, Setting
from rand_envs.rendering.colors import MUTED

OPEN = 0.5
"""An interval of more than this share of what can be says little yet."""


class Score:
    """Outcomes so far, by rounds of one or several instances.

    Args:
        task: The game.
        known: Its value.
        is_deterministic: Whether one layout always has the same outcome.
    """

    def __init__(
        self, task: Setting[Any], known: GameValue, is_deterministic: bool = False
    ) -> None:
        self.task, self.known = task, known
        self._is_deterministic = is_deterministic
        self._rounds: list[list[float]] = []

    def add(self, outcomes: Sequence[float]) -> None:
        """Count a round."""
        self._rounds.append(list(outcomes))

    @property
    def outcomes(self) -> list[float]:
        """All of them."""
        return [outcome for each in self._rounds for outcome in each]

    def mean(self, one_layout: bool = False) -> Figure | None:
        """Their mean with its 95 % interval; None before the first.

        Where all rounds are of one layout, instances are independent; else only rounds are.
        """
        if not self._rounds:
            return None
        limits = limits_of(self.task)
        if one_layout or all(len(each) == 1 for each in self._rounds):
            is_known = one_layout and self._is_deterministic
            return self._clipped(mean_interval(np.array(self.outcomes), limits, is_known))
        means = np.array([np.mean(each) for each in self._rounds])
        return self._clipped(mean_interval(means, limits.mixed()))

    def _clipped(self, figure: Figure) -> Figure:
        """An interval within what outcomes can be."""
        least, most = self.task.outcome_range
        low, high = figure.ci95
        return Figure(figure.estimate, (max(low, least), min(high, most)))

    @property
    def better(self) -> str:
        """Which direction is the better one."""
        return "more" if self.task.higher_is_better else "fewer"

    def distance(self, mean: float) -> float | None:
        """How much worse a mean is than the game value; None where that is not known."""
        if self.known.value is None:
            return None
        return (self.known.value - mean) * (1 if self.task.higher_is_better else -1)

    def value_text(self) -> str:
        """The game value in words."""
        if self.known.value is None:
            return "not known"
        bound = "" if self.known.kind == "exact" else "≤ " if self.task.higher_is_better else "≥ "
        return f"{bound}{number(self.known.value, self.task.unit)}"

    def distance_text(self, mean: float) -> str:
        """How far a mean is from the game value, in words."""
        distance = self.distance(mean)
        if distance is None:
            return "not known"
        is_share = self.task.unit == "success"
        size = f"{100 * abs(distance):.1f} points" if is_share else f"{abs(distance):.2f}"
        return f"{size} {'worse' if distance >= 0 else 'better'}"

    def lines(self, whose: str, one_layout: bool = False) -> list[Line]:
        """What there is to say, for a card."""
        unit, mean = self.task.unit, self.mean(one_layout)
        return [
            Line(whose, "–" if mean is None else number(mean.estimate, unit), 24),
            Line("95 % interval", self._interval_text(mean, one_layout), 17, MUTED),
            Line("game value", self.value_text(), 19),
            Line("distance", "" if mean is None else self.distance_text(mean.estimate), 19),
        ]

    def _interval_text(self, mean: Figure | None, one_layout: bool) -> str:
        if mean is None:
            return ""
        if len(self._rounds) == 1 and not one_layout:
            return "after two rounds"
        (low, high), (least, most) = mean.ci95, self.task.outcome_range
        if high - low > OPEN * (most - least):
            return "still open"
        return interval_of(mean, self.task.unit)
