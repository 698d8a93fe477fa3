"""PEPG's search: an evolution strategy on a flat parameter vector, with ask and tell."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.options import convert_options

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class SearchConfig:
    """Options of `Search`, the evolution strategy itself.

    Attributes:
        population: Candidates a generation, in pairs, so an even number.
        learning_rate: Step of the centre.
        final_learning_rate: Where cosine annealing of that step ends; None keeps it constant.
        std: Initial standard deviation of every parameter.
        std_learning_rate: Step of the standard deviations.
        max_std_change: Largest relative change of a standard deviation in one generation.
        min_std: Standard deviations never fall below this.
        optimizer: "adam" or "clipup" (Toklu et al., 2020), for the centre alone.
        beta1: Adam's decay of the mean gradient.
        beta2: Adam's decay of the mean squared gradient.
        adam_eps: Adam's epsilon.
        momentum: ClipUp's momentum; its maximum speed is twice the learning rate.
    """

    population: int = 300
    learning_rate: float = 0.01
    final_learning_rate: float | None = None
    std: float = 0.03
    std_learning_rate: float = 0.01
    max_std_change: float = 0.2
    min_std: float = 1e-5
    optimizer: Literal["adam", "clipup"] = "adam"
    beta1: float = 0.9
    beta2: float = 0.999
    adam_eps: float = 1e-8
    momentum: float = 0.9

    def __post_init__(self) -> None:
        convert_options(self)
        if self.population < 2 or self.population % 2:
            raise ValueError(
                f"the population must be an even number of at least 2, got {self.population}"
            )
        for name in ("learning_rate", "std", "min_std", "adam_eps"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("max_std_change", "beta1", "beta2", "momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 0 and below 1, got {getattr(self, name)}"
                )
        for name in ("std_learning_rate", "final_learning_rate"):
            if not (getattr(self, name) or 0.0) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.optimizer not in ("adam", "clipup"):
            raise ValueError(f'the optimizer must be "adam" or "clipup", got {self.optimizer!r}')


def centered_ranks(fitness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks scaled to [-1/2, 1/2], higher fitness higher; ties share their mean rank, NaN is worst.

    Args:
        fitness: Shape (n,), n at least 2.

    Returns:
        Shape (n,); all zero where all fitness values are equal.
    """
    # Imported here, since options of the search are needed before, and at once.
    from scipy.stats import rankdata

    known = np.where(np.isnan(fitness), -np.inf, fitness)
    ranks: NDArray[np.float64] = (rankdata(known) - 1.0) / (len(known) - 1) - 0.5
    return ranks


class Search:
    """Symmetric PEPG on a flat parameter vector, with ask and tell.

    With noise eps ~ N(0, std^2) for D = population / 2 directions and shaped fitness u, the
    gradients of expected fitness are, as in pgpelib and EvoJAX after Sehnke et al. (2010),

    - centre: mean over D of (u+ - u-) / 2 * eps
    - std: mean over D of ((u+ + u-) / 2 - mean u) * (eps^2 - std^2) / std
    """

    def __init__(self, center: Vector, config: SearchConfig) -> None:
        """Start at `center`, shape (dimension,)."""
        self.config = config
        self.center = center.astype(np.float32)
        self.std = np.full_like(self.center, config.std)
        self.velocity = np.zeros_like(self.center)
        self.square = np.zeros_like(self.center)
        self.steps = 0

    def noise(self, key: Any, generation: int) -> Vector:
        """The directions of a generation, shape (population / 2, dimension).

        Each is a function of the run's key (128 bits, as `numpy.random.Philox` takes them), the
        generation and its own number, whoever draws it (Salmon et al., 2011).
        """
        noise = np.empty((self.config.population // 2, len(self.center)), np.float32)
        for number, direction in enumerate(noise):
            bits = np.random.Philox(key=key, counter=[0, 0, number, generation])
            np.random.Generator(bits).standard_normal(dtype=np.float32, out=direction)
        noise *= self.std
        return noise

    def candidates(self, noise: Vector) -> Vector:
        """Center plus noise, then center minus noise: shape (population, dimension)."""
        return np.concatenate([self.center + noise, self.center - noise])

    def gradients(self, noise: Vector, utility: NDArray[np.float64]) -> tuple[Vector, Vector]:
        """Gradients of expected utility in centre and std, each of shape (dimension,)."""
        plus, minus = utility.astype(np.float32).reshape(2, -1)
        center = (plus - minus) / 2 @ noise
        half = (plus + minus) / 2
        half -= half.mean()
        # Multiplied out: a matrix as large as the noise less to make, which took most of the time.
        std = (half @ noise**2 - half.sum() * self.std**2) / self.std
        count = len(noise)
        return (center / count).astype(np.float32), (std / count).astype(np.float32)

    def tell(
        self, noise: Vector, fitness: NDArray[np.float64], learning_rate: float
    ) -> dict[str, float]:
        """Update centre and std from the fitness, higher is better, of `candidates(noise)`.

        Where all fitness values are equal there is no gradient: the centre stays as it is.
        """
        utility = centered_ranks(fitness)
        ties = 1.0 - (len(np.unique(utility)) - 1) / (len(utility) - 1)
        norm = 0.0
        if utility.any():
            center, std = self.gradients(noise, utility)
            norm = float(np.linalg.norm(center))
            self.center = self.center + self._center_step(center, learning_rate)
            change = self.config.max_std_change * self.std
            step = np.clip(self.config.std_learning_rate * std, -change, change)
            self.std = np.maximum(self.std + step, self.config.min_std).astype(np.float32)
        return {"train/ties": ties, "train/gradient_norm": norm}

    def _center_step(self, gradient: Vector, learning_rate: float) -> Vector:
        c = self.config
        self.steps += 1
        if c.optimizer == "clipup":
            norm = float(np.linalg.norm(gradient))
            pushed = c.momentum * self.velocity
            self.velocity = pushed + gradient * (learning_rate / norm) if norm > 0 else pushed
            speed = float(np.linalg.norm(self.velocity))
            if speed > 2 * learning_rate:
                self.velocity = self.velocity * (2 * learning_rate / speed)
            return self.velocity.astype(np.float32)
        self.velocity = c.beta1 * self.velocity + (1 - c.beta1) * gradient
        self.square = c.beta2 * self.square + (1 - c.beta2) * gradient**2
        mean = self.velocity / (1 - c.beta1**self.steps)
        root = np.sqrt(self.square / (1 - c.beta2**self.steps))
        step: Vector = (learning_rate * mean / (root + c.adam_eps)).astype(np.float32)
        return step
