"""A lower bound of the search game where the visited sets are too many to list.

A grid is bipartite. So a walker that never stands still can be on a cell only at times of the
parity of the cell's distance d from the start, never before time d, and on one cell at a time.
(One that stands still gains nothing: leave those steps out, and no first visit is later.) Let
the walker forget the geometry otherwise, and visit the cells in any such *slots*: a real walk's
first visits are slots too, so that no walk does better. Given a treasure distribution, each
colour of the chequerboard is then a scheduling problem of unit jobs with release dates and
weights, which is solved by always taking the heaviest released job.

On the squares of side 3, 5 and 7 the bound is the value. It has a closed form where the
even cells (at even distance from the corner) are many enough to fill all even slots: with m
even cells besides the start, first visited at 2, 4, ..., 2m at the earliest, a treasure uniform
on them costs at least m + 1 steps to find, plus their mean distance for each later episode.
For 5 x 5 that is 13 + 13/3 = 52/3. A horizon of 2m or more leaves this bound alone: a cell
missed in the first episode costs at least the horizon and a shortest path in each later one,
no less than in any of the slots.
"""

from typing import Any

import numpy as np
from scipy.optimize import linprog

from rand_envs.minimax.grid.search_grid import SearchGrid
from rand_envs.minimax.matrix import Floats, distribution


def slot_bound(grid: SearchGrid, weights: Floats, num_episodes: int) -> float:
    """A lower bound of the mean steps of every walk against a treasure distribution.

    Args:
        grid: the grid.
        weights: probability of the treasure on each cell, shape (cells,), 0 on the start.
        num_episodes: how many episodes are played.
    """
    total = float((num_episodes - 1) * weights @ grid.distances)
    for parity in (0, 1):
        waiting = {int(c) for c in np.flatnonzero(grid.distances % 2 == parity) if c != 0}
        slot = parity
        while waiting:
            released = [c for c in waiting if grid.distances[c] <= slot]
            if released:
                heaviest = max(released, key=lambda c: float(weights[c]))
                total += slot * float(weights[heaviest])
                waiting.remove(heaviest)
            slot += 2
    return total


def best_slots(grid: SearchGrid, num_episodes: int) -> Floats:
    """The treasure distribution with the best `slot_bound`, shape (cells,), 0 on the start.

    Solves the game in which the walker picks a random schedule of slots: a linear program over
    the probabilities that cell c is first visited at time t.
    """
    cells = grid.num_cells
    last = 2 * cells + int(grid.distances.max())
    pairs = [(c, t) for c in range(1, cells) for t in range(int(grid.distances[c]), last, 2)]
    cell, slot = np.array(pairs).T
    columns = np.arange(len(pairs))
    mean_time = np.zeros((cells, len(pairs) + 1))
    mean_time[cell, columns] = slot
    mean_time[:, -1] = -1.0
    occupied = np.zeros((last, len(pairs) + 1))
    occupied[slot, columns] = 1.0
    visited = np.zeros((cells, len(pairs) + 1))
    visited[cell, columns] = 1.0
    result: Any = linprog(
        np.append(np.zeros(len(pairs)), 1.0),
        A_ub=np.vstack([mean_time[1:], occupied]),
        b_ub=np.append(-(num_episodes - 1) * grid.distances[1:], np.ones(last)),
        A_eq=visited[1:],
        b_eq=np.ones(cells - 1),
        bounds=(0, None),
        method="highs",
    )
    if result.status != 0:
        raise RuntimeError(f"the linear program of the slots failed: {result.message}")
    return np.append(0.0, distribution(-result.ineqlin.marginals[: cells - 1]))
