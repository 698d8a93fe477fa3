"""Any Gymnasium environment as a setting.

Where it has a `layout_space` and takes `reset(options={"layout": ...})`, as under a
`LayoutWrapper`, these are its layouts. Nobody lists what other environments leave to chance, but
`reset(seed=...)` determines it: then a layout is a reset seed, common to all candidates of a
generation like any other layout; the mean over layouts is the expected return, and CVaR the mean
return of the unluckiest resets.
"""

import json
import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor

from rand_envs.core.arrays import Array, Json, whole_number, words_below
from rand_envs.core.layouts.space import Layout, LayoutSpace, layout_fields
from rand_envs.core.task import Setting
from rand_envs.core.wrappers.layouts import layout_space_of

ENV_CHANCE = 2**24
"""Reset seeds that stand for the chance beside a layout are below this: exact in float32."""

NUM_RESET_SEEDS = 2**31
"""Reset seeds are drawn from 0 to one less than this."""


PLAIN = (OrderEnforcing, PassiveEnvChecker, Monitor)
"""Wrappers that change nothing of what is seen, done or reached."""


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


class GymTask(Setting[Any]):
    """An environment whose episodes have a longest length; outcomes are returns.

    Attributes:
        is_registered: Whether `gym.make(env_id, **config)` makes it; else it is copied.
        has_layouts: Whether the environment has layouts; else these are reset seeds.
    """

    unit = "return"

    def __init__(self, env_id: str, **config: Any) -> None:
        """Describe `gym.make(env_id, **config)`.

        Raises:
            ValueError: No such environment is registered, its episodes have no longest length,
                or its arguments cannot be written as JSON.
        """
        self.env_id = env_id
        self.is_registered = True
        self._template: gym.Env[Any, Any] | None = None
        self._config = dict(config)
        try:
            json.dumps(self._config)
        except TypeError as error:
            raise ValueError(f"arguments of {env_id} must be plain JSON: {error}") from None
        env = self.make()
        self._describe(env)
        self._config["max_episode_steps"] = self.max_steps
        env.close()

    @classmethod
    def of(cls, env: gym.Env[Any, Any]) -> "GymTask":
        """The setting of an environment; it is copied unless `gym.make` gave it as it is."""
        while isinstance(env, PLAIN):
            env = env.env
        spec = env.spec
        if spec is None or spec.additional_wrappers:
            return cls._copied(env)
        config = {k: v for k, v in spec.kwargs.items() if k != "render_mode"}
        if not _is_json(config):
            return cls._copied(env)
        return cls(spec.id, **config | {"max_episode_steps": spec.max_episode_steps})

    @classmethod
    def _copied(cls, env: gym.Env[Any, Any]) -> "GymTask":
        task = cls.__new__(cls)
        task.env_id = type(env.unwrapped).__name__ if env.spec is None else env.spec.id
        task.is_registered = False
        task._config = {}
        task._template = env
        task._describe(env)
        return task

    def _describe(self, env: gym.Env[Any, Any]) -> None:
        """Read the spaces, the length, the layouts and the range of returns off an environment."""
        limit = None if env.spec is None else env.spec.max_episode_steps
        if limit is None:
            limit = _attribute(env, "_max_episode_steps")
        if limit is None:
            limit = getattr(getattr(env.unwrapped, "task", None), "max_steps", None)
        if not limit:
            raise ValueError(
                f"episodes of {self.env_id} must have a longest length: "
                "make it with gym.make(..., max_episode_steps=...)"
            )
        self.max_steps = int(limit)
        self.observation_space, self.action_space = env.observation_space, env.action_space
        space = layout_space_of(env)
        self.has_layouts = space is not None
        self.layout_space: LayoutSpace[Any] = ResetSeeds() if space is None else space
        known = _attribute(env, "outcome_range")
        low, high = (-math.inf, math.inf) if known is None else known
        self._outcome_range = (float(low), float(high))

    @property
    def outcome_range(self) -> tuple[float, float]:
        """The environment's own `outcome_range`, of its returns; infinite without one."""
        return self._outcome_range

    @property
    def config(self) -> Json:
        """The keyword arguments of `gym.make`, JSON-ready."""
        return dict(self._config)

    def make(self) -> gym.Env[Any, Any]:
        """A new environment; ValueError if there is none of this id."""
        if self._template is not None:
            return deepcopy(self._template)
        if ":" in self.env_id:
            # An id in a file must not be able to import what it likes.
            raise ValueError(f"an id must not name a module: import it first, got {self.env_id!r}")
        try:
            return gym.make(self.env_id, disable_env_checker=True, **self._config)
        except gym.error.UnregisteredEnv as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"the environment must be a registered one: {reason}") from None


def wrappers_of(env: gym.Env[Any, Any]) -> list[gym.Wrapper[Any, Any, Any, Any]]:
    """The wrappers of an environment that change something, the outermost first."""
    wrappers = []
    while isinstance(env, gym.Wrapper):
        if not isinstance(env, PLAIN):
            wrappers.append(env)
        env = env.env
    return wrappers


def _is_json(config: Json) -> bool:
    try:
        json.dumps(config)
    except TypeError:
        return False
    return True


def _attribute(env: gym.Env[Any, Any], name: str) -> Any:
    """An attribute of an environment or of one of its wrappers; None without it."""
    return env.get_wrapper_attr(name) if env.has_wrapper_attr(name) else None
