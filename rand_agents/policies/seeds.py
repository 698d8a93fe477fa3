"""Where the policy's random input comes from: a distribution and a way to draw from it."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import whole_number
from rand_envs.core.options import convert_options
from rand_envs.core.wrappers.random_seed import SEED_DISTRIBUTIONS, seed_from_uniform

Draw = Literal["fixed", "independent", "antithetic", "sobol", "distinct"]
DRAWS: tuple[Draw, ...] = ("fixed", "independent", "antithetic", "sobol", "distinct")

MAX_DISTINCT_DIM = 20
"""The most bits of seeds that are drawn without repetition, from a list of all."""

MAX_EVERY = 4096
"""The most seed vectors that are listed one by one."""

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class SeedSpec:
    """The distribution of a policy's seed vector, and how a set of seeds is drawn from it.

    Attributes:
        dim: Length of the seed vector, at least 1.
        distribution: "bits" (0 or 1), "uniform" on [0, 1) or standard "gaussian", per entry.
        draw: "fixed" (always one r0), "independent", "antithetic" (every other seed mirrors
            the one before it), "sobol" (a scrambled Sobol set, freshly scrambled at each draw), or
            "distinct" (bit vectors without repetition; with m = 2**dim the mean over seeds is
            exact).
        r0_rng_seed: Integer seed that determines r0 of the "fixed" draw.
    """

    dim: int
    distribution: Literal["bits", "uniform", "gaussian"] = "gaussian"
    draw: Draw = "independent"
    r0_rng_seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", whole_number("the seed dimension", self.dim, 1))
        convert_options(self)
        if self.distribution not in SEED_DISTRIBUTIONS:
            raise ValueError(
                f"the seed distribution must be one of {SEED_DISTRIBUTIONS}, "
                f"got {self.distribution!r}"
            )
        if self.draw not in DRAWS:
            raise ValueError(f"the seed draw must be one of {DRAWS}, got {self.draw!r}")
        if self.draw == "distinct" and (self.distribution != "bits" or self.dim > MAX_DISTINCT_DIM):
            raise ValueError(
                f'the seed draw "distinct" needs at most {MAX_DISTINCT_DIM} bits, '
                f"got {self.dim} of the distribution {self.distribution!r}"
            )

    @property
    def is_fixed(self) -> bool:
        """Whether every draw gives the same constant r0."""
        return self.draw == "fixed"

    def sample(self, rng: np.random.Generator, m: int) -> Float32:
        """Draw m seed vectors, shape (m, dim); a "fixed" draw leaves `rng` untouched."""
        if m < 1:
            raise ValueError(f"the number of seeds m must be at least 1, got {m}")
        return seed_from_uniform(self.distribution, self._uniforms(rng, m))

    def every(self) -> Float32 | None:
        """All seed vectors if they are at most MAX_EVERY and equally likely, (count, dim)."""
        rng = np.random.default_rng(0)
        if self.is_fixed:
            return self.sample(rng, 1)
        if self.distribution != "bits" or 1 << self.dim > MAX_EVERY:
            return None
        return dataclasses.replace(self, draw="distinct").sample(rng, 1 << self.dim)

    def _uniforms(self, rng: np.random.Generator, m: int) -> NDArray[np.float64]:
        if self.draw == "fixed":
            r0 = np.random.default_rng(self.r0_rng_seed).random(self.dim)
            return np.broadcast_to(r0, (m, self.dim))
        if self.draw == "antithetic":
            half = rng.random((-(-m // 2), self.dim))
            mirrored = np.minimum(1.0 - half, np.nextafter(1.0, 0.0))
            return np.stack([half, mirrored], axis=1).reshape(-1, self.dim)[:m]
        if self.draw == "sobol":
            # Imported here, since it takes longer than all of the rest.
            from scipy.stats import qmc

            # Given a generator it would spawn a child, whose number is in no saved state.
            sobol = qmc.Sobol(self.dim, scramble=True, rng=int(rng.integers(2**63)))
            uniforms: NDArray[np.float64] = sobol.random_base2((m - 1).bit_length())[:m]
            return uniforms
        if self.draw == "distinct":
            # Every vector as often as every other, but for a remainder.
            count = 1 << self.dim
            whole = np.tile(np.arange(count), m // count)
            codes = np.concatenate([whole, rng.permutation(count)[: m % count]])
            bits = (codes[:, None] >> np.arange(self.dim)) & 1
            return np.asarray(bits * 0.5 + 0.25, np.float64)
        return rng.random((m, self.dim))
