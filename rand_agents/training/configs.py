"""Options of the trainers: numbers and words, each checked where it enters.

Nothing heavy is imported here: a command line knows its options before PyTorch is there.
"""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from rand_agents.training.entropy import ScoreConfig
from rand_agents.training.evolution import SearchConfig
from rand_envs.core.options import convert_options

if TYPE_CHECKING:
    from rand_agents.training.objectives import Objective

SATURATED = 0.5
"""Fraction of the run after which losses saturate as much as they will."""


def cosine(start: float, end: float, progress: float) -> float:
    """Cosine annealing from `start` at progress 0 to `end` at progress 1."""
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * progress))


def check_q(q: float) -> None:
    """Raise ValueError unless q is a number of at least 1 (infinity included)."""
    if not q >= 1.0:
        raise ValueError(f"q must be a number of at least 1 (infinity is legal), got {q}")


def check_alpha(alpha: float) -> None:
    """Raise ValueError unless alpha is a fraction of the layouts, above 0 and at most 1."""
    if not 0.0 < alpha <= 1.0:
        raise ValueError(f"alpha must be above 0 and at most 1, got {alpha}")


@dataclass(frozen=True)
class ObjectiveConfig:
    """Which objective a trainer uses, and how q rises during the run.

    Attributes:
        kind: "q-norm", or "cvar" (mean of the worst fraction alpha of the layouts).
        q: The q-norm's exponent: 1 is the mean over layouts, infinity (inf) the maximum.
        q_start: If given, q rises geometrically from here to q, which must then be finite.
        q_rise: Fraction of the run over which q rises.
        alpha: Fraction of the layouts for "cvar".
        of: "cost", or "regret": cost minus the best that one who knew the layout could have had,
            where the game tells it.
        saturation: If above 0, losses saturate, see `Saturating`, with a factor that rises from 0
            to this over the first half of the run.
    """

    kind: Literal["q-norm", "cvar"] = "q-norm"
    q: float = 100.0
    q_start: float | None = None
    q_rise: float = 0.5
    alpha: float = 0.05
    of: Literal["cost", "regret"] = "cost"
    saturation: float = 0.0

    def __post_init__(self) -> None:
        convert_options(self, infinite=["q", "q_start", "saturation"])
        if self.of not in ("cost", "regret"):
            raise ValueError(f'the objective must be of "cost" or "regret", got {self.of!r}')
        if self.kind not in ("q-norm", "cvar"):
            raise ValueError(f'the objective must be "q-norm" or "cvar", got {self.kind!r}')
        check_q(self.q)
        if self.q_start is not None:
            check_q(self.q_start)
            if math.isinf(self.q) or math.isinf(self.q_start):
                raise ValueError("a q that rises needs a finite start and end")
        if not 0.0 < self.q_rise <= 1.0:
            raise ValueError(f"q_rise must be above 0 and at most 1, got {self.q_rise}")
        if not 0.0 <= self.saturation < math.inf:
            raise ValueError(
                f"saturation must be a finite number of at least 0, got {self.saturation}"
            )
        check_alpha(self.alpha)

    @property
    def takes_signs(self) -> bool:
        """Whether losses may be below 0: in the mean, the maximum, and CVaR."""
        return self.kind == "cvar" or (self.q_start is None and self.q in (1.0, math.inf))

    @property
    def summary(self) -> str:
        """What is made small, in a few words."""
        what = f"{self.of} over layouts"
        if self.kind == "cvar":
            return f"the mean {self.of} of the worst {self.alpha:.0%} of the layouts"
        if self.q == 1.0:
            return f"the mean {what}"
        if math.isinf(self.q):
            return f"the worst {what}"
        return f"the q-norm of {what}, q = {self.q:g}"

    def at(self, progress: float) -> "Objective":
        """The objective at `progress` in [0, 1] of the run."""
        from rand_agents.training.objectives import Saturating

        saturation = self.saturation * min(progress / SATURATED, 1.0)
        objective = self._of_losses(progress)
        return Saturating(objective, saturation) if saturation > 0.0 else objective

    def _of_losses(self, progress: float) -> "Objective":
        from rand_agents.training.objectives import CVaRObjective, QNormObjective

        if self.kind == "cvar":
            return CVaRObjective(self.alpha)
        if self.q_start is None:
            return QNormObjective(self.q)
        risen = min(progress / self.q_rise, 1.0)
        return QNormObjective(self.q_start * (self.q / self.q_start) ** risen)


