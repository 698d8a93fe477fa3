"""The worst layout for a given player: by going through all of them, or by search.

Which layouts look bad depends on the seeds that score them: score what is found again, on
fresh seeds.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array
from rand_envs.core.player import Play, Player, Voter, WholePlayer

Kind = Literal["exact", "bound"]

Scores = NDArray[np.float64]

MAX_EXHAUSTIVE = 4096
"""Layout spaces up to this size are gone through; larger ones are sampled and searched."""

ROUNDS = 30
"""Rounds of mutation of a search, where it is not said otherwise."""

STARTS = 4
"""How many layouts a search ascends from, each in all its variants, where it is not said."""


@dataclass(frozen=True)
class Suspects:
    """Layouts that looked worst, the worst first.

    Attributes:
        layouts: Shape (k,).
        kind: "exact" if every layout was tried, "bound" if there may be worse ones.
    """

    layouts: Array
    kind: Kind


@runtime_checkable
class PlayerWithLosses(Player, Protocol):
    """A player that also tells how near it was to failing."""

    def losses(self, layouts: Array, seeds: Array) -> NDArray[Any]:
        """What the player was trained to make small, shape (n, m)."""
        ...


def badness(player: Player, layouts: Array, seeds: Array) -> Scores:
    """Mean over seeds of the outcome of each layout, (n,), signed so that larger is worse."""
    return _signed(player, player.play(layouts, seeds))


def whole_badness(player: Player, seeds: Array) -> Scores | None:
    """The same of every layout in order, of a player that plays all at once; of others None."""
    if isinstance(player, WholePlayer) and player.can_play_all:
        return _signed(player, player.play_all(seeds))
    return None


def _signed(player: Player, play: Play) -> Scores:
    mean: Scores = play.outcome.mean(-1)
    return -mean if player.task.higher_is_better else mean


def worst_of(scores: Scores, count: int) -> NDArray[np.int64]:
    """Indices of the `count` largest scores, largest first, ties in order of index."""
    return np.argsort(-scores, kind="stable")[:count]


def search_seeds(player: Player, rng: np.random.Generator, count: int) -> Array:
    """Seeds that score a search, (m, ...): at most `count`, drawn as for a vote.

    Where every vector comes up as often as every other, once is enough: the mean is the same.
    """
    draw = player.draw_votes if isinstance(player, Voter) else player.draw_seeds
    seeds = draw(rng, count)
    distinct, times = np.unique(seeds, axis=0, return_counts=True)
    return distinct if (times == times[0]).all() else seeds


def is_enumerable(player: Player) -> bool:
    """Whether the player's layouts are few enough to be gone through."""
    size = player.task.layout_space.size
    return size is not None and size <= MAX_EXHAUSTIVE


def find_worst(
    player: Player,
    rng: np.random.Generator,
    *,
    seeds: Array,
    start: int = 256,
    rounds: int = ROUNDS,
    starts: int = STARTS,
    beam: int = 32,
    children: int = 8,
) -> Suspects:
    """The worst layouts of all, where there are at most 4,096 or all are played at once.

    Else those of a search.

    Args:
        player: Whom to hurt.
        rng: Draws the search's first layouts and its changes.
        seeds: Seeds that score the layouts.
        start: How many random layouts the search starts from.
        rounds: See `search_worst`.
        starts: See `search_worst`.
        beam: How many layouts are returned at most.
        children: See `search_worst`.
    """
    space = player.task.layout_space
    known = whole_badness(player, seeds)
    if known is not None or is_enumerable(player):
        layouts = space.enumerate()
        worst = worst_of(badness(player, layouts, seeds) if known is None else known, beam)
        return Suspects(layouts[worst], "exact")
    layouts = space.sample(rng, start)
    scores = badness(player, layouts, seeds)
    return search_worst(
        player,
        layouts,
        scores,
        rng,
        seeds=seeds,
        rounds=rounds,
        starts=starts,
        beam=beam,
        children=children,
    )


def search_worst(
    player: Player,
    layouts: Array,
    scores: Scores,
    rng: np.random.Generator,
    *,
    seeds: Array,
    rounds: int = ROUNDS,
    starts: int = STARTS,
    beam: int = 32,
    children: int = 8,
) -> Suspects:
    """`climb` from the worst of the given layouts, and from where `ascend` leads from them.

    It ascends from the `starts` worst, unless there is no round at all. The other arguments and
    the result are those of `climb`.
    """
    if rounds:
        risen, risen_scores = ascend(player, layouts[worst_of(scores, starts)], rng, seeds)
        layouts, scores = np.concatenate([layouts, risen]), np.concatenate([scores, risen_scores])
    return climb(
        player, layouts, scores, rng, seeds=seeds, rounds=rounds, beam=beam, children=children
    )


