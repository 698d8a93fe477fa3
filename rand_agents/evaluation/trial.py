"""Layouts played under seeds, and the worst layout there is: what every evaluation begins with."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rand_agents.evaluation.bounds import FloatArray, Limits
from rand_agents.evaluation.intervals import Figure, Scope
from rand_agents.evaluation.report import Search, Worst
from rand_agents.evaluation.seeds import Seeds, listed_seeds
from rand_agents.evaluation.votes import play_layouts, plays_all
from rand_agents.evaluation.worst import Found, Halving, Rows, Scale, Standing, find_worst
from rand_envs.adversaries.search import (
    ROUNDS,
    STARTS,
    Suspects,
    is_enumerable,
    search_seeds,
    search_worst,
)
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play, Player
from rand_envs.core.streams import Stream, generator
from rand_envs.core.task import Setting, Task

SEARCH_SEEDS = 64
"""The search for a worse layout uses at most so many seeds; others score what it finds."""
FULL_PLAYS = 200_000
"""All layouts are played under all seeds, or under many, while plays are this few."""


@dataclass(frozen=True)
class Effort:
    """How much is played.

    Attributes:
        layouts: Shape (n,), taken as a sample; or how many are drawn.
        num_seeds: Seeds that every layout is played under.
        num_fresh_seeds: Seeds of the first stage that looks for the worst.
        search_rounds: Of the search for a worse layout.
        search_starts: What that ascends from.
        halving: How many layouts are compared.
    """

    layouts: Array | int
    num_seeds: int
    num_fresh_seeds: int
    search_rounds: int
    search_starts: int
    halving: Halving


BATCHES = Effort(2000, 100, 1000, ROUNDS, STARTS, Halving(64, 4))
ONE_BY_ONE = Effort(40, 8, 100, 2, STARTS, Halving(32, 2))


def usual_effort(task: Setting[Any]) -> Effort:
    """What is played of a task, whose rules play batches, or of an environment, which is slow."""
    return BATCHES if isinstance(task, Task) else ONE_BY_ONE


@dataclass(frozen=True)
class Streams:
    """A generator for each purpose, all of one `rng_seed`."""

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

    @classmethod
    def of(cls, rng_seed: int) -> "Streams":
        """The generators of an evaluation."""
        return cls(*(generator(Stream.EVALUATION, rng_seed, i) for i in range(11)))


def limits_of(task: Setting[Any]) -> Limits:
    """What outcomes of a task can be."""
    return Limits(*task.outcome_range, two_valued=task.unit == "success")


@dataclass(frozen=True)
class Trial:
    """What was played, and which layout came out as the worst.

    Attributes:
        layouts: Shape (n,).
        scope: What of all there is this was.
        seeds: What they were played under, (m, ...); one where there is only one.
        is_fixed: Whether there is only one seed.
        play: What came of it, (n, m).
        suspects: The layouts that the worst was chosen of, (k,).
        found: The worst of them, by its row.
        search: How hard it was searched for; None where all layouts were tried.
    """

    layouts: Array
    scope: Scope
    seeds: Array
    is_fixed: bool
    play: Play
    suspects: Array
    found: Found
    search: Search | None

    @property
    def hardest(self) -> Array:
        """The worst layout, (1,)."""
        return self.suspects[[self.found.row]]

    @property
    def kind(self) -> Literal["exact", "estimate", "bound"]:
        """What is known of the worst case, see `Worst`."""
        if not self.scope.layouts:
            return "bound"
        return "exact" if self.scope.seeds else "estimate"

    def worst(self, task: Setting[Any]) -> Worst:
        """The worst layout as it stands in a report."""
        figure = self.found.figure(-1.0 if task.higher_is_better else 1.0)
        described = task.layout_space.unpack(self.hardest)[0].to_json()
        return worst_with(figure, self.kind, described)


def worst_with(
    figure: Figure, kind: Literal["exact", "estimate", "bound"], layout: dict[str, Any]
) -> Worst:
    """A figure of a layout."""
    return Worst(figure.estimate, figure.ci95, kind, layout, guaranteed=figure.guaranteed)


def worst_layout(player: Player, rng_seed: int = 0) -> tuple[Array, Worst]:
    """The layout, (1,), that `evaluate` names as the worst for a player, and how bad it is."""
    trial = hold(player, usual_effort(player.task), Streams.of(rng_seed))
    return trial.hardest, trial.worst(player.task)


def hold(player: Player, effort: Effort, streams: Streams) -> Trial:
    """Play layouts under seeds, and find the worst."""
    layouts, is_all = _choose_layouts(player, effort.layouts, streams.layouts)
    every = listed_seeds(player)
    count = effort.num_seeds
    if is_all and every is not None and len(every) <= effort.num_fresh_seeds:
        # Exact, where that is affordable.
        count = max(count, len(every) if len(layouts) * len(every) <= FULL_PLAYS else 0)
    seeds, all_seeds = Seeds(player, streams.seeds)(count)
    is_fixed = bool((seeds == seeds[:1]).all())
    seeds = seeds[:1] if is_fixed else seeds
    scope = Scope(is_all, all_seeds or is_fixed)
    play = play_layouts(player, layouts, is_all, seeds)
    fresh = Seeds(player, streams.fresh, seeds if is_fixed else None)
    task, sign = player.task, -1.0 if player.task.higher_is_better else 1.0
    suspects, search, stages = Suspects(layouts, "exact"), None, effort.halving.stages
    if not is_all:
        suspects, search = _searched(player, layouts, play, effort, streams.search)
    standing = Standing(len(suspects.layouts), limits_of(task), Scale(sign), stages + is_all)
    if is_all:
        (standing.know if scope.seeds else standing.see)(standing.every, play.outcome)
    found = find_worst(
        standing, playing(player, suspects.layouts, fresh), effort.num_fresh_seeds, effort.halving
    )
    return Trial(layouts, scope, seeds, is_fixed, play, suspects.layouts, found, search)


def playing(player: Player, layouts: Array, fresh: Seeds) -> Any:
    """What plays some of the layouts under fresh seeds, see `PlayRows`."""

    def play(rows: Rows, count: int) -> tuple[FloatArray, bool]:
        seeds, is_all = fresh(count)
        return player.play(layouts[rows], seeds).outcome, is_all

    return play


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


def _searched(
    player: Player, layouts: Array, play: Play, effort: Effort, rng: np.random.Generator
) -> tuple[Suspects, Search]:
    """The layouts that a search found to look worst, and how hard it searched."""
    means = play.outcome.mean(1)
    scores = -means if player.task.higher_is_better else means
    seeds = search_seeds(player, rng, SEARCH_SEEDS)
    rounds, starts = effort.search_rounds, effort.search_starts
    found = search_worst(player, layouts, scores, rng, seeds=seeds, rounds=rounds, starts=starts)
    return found, Search(rounds, starts, len(seeds))
