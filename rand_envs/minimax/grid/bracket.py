"""A certified bracket for grids too large for the exact solver."""

import time

import numpy as np
from numpy.typing import ArrayLike

from rand_envs.minimax.columns import ColumnSolution, Response, solve_by_columns
from rand_envs.minimax.grid.beam import BeamWalker
from rand_envs.minimax.grid.relaxation import best_slots, slot_bound
from rand_envs.minimax.grid.search_grid import Path, SearchGrid
from rand_envs.minimax.grid.solution import SearchGameSolution
from rand_envs.minimax.grid.solver import Progress, check_episodes, measured_paths
from rand_envs.minimax.matrix import Floats

STRANDED = (0.0, 0.1, 0.3, 1.0)
PATHS_PER_RESPONSE = 20
DOUBLINGS = 6


def bracket_search_game(
    shape: int | tuple[int, int],
    walls: ArrayLike | None = None,
    start: tuple[int, int] = (0, 0),
    num_episodes: int = 2,
    *,
    seconds: float = 600.0,
    width: int = 300,
    tolerance: float = 1e-7,
    rng_seed: int = 0,
    on_progress: Progress | None = None,
) -> SearchGameSolution:
    """Bound the value of a search game of infinite patience on a grid of any size.

    The upper bound is what a mix of walks pays, the walks found by beam search against the
    adversary's mixes (`BeamWalker`) and mixed by linear programs: it is exact for that mix, and
    as good as the walks found. The lower bound is `slot_bound` of the returned treasure
    distribution: it holds against every walk.

    Args:
        shape: size of a square grid, or (rows, columns).
        walls: booleans of that shape, True on a wall, row 0 at the bottom; None for none.
        start: (row, column) of the start.
        num_episodes: how many episodes are played with the same treasure.
        seconds: when to stop, checked after every iteration.
        width: of the beam at first; it doubles, five times at most, where it finds nothing new.
        tolerance: stops when upper minus lower bound is at most this many steps.
        rng_seed: of the beam's random choices.
        on_progress: called with the bracket after every iteration.

    Returns:
        The bracket, with `relaxed` set. Interrupted by the user, the bracket so far.

    Raises:
        ValueError: where the grid is illegal, or there is no episode, time or width.
    """
    grid = SearchGrid.create(shape, walls, start)
    check_episodes(grid, None, num_episodes)
    if not seconds > 0 or width < 1:
        raise ValueError(f"seconds and width must be positive, got {seconds} and {width}")
    slots = best_slots(grid, num_episodes)
    lower = slot_bound(grid, slots, num_episodes)
    found = _mix_walks(
        grid, num_episodes, lower, slots[1:], seconds, width, tolerance, rng_seed, on_progress
    )
    return SearchGameSolution(
        grid=grid,
        horizon=None,
        num_episodes=num_episodes,
        lower=lower,
        upper=found.upper,
        paths=found.strategies,
        probabilities=found.probabilities,
        treasure_probabilities=slots[1:],
        relaxed=True,
        interrupted=found.interrupted,
    )


def _mix_walks(
    grid: SearchGrid,
    num_episodes: int,
    lower: float,
    slots: Floats,
    seconds: float,
    width: int,
    tolerance: float,
    rng_seed: int,
    on_progress: Progress | None,
) -> ColumnSolution[Path]:
    """Column generation with beams that double in width each time they find nothing new."""
    rng = np.random.default_rng(rng_seed)
    walker = BeamWalker(grid, rng)
    question = 0.9 * slots + 0.1 / len(slots)
    deadline = time.monotonic() + seconds
    found: ColumnSolution[Path] | None = None
    for doublings in range(DOUBLINGS):

        def respond(adversary: Floats, width: int = width << doublings) -> Response[Path]:
            weights, stranded = np.append(0.0, adversary), float(rng.choice(STRANDED))
            paths = walker.respond(
                weights, width=width, stranded=stranded, num_paths=PATHS_PER_RESPONSE
            )
            # The lower bound holds for the value, whatever the question.
            return measured_paths(grid, lower, paths, None, num_episodes)

        pool = list(found.pool) if found else None
        found = solve_by_columns(
            respond,
            grid.num_cells - 1,
            tolerance=tolerance,
            smoothing=0.3,
            time_limit=max(deadline - time.monotonic(), 0.0),
            on_progress=on_progress,
            start=question,
            initial=measured_paths(grid, lower, pool, None, num_episodes) if pool else None,
        )
        if found.interrupted or found.upper - found.lower <= tolerance:
            break
    assert found is not None
    return found
