"""PEPG: parameter-exploring policy gradients, an evolution strategy with a learned std.

Also called PGPE (Sehnke et al., 2010); symmetric sampling with centred ranks as in EvoJAX.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from rand_agents.adversary import MAX_EXHAUSTIVE, is_enumerable
from rand_agents.algorithm import Agent, cosine
from rand_agents.gym_game import GymGame
from rand_agents.objectives import ObjectiveConfig
from rand_envs.task import Array

Vector = NDArray[np.float32]

GROWTH = 0.03
"""Relative growth of standard deviations in a generation of nothing but ties."""
MAX_GROWTH = 5.0
"""How much larger than at first ties can make standard deviations."""


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
        tolerated_ties: The share of candidates that may have the fitness of another; with more,
            perturbations change too little, and the standard deviations grow until there are
            fewer, up to MAX_GROWTH times the initial one; they fall back to it with fewer ties.
            None leaves them to their own gradient.
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
    tolerated_ties: float | None = None
    optimizer: Literal["adam", "clipup"] = "adam"
    beta1: float = 0.9
    beta2: float = 0.999
    adam_eps: float = 1e-8
    momentum: float = 0.9

    def __post_init__(self) -> None:
        if self.population < 2 or self.population % 2:
            raise ValueError(
                f"the population must be an even number of at least 2, got {self.population}"
            )
        for name in ("learning_rate", "std", "min_std"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("max_std_change", "beta1", "beta2", "momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 0 and below 1, got {getattr(self, name)}"
                )
        if self.tolerated_ties is not None and not 0 <= self.tolerated_ties < 1:
            raise ValueError(
                f"tolerated_ties must be at least 0 and below 1, got {self.tolerated_ties}"
            )
        if not self.std_learning_rate >= 0:
            raise ValueError(f"std_learning_rate must be at least 0, got {self.std_learning_rate}")
        if self.optimizer not in ("adam", "clipup"):
            raise ValueError(f'the optimizer must be "adam" or "clipup", got {self.optimizer!r}')


def centered_ranks(fitness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks scaled to [-1/2, 1/2], higher fitness higher; ties share their mean rank, NaN is worst.

    Args:
        fitness: Shape (n,), n at least 2.

    Returns:
        Shape (n,); all zero where all fitness values are equal.
    """
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

    def noise(self, rng: np.random.Generator) -> Vector:
        """Draw the directions of a generation, shape (population / 2, dimension)."""
        shape = (self.config.population // 2, len(self.center))
        return rng.standard_normal(shape, np.float32) * self.std

    def candidates(self, noise: Vector) -> Vector:
        """Center plus noise, then center minus noise: shape (population, dimension)."""
        return np.concatenate([self.center + noise, self.center - noise])

    def gradients(self, noise: Vector, utility: NDArray[np.float64]) -> tuple[Vector, Vector]:
        """Gradients of expected utility in centre and std, each of shape (dimension,)."""
        plus, minus = utility.astype(np.float32).reshape(2, -1)
        center = (plus - minus) / 2 @ noise
        baseline = (plus + minus).mean() / 2
        std = ((plus + minus) / 2 - baseline) @ ((noise**2 - self.std**2) / self.std)
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
        self._grow(ties)
        return {"train/ties": ties, "train/gradient_norm": norm}

    def _grow(self, ties: float) -> None:
        """Change all standard deviations by one factor, with more ties than are tolerated up."""
        c = self.config
        if c.tolerated_ties is not None:
            grown = self.std * math.exp(GROWTH * (ties - c.tolerated_ties))
            self.std = np.clip(grown, c.std, MAX_GROWTH * c.std).astype(np.float32)

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


@dataclass(frozen=True)
class PEPGConfig:
    """Options of `PEPG`.

    Attributes:
        objective: What is minimised; q = inf is the brute-force adversary.
        search: The evolution strategy.
        m: Seeds a generation, shared by all candidates and layouts.
        batch_size: Layouts a generation, shared by all candidates; None plays every layout.
        candidates_at_once: Candidates evaluated in one batch, to bound memory.
        effective_horizon: Two numbers of steps, between which the effective horizon of
            discounting rises geometrically; after that nothing is discounted any more.
            Discounted costs reward finding a treasure soon under some seeds more than finding
            it late under all, so that paths grow apart before they grow long. None never
            discounts.
        horizon_rise: Fraction of the run over which the effective horizon rises.
    """

    objective: ObjectiveConfig = field(default_factory=lambda: ObjectiveConfig(q=math.inf))
    search: SearchConfig = field(default_factory=SearchConfig)
    m: int = 10
    batch_size: int | None = None
    candidates_at_once: int = 100
    effective_horizon: tuple[float, float] | None = None
    horizon_rise: float = 0.6

    def __post_init__(self) -> None:
        if isinstance(self.objective, dict):
            object.__setattr__(self, "objective", ObjectiveConfig(**self.objective))
        if isinstance(self.search, dict):
            object.__setattr__(self, "search", SearchConfig(**self.search))
        if self.m < 1:
            raise ValueError(f"the number of seeds m must be at least 1, got {self.m}")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.candidates_at_once < 1:
            raise ValueError(
                f"candidates_at_once must be at least 1, got {self.candidates_at_once}"
            )
        if not 0.0 < self.horizon_rise <= 1.0:
            raise ValueError(f"horizon_rise must be above 0 and at most 1, got {self.horizon_rise}")
        if self.effective_horizon is not None:
            # A file gives a list.
            start, end = self.effective_horizon
            object.__setattr__(self, "effective_horizon", (start, end))
            if not 0 < start <= end < math.inf:
                raise ValueError(
                    "effective_horizon must be two finite numbers of steps above 0, the second "
                    f"not below the first, got {start} and {end}"
                )

    def discounted(self, costs: Tensor, progress: float) -> Tensor:
        """Costs c in steps as training sees them at `progress` in [0, 1] of a run.

        With effective horizon h, the sum of c steps each discounted by exp(-1 / h) against the
        one before it, taken as an integral: h (1 - exp(-c / h)).
        """
        if self.effective_horizon is None or progress >= self.horizon_rise:
            return costs
        start, end = self.effective_horizon
        h = start * (end / start) ** (progress / self.horizon_rise)
        seen: Tensor = -h * torch.expm1(-costs / h)
        return seen


class PEPG(Agent[PEPGConfig]):
    """Evolution of a seeded policy against the worst layout (arXiv 2408.10818, section 5).

    Needs no gradient of the game, so it plays every game; layouts and seeds are common to all
    candidates of a generation.
    """

    config_type = PEPGConfig

    def _default_config(self) -> PEPGConfig:
        """Outside this project's games there is no adversary: the mean over some resets."""
        if not isinstance(self.game, GymGame):
            return PEPGConfig()
        search = SearchConfig(population=64, learning_rate=0.1, std=0.3, std_learning_rate=0.1)
        return PEPGConfig(ObjectiveConfig(q=1.0), search, m=1, batch_size=4)

    def _setup(self) -> None:
        objective = self.config.objective
        if self.game.signed_costs and not objective.takes_signs:
            raise ValueError(
                f"the q-norm needs costs of at least 0, and minus a return in {self.task.env_id} "
                'can be below: use q=1 (the mean), q=inf (the maximum), or kind="cvar"'
            )
        if self.game.signed_costs and self.config.effective_horizon is not None:
            raise ValueError(
                "discounting needs costs of at least 0, and minus a return in "
                f"{self.task.env_id} can be below: effective_horizon must be None"
            )
        center = parameters_to_vector(self.model.parameters()).detach().cpu().numpy()
        self.search = Search(center, self.config.search)
        self._m = 1 if self.seeds.is_fixed else self.config.m
        self._all_layouts: Array | None = None
        if self.config.batch_size is None:
            if not is_enumerable(self):
                raise ValueError(
                    f"PEPG needs a batch_size here: the layouts of {self.task.env_id} are too many "
                    f"to play all, more than {MAX_EXHAUSTIVE}"
                )
            self._all_layouts = self.task.layout_space.enumerate()

    def _update(self, progress: float) -> dict[str, float]:
        search = self.search
        noise = search.noise(self._rngs["noise"])
        costs = self.costs(search.candidates(noise))
        seen = self.config.discounted(costs, progress)
        objective = self.config.objective.at(progress)(seen).double().cpu().numpy()
        if np.isnan(objective).all():
            raise FloatingPointError("every candidate's objective became NaN; try a smaller std")
        logs = search.tell(noise, -objective, self._learning_rate(progress))
        self._load_center()
        return logs | {
            "train/objective_best": float(np.nanmin(objective)),
            "train/objective_mean": float(np.nanmean(objective)),
            "train/objective_worst": float(np.nanmax(objective)),
            "train/mean_cost": costs.mean().item(),
            "train/std_min": float(search.std.min()),
            "train/std_max": float(search.std.max()),
        }

    def _learning_rate(self, progress: float) -> float:
        c = self.config.search
        if c.final_learning_rate is None:
            return c.learning_rate
        return cosine(c.learning_rate, c.final_learning_rate, progress)

    def costs(self, candidates: Vector) -> Tensor:
        """Costs of flat parameter vectors, (P, dimension), on fresh seeds: (P, n, m)."""
        layouts = self._layouts(self._rngs["layouts"])
        drawn = torch.from_numpy(self.seeds.sample(self._rngs["seeds"], self._m)).to(self.device)
        self.env_steps += len(candidates) * len(layouts) * self._m * self.task.max_steps
        vectors = torch.from_numpy(candidates).to(self.device)
        count = self.config.candidates_at_once
        with torch.no_grad():
            costs = [
                self.game.costs(self.model, layouts, drawn, self.unflatten(vectors[i : i + count]))
                for i in range(0, len(vectors), count)
            ]
        return torch.cat(costs)

    def _layouts(self, rng: np.random.Generator) -> Array:
        if self._all_layouts is not None:
            return self._all_layouts
        return self.task.layout_space.sample(rng, self.config.batch_size or 1)

    def _diagnose(self) -> dict[str, float | str]:
        """The layout worst for the centre, and its mean cost on seeds that did not select it.

        A generator of its own leaves training as it is, however often something is logged.
        """
        entropy = np.random.SeedSequence(self.rng_seed, spawn_key=(4, self.num_timesteps))
        rng = np.random.default_rng(entropy)
        layouts = self._layouts(rng)
        means = self.losses(layouts, self.seeds.sample(rng, self._m)).mean(-1)
        worst = layouts[[int(means.argmax())]]
        described = self.task.layout_space.unpack(worst)[0].to_json()
        return {
            "train/worst_cost": float(self.losses(worst, self.seeds.sample(rng, self._m)).mean()),
            "train/worst_layout": json.dumps(described),
        }

    def unflatten(self, vectors: Tensor) -> dict[str, Tensor]:
        """Weights with a leading population axis from flat vectors, (P, dimension)."""
        own = self.model.named_weights()
        ends = np.cumsum([weight.numel() for weight in own.values()])
        return {
            name: vectors[:, end - weight.numel() : end].reshape(-1, *weight.shape)
            for (name, weight), end in zip(own.items(), ends.tolist(), strict=True)
        }

    def _load_center(self) -> None:
        center = torch.from_numpy(self.search.center).to(self.device)
        with torch.no_grad():
            for name, values in self.unflatten(center.unsqueeze(0)).items():
                self.model.weights[name].copy_(values[0])

    def _trainer_tensors(self) -> dict[str, Tensor]:
        s = self.search
        tensors = {"center": s.center, "std": s.std, "velocity": s.velocity, "square": s.square}
        return {name: torch.from_numpy(v) for name, v in tensors.items()} | {
            "steps": torch.tensor(s.steps)
        }

    def _load_trainer_tensors(self, tensors: dict[str, Tensor]) -> None:
        s = self.search
        if any(tensors[name].shape != s.center.shape for name in ("center", "std")):
            raise ValueError("the file's search state does not fit the policy it describes")
        s.center, s.std = tensors["center"].numpy(), tensors["std"].numpy()
        s.velocity, s.square = tensors["velocity"].numpy(), tensors["square"].numpy()
        s.steps = int(tensors["steps"])
