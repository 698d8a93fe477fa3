"""What evaluation asks of a player: a strategy whose only randomness is its seed."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array
from rand_envs.core.task import Setting


@dataclass(frozen=True)
class Play:
    """Results of n layouts played under m seeds each.

    Attributes:
        outcome: In the task's unit, shape (n, m): success 0 or 1, or steps used.
        answer: What a vote is taken on, integers of shape (n, m); None where there is no vote.
        output: Numbers that tell what the player did, shape (n, m, k): predicted probabilities,
            or the outcome where there are none. Their variance over seeds shows randomisation.
        loss: What the player was trained to make small, shape (n, m), where playing tells it
            anyway; None elsewhere.
    """

    outcome: NDArray[np.float64]
    answer: NDArray[np.integer[Any]] | None
    output: NDArray[np.float32]
    loss: NDArray[Any] | None = None


class Player(Protocol):
    """A seeded strategy for one task."""

    @property
    def task(self) -> Setting[Any]:
        """The game it plays."""
        ...

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """Draw m seeds, shape (m, ...), drawn after and without knowledge of the layouts."""
        ...

    def play(self, layouts: Array, seeds: Array) -> Play:
        """Play every layout, shape (n,), under every seed."""
        ...


@runtime_checkable
class WholePlayer(Player, Protocol):
    """A player that knows a faster way to play all layouts there are than one by one."""

    @property
    def can_play_all(self) -> bool:
        """Whether there is such a way for this task and player."""
        ...

    def play_all(self, seeds: Array) -> Play:
        """Play every layout of `layout_space.enumerate()`, in its order, under every seed.

        `output` may have rows for parts of layouts instead, (parts, m, k), each of which stands
        in as many layouts as any other.
        """
        ...


@runtime_checkable
class Voter(Player, Protocol):
    """A player that draws the seeds of a majority vote otherwise than independently."""

    def draw_votes(self, rng: np.random.Generator, m: int) -> Array:
        """Draw the m seeds of one vote, shape (m, ...)."""
        ...
