"""How good a seeded player is: `evaluate` gives a `Report`.

Seeds inside, layouts outside: outcomes are averaged over seeds for each layout first.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rand_agents.adversary import Suspects, badness, search_worst, worst_of
from rand_agents.files import write_atomically
from rand_envs.player import Play, Player
from rand_envs.task import Array, Json

FloatArray = NDArray[np.float64]
RESAMPLES = 400
MAX_EXHAUSTIVE = 4096
"""Layout spaces up to this size are played whole; larger ones are sampled."""


@dataclass(frozen=True)
class Figure:
    """A number with its 95 % interval.

    Attributes:
        estimate: The number.
        ci95: Lower and upper end; equal to it where the number is exact.
    """

    estimate: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class Worst(Figure):
    """The worst layout's mean over seeds, on seeds that did not select it.

    Attributes:
        kind: "exact" if all layouts were tried, "bound" if a search found it.
        layout: The layout as JSON.
    """

    kind: Literal["exact", "bound"]
    layout: Json


@dataclass(frozen=True)
class Vote:
    """Success of the majority over several seeds' answers; ties count as wrong."""

    votes: int
    average: Figure
    p95: Figure


@dataclass(frozen=True)
class Report:
    """What `evaluate` found; outcomes are in the task's unit.

    Attributes:
        env_id: The game.
        config: Its arguments.
        unit: "success" (1 is best) or "steps" (fewer is better).
        num_layouts: Layouts played.
        exhaustive: Whether these are all layouts there are; else they are a uniform sample.
        num_seeds: Seeds a layout was played under; 1 where the player has only one.
        average: Mean over layouts of the mean over seeds.
        p95: The value that 95 % of the layouts are at least as good as.
        worst: The worst layout.
        histogram: Counts of layouts by mean outcome, in equal bins.
        bin_edges: Ends of these bins, one more than there are bins.
        majority: Votes over seeds, None where the game has no vote.
        sampled: Average and p95 with outputs sampled instead of taken by argmax; None if the
            player cannot sample.
        seed_variance: Variance over seeds of the player's output (probabilities; steps in the
            grid), mean over outputs and layouts.
        correlation: Mean over pairs of seeds of the correlation, over layouts, of their
            outcomes; None where fewer than two seeds vary over the layouts.
        constant_seed_variance: `seed_variance` with every seed replaced by one; must be 0.
        rng_seed: Determines every draw of the evaluation.
    """

    env_id: str
    config: Json
    unit: str
    num_layouts: int
    exhaustive: bool
    num_seeds: int
    average: Figure
    p95: Figure
    worst: Worst
    histogram: list[int]
    bin_edges: list[float]
    majority: list[Vote] | None
    sampled: dict[str, Figure] | None
    seed_variance: float
    correlation: float | None
    constant_seed_variance: float
    rng_seed: int

    def to_json(self) -> Json:
        """The report as a JSON-ready dictionary."""
        return dataclasses.asdict(self)

    def save(self, path: str | Path) -> None:
        """Write the report as JSON, atomically."""
        write_atomically(Path(path), json.dumps(self.to_json(), indent=1).encode())


def percentile95(means: FloatArray, higher_is_better: bool) -> FloatArray:
    """The value that 95 % of the layouts are at least as good as; means (n, ...), result (...)."""
    ordered = np.sort(-means if higher_is_better else means, axis=0)
    value: FloatArray = ordered[int(np.ceil(0.95 * len(means))) - 1]
    return -value if higher_is_better else value


def _t_interval(values: FloatArray) -> tuple[float, float]:
    """95 % t-interval of the mean of independent values; a point where they are all equal."""
    mean = float(values.mean())
    if len(values) < 2 or values.min() == values.max():
        return mean, mean
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return mean - float(half), mean + float(half)


def _average(outcome: FloatArray, exhaustive: bool, unit: str) -> Figure:
    """Mean of outcomes (n, m), both ways crossed: variance of seed means plus layout means.

    Where all layouts were played only the seeds are random. The sum counts the interaction
    twice and is therefore conservative.
    """
    mean = float(outcome.mean())
    variance = 0.0
    if outcome.shape[1] > 1:
        variance += float(outcome.mean(0).var(ddof=1)) / outcome.shape[1]
    if not exhaustive and len(outcome) > 1:
        variance += float(outcome.mean(1).var(ddof=1)) / len(outcome)
    degrees = max(min(s - 1 for s in outcome.shape if s > 1), 1) if outcome.size > 1 else 1
    half = float(stats.t.ppf(0.975, degrees)) * variance**0.5 if variance else 0.0
    return Figure(mean, _clip(mean - half, mean + half, unit))


