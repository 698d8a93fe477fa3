"""Players that randomise without a seed vector: what they draw is which policy plays, or how."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rand_agents.games.game import Game
from rand_agents.policies.transformer import SeedTransformer, TransformerConfig, Weights
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play
from rand_envs.core.task import Setting

DROPPED = 0.2
"""Probability of each unit to be dropped (Srivastava et al. 2014 keep 0.8 of what enters)."""
NOISE = 0.5
"""First standard deviation of each noisy weight, over the root of its fan-in (Fortunato 2018)."""


class Noise(ABC):
    """Random weights for one architecture: what is trained, and what a draw makes of it."""

    def __init__(self, model: SeedTransformer) -> None:
        """Start from a model's weights."""
        self.trained = {n: nn.Parameter(w.detach().clone()) for n, w in model.weights.items()}

    @abstractmethod
    def draw(self, rng: np.random.Generator, m: int) -> dict[str, Tensor]:
        """Weights of m policies, each tensor (m, ...), that depend on what is trained."""

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What an optimiser trains."""
        return [*self.trained.values()]


class Dropout(Noise):
    """Dropout left on: units of what enters each linear map after the embedding are dropped.

    A mask on what enters a map is a mask on its rows, and so a draw is a policy. It is drawn
    once and stays for the instance, as a seed does.
    """

    def draw(self, rng: np.random.Generator, m: int) -> dict[str, Tensor]:
        """Each row of a matrix is kept or not, and what is kept weighs more."""
        drawn = {}
        for name, weight in self.trained.items():
            whole = weight.expand(m, *weight.shape)
            if weight.dim() == 2 and _is_inner(name):
                kept = rng.random((m, weight.shape[0], 1)) >= DROPPED
                whole = whole * torch.from_numpy(kept / (1.0 - DROPPED)).to(weight)
            drawn[name] = whole
        return drawn


class Noisy(Noise):
    """NoisyNet: each weight of a linear map has a trained standard deviation of its own.

    Factorised Gaussian noise (Fortunato et al. 2018, equations 10 and 11).
    """

    def __init__(self, model: SeedTransformer) -> None:
        """Start from a model's weights, and the standard deviations of the paper."""
        super().__init__(model)
        self.spread = {
            name: nn.Parameter(torch.full_like(weight, NOISE * weight.shape[0] ** -0.5))
            for name, weight in self.trained.items()
            if weight.dim() == 2 and name != "positions"
        }

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Means, then standard deviations."""
        return [*self.trained.values(), *self.spread.values()]

    def draw(self, rng: np.random.Generator, m: int) -> dict[str, Tensor]:
        """The mean and as many standard deviations as the noise of its row and column say."""
        drawn = {}
        for name, weight in self.trained.items():
            whole = weight.expand(m, *weight.shape)
            if name in self.spread:
                rows, columns = (_squashed(rng, m, size).to(weight) for size in weight.shape)
                whole = whole + self.spread[name] * rows.unsqueeze(-1) * columns.unsqueeze(-2)
            drawn[name] = whole
        return drawn


def _is_inner(name: str) -> bool:
    """Whether what enters a matrix are units, and not tokens or seeds."""
    return not name.startswith(("embed_token", "embed_seed", "gate_", "first_seed", "positions"))


def _squashed(rng: np.random.Generator, m: int, size: int) -> Tensor:
    drawn = rng.standard_normal((m, size))
    return torch.from_numpy(np.sign(drawn) * np.sqrt(np.abs(drawn)))


@dataclass
class DrawnPlayer:
    """Plays each instance with weights that were drawn for it; the seed is what they depend on.

    Attributes:
        game: What is played.
        config: The architecture.
        weights: Of m policies from a generator, each tensor (m, ...).
        sampled: Whether actions are drawn from the output, by the same generator.
    """

    game: Game[Any]
    config: TransformerConfig
    weights: Callable[[np.random.Generator, int], Weights]
    sampled: bool = False
    model: SeedTransformer = field(init=False)

    def __post_init__(self) -> None:
        self.model = SeedTransformer(self.config)

    @property
    def task(self) -> Setting[Any]:
        """The game it plays."""
        return self.game.task

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """Integers that determine all that is random, (m, 1)."""
        return rng.integers(0, 1 << 62, (m, 1))

    def play(self, layouts: Array, seeds: Array) -> Play:
        """Play every layout, shape (n,), under every seed, (m, 1)."""
        if self.sampled:
            return self._play(layouts, [int(seed) for (seed,) in seeds])
        return _beside([self._play(layouts, [int(seed)]) for (seed,) in seeds])

    def _play(self, layouts: Array, seeds: list[int]) -> Play:
        rng = np.random.default_rng(seeds)
        with torch.no_grad():
            for name, drawn in self.weights(rng, 1).items():
                self.model.weights[name].copy_(drawn[0])
            zero = torch.zeros(len(seeds), self.config.seed_dim)
            return self.game.play(self.model, layouts, zero, rng if self.sampled else None)


def _beside(plays: list[Play]) -> Play:
    """Plays of the same layouts under different seeds as one."""
    outcome = np.concatenate([play.outcome for play in plays], 1)
    output = np.concatenate([play.output for play in plays], 1)
    answers = [play.answer for play in plays if play.answer is not None]
    return Play(outcome, np.concatenate(answers, 1) if answers else None, output)
