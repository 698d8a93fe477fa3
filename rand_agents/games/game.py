"""How a game meets a policy: layouts and observations become tokens, outputs actions.

A `Game` holds a task and no weights. `costs` and `play` are the two ends of one data flow:
layouts, tokens, outputs, then a loss per (layout, seed) or an outcome.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from torch import Tensor

from rand_agents.games.path.contexts import Model
from rand_agents.games.path.plans import Plans
from rand_agents.games.path.score import Episodes
from rand_agents.policies.mlp import MLPConfig
from rand_agents.policies.seeds import SeedSpec
from rand_agents.policies.transformer import TransformerConfig, Weights
from rand_envs.core.arrays import Array, Json
from rand_envs.core.player import Play
from rand_envs.core.task import Setting

M = TypeVar("M", bound=Model)


class Game(ABC, Generic[M]):
    """One task as a policy plays it."""

    task: Setting[Any]
    differentiable: ClassVar[bool] = True
    """Whether `costs` has a gradient with respect to the weights; else there is `sample`."""
    is_stepped: ClassVar[bool] = False
    """Whether instances are stepped one by one, which costs much more than rules on batches."""
    takes_mlp: ClassVar[bool] = False
    """Whether a `SeedMLP` can play, too."""
    quick: ClassVar[Mapping[str, Json]] = {}
    """Options of a run of minutes where the defaults are those of longer ones, for "policy" (the
    transformer's), "qnorm", "psro" and "pepg": what the command line begins with."""
    token_dim: int
    output_dim: int
    context: int
    """The most tokens an instance can fill, seed token excluded."""

    @property
    def has_adversary(self) -> bool:
        """Whether layouts are chosen, and not only drawn by chance."""
        return True

    @property
    def has_chance(self) -> bool:
        """Whether seeds end with an entry for what an instance itself leaves to chance."""
        return False

    @property
    def default_trainer(self) -> str:
        """What the command line trains with where it is not told: "qnorm", "psro" or "pepg"."""
        return "qnorm"

    @property
    def signed_costs(self) -> bool:
        """Whether `costs` may be below 0, where q-norms but mean and maximum mean nothing."""
        low, high = self.task.outcome_range
        return math.isinf(high if self.task.higher_is_better else low)

    def cost_of(self, outcomes: Tensor) -> Tensor:
        """What outcomes lack of the best one there can be; minus a return without a best one."""
        low, high = self.task.outcome_range
        if self.task.higher_is_better:
            return (high if math.isfinite(high) else 0.0) - outcomes
        return outcomes - (low if math.isfinite(low) else 0.0)

    def policy_seeds(self, seeds: Tensor) -> Tensor:
        """What the policy sees of seeds, (m, ...): shape (m, seed_dim)."""
        return seeds

    @abstractmethod
    def default_policy(self) -> TransformerConfig:
        """The architecture used where none is asked for."""

    def default_mlp(self) -> MLPConfig:
        """The perceptron used where one is asked for: two hidden layers of 16."""
        return MLPConfig(self.token_dim, self.output_dim, self.default_seeds().dim)

    @abstractmethod
    def default_seeds(self) -> SeedSpec:
        """The seed distribution used where none is asked for."""

    @abstractmethod
    def costs(
        self, model: M, layouts: Array, seeds: Tensor, weights: Weights | None = None
    ) -> Tensor:
        """Cost to be minimised per (layout, seed): shape (*lead, n, m).

        `seeds` has shape (m, seed_dim); `weights` may carry a leading population axis.
        """

    def check_sampled(self) -> None:
        """Raise ValueError unless `sample` works here."""
        raise ValueError(f"play of {self.task.env_id} is not sampled: its costs have a gradient")

    def sample(
        self,
        model: M,
        layouts: Array,
        seeds: Tensor,
        rng: np.random.Generator,
        *,
        paths: int = 1,
        temperature: float = 1.0,
        branches: int | None = None,
        plans: Plans | None = None,
    ) -> Episodes:
        """Play n layouts under each of m seeds `paths` times, drawing actions from the output.

        Outputs are divided by the temperature before.
        The gradient follows `branches` histories of each path beside its longest, see `Episodes`.
        With `plans` a row leaves where it knows its layout, and has the cost of playing on by one.
        """
        self.check_sampled()
        raise NotImplementedError

    @abstractmethod
    def play(
        self,
        model: M,
        layouts: Array,
        seeds: Tensor,
        sample_rng: np.random.Generator | None = None,
    ) -> Play:
        """Play n layouts under m seeds, by argmax, or sampling the output with `sample_rng`."""

    def details(self, model: M, seeds: Tensor) -> Json | None:
        """What there is to tell of a policy in this game beyond its outcomes, JSON-ready."""
        return None

    def can_play_all(self, model: M) -> bool:
        """Whether `play_all` works: all layouts are played faster together than one by one."""
        return False

    def play_all(self, model: M, seeds: Tensor) -> Play:
        """Play every layout there is under m seeds, by argmax; see `rand_envs.core.player`."""
        raise ValueError(f"the layouts of {self.task.env_id} must be played one by one")

    @abstractmethod
    def observed(self, observation: Array) -> Tensor:
        """The tokens that observations, (n, *shape), add to the context: (n, k, token_dim)."""

    @abstractmethod
    def choose(
        self, outputs: Tensor, tokens: Tensor, sample_rng: np.random.Generator | None
    ) -> Array:
        """Actions, (n, *action shape), from the outputs at the k newest tokens, (n, k, output)."""

    def check_policy(self, config: TransformerConfig | MLPConfig) -> None:
        """Raise ValueError unless a policy of this shape can play the game."""
        if isinstance(config, MLPConfig):
            self._check_sizes(config.token_dim, config.output_dim)
            if not self.takes_mlp:
                raise ValueError(f"a policy for {self.task.env_id} must be a SeedTransformer")
            return
        self._check_transformer(config)

    def _check_transformer(self, config: TransformerConfig) -> None:
        self._check_sizes(config.token_dim, config.output_dim)
        needed = self.context + (config.seed_placement == "first")
        if 0 < config.max_length < needed:
            raise ValueError(
                f"a policy for {self.task.env_id} needs max_length 0 or at least {needed}, "
                f"got {config.max_length}"
            )

    def _check_sizes(self, token_dim: int, output_dim: int) -> None:
        for name, got in (("token_dim", token_dim), ("output_dim", output_dim)):
            if got != getattr(self, name):
                raise ValueError(
                    f"a policy for {self.task.env_id} needs {name} {getattr(self, name)}, got {got}"
                )
