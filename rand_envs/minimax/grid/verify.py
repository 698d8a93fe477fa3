"""An independent check of a solved search game: nothing here is shared with the solver.

Grid, distances, costs and best responses are computed again from the plain JSON data, by other
means: the walker moves one step at a time, and the cost of a step is the probability of not
having found the treasure yet. Plain NumPy, all sets of one size at once.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from rand_envs.minimax.grid.solution import SearchGameSolution

Cell = tuple[int, int]
Floats = NDArray[np.float64]
Sets = NDArray[np.int64]

MAX_CELLS = 25

MAX_WORK = 10**10
"""Numbers in the tables of a best response under a horizon: some minutes."""
CALL = 2000
"""So many numbers are computed while a NumPy function is called."""
MAX_TABLE = 4 * 10**8
"""Numbers in one of these tables: 13 GB in all."""


@dataclass(frozen=True)
class VerificationReport:
    """What the checker found.

    Attributes:
        reasons: why the solution is rejected, one sentence each; empty where it holds.
        upper: what the mix of paths pays at most, recomputed (steps); None where the paths or
            the probabilities are not legal.
        worst_treasure: the cell on which it pays that.
        lower: what every player pays at least against the treasure distribution, recomputed
            (steps); None where it was not asked for or the data are not legal.
    """

    reasons: tuple[str, ...]
    upper: float | None = None
    worst_treasure: Cell | None = None
    lower: float | None = None

    @property
    def ok(self) -> bool:
        """Whether everything claimed was confirmed."""
        return not self.reasons


def verify_search_solution(
    solution: SearchGameSolution | str | FilePath,
    *,
    check_lower: bool = True,
    tolerance: float = 1e-7,
) -> VerificationReport:
    """Check both bounds of a solution from scratch.

    Every path must be a legal walk; its first visits are simulated, which gives the worst
    treasure and the upper bound; the best response to the treasure distribution gives the lower
    bound, or for a solution of `bracket_search_game` its relaxation to slots. A 5 x 5 grid takes
    about 3 seconds; with a horizon of 25, half a minute and 4 GB.

    Args:
        solution: a solution or a JSON file of one.
        check_lower: whether to compute the best response, the slow part.
        tolerance: how much a recomputed bound may differ from the claim, in steps.

    Returns:
        The recomputed bounds, and the reasons for a rejection.

    Raises:
        ValueError: where the file does not follow the schema, or `check_lower` is asked for on a
            grid of more than 25 free cells, or with so long a horizon or so many episodes that
            it takes more than minutes or 13 GB.
    """
    if not isinstance(solution, SearchGameSolution):
        solution = SearchGameSolution.load(solution)
    game = _Game(solution.to_json())
    if check_lower and not solution.relaxed and len(game.cells) > MAX_CELLS:
        raise ValueError(
            f"the best response can be checked up to {MAX_CELLS} free cells, got "
            f"{len(game.cells)}; pass check_lower=False to check the upper bound alone"
        )
    reasons = [*faults_of_mixes(solution), *_not_finite(solution)]
    if reasons:
        return VerificationReport(tuple(reasons))
    costs = game.mean_costs()
    worst = int(costs.argmax())
    upper, treasure = float(costs[worst]), game.cells[worst + 1]
    lower = None
    if check_lower:
        lower = game.least_slots() if solution.relaxed else game.least_cost()
    reasons = list(_faults_of_bounds(solution, upper, treasure, lower, tolerance))
    return VerificationReport(tuple(reasons), upper, treasure, lower)


def _faults_of_bounds(
    solution: SearchGameSolution,
    upper: float,
    treasure: Cell,
    lower: float | None,
    tolerance: float,
) -> Iterator[str]:
    """Where the claims differ from what was computed again."""
    if upper > solution.upper + tolerance:
        yield (
            f"the mix pays {upper:.9g} when the treasure is on {treasure}, "
            f"more than the claimed upper bound {solution.upper:.9g}"
        )
    if upper < solution.upper - tolerance:
        yield (
            f"the mix pays at most {upper:.9g}, and the claimed upper bound {solution.upper:.9g} "
            "is looser"
        )
    if lower is not None and lower < solution.lower - tolerance:
        yield (
            f"a walker pays {lower:.9g} against the treasure distribution, "
            f"less than the claimed lower bound {solution.lower:.9g}"
        )
    if lower is not None and lower > solution.lower + tolerance:
        yield (
            f"every walker pays {lower:.9g} against the treasure distribution, and the "
            f"claimed lower bound {solution.lower:.9g} is looser"
        )
    if solution.lower > solution.upper + tolerance:
        yield "the claimed lower bound is above the claimed upper bound"


def faults_of_mixes(solution: SearchGameSolution) -> list[str]:
    """Why paths, probabilities or the game are not legal, one sentence each."""
    game = _Game(solution.to_json())
    return [*game.faults_of_paths(), *game.faults_of_distributions()]


def _not_finite(solution: SearchGameSolution) -> Iterator[str]:
    for name, bound in (("lower", solution.lower), ("upper", solution.upper)):
        if not math.isfinite(bound):
            yield f"the claimed {name} bound must be finite, got {bound}"


class _Game:
    """The game of a solution file, read from its plain data; cell 0 is the start."""

    def __init__(self, data: dict[str, Any]) -> None:
        rows, columns = data["shape"]
        walls = {tuple(cell) for cell in data["walls"]}
        start: Cell = tuple(data["start"])
        free = [(r, c) for r in range(rows) for c in range(columns) if (r, c) not in walls]
        self.cells: list[Cell] = [start, *(cell for cell in free if cell != start)]
        place = {cell: i for i, cell in enumerate(self.cells)}
        around = ([(r, c + 1), (r, c - 1), (r + 1, c), (r - 1, c)] for r, c in self.cells)
        self.near = [sorted(place[cell] for cell in cells if cell in place) for cells in around]
        self.horizon: int | None = data["horizon"]
        self.num_episodes: int = data["num_episodes"]
        self.paths: list[list[list[Cell]]] = [
            [[(row, column) for row, column in walk] for walk in path] for path in data["paths"]
        ]
        self.probabilities = np.array(data["probabilities"], dtype=np.float64)
        table = data["treasure_distribution"]
        self.treasure = np.array([table[row][column] for row, column in self.cells])
        self.straight = self._distances()

    def _distances(self) -> Floats:
        """Steps from the start to each cell."""
        cell = np.repeat(np.arange(len(self.cells)), [len(near) for near in self.near])
        edges = coo_array((np.ones(len(cell)), (cell, np.concatenate(self.near, dtype=int))))
        steps: Floats = dijkstra(edges.tocsr(), indices=0, unweighted=True)
        return steps

    def faults_of_paths(self) -> Iterator[str]:
        legal = set(self.cells)
        for number, path in enumerate(self.paths):
            most = 1 if self.horizon is None else self.num_episodes
            if not 1 <= len(path) <= most:
                yield f"path {number} has {len(path)} walks, it needs 1 to {most}"
            for walk in path:
                if not walk or walk[0] != self.cells[0]:
                    yield f"path {number} does not begin at the start {self.cells[0]}"
                    continue
                for a, b in pairwise(walk):
                    if b not in legal or abs(a[0] - b[0]) + abs(a[1] - b[1]) != 1:
                        yield f"path {number} is not a legal walk: it goes from {a} to {b}"
                        break
                if self.horizon is not None and len(walk) - 1 > self.horizon:
                    yield f"path {number} walks {len(walk) - 1} steps, beyond the horizon"
            if self.horizon is None and (missed := legal.difference(*path)):
                yield f"path {number} never visits {min(missed)}"

    def faults_of_distributions(self) -> Iterator[str]:
        if self.probabilities.shape != (len(self.paths),):
            yield f"{len(self.paths)} paths need as many probabilities"
        for name, values in (("paths", self.probabilities), ("treasure", self.treasure)):
            if not np.isfinite(values).all() or (values < 0).any():
                yield f"the probabilities of the {name} must be finite and not negative"
            elif abs(values.sum() - 1) > 1e-9:
                yield f"the probabilities of the {name} sum to {values.sum():.9g}, not to 1"
        if self.treasure[0] != 0:
            yield "the treasure is put on the start"
        if self.num_episodes < 1:
            yield "the game has no episode"
        if self.horizon is not None and self.straight.max() > self.horizon:
            yield f"the horizon {self.horizon} is too short to reach every cell"

    def mean_costs(self) -> Floats:
        """What the mix pays for a treasure on each cell but the start, shape (cells - 1,)."""
        costs = [self._played(path) for path in self.paths]
        total: Floats = self.probabilities @ np.array(costs)
        return total

    def _played(self, path: Sequence[list[Cell]]) -> list[float]:
        """The steps of all episodes with the treasure on each cell but the start."""
        visits = [{cell: time for time, cell in reversed(list(enumerate(walk)))} for walk in path]
        return [self._steps(visits, i) for i in range(1, len(self.cells))]

    def _steps(self, visits: Sequence[dict[Cell, int]], treasure: int) -> float:
        before, idle = 0.0, np.inf if self.horizon is None else self.horizon
        for episode, first in enumerate(visits):
            if self.cells[treasure] in first:
                later = (self.num_episodes - 1 - episode) * self.straight[treasure]
                return float(before + first[self.cells[treasure]] + later)
            before += idle
        return before + (self.num_episodes - len(visits)) * idle

    def least_slots(self) -> float:
        """The mean steps of the best schedule of slots, as an assignment problem.

        First visits come one at a time, at times of the parity of the distance, no sooner.
        """
        times = np.arange(2 * len(self.cells) + int(self.straight.max()))
        late = times[None, :] >= self.straight[1:, None]
        odd = (times[None, :] - self.straight[1:, None]) % 2 == 1
        costs = np.where(late & ~odd, self.treasure[1:, None] * times, 1e6)
        cell, slot = linear_sum_assignment(costs)
        later = (self.num_episodes - 1) * float(self.treasure @ self.straight)
        return float(costs[cell, slot].sum()) + later

    def least_cost(self) -> float:
        """The mean steps of the best response to the treasure distribution."""
        layers = _connected_sets(self.near)
        later = self.treasure * self.straight
        if self.horizon is None:
            search = _least_search(self.near, layers, self.treasure)
            return search + (self.num_episodes - 1) * float(later.sum())
        row, most = (self.horizon + 1) * len(self.cells), max(map(len, layers))
        work = self.num_episodes * row * sum(len(layer) + CALL for layer in layers)
        if work > MAX_WORK or row * most > MAX_TABLE:
            raise ValueError(
                f"the best response of {self.num_episodes} episodes of {self.horizon} steps "
                "takes too much to be checked; pass check_lower=False to check the upper bound "
                "alone"
            )
        after = [np.zeros(len(layer)) for layer in layers]
        for left_over in range(self.num_episodes):
            after = _least_in_episode(
                self.near, layers, self.treasure, left_over * later, self.horizon, after
            )
        return float(after[0][0])


def _connected_sets(near: list[list[int]]) -> list[Sets]:
    """Connected sets that hold cell 0 as sorted bit masks, one array for each size."""
    layers = [np.array([1], np.int64)]
    for _ in near[1:]:
        sets = layers[-1]
        layers.append(np.unique(np.concatenate([sets[a] | 1 << u for u, a in _exits(near, sets)])))
    return layers


def _exits(near: list[list[int]], sets: Sets) -> Iterator[tuple[int, Sets]]:
    """For each cell: the positions of the sets that it can be added to, as the next new cell."""
    for cell, others in enumerate(near):
        around = sum(1 << other for other in others)
        yield cell, np.flatnonzero((sets & around != 0) & (sets >> cell & 1 == 0))


def _inside(sets: Sets, cell: int) -> NDArray[np.bool_]:
    return (sets >> cell & 1).astype(bool)


def _unfound(sets: Sets, weights: Floats) -> Floats:
    left = np.zeros(len(sets))
    for cell, weight in enumerate(weights):
        left += np.where(_inside(sets, cell), 0.0, weight)
    return left


def _least_search(near: list[list[int]], layers: list[Sets], weights: Floats) -> float:
    """Least mean first-visit time, by relaxing steps inside each set until nothing changes."""
    larger, below = layers[-1], np.zeros((len(near), 1))
    for sets in reversed(layers[:-1]):
        left = _unfound(sets, weights)
        costs = np.full((len(near), len(sets)), np.inf)
        for cell, where in _exits(near, sets):
            entered = left[where] + below[cell, np.searchsorted(larger, sets[where] | 1 << cell)]
            for other in near[cell]:
                inside = _inside(sets[where], other)
                at = where[inside]
                costs[other, at] = np.minimum(costs[other, at], entered[inside])
        barrier = [np.where(_inside(sets, cell), left, np.inf) for cell in range(len(near))]
        changed = True
        while changed:
            before = costs.copy()
            for cell, others in enumerate(near):
                for other in others:
                    np.minimum(costs[cell], costs[other] + barrier[cell], out=costs[cell])
            changed = not np.array_equal(before, costs)
        larger, below = sets, costs
    return float(below[0, 0])


def _least_in_episode(
    near: list[list[int]],
    layers: list[Sets],
    weights: Floats,
    later: Floats,
    horizon: int,
    after: list[Floats],
) -> list[Floats]:
    """Least cost of each set at the start of an episode, given those of the next episode.

    A walker may also stand still, which is only ever as good as walking idly to the horizon.
    """
    at_start = [after[-1]]
    larger, below = layers[-1], np.zeros((horizon + 1, len(near), 1))
    for sets, following in zip(reversed(layers[:-1]), reversed(after[:-1]), strict=True):
        left = _unfound(sets, weights)
        costs = np.full((horizon + 1, len(near), len(sets)), np.inf)
        barrier = [np.where(_inside(sets, cell), left, np.inf) for cell in range(len(near))]
        for cell in range(len(near)):
            costs[horizon, cell] = np.where(_inside(sets, cell), following, np.inf)
        exits = [
            (cell, other, at, np.searchsorted(larger, sets[at] | 1 << cell))
            for cell, where in _exits(near, sets)
            for other in near[cell]
            for at in [where[_inside(sets[where], other)]]
        ]
        for time in range(horizon - 1, -1, -1):
            for cell, others in enumerate(near):
                best = np.minimum.reduce([costs[time + 1, other] for other in [cell, *others]])
                costs[time, cell] = best + barrier[cell]
            for cell, other, at, grown in exits:
                entered = left[at] + later[cell] + below[time + 1, cell, grown]
                costs[time, other, at] = np.minimum(costs[time, other, at], entered)
        at_start.insert(0, costs[0, 0].copy())
        larger, below = sets, costs
    return at_start
