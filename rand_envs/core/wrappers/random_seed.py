"""Wrappers that make seeded policies out of ordinary ones."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from gymnasium.spaces.utils import flatten, flatten_space
from numpy.typing import NDArray

from rand_envs.core.arrays import whole_number
from rand_envs.core.streams import Stream, checked_seed, generator

SEED_DISTRIBUTIONS = ("gaussian", "uniform", "bits")
"""The distributions of a seed's coordinates: N(0, 1), uniform on [0, 1), and fair bits."""


def seed_from_uniform(distribution: str, u: NDArray[Any]) -> NDArray[np.float32]:
    """Turn uniform numbers into seeds by the inverse distribution function.

    Args:
        distribution: one of `SEED_DISTRIBUTIONS`.
        u: numbers in [0, 1), of any shape.

    Returns:
        Seeds of the same shape; always finite.

    Raises:
        ValueError: the distribution is unknown.
    """
    if distribution == "gaussian":
        # Both ends of [0, 1) would give infinities: 0 as it is, and what rounds to 1.
        inside = np.clip(np.asarray(u, np.float64), 2.0**-53, 1 - 2.0**-53)
        # Imported here, since it takes longer than all of the package's own code.
        from scipy.special import ndtri

        return np.asarray(ndtri(inside), np.float32)
    if distribution == "uniform":
        return np.asarray(u, np.float32)
    if distribution == "bits":
        return np.asarray(np.asarray(u) >= 0.5, np.float32)
    raise ValueError(
        f"the seed distribution must be one of {', '.join(SEED_DISTRIBUTIONS)}, "
        f"got {distribution!r}"
    )


class RandomSeedObservation(
    gym.ObservationWrapper[NDArray[np.float32], Any, Any],
    gym.utils.RecordConstructorArgs,
):
    """Appends a random seed vector to every observation, so that any policy is a seeded one.

    The seed is drawn once per instance, at reset, by a generator of the wrapper's own: layouts
    and seeds are independent, and the same as without the wrapper.  `reset(seed=...)` seeds
    both.  Observations are float32, the flattened observation first, then the seed.

    Args:
        env: an environment whose observations can be flattened.
        seed_dim: length of the seed vector, at least 1.
        distribution: one of `SEED_DISTRIBUTIONS`.

    Raises:
        ValueError: a dimension below 1, or an unknown distribution.
    """

    def __init__(
        self, env: gym.Env[Any, Any], seed_dim: int, distribution: str = "gaussian"
    ) -> None:
        gym.utils.RecordConstructorArgs.__init__(self, seed_dim=seed_dim, distribution=distribution)
        gym.ObservationWrapper.__init__(self, env)
        self.seed_dim = whole_number("seed_dim", seed_dim, 1)
        self.distribution = distribution
        low, high = seed_from_uniform(distribution, np.array([0.0, 1.0]))
        flat = flatten_space(env.observation_space)
        if not isinstance(flat, Box):
            raise ValueError(
                f"observations must have a fixed length once flattened, got {env.observation_space}"
            )
        self.observation_space = Box(
            np.append(flat.low, [low] * self.seed_dim).astype(np.float32),
            np.append(flat.high, [high] * self.seed_dim).astype(np.float32),
        )
        self._rng = np.random.default_rng()
        self._seed = np.zeros(self.seed_dim, np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an instance, then draw its seed vector."""
        if seed is not None:
            seed = checked_seed(seed)
            self._rng = generator(Stream.OBSERVED_SEEDS, seed)
        uniform = self._rng.random(self.seed_dim)
        self._seed = seed_from_uniform(self.distribution, uniform)
        return super().reset(seed=seed, options=options)

    def observation(self, observation: Any) -> NDArray[np.float32]:
        """Return the flattened observation followed by the seed, float32, one-dimensional."""
        flat = flatten(self.env.observation_space, observation)
        return np.append(np.asarray(flat, np.float32), self._seed)
