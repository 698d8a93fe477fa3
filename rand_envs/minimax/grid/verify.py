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

from rand_envs.minimax.grid.solution import SearchGameSolution

Cell = tuple[int, int]
Floats = NDArray[np.float64]
Sets = NDArray[np.int64]

MAX_CELLS = 25


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
            grid of more than 25 free cells.
    """
    if not isinstance(solution, SearchGameSolution):
        solution = SearchGameSolution.load(solution)
    game = _Game(solution.to_json())
    if check_lower and not solution.relaxed and len(game.cells) > MAX_CELLS:
        raise ValueError(
            f"the best response can be checked up to {MAX_CELLS} free cells, got "
            f"{len(game.cells)}; pass check_lower=False to check the upper bound alone"
        )
    reasons = [*game.faults_of_paths(), *game.faults_of_distributions(), *_not_finite(solution)]
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
        self.near = [
            [j for j, (r, c) in enumerate(self.cells) if abs(r - row) + abs(c - column) == 1]
            for row, column in self.cells
        ]
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
        """Relax until nothing changes (Bellman–Ford): steps from the start to each cell."""
        steps = np.full(len(self.cells), np.inf)
        steps[0] = 0.0
        for _ in self.cells:
            for cell, near in enumerate(self.near):
                steps[cell] = min([steps[cell], *(steps[other] + 1 for other in near)])
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
        costs = [[self._play(path, i) for i in range(1, len(self.cells))] for path in self.paths]
        total: Floats = self.probabilities @ np.array(costs)
        return total

    def _play(self, path: Sequence[list[Cell]], treasure: int) -> float:
        """Play all episodes with the treasure on one cell, and count the steps."""
        steps, found = 0.0, False
        for episode in range(self.num_episodes):
            walk = path[episode] if episode < len(path) else []
            if found:
                steps += self.straight[treasure]
            elif self.cells[treasure] in walk:
                steps += walk.index(self.cells[treasure])
                found = True
            else:
                steps += np.inf if self.horizon is None else self.horizon
        return steps

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
