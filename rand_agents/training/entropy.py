"""How random sampled play is while `QNorm` trains: much at first, hardly at all at the end."""

from dataclasses import dataclass

START = 0.15
"""What the thermostat begins with."""
AT_ONCE, EACH_UPDATE = 3.0, 0.06
"""How the worth of entropy follows what is lacking, of now and summed over all updates."""


@dataclass(frozen=True)
class ScoreConfig:
    """How `QNorm` estimates a gradient from sampled play, see `rand_agents.games.path.score`.

    Attributes:
        paths: How often each seed is played in a step, drawing actions from the output.
        branches: How many histories of each path the gradient follows beside the longest; None for
            all. Where layouts part late or often, a few cost much less and say nearly as much.
        entropy: Mean entropy of the actions when training begins, as a share of the largest there
            can be; it is held to a schedule that falls to 0, see `Thermostat`. None leaves it
            alone.
        temperature: What outputs are divided by, when actions are drawn, when it has cooled; 1
            when training begins. Play is by argmax, and near 0 a draw is nearly that: then
            randomness that helps has to come from the seed.
        cooling: Fraction of the run over which entropy and temperature fall, the temperature by
            equal factors.
    """

    paths: int = 4
    branches: int | None = None
    entropy: float | None = None
    temperature: float = 0.02
    cooling: float = 0.9

    def __post_init__(self) -> None:
        if self.paths < 1:
            raise ValueError(f"paths must be at least 1, got {self.paths}")
        if self.branches is not None and self.branches < 1:
            raise ValueError(f"branches must be None or at least 1, got {self.branches}")
        if self.entropy is not None and not 0.0 <= self.entropy <= 1.0:
            raise ValueError(f"entropy must be None, or from 0 to 1, got {self.entropy}")
        for name in ("temperature", "cooling"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be above 0 and at most 1, got {getattr(self, name)}")

    def entropy_at(self, progress: float) -> float:
        """The share of the largest entropy that is wanted at `progress` in [0, 1] of the run."""
        if self.entropy is None:
            raise ValueError("without a schedule no entropy is wanted more than another")
        left: float = (1.0 - min(progress / self.cooling, 1.0)) ** 1.5
        return self.entropy * left

    def temperature_at(self, progress: float) -> float:
        """What outputs are divided by at `progress` in [0, 1] of the run."""
        cooled: float = self.temperature ** min(progress / self.cooling, 1.0)
        return cooled


class Thermostat:
    """Holds the entropy of sampled play to its schedule.

    A fixed worth of entropy either drowns the objective or is drowned by it, at one time or the
    other of a run. So, as in soft actor-critic with a target entropy (Haarnoja et al. 2018), the
    worth follows what is lacking, now and so far. Where there is too much, entropy is charged for:
    at first this makes each seed keep to a way of its own, before any way is good.

    Attributes:
        worth: What a nat of mean entropy is worth, in standard deviations of costs.
    """

    def __init__(self, config: ScoreConfig) -> None:
        """Begin with a small worth, or with none where there is no schedule."""
        self.config = config
        self.worth = self._summed = START if config.entropy else 0.0

    def read(self, share: float, progress: float) -> None:
        """Learn the share of the largest entropy that an update had."""
        if self.config.entropy is None:
            return
        lack = self.config.entropy_at(progress) - share
        self._summed += EACH_UPDATE * lack
        self.worth = self._summed + AT_ONCE * lack

    @property
    def state(self) -> list[float]:
        """What a resumed run needs."""
        return [self.worth, self._summed]

    @state.setter
    def state(self, state: list[float]) -> None:
        self.worth, self._summed = state
