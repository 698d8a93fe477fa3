"""All cycles at once: what local players do depends on few windows of consecutive vertices.

After t rounds a vertex of RandColoring-v0 knows of the 2 t + 1 vertices around it.  On N = 10
vertices there are 30,240 ordered windows of five, against 1.8 million vertices in all 181,440
cycles: each window is coloured once, and the cycles are put together from them.
"""

from functools import lru_cache
from itertools import permutations
from math import factorial, perm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.player import Play
from rand_envs.games.coloring.layouts import ColoringSpace

MAX_CYCLES = 181_440
"""The most cycles that are played at once, those on 10 vertices."""
MAX_WINDOWS = 100_000
"""The most windows that are listed: more would save little, and fill the memory."""


def windows_along(cycles: NDArray[np.integer[Any]], size: int) -> NDArray[np.int64]:
    """The `size` vertices around each place of cycles, (n, N), in order: shape (n, N, size).

    A window longer than the cycle goes round it.
    """
    length = cycles.shape[1]
    places = np.arange(length)[:, None] + np.arange(size) - size // 2
    windows: NDArray[np.int64] = cycles[:, places % length].astype(np.int64)
    return windows


def ordered_windows(num_vertices: int, size: int) -> NDArray[np.int64]:
    """All ordered choices of `size` distinct vertices, in lexicographic order, shape (W, size)."""
    return np.array(list(permutations(range(num_vertices), size)))


class CycleWindows:
    """All cycles on N vertices, and the window around each place of each.

    Attributes:
        windows: `ordered_windows(num_vertices, size)`, shape (W, size).
        seen: the number of the window around each place of each cycle, in the order of
            `ColoringSpace.enumerate()`, int32 of shape (N, cycles).

    Raises:
        ValueError: the window is longer than the cycle or even, or there are too many cycles or
            windows.
    """

    def __init__(self, num_vertices: int, size: int) -> None:
        if not self.fits(num_vertices, size):
            raise ValueError(
                f"cycles are played at once where windows are odd and fit into the cycle, of up "
                f"to {MAX_CYCLES} cycles and {MAX_WINDOWS} windows, got windows of {size} of "
                f"{num_vertices} vertices"
            )
        cycles = ColoringSpace(num_vertices).enumerate()["cycle"]
        place_values = num_vertices ** np.arange(size)[::-1]
        # One place at a time: all windows of all cycles would take ten times the memory.
        codes = np.empty(cycles.T.shape, np.int32)
        for place in range(num_vertices):
            rolled = np.roll(cycles, size // 2 - place, axis=1)
            codes[place] = rolled[:, :size] @ place_values
        self.windows = ordered_windows(num_vertices, size)
        self.seen = np.searchsorted(self.windows @ place_values, codes).astype(np.int32)

    @staticmethod
    def fits(num_vertices: int, size: int) -> bool:
        """Whether these cycles and windows can be listed."""
        if not (3 <= size <= num_vertices and size % 2):
            return False
        few_cycles = factorial(num_vertices - 1) // 2 <= MAX_CYCLES
        return few_cycles and perm(num_vertices, size) <= MAX_WINDOWS

    def play(self, colors: NDArray[np.uint8], output: NDArray[np.float32]) -> Play:
        """Put the cycles together.

        Args:
            colors: of each window's middle vertex under m seeds, shape (m, W).
            output: of each window, shape (W, m, k), returned as it is.  Every window is around
                as many vertices as any other, so that means over it are means over all cycles.

        Returns:
            Outcome and answer of all cycles, shape (cycles, m); an answer is the verdict.
        """
        num_vertices, num_cycles = self.seen.shape
        proper = np.ones((len(colors), num_cycles), bool)
        for verdict, table in zip(proper, colors, strict=True):
            first = before = table[self.seen[0]]
            for place in range(1, num_vertices):
                here = table[self.seen[place]]
                verdict &= here != before
                before = here
            verdict &= before != first
        return Play(proper.T.astype(np.float64), proper.T.astype(np.int8), output)


@lru_cache(maxsize=4)
def cycle_windows(num_vertices: int, size: int) -> CycleWindows:
    """The `CycleWindows` of these sizes, listed once."""
    return CycleWindows(num_vertices, size)
