"""Options of `PEPG`."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rand_agents.training.evolution import SearchConfig
from rand_agents.training.objectives import ObjectiveConfig


@dataclass(frozen=True)
class PEPGConfig:
    """Options of `PEPG`.

    Attributes:
        objective: What is minimised; q = inf is the brute-force adversary.
        search: The evolution strategy.
        m: Seeds a generation, shared by all candidates and layouts.
        batch_size: Layouts a generation, shared by all candidates; None plays every layout.
        candidates_at_once: Candidates evaluated in one batch, to bound memory.
        training_horizon: How long episodes may last when training begins, where the game has a
            horizon; it falls to the game's own in the first half of the run. A treasure found
            late then costs less than one never found: there is a slope where the game itself
            has none. None leaves the game as it is.
        effective_horizon: Two numbers of steps, between which the effective horizon of
            discounting rises geometrically; after that nothing is discounted any more.
            Discounted costs reward finding a treasure soon under some seeds more than finding
            it late under all. None never discounts.
        horizon_rise: Fraction of the run over which the effective horizon rises.
        cycles: A run is so many short ones, each with every schedule from its start to its end
            and a search of its own. All but the first begin near the best policy so far, see
            `shrink`. The run ends with the best of them.
        shrink: What the best policy's weights are multiplied by when a cycle begins, before
            `perturb` times fresh initial weights are added (shrink and perturb, Ash and Adams,
            2020). After cycles that were no better the next begins nearer or farther away by
            turns, see `rand_agents.training.pepg.KICKS`.
        perturb: See `shrink`.
        polishing_cycles: So many of the last cycles begin near the best policy, whether the one
            before was better or not, have the game's own horizon from their start, and may end
            with their best candidate instead of their centre: an argmax policy changes in jumps,
            and what one gains by a lucky one is lost in the mean. Seeds and layouts should be
            all there are, or it is the luckiest that is kept.
        detour_weights: Each step that an episode after the first takes beyond a shortest path
            adds so much to the objective, in the mean over layouts and seeds. Over the polishing
            cycles the weight goes from the first number to the second, which is that of the
            last, by equal factors. The q-norm hardly sees detours to a treasure near the start;
            a large weight from the beginning, or at once, leads to the best deterministic policy.
        detour_loss_weight: In polishing cycles the loss of the episodes after the first adds so
            much, in the mean over layouts and seeds: for each step that a shortest path takes, a
            logistic loss of the logits, see `GridRollout.steps`. Detours change only where an
            argmax does, this with every perturbation.
    """

    objective: ObjectiveConfig = field(default_factory=lambda: ObjectiveConfig(q=math.inf))
    search: SearchConfig = field(default_factory=SearchConfig)
    m: int = 10
    batch_size: int | None = None
    candidates_at_once: int = 100
    training_horizon: int | None = None
    effective_horizon: tuple[float, float] | None = None
    horizon_rise: float = 0.6
    cycles: int = 1
    shrink: float = 0.8
    perturb: float = 0.5
    polishing_cycles: int = 0
    detour_weights: tuple[float, float] = (0.0, 0.0)
    detour_loss_weight: float = 0.0

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
        if self.cycles < 1:
            raise ValueError(f"the number of cycles must be at least 1, got {self.cycles}")
        if not 0.0 <= self.shrink <= 1.0:
            raise ValueError(f"shrink must be at least 0 and at most 1, got {self.shrink}")
        if not self.perturb >= 0.0:
            raise ValueError(f"perturb must be at least 0, got {self.perturb}")
        if not 0 <= self.polishing_cycles < self.cycles:
            raise ValueError(
                f"polishing_cycles must be at least 0 and fewer than the {self.cycles} cycles, "
                f"got {self.polishing_cycles}"
            )
        self._check_detours()
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

    def _check_detours(self) -> None:
        # A file gives a list.
        before, last = self.detour_weights
        object.__setattr__(self, "detour_weights", (before, last))
        if not all(0.0 <= weight < math.inf for weight in self.detour_weights):
            raise ValueError(
                f"detour_weights must be two finite numbers of at least 0, got {before} and {last}"
            )
        if not 0.0 <= self.detour_loss_weight < math.inf:
            raise ValueError(
                "detour_loss_weight must be a finite number of at least 0, got "
                f"{self.detour_loss_weight}"
            )
        if self.detour_loss_weight and not self.polishing_cycles:
            raise ValueError(
                "without polishing_cycles detour_loss_weight must be 0, got "
                f"{self.detour_loss_weight}"
            )
        if before != last and not self.polishing_cycles:
            raise ValueError(
                f"without polishing_cycles the two detour_weights must be equal, got {before} "
                f"and {last}"
            )
        if before != last and 0.0 in self.detour_weights:
            raise ValueError(
                "two detour_weights that differ must be above 0, since one goes to the other by "
                f"equal factors, got {before} and {last}"
            )

    def is_polishing(self, cycle: int) -> bool:
        """Whether this is one of the last cycles, which polish."""
        return cycle >= self.cycles - self.polishing_cycles

    def prices(self, cycle: int) -> tuple[float, float]:
        """What a step of detour adds to the objective in a cycle, and what a unit of its loss."""
        before, last = self.detour_weights
        if not self.is_polishing(cycle):
            return before, 0.0
        left = (self.cycles - 1 - cycle) / self.polishing_cycles
        weight = last if before == last else last * (before / last) ** left
        return weight, self.detour_loss_weight

    def value(self, cycle: int, progress: float, costs: Tensor, *priced: Tensor) -> Tensor:
        """The objective, (*lead), at `progress` in [0, 1] of a cycle.

        It is of costs, and of detours and their losses unless neither has a price then, each
        (*lead, n, m).
        """
        value = self.objective.at(progress)(self.discounted(costs, progress)).double()
        for price, part in zip(self.prices(cycle), priced, strict=False):
            value += price * part.double().mean((-2, -1))
        return value

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
