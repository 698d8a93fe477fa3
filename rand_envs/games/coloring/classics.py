"""Self-selection: a distributed 3-colouring of a cycle, as a player of RandColoring-v0."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, whole_number
from rand_envs.core.player import Play
from rand_envs.games.coloring.rules import ColoringTask
from rand_envs.games.coloring.windows import CycleWindows, cycle_windows, windows_along

MAX_ENUMERATED_VERTICES = 16
"""Up to this many vertices all selections are gone through."""

PLAY_WINDOWS = 1 << 20
"""How many (window, seed) pairs are coloured at once, to bound the memory."""


class SelfSelectionColoring:
    """Colours a cycle in a few rounds of talk between neighbours.

    Each vertex selects itself with probability 1/2; of two selected neighbours the one with the
    smaller id withdraws.  Selected vertices take colour 0.  The gaps between them are filled
    with 1, 2, 1, ... from both ends; where two vertices of a gap meet with the same colour, the
    one with the larger id takes the third.

    A vertex hears in t rounds of the 2 t + 1 vertices around it, and therefore knows who stays
    selected up to t - 1 steps away.  One that is t steps or more from the ends of its gap cannot
    tell its place and takes a fixed colour, the one that suits a vertex t steps from both ends.
    So the colouring is proper if and only if no gap is longer than 2 t - 1.

    Args:
        task: the game, with three colours or more.
        rounds: t.

    Raises:
        ValueError: there are fewer than three colours, or `rounds` is not a positive integer.
    """

    def __init__(self, task: ColoringTask, rounds: int = 2) -> None:
        if task.num_colors < 3:
            raise ValueError(f"self-selection needs at least 3 colours, got {task.num_colors}")
        self.task = task
        self.rounds = whole_number("rounds", rounds, 1)
        self.window = 2 * self.rounds + 1
        reach = self.rounds - 1
        # By the distance to the nearer end of the gap; the last entry is for all beyond reach.
        colors = [0, *(1 + (d - 1) % 2 for d in range(1, reach + 1))]
        thirds = [0, *(3 - outer - own for outer, own in pairwise(colors))]
        fixed = colors[reach - 1] if reach else 1
        self._color = np.array([*colors, fixed], np.uint8)
        self._third = np.array([*thirds, fixed], np.uint8)

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """One uniform number a vertex, shape (m, N); a vertex below 1/2 selects itself."""
        return rng.random((m, self.task.num_vertices))

    def color_windows(self, windows: NDArray[np.integer[Any]], seeds: Array) -> NDArray[np.uint8]:
        """Colours of the middle vertices of windows, shape (m, k).

        Args:
            windows: ids of 2 t + 1 consecutive vertices, shape (k, 2 t + 1).
            seeds: shape (m, N), of which only those of a window's vertices matter to it.
        """
        selected = (seeds < 0.5)[:, windows]
        inner = selected[..., 1:-1].copy()
        for neighbours in (slice(None, -2), slice(2, None)):
            larger = windows[:, neighbours] > windows[:, 1:-1]
            inner &= ~(selected[..., neighbours] & larger)
        middle = self.rounds - 1
        left = _first(inner[..., middle::-1])
        right = _first(inner[..., middle:])
        near, far = np.minimum(left, right), np.maximum(left, right)
        # Inward: the next vertex away from the nearer end, with which the gap may be halved.
        own, after, before = (windows[:, self.rounds + step] for step in (0, 1, -1))
        inward = np.where(left < right, after, before)
        gives_way = (far == near + 1) & (own > inward)
        return np.where(gives_way, self._third[near], self._color[near])

    def acting(self, seeds: Array) -> Callable[[Array, Array], Array]:
        """What answers the adjacency matrices of rows, (r,), that have these seeds, (n, N)."""

        def act(rows: Array, seen: Array) -> Array:
            actions = np.empty(seen.shape[:2], np.int64)
            for row, matrix, action in zip(rows, seen, actions, strict=True):
                cycle = _cycle_of(matrix)
                windows = windows_along(cycle[None], self.window).reshape(-1, self.window)
                action[cycle] = self.color_windows(windows, seeds[row][None])[0]
            return actions

        return act

    def play(self, layouts: Array, seeds: Array) -> Play:
        """Play every layout, (n,), under every seed, (m, N); the vote is on the verdict."""
        N = self.task.num_vertices
        count = max(1, PLAY_WINDOWS // (len(seeds) * N))
        parts = [self._play(layouts[i : i + count], seeds) for i in range(0, len(layouts), count)]
        colors = np.concatenate(parts)
        proper = (colors != np.roll(colors, 1, axis=-1)).all(axis=-1)
        shares = (colors[..., None] == np.arange(self.task.num_colors)).astype(np.float32)
        return Play(
            proper.astype(np.float64), proper.astype(np.int64), shares.reshape(*proper.shape, -1)
        )

    def _play(self, layouts: Array, seeds: Array) -> NDArray[np.uint8]:
        """Colours along the cycles, shape (n, m, N)."""
        seen = windows_along(layouts["cycle"], self.window).reshape(-1, self.window)
        colors = self.color_windows(seen, seeds)
        return colors.reshape(len(seeds), len(layouts), -1).transpose(1, 0, 2)

    @property
    def can_play_all(self) -> bool:
        """Whether `play_all` can list the cycles and their windows."""
        return CycleWindows.fits(self.task.num_vertices, self.window)

    def play_all(self, seeds: Array) -> Play:
        """Play every cycle of `layout_space.enumerate()` under every seed, (m, N)."""
        whole = cycle_windows(self.task.num_vertices, self.window)
        colors = np.concatenate([self.color_windows(whole.windows, seed[None]) for seed in seeds])
        shares = colors.T[..., None] == np.arange(self.task.num_colors)
        return whole.play(colors, shares.astype(np.float32))

    def exact_success(self, layouts: Array) -> NDArray[np.float64]:
        """Probability of a proper colouring of each layout, shape (n,), over all 2^N selections.

        Raises:
            ValueError: there are more than 16 vertices.
        """
        N = self.task.num_vertices
        if N > MAX_ENUMERATED_VERTICES:
            raise ValueError(
                f"all selections are gone through up to {MAX_ENUMERATED_VERTICES} vertices, got {N}"
            )
        patterns = (np.arange(1 << N)[:, None] >> np.arange(N)) & 1
        total = np.zeros(len(layouts))
        for part in np.array_split(0.25 + 0.5 * patterns, max(1, len(patterns) >> 6)):
            total += self.play(layouts, part).outcome.sum(axis=1)
        return total / len(patterns)


def _cycle_of(adjacency: Array) -> NDArray[np.int64]:
    """The vertices in their order along the cycle, from vertex 0, shape (N,)."""
    cycle, before = [0], -1
    while len(cycle) < len(adjacency):
        after = [vertex for vertex in np.flatnonzero(adjacency[cycle[-1]]) if vertex != before]
        before = cycle[-1]
        cycle.append(int(after[0]))
    return np.array(cycle)


def _first(found: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Index of the first True along the last axis, its length where there is none."""
    first: NDArray[np.int64] = np.where(found.any(-1), found.argmax(-1), found.shape[-1])
    return first
