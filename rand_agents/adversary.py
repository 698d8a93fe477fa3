"""The worst layout for a given player: by going through all of them, or by search."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rand_envs.player import Player
from rand_envs.task import Array

Kind = Literal["exact", "bound"]


@dataclass(frozen=True)
class Suspects:
    """Layouts that looked worst, the worst first.

    Attributes:
        layouts: Shape (k,).
        kind: "exact" if every layout was tried, "bound" if there may be worse ones.
    """

    layouts: Array
    kind: Kind


def badness(player: Player, layouts: Array, seeds: Array) -> NDArray[np.float64]:
    """Mean over seeds of the outcome of each layout, (n,), signed so that larger is worse."""
    mean: NDArray[np.float64] = player.play(layouts, seeds).outcome.mean(-1)
    return -mean if player.task.higher_is_better else mean


def worst_of(scores: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Indices of the `count` largest scores, largest first, ties in order of index."""
    return np.argsort(-scores, kind="stable")[:count]


def search_worst(
    player: Player,
    layouts: Array,
    scores: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    seeds: Array,
    rounds: int = 20,
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
