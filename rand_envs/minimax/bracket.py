"""A certified bracket for grids too large for the exact solver."""

import numpy as np
from numpy.typing import ArrayLike

from rand_envs.minimax.beam import BeamWalker
from rand_envs.minimax.columns import Response, solve_by_columns
from rand_envs.minimax.matrix import Floats
from rand_envs.minimax.relaxation import best_slots, slot_bound
from rand_envs.minimax.search_grid import Path, SearchGrid
from rand_envs.minimax.solution import SearchGameSolution
from rand_envs.minimax.solver import Progress, check_episodes, measured_paths

STRANDED = (0.0, 0.1, 0.3, 1.0)
PATHS_PER_RESPONSE = 20


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
        seconds: when to stop, checked after every iteration; the first takes the longest.
        width: of the beam: wider finds better walks, at a proportional cost.
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
    rng = np.random.default_rng(rng_seed)
    walker = BeamWalker(grid, rng)
    slots = best_slots(grid, num_episodes)
    best_lower = slot_bound(grid, slots, num_episodes)

    def respond(adversary: Floats) -> Response[Path]:
        # The bound holds for the value whatever the question; only its proof is `slots`.
        paths = walker.respond(
            np.append(0.0, adversary),
            width=width,
            stranded=float(rng.choice(STRANDED)),
            num_paths=PATHS_PER_RESPONSE,
        )
        return measured_paths(grid, best_lower, paths, None, num_episodes)

    uniform = np.full(grid.num_cells - 1, 1.0 / (grid.num_cells - 1))
    found = solve_by_columns(
        respond,
        grid.num_cells - 1,
        tolerance=tolerance,
        smoothing=0.3,
        time_limit=seconds,
        on_progress=on_progress,
        start=0.9 * slots[1:] + 0.1 * uniform,
    )
    return SearchGameSolution(
        grid=grid,
        horizon=None,
        num_episodes=num_episodes,
        lower=best_lower,
        upper=found.upper,
        paths=found.strategies,
        probabilities=found.probabilities,
        treasure_probabilities=slots[1:],
        relaxed=True,
        interrupted=found.interrupted,
    )
