"""How good a seeded player is: `evaluate` gives a `Report`.

Seeds inside, layouts outside: outcomes are averaged over seeds for each layout first.
"""

import functools
import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rand_agents.evaluation.certificates import Certificate, Tally, certify, certify_success
from rand_agents.evaluation.intervals import (
    Figure,
    FloatArray,
    average_figure,
    mean_interval,
    p95_figure,
    percentile95,
)
from rand_agents.evaluation.players import as_player
from rand_agents.evaluation.regret import regret_of
from rand_agents.evaluation.report import Report, Search, Vote, Worst
from rand_agents.evaluation.seeds import Seeds, kind_of
from rand_agents.evaluation.votes import majority_success, play_layouts, plays_all, votes_of
from rand_agents.games.registry import Environment
from rand_envs import minimax
from rand_envs.adversaries.search import (
    MAX_EXHAUSTIVE,
    ROUNDS,
    STARTS,
    PlayerWithLosses,
    Suspects,
    badness,
    is_enumerable,
    search_seeds,
    search_worst,
    worst_of,
)
from rand_envs.core.arrays import Array, whole_number
from rand_envs.core.options import rng_seed_number
from rand_envs.core.player import Play, Player
from rand_envs.core.streams import Stream, generator
from rand_envs.core.task import GameValue, Setting, Task

__all__ = ["Figure", "Report", "Vote", "Worst", "evaluate", "majority_success", "percentile95"]

NUM_SUSPECTS = 64
BINS = 20
SEARCH_SEEDS = 64
"""The search for a worse layout uses at most so many seeds; others score what it finds."""
TALLIED_AT_ONCE = 50
CERTIFIED_PLAYS = 200_000
"""Certificates use as many seeds as the worst layout's score does while plays are this few."""


@dataclass(frozen=True)
class _Effort:
    """How much is played by default."""

    layouts: int
    num_seeds: int
    num_fresh_seeds: int
    search_rounds: int


BATCHES = _Effort(2000, 100, 1000, ROUNDS)
ONE_BY_ONE = _Effort(40, 8, 100, 2)


def _seed_correlation(outcome: FloatArray) -> float | None:
    varying = outcome[:, outcome.std(0) > 0]
    if varying.shape[1] < 2:
        return None
    count = varying.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        matrix = np.asarray(np.corrcoef(varying, rowvar=False))
    correlation = float((matrix.sum() - count) / (count * (count - 1)))
    # Outcomes that differ by rounding alone have none.
    return correlation if np.isfinite(correlation) else None


@dataclass(frozen=True)
class _Streams:
    layouts: np.random.Generator
    seeds: np.random.Generator
    fresh: np.random.Generator
    votes: np.random.Generator
    sampling: np.random.Generator
    search: np.random.Generator
    bootstrap: np.random.Generator
    certificate: np.random.Generator
    loss: np.random.Generator
    elections: np.random.Generator
    regret: np.random.Generator


