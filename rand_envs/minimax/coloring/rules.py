"""A good deterministic rule for larger cycles: a proven lower bound on the colouring game.

As in `coloring`, a rule under a random relabelling of the vertices reaches on every cycle the
share of cycles that it colours. So each rule proves a lower bound on the best worst-case
success with shared seeds. No upper bound below 1 is known here for 10 vertices and 2 rounds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.compiled import compiled

Labels = tuple[int, ...]
Ints = NDArray[np.int32]


def undirected(labels: Labels) -> Labels:
    """A window or path in the one of its two directions that comes first."""
    return min(labels, labels[::-1])


@dataclass(frozen=True, eq=False)
class ColoringRule:
    """A colour for every window of 2 * rounds + 1 labels, the same in both directions.

    Attributes:
        num_vertices: labels on the cycle.
        rounds: of communication.
        table: the colours, shape (num_vertices,) * (2 * rounds + 1); -1 where labels repeat.
    """

    num_vertices: int
    rounds: int
    table: NDArray[np.int8]

    @classmethod
    def of(cls, num_vertices: int, rounds: int, colors: Mapping[Labels, int]) -> "ColoringRule":
        """Build a rule from the colour of each window in its first direction."""
        table = np.full((num_vertices,) * (2 * rounds + 1), -1, np.int8)
        for window, color in colors.items():
            table[window] = table[window[::-1]] = color
        return cls(num_vertices, rounds, table)

    def colors(self, cycles: NDArray[np.int64]) -> NDArray[np.int8]:
        """The colour of every position of cycles, shape (cycles, num_vertices), both ways."""
        shifts = range(-self.rounds, self.rounds + 1)
        found: NDArray[np.int8] = self.table[tuple(np.roll(cycles, -s, axis=1) for s in shifts)]
        return found

    def success(self) -> float:
        """The share of all (num_vertices - 1)! / 2 cycles coloured: exact, by enumeration.

        This is also what the rule reaches on every single cycle, in expectation over a uniform
        relabelling of the vertices drawn from the shared seed.
        """
        proper = total = 0
        for second in range(1, self.num_vertices):
            rest = [v for v in range(1, self.num_vertices) if v != second]
            cycles = np.array([(0, second, *p) for p in permutations(rest)])
            cycles = cycles[cycles[:, 1] < cycles[:, -1]]
            if len(cycles):
                colors = self.colors(cycles)
                proper += int((colors != np.roll(colors, 1, axis=1)).all(axis=1).sum())
                total += len(cycles)
        return proper / total


def anneal_coloring_rule(
    num_vertices: int,
    rounds: int,
    num_colors: int = 3,
    *,
    steps: int = 50_000_000,
    rng_seed: int = 0,
) -> ColoringRule:
    """Search a rule of few conflicts by simulated annealing (10 vertices, 2 rounds: 20 s).

    Two windows conflict where they have equal colours and can be those of neighbours.

    Args:
        num_vertices: labels on the cycle, more than 2 * rounds + 1.
        rounds: of communication.
        num_colors: how many colours there are, at least 2.
        steps: proposed changes of one window's colour.
        rng_seed: of the search.

    Raises:
        ValueError: where a window would cover the cycle, or there is one colour.
    """
    width = 2 * rounds + 1
    if rounds < 0 or num_vertices <= width or num_colors < 2:
        raise ValueError(
            f"a rule needs more than 2 * rounds + 1 vertices and two colours, got {num_vertices} "
            f"vertices, {rounds} rounds and {num_colors} colours"
        )
    windows = [w for w in permutations(range(num_vertices), width) if w == undirected(w)]
    number = {w: i for i, w in enumerate(windows)}
    near = np.full((len(windows), 2 * num_vertices), -1, np.int32)
    for i, window in enumerate(windows):
        for slot, label in enumerate(v for v in range(num_vertices) if v not in window):
            near[i, 2 * slot] = number[undirected((*window[1:], label))]
            near[i, 2 * slot + 1] = number[undirected((label, *window[:-1]))]
    rng = np.random.default_rng(rng_seed)
    colors = rng.integers(0, num_colors, len(windows)).astype(np.int8)
    _anneal(near, colors, num_colors, steps, rng_seed)
    return ColoringRule.of(num_vertices, rounds, dict(zip(windows, colors.tolist(), strict=True)))


@compiled
def _anneal(
    near: Ints, colors: NDArray[np.int8], num_colors: int, steps: int, rng_seed: int
) -> None:
    np.random.seed(rng_seed)  # noqa: NPY002 (numba's own generator, inside compiled code)
    for step in range(steps):
        heat = 0.15 ** (step / steps)
        window = np.random.randint(near.shape[0])  # noqa: NPY002
        color = (colors[window] + 1 + np.random.randint(num_colors - 1)) % num_colors  # noqa: NPY002
        change = 0
        for way in range(near.shape[1]):
            other = near[window, way]
            if other >= 0:
                if colors[other] == color:
                    change += 1
                elif colors[other] == colors[window]:
                    change -= 1
        if change <= 0 or np.random.random() < np.exp(-change / heat):  # noqa: NPY002
            colors[window] = color
