"""The exact solver of the search game: column generation over best-response walks."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from rand_envs.minimax.columns import Bracket, ColumnSolution, Response, solve_by_columns
from rand_envs.minimax.grid.capped import best_capped_path
from rand_envs.minimax.grid.search_grid import Path, SearchGrid, cut_to_horizon, path_costs
from rand_envs.minimax.grid.solution import SearchGameSolution
from rand_envs.minimax.grid.visited_sets import PatientWalker
from rand_envs.minimax.matrix import Floats

PATHS_PER_RESPONSE = 8

Progress = Callable[[Bracket], None]


def solve_search_game(
    shape: int | tuple[int, int],
    walls: ArrayLike | None = None,
    start: tuple[int, int] = (0, 0),
    horizon: int | None = None,
    num_episodes: int = 2,
    *,
    tolerance: float = 1e-7,
    on_progress: Progress | None = None,
) -> SearchGameSolution:
    """Solve the treasure search on a grid: the best worst-case mean of steps, with its mix.

    The adversary hides a treasure on a free cell other than the start. The walker, who draws
    its plan at random, pays the steps of all episodes; it knows the treasure once found, and
    then walks straight to it in every later episode. The bracket is closed by column
    generation (`solve_by_columns`) with an exact best response.

    Args:
        shape: size of a square grid, or (rows, columns).
        walls: booleans of that shape, True on a wall, row 0 at the bottom; None for none.
        start: (row, column) of the start.
        horizon: steps after which an episode ends; None for infinite patience.
        num_episodes: how many episodes are played with the same treasure.
        tolerance: stops when upper minus lower bound is at most this many steps.
        on_progress: called with the bracket after every iteration.

    Returns:
        The solution. Interrupted by the user (KeyboardInterrupt), the bracket so far.

    Raises:
        ValueError: where the grid is illegal or has more than 25 free cells
            (`bracket_search_game` takes those), the horizon is too short to reach a cell, or
            there is no episode.
    """
    grid = SearchGrid.create(shape, walls, start)
    check_episodes(grid, horizon, num_episodes)
    walker = PatientWalker(grid)
    if horizon is None:
        seen = _solve_patient(walker, num_episodes, tolerance, on_progress)
    else:
        seen = _solve_capped(walker, horizon, num_episodes, tolerance, on_progress)
    return SearchGameSolution(
        grid=grid,
        horizon=horizon,
        num_episodes=num_episodes,
        lower=seen.lower,
        upper=seen.upper,
        paths=seen.strategies,
        probabilities=seen.probabilities,
        treasure_probabilities=seen.adversary,
        interrupted=seen.interrupted,
    )


def check_episodes(grid: SearchGrid, horizon: int | None, num_episodes: int) -> None:
    """Raise ValueError where there is no episode or the horizon cuts a cell off."""
    if num_episodes < 1:
        raise ValueError(f"the game needs at least one episode, got {num_episodes}")
    farthest = int(grid.distances.max())
    if horizon is not None and horizon < farthest:
        cell = grid.cells[int(grid.distances.argmax())]
        raise ValueError(
            f"the horizon must be at least {farthest}, the distance from the start to "
            f"{cell}, got {horizon}"
        )


def best_response(
    shape: int | tuple[int, int],
    treasure_distribution: ArrayLike,
    walls: ArrayLike | None = None,
    start: tuple[int, int] = (0, 0),
    num_episodes: int = 2,
) -> tuple[float, Path]:
    """The best walk against a known treasure distribution (infinite patience).

    Args:
        shape: size of a square grid, or (rows, columns).
        treasure_distribution: probability of each cell, shape (rows, columns), row 0 at the
            bottom; only ratios matter.
        walls: as in `solve_search_game`, as are start and num_episodes.
        start: the start cell.
        num_episodes: how many episodes are played.

    Returns:
        Its mean steps over all episodes, and its path.

    Raises:
        ValueError: where the grid is illegal, or the distribution has another shape, a negative
            or infinite entry, no mass, or mass on the start or a wall.
    """
    grid = SearchGrid.create(shape, walls, start)
    check_episodes(grid, None, num_episodes)
    table = np.asarray(treasure_distribution, dtype=np.float64)
    if table.shape != grid.shape or not np.isfinite(table).all() or (table < 0).any():
        raise ValueError(
            f"a treasure distribution must be finite and not negative, of shape {grid.shape}"
        )
    weights = np.array([table[cell] for cell in grid.cells])
    if weights[0] > 0 or table.sum() <= 0 or weights.sum() < table.sum() * (1 - 1e-12):
        raise ValueError("all mass, and some, must lie on free cells other than the start")
    weights /= weights.sum()
    search, paths = PatientWalker(grid).respond(weights, np.random.default_rng(0), 1)
    return search + float((num_episodes - 1) * weights @ grid.distances), paths[0]


def uniform_average(
    shape: int | tuple[int, int],
    walls: ArrayLike | None = None,
    start: tuple[int, int] = (0, 0),
    num_episodes: int = 2,
) -> float:
    """The best mean steps of any player when the treasure is uniform (infinite patience)."""
    grid = SearchGrid.create(shape, walls, start)
    table = np.zeros(grid.shape)
    for cell in grid.cells[1:]:
        table[cell] = 1.0
    return best_response(shape, table, walls, start, num_episodes)[0]


def mirrored(grid: SearchGrid, paths: list[Path]) -> list[Path]:
    """The images of paths under the symmetries of the grid, the paths themselves first."""
    images: dict[Path, None] = {}
    for symmetry in grid.symmetries:
        for path in paths:
            image = (tuple(grid.cells[symmetry[grid.index[c]]] for c in walk) for walk in path)
            images[tuple(image)] = None
    return list(images)


def _solve_patient(
    walker: PatientWalker, num_episodes: int, tolerance: float, on_progress: Progress | None
) -> ColumnSolution[Path]:
    grid, rng = walker.grid, np.random.default_rng(0)

    def respond(adversary: Floats) -> Response[Path]:
        weights = np.append(0.0, adversary)
        search, paths = walker.respond(weights, rng, PATHS_PER_RESPONSE)
        straight = float((num_episodes - 1) * weights @ grid.distances)
        return measured_paths(grid, search + straight, paths, None, num_episodes)

    return solve_by_columns(
        respond, grid.num_cells - 1, tolerance=tolerance, on_progress=on_progress
    )


def _solve_capped(
    walker: PatientWalker,
    horizon: int,
    num_episodes: int,
    tolerance: float,
    on_progress: Progress | None,
) -> ColumnSolution[Path]:
    """Column generation under a horizon, from the mixes of the patient game (40 times faster).

    Until that is solved, all that is known of the value is that a farthest cell costs a shortest
    path in every episode, and that no cell costs more than all horizons.
    """
    grid = walker.grid
    trivial = float(num_episodes * grid.distances.max())

    def warming_up(bracket: Bracket) -> None:
        if on_progress is not None:
            most = float(horizon * num_episodes)
            on_progress(replace(bracket, lower=trivial, upper=most))

    def respond(adversary: Floats) -> Response[Path]:
        weights = np.append(0.0, adversary)
        lower, path = best_capped_path(grid, walker.sets, weights, horizon, num_episodes)
        return measured_paths(grid, lower, [path], horizon, num_episodes)

    patient = _solve_patient(walker, num_episodes, tolerance, warming_up)
    paths = [cut_to_horizon(grid, path[0], horizon, num_episodes) for path in patient.pool]
    initial = measured_paths(grid, trivial, paths, horizon, num_episodes)
    farthest = np.eye(grid.num_cells - 1)[grid.distances[1:].argmax()]
    if patient.interrupted:
        return solve_by_columns(lambda _: initial, len(farthest), start=farthest, time_limit=0.0)
    return solve_by_columns(
        respond,
        grid.num_cells - 1,
        tolerance=tolerance,
        on_progress=on_progress,
        start=patient.adversary,
        initial=initial,
    )


def measured_paths(
    grid: SearchGrid, lower: float, paths: list[Path], horizon: int | None, num_episodes: int
) -> Response[Path]:
    """Paths and their mirror images with their costs, as an answer with a lower bound."""
    images = mirrored(grid, paths)
    costs = np.stack([path_costs(grid, path, num_episodes, horizon) for path in images])
    return Response(lower, images, costs)
