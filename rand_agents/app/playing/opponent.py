"""The adversary of a person: it learns by what their play tells of each layout."""

from typing import Any

import numpy as np

from rand_agents.app.window.learner import Learner
from rand_envs.adversaries.hindsight import hindsight_losses
from rand_envs.core.arrays import Array, Json
from rand_envs.core.streams import Stream, generator
from rand_envs.core.task import Task

POOL = 1000
"""Layouts drawn to play from, where there are too many to list."""


class Opponent(Learner):
    """Picks the layout of each round, before the person plays it.

    Args:
        task: The game.
        rounds: How many are to be played.
        rng_seed: Determines what it draws.
    """

    def __init__(self, task: Task[Any], rounds: int, rng_seed: int) -> None:
        super().__init__(task.layout_space, POOL, rounds, generator(Stream.PLAYING, rng_seed))
        self.task = task
        self._total = np.zeros(len(self.layouts))
        self._played = 0

    def watch(self, states: list[Array], actions: list[Array]) -> None:
        """Learn from a round that was played to its end."""
        losses = hindsight_losses(self.task, self.layouts, states, actions)
        self.learn(losses)
        self._total += losses
        self._played += 1

    def worst(self) -> tuple[Json, float]:
        """The fixed layout that would have cost most, and its mean outcome, or a bound of it."""
        at = int(self._total.argmax())
        sign = -1.0 if self.task.higher_is_better else 1.0
        mean = sign * self._total[at] / max(1, self._played)
        return self.task.layout_space.unpack(self.layouts[[at]])[0].to_json(), float(mean)
