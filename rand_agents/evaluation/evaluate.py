"""How good a seeded player is: `evaluate` gives a `Report`.

Seeds inside, layouts outside: outcomes are averaged over seeds for each layout first.
"""

import dataclasses
import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_agents.evaluation.bounds import UNKNOWN, FloatArray, binomial_lower, upper_bounds
from rand_agents.evaluation.certificates import Certificate, Tally, certify, certify_success
from rand_agents.evaluation.intervals import (
    Figure,
    Scope,
    average_figure,
    mean_interval,
    p95_figure,
    percentile95,
)
from rand_agents.evaluation.players import as_player
from rand_agents.evaluation.regret import regret_of
from rand_agents.evaluation.report import LayoutFigure, Report, Vote, Worst
from rand_agents.evaluation.trial import (
    FULL_PLAYS,
    Effort,
    Streams,
    Trial,
    hold,
    limits_of,
    usual_effort,
    worst_layout,
)
from rand_agents.evaluation.votes import majority_success, play_layouts, plays_all, votes_of
from rand_agents.games.registry import Environment
from rand_envs import minimax
from rand_envs.adversaries.search import MAX_EXHAUSTIVE, STARTS, PlayerWithLosses
from rand_envs.core.arrays import Array, whole_number
from rand_envs.core.options import rng_seed_number
from rand_envs.core.player import Play, Player
from rand_envs.core.task import GameValue, Setting

__all__ = [
    "Figure",
    "Report",
    "Vote",
    "Worst",
    "evaluate",
    "majority_success",
    "percentile95",
    "worst_layout",
]