def evaluate(
    policy: Any,
    env: Environment | None = None,
    *,
    deterministic: bool = True,
    layouts: Array | int | None = None,
    num_seeds: int | None = None,
    num_fresh_seeds: int | None = None,
    votes: tuple[int, ...] = (5, 31),
    search_rounds: int | None = None,
    search_starts: int = STARTS,
    game_value: GameValue | None = None,
    rng_seed: int = 0,
) -> Report:
    """Play many layouts under many seeds and summarise.

    Args:
        policy: An agent or any other `Player`, which knows its task; or a Stable-Baselines3
            model or a function from an observation to an action, see
            `rand_agents.evaluation.players.as_player`.
        env: Where a model or function plays: a registered id, an environment, or a task.
        deterministic: Whether a model takes its likeliest action. Agents always do, and are
            also reported with sampled actions.
        layouts: Layouts to play, shape (n,), taken as a sample; or how many to sample where
            the space has more than 4,096 layouts and the player is no `WholePlayer` that can
            play all. Other spaces are played whole.
            None is 2,000 of a task, whose rules are played on batches, and 40 of an environment,
            which is stepped one instance at a time.
        num_seeds: Seeds a layout, at least 2; by default 100, or 8.
        num_fresh_seeds: Seeds that score the worst layout, other than those that selected it; by
            default 1,000, or 100.
        votes: Sizes of the majority votes.
        search_rounds: Rounds of the search for a worse layout, where there are too many to try;
            by default 30, or 2.
        search_starts: How many of the layouts played it ascends from, see
            `rand_envs.adversaries.search_worst`.
        game_value: Best worst case that any randomised strategy can reach, for the gap; None for
            what `rand_envs.minimax.game_value(task)` finds.
        rng_seed: Determines every draw.

    Returns:
        The report; every estimate with a 95 % interval.

    Raises:
        ValueError: If a number is illegal, or the policy does not fit the environment.
    """
    player = as_player(policy, env, deterministic)
    task = player.task
    effort = BATCHES if isinstance(task, Task) else ONE_BY_ONE
    layouts = effort.layouts if layouts is None else layouts
    num_seeds = effort.num_seeds if num_seeds is None else num_seeds
    num_fresh_seeds = effort.num_fresh_seeds if num_fresh_seeds is None else num_fresh_seeds
    search_rounds = effort.search_rounds if search_rounds is None else search_rounds
    higher = task.higher_is_better
    num_seeds, num_fresh_seeds = (
        whole_number(name, count, 2)
        for name, count in (("num_seeds", num_seeds), ("num_fresh_seeds", num_fresh_seeds))
    )
    votes = tuple(whole_number("the number of votes", count, 1) for count in votes)
    rng_seed = rng_seed_number(rng_seed)
    known = minimax.game_value(task) if game_value is None else game_value
    streams = _Streams(*(generator(Stream.EVALUATION, rng_seed, i) for i in range(11)))
    played, exhaustive = _choose_layouts(player, layouts, streams.layouts)
    drawn = Seeds(player, streams.seeds, num_seeds)
    seeds = drawn()
    is_fixed = bool((seeds == seeds[:1]).all())
    seeds = seeds[:1] if is_fixed else seeds
    play = play_layouts(player, played, exhaustive, seeds)
    means = play.outcome.mean(1)
    counts, edges = np.histogram(means, bins=BINS, range=_histogram_range(task, means))
    suspects, search = _suspects(
        player, played, means, exhaustive, (search_rounds, search_starts), streams.search
    )
    fresh, again = (
        Seeds(player, rng, num_fresh_seeds, seeds if is_fixed else None)
        for rng in (streams.fresh, streams.regret)
    )
    hardest, worst = _score_worst(player, suspects, fresh)
    votes = () if is_fixed else votes
    return Report(
        env_id=task.env_id,
        config=task.config,
        unit=task.unit,
        num_layouts=len(played),
        exhaustive=exhaustive,
        num_seeds=len(seeds),
        all_seeds=fresh.all,
        average=average_figure(play.outcome, exhaustive, task.unit, drawn.all),
        p95=p95_figure(play.outcome, exhaustive, higher, streams.bootstrap, drawn.all),
        worst=worst,
        search=search,
        histogram=counts.tolist(),
        bin_edges=edges.tolist(),
        majority=votes_of(
            player, played, hardest, play, exhaustive, votes, (streams.votes, streams.elections)
        ),
        sampled=_sampled(player, played, seeds, num_seeds, exhaustive, streams),
        loss=_loss(player, played, seeds, (exhaustive, drawn.all), streams.loss),
        seed_variance=_seed_variance(play),
        correlation=_seed_correlation(play.outcome),
        constant_seed_variance=_constant_seed_variance(player, played[:64], seeds[0]),
        game_value=known.value,
        game_value_kind=known.kind,
        gap=None if known.value is None else gap_to(known.value, worst, higher),
        regret=regret_of(player, played, play, exhaustive, again),
        certificate=None
        if is_fixed
        else _certificate(player, played, means, suspects, (num_seeds, num_fresh_seeds), streams),
        rng_seed=rng_seed,
    )


def _histogram_range(task: Setting[Any], means: FloatArray) -> tuple[float, float]:
    """All outcomes there can be; where these are not known, those there were."""
    low, high = task.outcome_range
    if np.isfinite([low, high]).all():
        return low, high
    return float(means.min()), float(max(means.max(), means.min() + 1e-9))


