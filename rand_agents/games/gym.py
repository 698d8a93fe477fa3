"""Gymnasium environments in general as a game: whole populations play them side by side."""

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from torch import Tensor

from rand_agents.games.generic import EpisodeGame
from rand_agents.games.gym_task import ENV_CHANCE, GymTask
from rand_agents.games.path.contexts import Model
from rand_agents.games.path.worlds import GymWorld, World
from rand_agents.policies.seeds import SeedSpec
from rand_envs.core.arrays import Array


class GymGame(EpisodeGame[Model]):
    """Any Gymnasium environment, an instance of it for every row.

    Without layouts of its own its layout is the seed of its reset, so that there is chance but
    no adversary. With layouts, chance is averaged over: every seed of the policy comes with a
    reset seed, its last entry, which is common to all layouts and candidates.
    """

    task: GymTask
    is_stepped: ClassVar[bool] = True

    def __init__(self, task: GymTask) -> None:
        """Play `task`; ValueError for spaces that have no code."""
        super().__init__(task)
        self._envs: list[gym.Env[Any, Any]] = []

    @property
    def has_adversary(self) -> bool:
        """Whether the environment has layouts."""
        return self.task.has_layouts

    @property
    def has_chance(self) -> bool:
        """Whether seeds end with a reset seed."""
        return self.task.has_layouts

    def default_seeds(self) -> SeedSpec:
        """One constant without an adversary: there is nobody to be unpredictable for."""
        return super().default_seeds() if self.has_adversary else SeedSpec(1, draw="fixed")

    def policy_seeds(self, seeds: Tensor) -> Tensor:
        """Seeds without the chance of the environment, (m, seed_dim)."""
        return seeds[:, :-1] if self.has_chance else seeds

    def world(self, layouts: Array, seeds: Array, population: int) -> World:
        """Environments after their resets, in the order of candidates, layouts and seeds."""
        count = population * len(layouts) * len(seeds)
        self._envs += [self.task.make() for _ in range(count - len(self._envs))]
        envs = self._envs[:count]
        if not self.has_chance:
            resets = np.tile(np.repeat(layouts["reset_seed"], len(seeds)), population)
            first = [env.reset(seed=int(k))[0] for env, k in zip(envs, resets, strict=True)]
            return GymWorld(envs, first)
        chance = np.tile(seeds[:, -1] * ENV_CHANCE, population * len(layouts)).astype(np.int64)
        values = [layout.to_json() for layout in self.task.layout_space.unpack(layouts)]
        given = np.tile(np.repeat(np.arange(len(layouts)), len(seeds)), population)
        first = [
            env.reset(seed=int(k), options={"layout": values[i]})[0]
            for env, k, i in zip(envs, chance, given, strict=True)
        ]
        return GymWorld(envs, first)
