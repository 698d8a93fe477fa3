"""One integer seeds many things, and none of them may draw what another one draws.

Layouts must not depend on a policy's seeds, not even where `env.reset(seed=k)` and
`agent.set_random_seed(k)` get the same integer, or where somebody's own policy draws from
`np.random.default_rng(k)`. So every stream is a branch of its own of NumPy's seed sequence.
"""

import numbers
from enum import IntEnum
from typing import Any

import numpy as np

from rand_envs.core.arrays import shown


class Stream(IntEnum):
    """The branches. Those below 6 are a trainer's: four from the start on, and two by number."""

    RESET = 6
    """Layouts of an environment, by `reset(seed=...)`."""
    WRAPPED_RESET = 7
    """Layouts of a `LayoutWrapper`."""
    OBSERVED_SEEDS = 8
    """Seeds of a `RandomSeedObservation`."""
    ACTING = 9
    """Seeds and samples of `predict`, by `set_random_seed`."""
    EVALUATION = 10
    """All that `evaluate` draws."""
    WORST_FOR = 11
    HEDGE = 12
    """Seeds that the source draws when it learns, by the number of the round."""
    WATCHING = 13
    """The layouts that are watched."""
    PLAYING = 14
    """The layouts that a person plays."""


def generator(stream: Stream, rng_seed: int, *numbers_: int) -> np.random.Generator:
    """The generator of a stream, or of the branch of it that has these numbers."""
    sequence = np.random.SeedSequence(rng_seed, spawn_key=(stream, *numbers_))
    return np.random.default_rng(sequence)


def checked_seed(seed: Any) -> int:
    """Return the seed of a reset as an int; ValueError unless it is an integer of at least 0."""
    is_integer = isinstance(seed, numbers.Integral) and not isinstance(seed, bool | np.bool_)
    if not is_integer or seed < 0:
        raise ValueError(f"seed must be an integer of at least 0, got {shown(seed)}")
    return int(seed)