@dataclass(frozen=True)
class QNormConfig:
    """Options of `QNorm`; the defaults are the paper's for associative recall.

    Attributes:
        objective: What is minimised.
        m: Seeds a step, shared by all layouts of the step.
        batch_size: Layouts a step; None plays every layout.
        learning_rate: Peak learning rate, after the warm-up.
        final_learning_rate: Where cosine annealing ends.
        warmup: Fraction of the run over which the learning rate rises linearly.
        beta1: Adam's decay of the mean gradient.
        beta2: Adam's decay of the mean squared gradient.
        adam_eps: Adam's epsilon.
        weight_decay: Decoupled weight decay (AdamW); 0 is Adam.
        max_grad_norm: Global norm to which gradients are clipped.
        stratified: Draw the layouts of a step evenly where the game can (recall: every key is
            asked for after the same values); each layout alone is as uniform as without.
        seeds_kept: Updates that use a set of seeds before the next set is drawn.
        seeds_at_once: With more seeds than this, m no longer costs memory: a first pass finds
            the weight of every loss in the objective, a second the gradient, this many seeds at
            a time. The gradient is the same.
        score: How the gradient is estimated where costs have none.
    """

    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    m: int = 30
    batch_size: int | None = 512
    learning_rate: float = 3e-3
    final_learning_rate: float = 3e-4
    warmup: float = 0.03
    beta1: float = 0.9
    beta2: float = 0.95
    adam_eps: float = 1e-5
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    stratified: bool = False
    seeds_kept: int = 1
    seeds_at_once: int = 32
    score: ScoreConfig = field(default_factory=ScoreConfig)

    def __post_init__(self) -> None:
        convert_options(self, infinite=["max_grad_norm"])
        if self.m < 1:
            raise ValueError(f"the number of seeds m must be at least 1, got {self.m}")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        for name in ("seeds_kept", "seeds_at_once"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("learning_rate", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("final_learning_rate", "weight_decay", "adam_eps"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        for name in ("warmup", "beta1", "beta2"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(
                    f"{name} must be at least 0 and below 1, got {getattr(self, name)}"
                )

    def learning_rate_at(self, progress: float) -> float:
        """Learning rate at `progress` in [0, 1] of the run."""
        if progress < self.warmup:
            return self.learning_rate * progress / self.warmup
        annealed = (progress - self.warmup) / (1.0 - self.warmup)
        return cosine(self.learning_rate, self.final_learning_rate, annealed)


@dataclass(frozen=True)
class PSROConfig:
    """Options of `PSRO`.

    Attributes:
        objective: q = inf is the worst layout, q = 1 the mean; others have no meaning here.
        rounds: How many best responses are learned; fewer where the updates are few.
        distillation: Fraction of the updates in which the seeds learn the strategies.
        iterations: Into how many parts these are divided, the last one twice as long as the
            others. After each but the last the policy is
            played itself, better strategies than those it learned are looked for in what it meets
            and tries, and it learns these (expert iteration; Anthony, Tian and Barber 2017).
        paths: How often the layouts are played in an update of a response, drawing actions.
        branches: As in `ScoreConfig`, in both kinds of updates; None for all.
        entropy: As in `ScoreConfig`, of every round.
        final_entropy: The same at its end: strategies are looked for in what is still random.
        temperature: What outputs are divided by when strategies are looked for.
        learning_rate: Peak learning rate of a response, after the warm-up.
        final_learning_rate: Where cosine annealing ends in each round.
        distillation_learning_rate: Peak learning rate of the policy itself.
        max_grad_norm: Global norm to which gradients are clipped.
    """

    objective: ObjectiveConfig = field(default_factory=lambda: ObjectiveConfig(q=math.inf))
    rounds: int = 16
    distillation: float = 0.6
    iterations: int = 4
    paths: int = 64
    branches: int | None = None
    entropy: float = 0.25
    final_entropy: float = 0.06
    temperature: float = 2.0
    learning_rate: float = 8e-3
    final_learning_rate: float = 5e-4
    distillation_learning_rate: float = 4e-3
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        convert_options(self, infinite=["max_grad_norm"])
        objective = self.objective
        if objective.saturation > 0.0:
            raise ValueError(f"PSRO's costs do not saturate, got {objective.saturation}")
        if objective.kind != "q-norm" or objective.q not in (1.0, math.inf) or objective.q_start:
            raise ValueError(
                "PSRO finds the best mean or the best worst case: q must be 1 or infinity (inf), "
                f"and not rise, got {objective}"
            )
        for name in ("rounds", "iterations"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0.0 < self.distillation < 1.0:
            raise ValueError(f"distillation must be above 0 and below 1, got {self.distillation}")
        for name in (
            "temperature",
            "learning_rate",
            "final_learning_rate",
            "distillation_learning_rate",
            "max_grad_norm",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        # Which checks the rest.
        self.response()

    def response(self) -> QNormConfig:
        """How a best response is learned."""
        return QNormConfig(
            learning_rate=self.learning_rate,
            final_learning_rate=self.final_learning_rate,
            max_grad_norm=self.max_grad_norm,
            score=ScoreConfig(
                self.paths, self.branches, self.entropy, self.final_entropy, temperature=1.0
            ),
        )

    def distilling(self) -> QNormConfig:
        """How the policy learns from examples."""
        return QNormConfig(
            learning_rate=self.distillation_learning_rate,
            final_learning_rate=self.distillation_learning_rate / 20,
            max_grad_norm=self.max_grad_norm,
        )


@dataclass(frozen=True)
class PEPGConfig:
    """Options of `PEPG`.

    Attributes:
        objective: What is minimised; q = inf is the brute-force adversary.
        search: The evolution strategy.
        m: Seeds a generation, shared by all candidates and layouts.
        batch_size: Layouts a generation, shared by all candidates; None plays every layout.
        candidates_at_once: Candidates evaluated in one batch, to bound memory; and what an actor
            takes at a time, where several play.
    """

    objective: ObjectiveConfig = field(default_factory=lambda: ObjectiveConfig(q=math.inf))
    search: SearchConfig = field(default_factory=SearchConfig)
    m: int = 10
    batch_size: int | None = None
    candidates_at_once: int = 100

    def __post_init__(self) -> None:
        convert_options(self)
        if self.m < 1:
            raise ValueError(f"the number of seeds m must be at least 1, got {self.m}")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.candidates_at_once < 1:
            raise ValueError(
                f"candidates_at_once must be at least 1, got {self.candidates_at_once}"
            )
