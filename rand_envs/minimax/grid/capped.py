"""Exact best responses under a horizon: time joins the state, and a walker may give up.

In episode e (counted from 0) a new cell met after t steps costs t and, for each later episode,
a shortest path. A walker that gives up, or that has no time left to reach anything new, pays
the rest of the horizon and searches on from the start in the next episode, with what it has
visited still known; after the last episode nothing more is paid. Episodes are solved from the
last to the first, and within an episode sets from the largest to the smallest.

A horizon can help the walker: it brings it back to the start at no cost, and what is found
later has fewer episodes left to be fetched in. On 4 x 4 with two episodes the value falls from
278/23 = 12.0870 to 12.0690 at a horizon of 15 and 12.0377 at 14, and at 16 it is 278/23 again.
On 5 x 5 a horizon of 25 changes nothing: `relaxation` proves the lower bound 52/3 for every
horizon from 24 on, and the shipped solution for that horizon is a mix that reaches it.
"""

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.compiled import compiled
from rand_envs.minimax.grid.search_grid import Path, SearchGrid, Walk, walk_between
from rand_envs.minimax.grid.visited_sets import Floats, Ints, VisitedSets, lowest, missing

GIVE_UP = -1
MEMORY_LIMIT = 6e9


@compiled
def _solve_layer(
    around: Ints,
    masks: Ints,
    offsets: NDArray[np.int64],
    added: NDArray[np.int8],
    larger: NDArray[np.int64],
    weights: Floats,
    later: Floats,
    next_episode: Floats,
    first_time: int,
    after: Floats,
    costs: Floats,
    choices: NDArray[np.int8],
) -> None:
    """Fill `costs` and `choices`, shape (sets, cells, horizon + 1), for all sets of one size.

    `later` is the weight of each cell times its steps in later episodes, `next_episode` the
    cost of each set at the start of the next episode, `after` the costs of the sets one larger.
    """
    horizon = costs.shape[2] - 1
    for i in range(masks.size):
        left = missing(masks[i], weights)
        for time in range(first_time, horizon + 1):
            costs[i, :, time] = (horizon - time) * left + next_episode[i]
        for k in range(offsets[i], offsets[i + 1]):
            cell = added[k]
            steps = 0
            reached = 0
            ring = around[cell] & masks[i]
            while ring:
                steps += 1
                reached |= ring
                outer = 0
                while ring:
                    inner = lowest(ring)
                    ring &= ring - 1
                    outer |= around[inner]
                    for time in range(first_time, horizon + 1 - steps):
                        total = steps * left + later[cell] + after[larger[k], cell, time + steps]
                        if total < costs[i, inner, time]:
                            costs[i, inner, time] = total
                            choices[i, inner, time] = cell
                ring = outer & masks[i] & ~reached


def best_capped_path(
    grid: SearchGrid, sets: VisitedSets, weights: Floats, horizon: int, num_episodes: int
) -> tuple[float, Path]:
    """The least mean steps over all episodes against a treasure distribution, and its path.

    Args:
        grid: the grid.
        sets: its visited sets.
        weights: probability of the treasure on each cell, shape (cells,), 0 on the start.
        horizon: steps after which an episode ends.
        num_episodes: how many episodes are played.

    Raises:
        ValueError: where the tables would need more than 6 GB.
    """
    table = grid.num_cells * (horizon + 1)
    widest = int(np.diff(sets.layers).max())
    if table * (16 * widest + num_episodes * sets.masks.size) > MEMORY_LIMIT:
        raise ValueError(
            f"a horizon of {horizon} with {num_episodes} episodes needs more than "
            f"{MEMORY_LIMIT / 1e9:.0f} GB on this grid; use a shorter horizon or infinite patience"
        )
    next_episode = np.zeros(sets.masks.size)
    choices: list[NDArray[np.int8]] = []
    for episode in reversed(range(num_episodes)):
        later = weights * grid.distances * (num_episodes - 1 - episode)
        next_episode, chosen = _solve_episode(
            sets, weights, later, next_episode, horizon, first=episode == 0
        )
        choices.insert(0, chosen)
    return float(next_episode[0]), _trace(grid, sets, choices, horizon)


def _solve_episode(
    sets: VisitedSets,
    weights: Floats,
    later: Floats,
    next_episode: Floats,
    horizon: int,
    first: bool,
) -> tuple[Floats, NDArray[np.int8]]:
    cells = weights.size
    choices = np.full((sets.masks.size, cells, horizon + 1), GIVE_UP, np.int8)
    at_start = np.zeros(sets.masks.size)
    after = np.zeros((0, cells, horizon + 1))
    for size in range(cells, 0, -1):
        begin, end = int(sets.layers[size - 1]), int(sets.layers[size])
        # In the first episode the k-th new cell is never met before step k.
        first_time = min(size - 1, horizon + 1) if first else 0
        costs = np.full((end - begin, cells, horizon + 1), np.inf)
        span = slice(int(sets.offsets[begin]), int(sets.offsets[end]))
        _solve_layer(
            sets.around,
            sets.masks[begin:end],
            sets.offsets[begin : end + 1] - sets.offsets[begin],
            sets.added[span],
            sets.larger[span].astype(np.int64) - end,
            weights,
            later,
            next_episode[begin:end],
            first_time,
            after,
            costs,
            choices[begin:end],
        )
        at_start[begin:end] = costs[:, 0, 0]
        after = costs
    return at_start, choices


def _trace(
    grid: SearchGrid, sets: VisitedSets, choices: list[NDArray[np.int8]], horizon: int
) -> Path:
    number, walks = 0, []
    for chosen in choices:
        walk, cell = [0], 0
        while len(walk) <= horizon and chosen[number, cell, len(walk) - 1] != GIVE_UP:
            target = int(chosen[number, cell, len(walk) - 1])
            mask = int(sets.masks[number])
            inside = {i for i in range(grid.num_cells) if mask >> i & 1}
            walk += walk_between(grid, inside, cell, target)
            number = sets.grown(number, target)
            cell = target
        walks.append(tuple(grid.cells[i] for i in walk))
    return _without_idle_episodes(walks)


def _without_idle_episodes(walks: list[Walk]) -> Path:
    while len(walks) > 1 and len(walks[-1]) == 1:
        walks.pop()
    return tuple(walks)