def _certificate(
    player: Player,
    played: Array,
    means: FloatArray,
    suspects: Suspects,
    seed_counts: tuple[int, int],
    streams: _Streams,
) -> Certificate | None:
    """Bounds from fresh seeds, as many as are affordable of (few, many).

    Who plays all layouts of a game at once affords many: only successes are kept of them.
    """
    task, exhaustive = player.task, suspects.kind == "exact"
    low, high = task.outcome_range
    # The bounds are of success rates and of costs.
    if task.unit == "return" or not np.isfinite(high - low):
        return None
    tried = played if exhaustive else np.concatenate([suspects.layouts, played])
    few, many = seed_counts
    scores = -means if task.higher_is_better else means
    suspect = int(worst_of(scores, 1)[0]) if exhaustive else 0
    wrong_answers = task.wrong_answers
    if exhaustive and plays_all(player) and task.unit == "success" and wrong_answers == 1:
        seeds = player.draw_seeds(streams.certificate, many)
        parts = np.array_split(seeds, -(-many // TALLIED_AT_ONCE))
        tallies = (Tally.of(play_layouts(player, tried, True, part), 1) for part in parts)
        return certify_success(
            functools.reduce(operator.add, tallies), suspect, exhaustive=True, wrong_answers=1
        )
    count = many if len(tried) * many <= CERTIFIED_PLAYS else few
    return certify(
        play_layouts(player, tried, exhaustive, player.draw_seeds(streams.certificate, count)),
        suspect,
        exhaustive=exhaustive,
        higher_is_better=task.higher_is_better,
        spread=high - low,
        wrong_answers=wrong_answers,
    )


def gap_to(game_value: float, worst: Figure, higher_is_better: bool) -> Figure:
    """How much worse a worst case is than the game value, with the interval of the former."""
    sign = -1.0 if higher_is_better else 1.0
    low, high = sorted(sign * (end - game_value) for end in worst.ci95)
    return Figure(sign * (worst.estimate - game_value), (low, high))


def _choose_layouts(
    player: Player, layouts: Array | int, rng: np.random.Generator
) -> tuple[Array, bool]:
    if not isinstance(layouts, int):
        if len(layouts) < 1:
            raise ValueError("the number of layouts must be at least 1, got 0")
        return layouts, False
    space = player.task.layout_space
    if is_enumerable(player) or plays_all(player):
        return space.enumerate(), True
    return space.sample(rng, layouts), False


def _suspects(
    player: Player,
    layouts: Array,
    means: FloatArray,
    exhaustive: bool,
    effort: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[Suspects, Search | None]:
    """The layouts that look worst, and how they were searched for with (rounds, starts)."""
    scores = -means if player.task.higher_is_better else means
    if exhaustive:
        return Suspects(layouts[worst_of(scores, NUM_SUSPECTS)], "exact"), None
    seeds = search_seeds(player, rng, SEARCH_SEEDS)
    rounds, starts = effort
    found = search_worst(player, layouts, scores, rng, seeds=seeds, rounds=rounds, starts=starts)
    return found, Search(rounds, starts, len(seeds))


def _score_worst(player: Player, suspects: Suspects, fresh: Seeds) -> tuple[Array, Worst]:
    """Choose among the suspects on fresh seeds, then score on seeds that chose nothing."""
    chosen = worst_of(badness(player, suspects.layouts, fresh()), 1)
    layout = suspects.layouts[chosen]
    seeds = fresh()
    outcome = player.play(layout, seeds).outcome[0]
    figure = mean_interval(outcome, seeds, player.task.unit, fresh.all)
    described = player.task.layout_space.unpack(layout)[0].to_json()
    kind = kind_of(suspects.kind == "exact", fresh.all)
    return layout, Worst(figure.estimate, figure.ci95, kind, described)


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
    layouts, exhaustive = _affordable(layouts, exhaustive, streams.sampling)
    repeated = np.resize(seeds, (num_seeds, *seeds.shape[1:]))
    outcome = sampling(layouts, repeated, streams.sampling).outcome
    higher = player.task.higher_is_better
    return {
        "average": average_figure(outcome, exhaustive, player.task.unit),
        "p95": p95_figure(outcome, exhaustive, higher, streams.sampling),
    }


def _affordable(layouts: Array, exhaustive: bool, rng: np.random.Generator) -> tuple[Array, bool]:
    """The layouts, or a sample of them where they are all there are and too many."""
    if exhaustive and len(layouts) > MAX_EXHAUSTIVE:
        return rng.choice(layouts, MAX_EXHAUSTIVE, replace=False), False
    return layouts, exhaustive


def _loss(
    player: Player,
    layouts: Array,
    seeds: Array,
    complete: tuple[bool, bool],
    rng: np.random.Generator,
) -> dict[str, Figure] | None:
    """Losses of layouts under seeds; whether each is all there is, in this order."""
    exhaustive, all_seeds = complete
    if player.task.unit != "success" or not isinstance(player, PlayerWithLosses):
        return None
    layouts, exhaustive = _affordable(layouts, exhaustive, rng)
    loss = player.losses(layouts, seeds).astype(np.float64)
    return {
        "average": average_figure(loss, exhaustive, "loss", all_seeds),
        "p95": p95_figure(loss, exhaustive, False, rng, all_seeds),
    }


def _constant_seed_variance(player: Player, layouts: Array, seed: Array) -> float:
    return _seed_variance(player.play(layouts, np.stack([seed] * 3)))


def _seed_variance(play: Play) -> float:
    # Relative to the first seed, so that equal outputs give 0 and not a rounding error.
    output = play.output.astype(np.float64) - play.output[:, :1]
    return float(output.var(1).mean())
