"""Any registered Gymnasium environment as a setting: the layout is the seed of its reset.

Nobody lists what such an environment leaves to chance, but `reset(seed=...)` determines it. So
a layout is a reset seed, common to all candidates of a generation like any other layout; the
mean over layouts is the expected return, and CVaR the mean return of the unluckiest resets.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, Json, whole_number, words_below
from rand_envs.core.layouts import Layout, LayoutSpace, layout_fields
from rand_envs.core.task import Setting

NUM_RESET_SEEDS = 2**31
"""Reset seeds are drawn from 0 to one less than this."""


@dataclass(frozen=True)
class ResetSeed(Layout):
    """One instance of a general environment: `reset(seed=reset_seed)`."""

    reset_seed: int

    def to_json(self) -> Json:
        """Return {"reset_seed": integer}."""
        return {"reset_seed": self.reset_seed}


class ResetSeeds(LayoutSpace[ResetSeed]):
    """All reset seeds, from 0 to 2^31 - 1."""

    dtype = np.dtype([("reset_seed", np.uint32)])
    num_words = 1
    size = NUM_RESET_SEEDS

    def from_words(self, words: NDArray[np.uint64]) -> Array:
        """Turn uniform random words, shape (n, 1), into n layouts."""
        return words_below(words[:, 0], NUM_RESET_SEEDS).astype(np.uint32).view(self.dtype)

    def enumerate(self) -> Array:
        """Reset seeds are too many to list: ValueError."""
        raise ValueError(f"there are {NUM_RESET_SEEDS} reset seeds, too many to list")

    def mutate(self, rng: np.random.Generator, layouts: Array) -> Array:
        """Fresh reset seeds: neighbouring ones have nothing in common."""
        return self.sample(rng, len(layouts))

    def validate(self, layout: ResetSeed | Mapping[str, Any]) -> ResetSeed:
        """Return the legal layout; ValueError says what is wrong."""
        (seed,) = layout_fields(layout, ResetSeed, ["reset_seed"])
        return ResetSeed(whole_number("reset_seed", seed, 0, NUM_RESET_SEEDS - 1))

    def pack(self, layouts: Sequence[ResetSeed | Mapping[str, Any]]) -> Array:
        """Validate layouts and turn them into one structured array of shape (n,)."""
        return np.array([(self.validate(layout).reset_seed,) for layout in layouts], self.dtype)

    def unpack(self, layouts: Array) -> list[ResetSeed]:
        """The layouts of a structured array, shape (n,), as values."""
        return [ResetSeed(int(seed)) for seed in layouts["reset_seed"]]


class GymTask(Setting[ResetSeed]):
    """A registered environment whose episodes have a longest length; outcomes are returns."""

    unit = "return"
    layout_space = ResetSeeds()

    def __init__(self, env_id: str, **config: Any) -> None:
        """Describe `gym.make(env_id, **config)`.

        Raises:
            ValueError: No such environment is registered, its episodes have no longest length,
                or its arguments cannot be written as JSON.
        """
        self.env_id = env_id
        self._config = dict(config)
        try:
            json.dumps(self._config)
        except TypeError as error:
            raise ValueError(f"arguments of {env_id} must be plain JSON: {error}") from None
        env = self.make()
        spec = env.spec
        if spec is None or spec.max_episode_steps is None:
            raise ValueError(
                f"episodes of {env_id} must have a longest length: "
                "make it with gym.make(..., max_episode_steps=...)"
            )
        self.max_steps = self._config["max_episode_steps"] = spec.max_episode_steps
        self.observation_space, self.action_space = env.observation_space, env.action_space
        env.close()

    @classmethod
    def of(cls, env: gym.Env[Any, Any]) -> "GymTask":
        """The setting of an environment as `gym.make` gives it; ValueError for any other."""
        if env.spec is None or env.spec.additional_wrappers:
            raise ValueError(
                f"{env} must be an environment as gym.make gives it, or an id: to play a wrapped "
                "one, register a function that makes it under an id of its own"
            )
        config = {k: v for k, v in env.spec.kwargs.items() if k != "render_mode"}
        return cls(env.spec.id, **config | {"max_episode_steps": env.spec.max_episode_steps})

    @property
    def config(self) -> Json:
        """The keyword arguments of `gym.make`, JSON-ready."""
        return dict(self._config)

    def make(self) -> gym.Env[Any, Any]:
        """A new environment; ValueError if there is none of this id."""
        if ":" in self.env_id:
            # An id in a file must not be able to import what it likes.
            raise ValueError(f"an id must not name a module: import it first, got {self.env_id!r}")
        try:
            return gym.make(self.env_id, disable_env_checker=True, **self._config)
        except gym.error.UnregisteredEnv as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"the environment must be a registered one: {reason}") from None
