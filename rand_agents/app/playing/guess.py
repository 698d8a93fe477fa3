"""How predictable a person is: moves that are guessed from those of the rounds before."""

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from rand_envs.core.arrays import Array
from rand_envs.core.task import Task


class Guesser:
    """Guesses what a person does next: what they did most often where they had seen the same.

    Where they never were in quite that situation, it goes by what they see now; where that is
    new, too, it has no better guess than chance.

    Attributes:
        moves: How many were to be guessed.
        guessed: How many were guessed, a guess among k actions counting as 1 / k.
    """

    def __init__(self, task: Task[Any], num_actions: int) -> None:
        self.task = task
        self.num_actions = num_actions
        self.moves = 0
        self.guessed = 0.0
        self._habits: defaultdict[bytes, Counter[bytes]] = defaultdict(Counter)

    @property
    def share(self) -> float:
        """The part of the moves that was guessed."""
        return self.guessed / self.moves if self.moves else 0.0

    def learn(self, states: list[Array], actions: list[Array], free: list[bool]) -> None:
        """Guess each move of a round, but those that were free, and then learn them."""
        learned: list[tuple[bytes, bytes]] = []
        history = b""
        for state, action, is_free in zip(states, actions, free, strict=False):
            seen = np.ascontiguousarray(self.task.observe(state)).tobytes()
            history += seen
            played = action.tobytes()
            if not is_free:
                self._guess(b"whole" + history, b"now" + seen, played)
                learned += [(b"whole" + history, played), (b"now" + seen, played)]
            history += played
        for situation, played in learned:
            self._habits[situation][played] += 1

    def _guess(self, whole: bytes, now: bytes, played: bytes) -> None:
        self.moves += 1
        for situation in (whole, now):
            if situation in self._habits:
                self.guessed += self._habits[situation].most_common(1)[0][0] == played
                return
        self.guessed += 1 / self.num_actions