def climb(
    player: Player,
    layouts: Array,
    scores: Scores,
    rng: np.random.Generator,
    *,
    seeds: Array,
    rounds: int = ROUNDS,
    beam: int = 32,
    children: int = 8,
) -> Suspects:
    """Climb from the worst of the given layouts by mutation.

    Each round mutates the `beam` worst layouts `children` times and keeps the worst of parents
    and children, all scored on the same seeds.

    Args:
        player: Whom to hurt.
        layouts: Where to start, shape (n,).
        scores: Their `badness`, shape (n,).
        rng: Draws the mutations.
        seeds: Seeds that score the search; report its result on fresh ones.
        rounds: How often to mutate.
        beam: Layouts kept a round.
        children: Mutations of each a round.

    Returns:
        The final beam, a lower bound on how bad the worst layout is.
    """
    order = worst_of(scores, beam)
    kept, kept_scores = layouts[order], scores[order]
    for _ in range(rounds):
        mutated = player.task.layout_space.mutate(rng, np.repeat(kept, children))
        pool = np.concatenate([kept, mutated])
        pool_scores = np.concatenate([kept_scores, badness(player, mutated, seeds)])
        _, distinct = np.unique(pool, return_index=True)
        order = np.sort(distinct)[worst_of(pool_scores[np.sort(distinct)], beam)]
        kept, kept_scores = pool[order], pool_scores[order]
    return Suspects(kept, "bound")


def ascend(
    player: Player,
    starts: Array,
    rng: np.random.Generator,
    seeds: Array,
    max_sweeps: int = 2,
) -> tuple[Array, Scores]:
    """Coordinate ascent: from each variant of each start, one change of a sweep after the other.

    A space says what variants and sweeps it has, see `LayoutSpace`; without them nothing is found.

    Args:
        player: Whom to hurt.
        starts: Layouts to start from, shape (k,).
        rng: Draws the order of the changes in each sweep.
        seeds: Seeds that score, m of them.
        max_sweeps: Sweeps at most; it ends at a sweep that changes nothing.

    Returns:
        One layout for each variant, and their badness, both of shape (v,); v = 0 in a space
        without sweeps.
    """
    space = player.task.layout_space
    layouts = space.variants(starts)
    if next(space.sweep(rng), None) is None:
        return layouts[:0], np.zeros(0)
    scores = badness(player, layouts, seeds)
    for _ in range(max_sweeps):
        before = layouts
        layouts, scores = worsen(player, layouts, space.sweep(rng), seeds)
        if np.array_equal(layouts, before):
            break
    return layouts, scores


def worsen(
    player: Player, layouts: Array, changes: Iterable[Callable[[Array], Array]], seeds: Array
) -> tuple[Array, Scores]:
    """Try changes on each of the layouts, one after the other, and keep those that hurt.

    A change is kept where more seeds fail, or as many with a larger mean loss, if the player
    tells its losses: failures come in steps, between which losses show the way.

    Args:
        player: Whom to hurt.
        layouts: Shape (n,).
        changes: Each takes a batch of layouts and gives one of the same shape.
        seeds: Seeds that score.

    Returns:
        The changed layouts and their badness, both of shape (n,).
    """
    layouts = layouts.copy()
    scores, losses = _judged(player, layouts, seeds)
    for change in changes:
        other = change(layouts)
        tried, tried_losses = _judged(player, other, seeds)
        worse = (tried > scores) | ((tried == scores) & (tried_losses > losses))
        for kept, new in ((layouts, other), (scores, tried), (losses, tried_losses)):
            kept[worse] = new[worse]
    return layouts, scores


def _judged(player: Player, layouts: Array, seeds: Array) -> tuple[Scores, Scores]:
    """Badness and mean loss over seeds of each layout, (n,); no loss where it is not told."""
    play = player.play(layouts, seeds)
    losses = play.loss
    if losses is None and isinstance(player, PlayerWithLosses):
        losses = player.losses(layouts, seeds)
    if losses is None:
        losses = np.zeros((len(layouts), 1))
    mean: Scores = play.outcome.mean(-1)
    return (-mean if player.task.higher_is_better else mean), losses.mean(-1, dtype=np.float64)