BINS = 20
TALLIED_AT_ONCE = 50


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
    per_layout: bool = False,
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
        num_fresh_seeds: Seeds of the first of several stages that look for the worst layout, each
            with half as many layouts and twice as many seeds; by default 1,000, or 100.
        votes: Sizes of the majority votes.
        search_rounds: Rounds of the search for a worse layout, where there are too many to try;
            by default 30, or 2.
        search_starts: How many of the layouts played it ascends from, see
            `rand_envs.adversaries.search_worst`.
        game_value: Best worst case that any randomised strategy can reach, for the gap; None for
            what `rand_envs.minimax.game_value(task)` finds.
        per_layout: Whether the report has the result of every layout that was played.
        rng_seed: Determines every draw.

    Returns:
        The report; every estimate with a 95 % interval.

    Raises:
        ValueError: If a number is illegal, or the policy does not fit the environment.
    """
    player = as_player(policy, env, deterministic)
    effort = _effort(player.task, layouts, num_seeds, num_fresh_seeds, search_rounds, search_starts)
    votes = tuple(whole_number("the number of votes", count, 1) for count in votes)
    rng_seed = rng_seed_number(rng_seed)
    known = minimax.game_value(player.task) if game_value is None else game_value
    return _report(player, effort, votes, known, rng_seed, per_layout)


def _effort(
    task: Setting[Any],
    layouts: Array | int | None,
    num_seeds: int | None,
    num_fresh_seeds: int | None,
    search_rounds: int | None,
    search_starts: int,
) -> Effort:
    """What is usual for the task, but for what was given."""
    given: dict[str, Any] = {
        "layouts": layouts,
        "num_seeds": num_seeds,
        "num_fresh_seeds": num_fresh_seeds,
        "search_rounds": search_rounds,
        "search_starts": search_starts,
    }
    given = {name: number for name, number in given.items() if number is not None}
    effort = dataclasses.replace(usual_effort(task), **given)
    for name in ("num_seeds", "num_fresh_seeds"):
        whole_number(name, getattr(effort, name), 2)
    return effort


def _report(
    player: Player,
    effort: Effort,
    votes: tuple[int, ...],
    known: GameValue,
    rng_seed: int,
    per_layout: bool,
) -> Report:
    """Play, and put together what came of it."""
    task, limits, streams = player.task, limits_of(player.task), Streams.of(rng_seed)
    trial = hold(player, effort, streams)
    certificate = None if trial.is_fixed else _certificate(player, trial, effort, streams)
    # The certificate's seeds may have moved the bounds of the worst case.
    worst = trial.worst(task)
    if certificate is not None and trial.kind == "estimate":
        certificate = dataclasses.replace(certificate, worst=worst.ci95)
    play, scope = trial.play, trial.scope
    counts, edges = _histogram(task, play.outcome.mean(1))
    return Report(
        env_id=task.env_id,
        config=task.config,
        unit=task.unit,
        num_layouts=len(trial.layouts),
        exhaustive=scope.layouts,
        num_seeds=len(trial.seeds),
        all_seeds=scope.seeds,
        average=average_figure(play.outcome, limits, scope),
        p95=p95_figure(play.outcome, limits, scope, task.higher_is_better, streams.bootstrap),
        worst=worst,
        search=trial.search,
        histogram=counts,
        bin_edges=edges,
        majority=_majority(player, trial, () if trial.is_fixed else votes, streams),
        sampled=_sampled(player, trial, effort.num_seeds, streams.sampling),
        loss=_loss(player, trial, streams.loss),
        seed_variance=_seed_variance(play),
        correlation=_seed_correlation(play.outcome),
        constant_seed_variance=_constant_seed_variance(player, trial.layouts[:64], trial.seeds[0]),
        game_value=known.value,
        game_value_kind=known.kind,
        gap=None if known.value is None else gap_to(known.value, worst, task.higher_is_better),
        regret=regret_of(player, trial, effort.num_fresh_seeds, streams.regret),
        certificate=certificate,
        rng_seed=rng_seed,
        layouts=_by_layout(player, trial) if per_layout else None,
    )


def _majority(
    player: Player, trial: Trial, votes: tuple[int, ...], streams: Streams
) -> list[Vote] | None:
    rngs = streams.votes, streams.elections
    return votes_of(
        player, trial.layouts, trial.hardest, trial.play, trial.scope.layouts, votes, rngs
    )


def _by_layout(player: Player, trial: Trial) -> list[LayoutFigure]:
    """Every layout that was played, with its mean over the seeds."""
    limits = limits_of(player.task)
    figures = []
    for layout, outcome in zip(trial.layouts, trial.play.outcome, strict=True):
        mean = mean_interval(outcome, limits, trial.scope.seeds)
        described = player.task.layout_space.unpack(layout[None])[0].to_json()
        figures.append(
            LayoutFigure(mean.estimate, mean.ci95, described, guaranteed=mean.guaranteed)
        )
    return figures


def _histogram(task: Setting[Any], means: FloatArray) -> tuple[list[int], list[float]]:
    """Counts of layouts, and the bins' ends, over all outcomes there can be.

    Where these are not known, over those there were.
    """
    low, high = task.outcome_range
    if not np.isfinite([low, high]).all():
        low, high = float(means.min()), float(max(means.max(), means.min() + 1e-9))
    counts, edges = np.histogram(means, bins=BINS, range=(low, high))
    return counts.tolist(), edges.tolist()


def _certificate(
    player: Player, trial: Trial, effort: Effort, streams: Streams
) -> Certificate | None:
    """Bounds from fresh seeds, as many as are affordable of (few, many).

    Who plays all layouts of a game at once affords many: only successes are kept of them. These
    seeds also bound the worst case of all layouts, where it is an estimate.
    """
    task, exhaustive, limits = player.task, trial.scope.layouts, limits_of(player.task)
    # The bounds are of success rates and of costs.
    if task.unit == "return" or not limits.finite:
        return None
    layouts, suspect = trial.layouts, trial.found.row
    if not exhaustive:
        layouts = np.concatenate([trial.suspects, layouts])
    few, many = effort.num_seeds, effort.num_fresh_seeds
    wrong_answers = task.wrong_answers
    witness: Callable[[float], FloatArray]
    if exhaustive and plays_all(player) and task.unit == "success" and wrong_answers == 1:
        seeds = player.draw_seeds(streams.certificate, many)
        parts = np.array_split(seeds, -(-many // TALLIED_AT_ONCE))
        tallies = (Tally.of(play_layouts(player, layouts, True, part), 1) for part in parts)
        tally = functools.reduce(operator.add, tallies)
        found = certify_success(tally, suspect, exhaustive=True, wrong_answers=1)
        witness = functools.partial(_cost_bounds, tally.successes, many)
    else:
        count = many if len(layouts) * many <= FULL_PLAYS else few
        seeds = player.draw_seeds(streams.certificate, count)
        play = play_layouts(player, layouts, exhaustive, seeds)
        found = certify(
            play,
            suspect,
            exhaustive=exhaustive,
            higher_is_better=task.higher_is_better,
            limits=limits,
            wrong_answers=wrong_answers,
        )
        sign = -1.0 if task.higher_is_better else 1.0
        witness = functools.partial(upper_bounds, sign * play.outcome, limits.moved(sign))
    if trial.kind == "estimate":
        trial.found.standing.seen_by(witness)
    return found


def _cost_bounds(successes: NDArray[np.int64], draws: int, alpha: float) -> FloatArray:
    """Upper bounds of what success costs, which is its opposite, (n,)."""
    bounds: FloatArray = -binomial_lower(successes, draws, alpha)
    return bounds


def gap_to(game_value: float, worst: Figure, higher_is_better: bool) -> Figure:
    """How much worse a worst case is than the game value, with the interval of the former."""
    sign = -1.0 if higher_is_better else 1.0
    low, high = sorted(sign * (end - game_value) for end in worst.ci95)
    estimate = sign * (worst.estimate - game_value)
    return Figure(estimate, (low, high), guaranteed=worst.guaranteed)


def _sampled(
    player: Player, trial: Trial, num_seeds: int, rng: np.random.Generator
) -> dict[str, Figure] | None:
    sampling: Any = getattr(player, "play_sampled", None)
    if sampling is None:
        return None
    task = player.task
    layouts, exhaustive = _affordable(trial, rng)
    repeated = np.resize(trial.seeds, (num_seeds, *trial.seeds.shape[1:]))
    outcome = sampling(layouts, repeated, rng).outcome
    limits, scope = limits_of(task), Scope(exhaustive, seeds=False)
    return {
        "average": average_figure(outcome, limits, scope),
        "p95": p95_figure(outcome, limits, scope, task.higher_is_better, rng),
    }


def _affordable(trial: Trial, rng: np.random.Generator) -> tuple[Array, bool]:
    """The layouts, or a sample of them where they are all there are and too many."""
    if trial.scope.layouts and len(trial.layouts) > MAX_EXHAUSTIVE:
        return rng.choice(trial.layouts, MAX_EXHAUSTIVE, replace=False), False
    return trial.layouts, trial.scope.layouts


def _loss(player: Player, trial: Trial, rng: np.random.Generator) -> dict[str, Figure] | None:
    """Losses of the layouts under the seeds, which are not known to be bounded."""
    if player.task.unit != "success" or not isinstance(player, PlayerWithLosses):
        return None
    layouts, exhaustive = _affordable(trial, rng)
    loss = player.losses(layouts, trial.seeds).astype(np.float64)
    scope = Scope(exhaustive, trial.scope.seeds)
    return {
        "average": average_figure(loss, UNKNOWN, scope),
        "p95": p95_figure(loss, UNKNOWN, scope, False, rng),
    }


def _constant_seed_variance(player: Player, layouts: Array, seed: Array) -> float:
    return _seed_variance(player.play(layouts, np.stack([seed] * 3)))


def _seed_variance(play: Play) -> float:
    # Relative to the first seed, so that equal outputs give 0 and not a rounding error.
    output = play.output.astype(np.float64) - play.output[:, :1]
    return float(output.var(1).mean())
