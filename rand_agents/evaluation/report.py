"""What `evaluate` finds, as values that turn into JSON."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rand_agents.evaluation.certificates import Certificate
from rand_agents.evaluation.intervals import Figure
from rand_agents.evaluation.provenance import provenance
from rand_envs.core.arrays import Json
from rand_envs.core.sealed import write_json


@dataclass(frozen=True)
class Worst(Figure):
    """The worst layout's mean over seeds, on seeds that did not select it.

    Attributes:
        kind: "exact" if every layout was played under every seed; "estimate" if every layout was
            tried, but under seeds that were drawn, so that one that looked better may be worse by
            about the interval; "bound" if a search found it.
        layout: The layout as JSON.
    """

    kind: Literal["exact", "estimate", "bound"]
    layout: Json


@dataclass(frozen=True)
class Search:
    """How hard the worst layout was searched for, from the worst of the layouts played.

    Attributes:
        rounds: Rounds of mutation; 0 if there was no search at all.
        starts: How many layouts it ascended from, where the space has coordinates.
        seeds: How many seeds scored it.
    """

    rounds: int
    starts: int
    seeds: int


@dataclass(frozen=True)
class Vote:
    """Success of the majority over several seeds' answers; ties count as wrong.

    The seeds of a vote are drawn as the policy's training draws a set of seeds, so without
    repetition where that is "distinct".

    Attributes:
        votes: How many seeds vote.
        average: Mean over layouts.
        p95: The value that 95 % of the layouts are at least as good as.
        worst: On the report's worst layout, over elections with fresh seeds.
    """

    votes: int
    average: Figure
    p95: Figure
    worst: Figure


@dataclass(frozen=True)
class Regret:
    """What is lost against one who knew the layout, in the task's unit.

    Attributes:
        average: Mean over layouts of the mean over seeds.
        worst: The layout with the largest regret of those played, on fresh seeds.
        ratio: The competitive ratio, the largest mean cost divided by the least possible cost,
            on fresh seeds; None of outcomes that are no costs.
    """

    average: Figure
    worst: Worst
    ratio: Figure | None


@dataclass(frozen=True)
class Report:
    """What `evaluate` found; outcomes are in the task's unit.

    Attributes:
        env_id: The game.
        config: Its arguments.
        unit: "success" (1 is best), "return" (more is better), or that of a cost, such as
            "steps" (fewer is better).
        num_layouts: Layouts played.
        exhaustive: Whether these are all layouts there are; else they are a uniform sample.
        num_seeds: Seeds a layout was played under; 1 where the player has only one.
        all_seeds: Whether these are all seeds there are, each as likely as any other: then means
            over seeds are exact, and so is the worst layout where all layouts were played.
        average: Mean over layouts of the mean over seeds.
        p95: The value that 95 % of the layouts are at least as good as.
        worst: The worst layout.
        search: How hard it was searched for; None where all layouts were tried.
        histogram: Counts of layouts by mean outcome, in equal bins.
        bin_edges: Ends of these bins, one more than there are bins.
        majority: Votes over seeds, None where the game has no vote.
        sampled: Average and p95 with outputs sampled instead of taken by argmax; None if the
            player cannot sample.
        loss: Average and p95, over layouts, of the training loss's mean over seeds; None where
            the outcome itself is what is trained on, or the player tells no losses.
        seed_variance: Variance over seeds of the player's output (probabilities; steps in the
            grid), mean over outputs and layouts.
        correlation: Mean over pairs of seeds of the correlation, over layouts, of their
            outcomes; None where fewer than two seeds vary over the layouts.
        constant_seed_variance: `seed_variance` with every seed replaced by one; must be 0.
        game_value: The best worst case that any randomised strategy can reach, as given.
        game_value_kind: "exact", or "bound" if it is open whether one reaches it.
        gap: How much worse the worst case is than the game value, in `unit`; None where no
            value was given.
        regret: What is lost against one who knew the layout; None where the game does not tell
            what that one could have had.
        certificate: Bounds on the worst case and on votes that hold for finite samples; None
            where the player has only one seed, so that nothing is random.
        rng_seed: Determines every draw of the evaluation.
    """

    env_id: str
    config: Json
    unit: str
    num_layouts: int
    exhaustive: bool
    num_seeds: int
    all_seeds: bool
    average: Figure
    p95: Figure
    worst: Worst
    search: Search | None
    histogram: list[int]
    bin_edges: list[float]
    majority: list[Vote] | None
    sampled: dict[str, Figure] | None
    loss: dict[str, Figure] | None
    seed_variance: float
    correlation: float | None
    constant_seed_variance: float
    game_value: float | None
    game_value_kind: Literal["exact", "bound"] | None
    gap: Figure | None
    regret: Regret | None
    certificate: Certificate | None
    rng_seed: int

    def __str__(self) -> str:
        """The report as a table."""
        # Imported here, as the table is of reports.
        from rand_agents.evaluation.tables import report_text

        return report_text(self)

    def to_json(self) -> Json:
        """The report as a JSON-ready dictionary."""
        return dataclasses.asdict(self)

    def save(self, path: str | Path, seconds: float | None = None) -> None:
        """Write the report as JSON, atomically, with a checksum and what it was made by.

        Args:
            path: The file.
            seconds: How long the evaluation took.
        """
        write_json(path, self.to_json() | provenance(seconds), indent=1)