def _clip(low: float, high: float, unit: str) -> tuple[float, float]:
    return (max(low, 0.0), min(high, 1.0)) if unit == "success" else (low, high)


def _p95(outcome: FloatArray, exhaustive: bool, higher: bool, rng: np.random.Generator) -> Figure:
    """95th percentile of outcomes (n, m), with a bootstrap over seeds, and over sampled layouts."""
    n, m = outcome.shape
    counts = rng.multinomial(m, np.full(m, 1 / m), RESAMPLES).T / m
    means = outcome @ counts
    if not exhaustive:
        means = np.take_along_axis(means, rng.integers(0, n, means.shape), 0)
    low, high = np.quantile(percentile95(means, higher), [0.025, 0.975])
    return Figure(float(percentile95(outcome.mean(1), higher)), (float(low), float(high)))


def mean_interval(outcome: FloatArray, seeds: Array, unit: str) -> Figure:
    """Mean of one layout's outcomes, (m,), under independent seeds, (m, ...).

    Clopper-Pearson for success; Student's t for steps; a point where there is only one seed.
    """
    if unit == "success" and (seeds != seeds[:1]).any():
        test = stats.binomtest(int(outcome.sum()), len(outcome))
        interval = test.proportion_ci(method="exact")
        return Figure(float(outcome.mean()), (float(interval.low), float(interval.high)))
    return Figure(float(outcome.mean()), _t_interval(outcome))


def majority_success(play: Play) -> FloatArray:
    """Whether the commonest of the seeds' answers is right, (n,); a tie is wrong."""
    if play.answer is None:
        raise ValueError("this game has no vote")
    same = play.answer[:, :, None] == play.answer[:, None, :]
    count = same.sum(-1)
    most = count.max(-1, keepdims=True)
    winner = count == most
    unique = winner.sum(-1) == most[:, 0]
    right = np.take_along_axis(play.outcome, winner.argmax(-1)[:, None], 1)[:, 0]
    success: FloatArray = right * unique
    return success


def _seed_correlation(outcome: FloatArray) -> float | None:
    varying = outcome[:, outcome.std(0) > 0]
    if varying.shape[1] < 2:
        return None
    count = varying.shape[1]
    matrix = np.asarray(np.corrcoef(varying, rowvar=False))
    return float((matrix.sum() - count) / (count * (count - 1)))


@dataclass(frozen=True)
class _Streams:
    layouts: np.random.Generator
    seeds: np.random.Generator
    fresh: np.random.Generator
    votes: np.random.Generator
    sampling: np.random.Generator
    search: np.random.Generator
    bootstrap: np.random.Generator


def evaluate(
    player: Player,
    *,
    layouts: Array | int = 2000,
    num_seeds: int = 100,
    num_fresh_seeds: int = 1000,
    votes: tuple[int, ...] = (5, 31),
    search_rounds: int = 20,
    rng_seed: int = 0,
) -> Report:
    """Play many layouts under many seeds and summarise.

    Args:
        player: An agent, or any other seeded strategy; it knows its task.
        layouts: Layouts to play, shape (n,), taken as a sample; or how many to sample where
            the space has more than 4,096 layouts. Smaller spaces are played whole.
        num_seeds: Seeds a layout, at least 2.
        num_fresh_seeds: Seeds that score the worst layout, other than those that selected it.
        votes: Sizes of the majority votes.
        search_rounds: Rounds of the search for a worse layout, where there are too many to try.
        rng_seed: Determines every draw.

    Returns:
        The report; every estimate with a 95 % interval.
    """
    if num_seeds < 2 or num_fresh_seeds < 2:
        raise ValueError("num_seeds and num_fresh_seeds must be at least 2")
    streams = _Streams(*map(np.random.default_rng, np.random.SeedSequence(rng_seed).spawn(7)))
    played, exhaustive = _choose_layouts(player, layouts, streams.layouts)
    seeds = player.draw_seeds(streams.seeds, num_seeds)
    is_fixed = bool((seeds == seeds[:1]).all())
    seeds = seeds[:1] if is_fixed else seeds
    play = player.play(played, seeds)
    task, higher = player.task, player.task.higher_is_better
    means = play.outcome.mean(1)
    limit = 1.0 if task.unit == "success" else float(task.max_steps)
    counts, edges = np.histogram(means, bins=25, range=(0.0, limit))
    suspects = _suspects(player, played, means, exhaustive, seeds, search_rounds, streams.search)
    return Report(
        env_id=task.env_id,
        config=task.config,
        unit=task.unit,
        num_layouts=len(played),
        exhaustive=exhaustive,
        num_seeds=len(seeds),
        average=_average(play.outcome, exhaustive, task.unit),
        p95=_p95(play.outcome, exhaustive, higher, streams.bootstrap),
        worst=_score_worst(player, suspects, 2 if is_fixed else num_fresh_seeds, streams.fresh),
        histogram=counts.tolist(),
        bin_edges=edges.tolist(),
        majority=_votes(player, played, play, exhaustive, () if is_fixed else votes, streams),
        sampled=_sampled(player, played, seeds, num_seeds, exhaustive, streams),
        seed_variance=_seed_variance(play),
        correlation=_seed_correlation(play.outcome),
        constant_seed_variance=_constant_seed_variance(player, played[:64], seeds[0]),
        rng_seed=rng_seed,
    )


