"""Hedge over the layouts of any game, at a rate that suits the losses it meets."""

from typing import Any

import numpy as np

from rand_envs.adversaries import MAX_EXHAUSTIVE, Hedge
from rand_envs.core.arrays import Array
from rand_envs.core.layouts.space import LayoutSpace
from rand_envs.rendering.heat import Floats


class _Listed:
    """What Hedge needs of a space of layouts."""

    def __init__(self, layouts: Array) -> None:
        self._layouts = layouts

    def enumerate(self) -> Array:
        return self._layouts


class Learner:
    """An adversary that begins uniformly, and puts more weight on what costs its opponent most.

    The rate is the best one for so many rounds, of losses that spread over layouts as those of
    the first round do.

    Args:
        space: Its layouts; all of them where they are few, else a pool that is drawn from them.
        pool: How many are drawn then.
        rounds: How many rounds it learns in.
        rng: Draws.

    Attributes:
        layouts: What it plays, (K,).
        knows_all: Whether these are all there are.
    """

    def __init__(
        self, space: LayoutSpace[Any], pool: int, rounds: int, rng: np.random.Generator
    ) -> None:
        self._rounds, self._rng = rounds, rng
        self.knows_all = space.size is not None and space.size <= MAX_EXHAUSTIVE
        self.layouts = space.enumerate() if self.knows_all else space.sample(rng, pool)
        self._hedge: Hedge[Any] | None = None

    @property
    def rounds(self) -> int:
        """How often it has learned."""
        return 0 if self._hedge is None else self._hedge.rounds

    @property
    def weights(self) -> Floats:
        """The probability of each of its layouts in the next round, (K,)."""
        if self._hedge is None:
            return np.full(len(self.layouts), 1 / len(self.layouts))
        return self._hedge.probabilities

    def draw(self) -> Array:
        """The layout of the next round, (1,)."""
        return self.layouts[[self._rng.choice(len(self.layouts), p=self.weights)]]

    def learn(self, losses: Floats) -> None:
        """Learn what its opponent loses on each layout, (K,); larger is worse for them."""
        if self._hedge is None:
            spread = float(np.ptp(losses)) or 1.0
            rate = Hedge.rate_for(max(2, len(losses)), self._rounds, spread)
            listed: Any = _Listed(self.layouts)
            self._hedge = Hedge(listed, rate)
        self._hedge.update(losses)
