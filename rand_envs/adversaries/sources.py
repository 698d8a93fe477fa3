"""Layout sources that fight back.

They are oblivious: what they draw depends on the policy and on the distribution of its seeds.
They play it themselves, on seeds of their own generator, when they are made or told to learn.
Drawing a layout plays nothing and learns nothing.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rand_envs.adversaries.search import Kind, badness, find_worst, search_seeds
from rand_envs.core.arrays import Array, Json, finite_number, random_words, whole_number
from rand_envs.core.layouts.space import L, LayoutSpace
from rand_envs.core.options import rng_seed_number
from rand_envs.core.player import Player
from rand_envs.core.sources import LayoutSource
from rand_envs.core.streams import Stream, generator

Floats = NDArray[np.float64]


class Adversary(LayoutSource[L]):
    """A source that picks layouts to hurt; it can be pickled, and stored as JSON.

    Attributes:
        kind: "exact" if no layout is worse for the player, "bound" if there may be worse ones.
    """

    kind: Kind

    @abstractmethod
    def to_json(self) -> Json:
        """Its whole state, JSON-ready."""

    @classmethod
    @abstractmethod
    def from_json(cls, space: LayoutSpace[L], data: Json) -> Self:
        """The source of that state, which goes on exactly where it was.

        Raises:
            ValueError: a layout is not legal in `space`, or the data are of another source.
        """

    @classmethod
    def check_name(cls, data: Json) -> None:
        """Raise ValueError unless the data are of this kind of source."""
        if data.get("source") != cls.__name__:
            raise ValueError(f"the data are of {data.get('source')!r}, not of {cls.__name__!r}")


class WorstFor(Adversary[L]):
    """Always gives the layout that looked worst for one player.

    It is found when the source is made: by going through all layouts where there are at most
    4,096, and by `rand_envs.adversaries.search_worst` elsewhere.  Then it stays, even if the
    player learns.

    Args:
        player: whom to hurt.
        num_seeds: seeds that score the layouts.
        rng_seed: determines these seeds, and the search.

    Raises:
        ValueError: there is no seed.
    """

    def __init__(self, player: Player, num_seeds: int = 256, rng_seed: int = 0) -> None:
        super().__init__(player.task.layout_space)
        rng = generator(Stream.WORST_FOR, rng_seed_number(rng_seed))
        seeds = search_seeds(player, rng, whole_number("num_seeds", num_seeds, 1))
        found = find_worst(player, rng, seeds=seeds)
        self.kind = found.kind
        self._layout: Array = found.layouts[:1]

    @property
    def layout(self) -> L:
        """The layout it gives."""
        return self.space.unpack(self._layout)[0]

    def draw(self, rngs: Sequence[np.random.Generator], env_ids: ArrayLike) -> Array:
        """The same layout for every sub-environment, shape (len(rngs),)."""
        return np.repeat(self._layout, len(rngs))

    def to_json(self) -> Json:
        """The layout and its kind."""
        return {"source": "WorstFor", "kind": self.kind, "layout": self.layout.to_json()}

    @classmethod
    def from_json(cls, space: LayoutSpace[L], data: Json) -> Self:
        """The source that `to_json` described."""
        cls.check_name(data)
        source = cls.__new__(cls)
        LayoutSource.__init__(source, space)
        source.kind = data["kind"]
        if source.kind not in ("exact", "bound"):
            raise ValueError(f'its kind must be "exact" or "bound", got {source.kind!r}')
        source._layout = space.pack([data["layout"]])
        return source


class Hedge(Adversary[L]):
    """Multiplicative weights over all layouts (Littlestone and Warmuth 1994; Freund and Schapire).

    After every update a layout has probability proportional to exp(rate * sum of its losses so
    far).  Against a player that answers each of its mixtures as well as it can, the mean of the
    mixtures, `average`, tends to an optimal mixed adversary: T rounds leave it at most
    `regret_bound` / T below the game value.

    Args:
        space: a space whose layouts can be listed.
        learning_rate: above 0, per unit of loss; `Hedge.rate_for` gives the best one.
        num_seeds: seeds that score the layouts when it learns from a player.
        rng_seed: determines these seeds.

    Raises:
        ValueError: the rate is not a positive number, or the space is too large to be listed.
    """

    kind = "bound"

    def __init__(
        self, space: LayoutSpace[L], learning_rate: float, num_seeds: int = 64, rng_seed: int = 0
    ) -> None:
        super().__init__(space)
        self.num_seeds = whole_number("num_seeds", num_seeds, 1)
        self.rng_seed = rng_seed_number(rng_seed)
        self.learning_rate = finite_number("the learning rate", learning_rate)
        if self.learning_rate <= 0:
            raise ValueError(f"the learning rate must be above 0, got {learning_rate}")
        self.layouts: Array = space.enumerate()
        self.rounds = 0
        self._losses = np.zeros(len(self.layouts))
        self._summed = np.zeros(len(self.layouts))

    @staticmethod
    def rate_for(num_layouts: int, rounds: int, loss_range: float) -> float:
        """The rate with the least regret bound, sqrt(8 ln K / T) / range."""
        return float(np.sqrt(8 * np.log(num_layouts) / rounds) / loss_range)

    @property
    def probabilities(self) -> Floats:
        """The mixture it draws from now, over `layouts`, shape (K,)."""
        weights: Floats = np.exp(self.learning_rate * (self._losses - self._losses.max()))
        total: Floats = weights / weights.sum()
        return total

    @property
    def average(self) -> Floats:
        """Mean of the mixtures that losses were reported on, shape (K,); uniform before any."""
        return self._summed / self.rounds if self.rounds else self.probabilities

    def update(self, losses: ArrayLike) -> None:
        """Learn what the player lost, on average over its seeds, on each layout.

        Args:
            losses: larger is better for the adversary (steps, or 1 - success), shape (K,), of
                the player's answer to the present `probabilities`.

        Raises:
            ValueError: the losses have another shape, or are not finite.
        """
        reported = np.asarray(losses, np.float64)
        if reported.shape != self._losses.shape or not np.isfinite(reported).all():
            raise ValueError(f"losses must be {len(self._losses)} finite numbers, one a layout")
        self._summed += self.probabilities
        self._losses += reported
        self.rounds += 1

    def regret_bound(self, loss_range: float) -> float:
        """The most by which the best fixed layout can have beaten it: ln K / rate + rate T B^2 / 8.

        For losses within an interval of length B (Cesa-Bianchi and Lugosi 2006, theorem 2.2).
        """
        drift = self.learning_rate * self.rounds * loss_range**2 / 8
        return float(np.log(len(self._losses)) / self.learning_rate + drift)

    def learn(self, player: Player) -> None:
        """`update` with what a player loses on each layout, on seeds of the source's own."""
        rng = generator(Stream.HEDGE, self.rng_seed, self.rounds)
        seeds = player.draw_seeds(rng, self.num_seeds)
        self.update(badness(player, self.layouts, seeds))

    def draw(self, rngs: Sequence[np.random.Generator], env_ids: ArrayLike) -> Array:
        """A layout from the present mixture by each generator, shape (len(rngs),)."""
        uniforms = random_words(rngs, 1)[:, 0] / 2.0**64
        ends = self.probabilities.cumsum()
        # The last end may be a rounding error below 1.
        chosen = np.minimum(np.searchsorted(ends, uniforms, "right"), len(ends) - 1)
        drawn: Array = self.layouts[chosen]
        return drawn

    def to_json(self) -> Json:
        """The rate, the losses and the mixtures so far."""
        return {
            "source": "Hedge",
            "learning_rate": self.learning_rate,
            "num_seeds": self.num_seeds,
            "rng_seed": self.rng_seed,
            "rounds": self.rounds,
            "losses": self._losses.tolist(),
            "summed": self._summed.tolist(),
        }

    @classmethod
    def from_json(cls, space: LayoutSpace[L], data: Json) -> Self:
        """The source that `to_json` described."""
        cls.check_name(data)
        # Files from before it learned by itself lack both.
        source = cls(
            space, data["learning_rate"], data.get("num_seeds", 64), data.get("rng_seed", 0)
        )
        if len(data["losses"]) != len(source.layouts):
            raise ValueError(
                f"the space has {len(source.layouts)} layouts, the data {len(data['losses'])}"
            )
        source.rounds = whole_number("rounds", data["rounds"], 0)
        source._losses = np.array(data["losses"], np.float64)
        source._summed = np.array(data["summed"], np.float64)
        for name, values in (("losses", source._losses), ("summed", source._summed)):
            if values.shape != source.layouts.shape or not np.isfinite(values).all():
                raise ValueError(f"{name} must be one finite number for each layout")
        return source