def _choose_layouts(
    player: Player, layouts: Array | int, rng: np.random.Generator
) -> tuple[Array, bool]:
    if not isinstance(layouts, int):
        return layouts, False
    space = player.task.layout_space
    if space.size is not None and space.size <= MAX_EXHAUSTIVE:
        return space.enumerate(), True
    return space.sample(rng, layouts), False


def _suspects(
    player: Player,
    layouts: Array,
    means: FloatArray,
    exhaustive: bool,
    seeds: Array,
    rounds: int,
    rng: np.random.Generator,
) -> Suspects:
    scores = -means if player.task.higher_is_better else means
    if exhaustive:
        return Suspects(layouts[worst_of(scores, 16)], "exact")
    return search_worst(player, layouts, scores, rng, seeds=seeds, rounds=rounds)


def _score_worst(player: Player, suspects: Suspects, m: int, rng: np.random.Generator) -> Worst:
    """Choose among the suspects on fresh seeds, then score on seeds that chose nothing."""
    chosen = worst_of(badness(player, suspects.layouts, player.draw_seeds(rng, m)), 1)
    layout = suspects.layouts[chosen]
    seeds = player.draw_seeds(rng, m)
    figure = mean_interval(player.play(layout, seeds).outcome[0], seeds, player.task.unit)
    described = player.task.layout_space.unpack(layout)[0].to_json()
    return Worst(figure.estimate, figure.ci95, suspects.kind, described)


def _votes(
    player: Player,
    layouts: Array,
    play: Play,
    exhaustive: bool,
    votes: tuple[int, ...],
    streams: _Streams,
    groups: int = 4,
) -> list[Vote] | None:
    if play.answer is None or not votes:
        return None
    result = []
    for count in votes:
        ballots = [
            majority_success(player.play(layouts, player.draw_seeds(streams.votes, count)))
            for _ in range(groups)
        ]
        right = np.stack(ballots, 1)
        average = _average(right, exhaustive, "success")
        result.append(Vote(count, average, _p95(right, exhaustive, True, streams.votes)))
    return result


def _sampled(
    player: Player,
    layouts: Array,
    seeds: Array,
    num_seeds: int,
    exhaustive: bool,
    streams: _Streams,
) -> dict[str, Figure] | None:
    sampling: Any = getattr(player, "play_sampled", None)
    if sampling is None:
        return None
    repeated = np.resize(seeds, (num_seeds, *seeds.shape[1:]))
    outcome = sampling(layouts, repeated, streams.sampling).outcome
    higher = player.task.higher_is_better
    return {
        "average": _average(outcome, exhaustive, player.task.unit),
        "p95": _p95(outcome, exhaustive, higher, streams.sampling),
    }


def _constant_seed_variance(player: Player, layouts: Array, seed: Array) -> float:
    return _seed_variance(player.play(layouts, np.stack([seed] * 3)))


def _seed_variance(play: Play) -> float:
    # Relative to the first seed, so that equal outputs give 0 and not a rounding error.
    output = play.output.astype(np.float64) - play.output[:, :1]
    return float(output.var(1).mean())
