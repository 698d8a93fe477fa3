"""How random sampled play is while a policy learns from it: much at first, less at the end."""

from collections.abc import Callable
from dataclasses import dataclass

from rand_envs.core.options import convert_options

START = 0.15
"""What the thermostat begins with."""
AT_ONCE, EACH_UPDATE = 3.0, 0.06
"""How the worth of entropy follows what is lacking, of now and summed over all updates."""


@dataclass(frozen=True)
class ScoreConfig:
    """How a gradient is estimated from sampled play, see `rand_agents.games.path.score`.

    Attributes:
        paths: How often each seed is played in a step, drawing actions from the output.
        branches: How many histories of each path the gradient follows beside the longest; None for
            all. Where layouts part late or often, a few cost much less and say nearly as much.
        entropy: Mean entropy of the actions when training begins, as a share of the largest there
            can be; it is held up to a schedule, see `Thermostat`. None leaves it alone.
        final_entropy: The same when it has cooled.
        temperature: What outputs are divided by, when actions are drawn, when it has cooled; 1
            when training begins. Play is by argmax, and near 0 a draw is nearly that: then
            randomness that helps has to come from the seed.
        cooling: Fraction of the run over which entropy and temperature fall, the temperature by
            equal factors.
    """

    paths: int = 4
    branches: int | None = None
    entropy: float | None = None
    final_entropy: float = 0.0
    temperature: float = 0.02
    cooling: float = 0.9

    def __post_init__(self) -> None:
        convert_options(self)
        if self.paths < 1:
            raise ValueError(f"paths must be at least 1, got {self.paths}")
        if self.branches is not None and self.branches < 1:
            raise ValueError(f"branches must be None or at least 1, got {self.branches}")
        if self.entropy is not None and not 0.0 <= self.entropy <= 1.0:
            raise ValueError(f"entropy must be None, or from 0 to 1, got {self.entropy}")
        if not 0.0 <= self.final_entropy <= (1.0 if self.entropy is None else self.entropy):
            raise ValueError(
                f"final_entropy must be from 0 to entropy, {self.entropy}, got {self.final_entropy}"
            )
        for name in ("temperature", "cooling"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be above 0 and at most 1, got {getattr(self, name)}")

    def entropy_at(self, progress: float) -> float:
        """The share of the largest entropy that is wanted at `progress` in [0, 1] of the run."""
        if self.entropy is None:
            raise ValueError("without a schedule no entropy is wanted more than another")
        left: float = (1.0 - min(progress / self.cooling, 1.0)) ** 1.5
        return self.final_entropy + (self.entropy - self.final_entropy) * left

    def temperature_at(self, progress: float) -> float:
        """What outputs are divided by at `progress` in [0, 1] of the run."""
        cooled: float = self.temperature ** min(progress / self.cooling, 1.0)
        return cooled


class Thermostat:
    """Holds the entropy of sampled play up to its schedule.

    A fixed worth of entropy either drowns the objective or is drowned by it, at one time or the
    other of a run. So, as in soft actor-critic with a target entropy (Haarnoja et al. 2018), the
    worth follows what is lacking, now and so far; where there is enough it is nothing.

    Attributes:
        worth: What a nat of mean entropy is worth, in standard deviations of costs.
    """

    def __init__(self, wanted: Callable[[float], float] | None) -> None:
        """Begin with a small worth, or with none where nothing is wanted.

        Args:
            wanted: The share of the largest entropy at a progress in [0, 1]; None for none.
        """
        self._wanted = wanted
        self.worth = self._summed = START if wanted and wanted(0.0) > 0.0 else 0.0

    def read(self, share: float, progress: float) -> None:
        """Learn the share of the largest entropy that an update had."""
        if self._wanted is None:
            return
        lack = self._wanted(progress) - share
        self._summed = max(self._summed + EACH_UPDATE * lack, 0.0)
        self.worth = max(self._summed + AT_ONCE * lack, 0.0)

    @property
    def state(self) -> list[float]:
        """What a resumed run needs."""
        return [self.worth, self._summed]

    @state.setter
    def state(self, state: list[float]) -> None:
        self.worth, self._summed = state
