"""Compiled loops for the CPU: a round of linear attention between windows, with gradients.

See `rand_agents.kernels.ring`. A table has a row [queries, keys, folded values, logits] for
every window, heads side by side. Rows are an axis of their own and the innermost loops run along
them: the compiler makes vector instructions of that, but not of offsets into flat rows. One seed
after the other, because the table of one fits into the processor's nearest caches.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from rand_envs.core.compiled.keeping import kept

compiled = kept(error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})


class Sizes(NamedTuple):
    """What a row of the table is made of."""

    heads: int
    key_size: int
    colors: int

    @property
    def places(self) -> tuple[int, int, int]:
        """Where keys, values and logits begin; queries are first."""
        keys = self.heads * self.key_size
        return keys, 2 * keys, 2 * keys + self.heads * self.colors


class Kernels(NamedTuple):
    """Compiled loops for one set of sizes; see `kernels`."""

    forward: Any
    backward: Any


@lru_cache
def kernels(sizes: Sizes) -> Kernels:
    """Loops with the sizes as constants, so that the compiler unrolls the inner ones."""
    return Kernels(_forward(sizes), _backward(sizes))


def _forward(sizes: Sizes) -> Any:
    H, K, C = sizes
    KEYS, VALUES, LOGITS = sizes.places

    @compiled
    def forward(tables: Any, windows: Any, scores: Any, out: Any) -> None:
        """Round 2 at every place of cycles.

        Args:
            tables: Shape (R, W, columns).
            windows: The window around each place, shape (n, N).
            scores: To be filled: the scores of the places before and after, (R, n, N, 2, H).
            out: To be filled: the logits, shape (N, C, R, n).
        """
        n, num_vertices = windows.shape
        for r in range(len(tables)):
            for i in range(n):
                for p in range(num_vertices):
                    own = tables[r, windows[i, p]]
                    before = tables[r, windows[i, p - 1 if p > 0 else num_vertices - 1]]
                    after = tables[r, windows[i, p + 1 if p + 1 < num_vertices else 0]]
                    for c in range(C):
                        out[p, c, r, i] = own[LOGITS + c]
                    for h in range(H):
                        first = second = own[0] - own[0]
                        for k in range(K):
                            first += own[h * K + k] * before[KEYS + h * K + k]
                            second += own[h * K + k] * after[KEYS + h * K + k]
                        scores[r, i, p, 0, h] = first
                        scores[r, i, p, 1, h] = second
                        for c in range(C):
                            at = VALUES + h * C + c
                            out[p, c, r, i] += first * before[at] + second * after[at]

    return forward


def _backward(sizes: Sizes) -> Any:
    H, K, C = sizes
    KEYS, VALUES, LOGITS = sizes.places

    @compiled
    def backward(tables: Any, windows: Any, scores: Any, grad: Any, slopes: Any) -> None:
        """Add to slopes, shaped like tables, the gradient of tables, given that of out."""
        n, num_vertices = windows.shape
        for r in range(len(tables)):
            for i in range(n):
                for p in range(num_vertices):
                    left = p - 1 if p > 0 else num_vertices - 1
                    right = p + 1 if p + 1 < num_vertices else 0
                    own, slope = tables[r, windows[i, p]], slopes[r, windows[i, p]]
                    before, after = tables[r, windows[i, left]], tables[r, windows[i, right]]
                    for c in range(C):
                        slope[LOGITS + c] += grad[p, c, r, i]
                    for h in range(H):
                        # Slopes of the scores by which this place asks, and is asked by, others.
                        ask_before = ask_after = by_before = by_after = own[0] - own[0]
                        for c in range(C):
                            at = VALUES + h * C + c
                            ask_before += grad[p, c, r, i] * before[at]
                            ask_after += grad[p, c, r, i] * after[at]
                            by_before += grad[left, c, r, i] * own[at]
                            by_after += grad[right, c, r, i] * own[at]
                            slope[at] += (
                                scores[r, i, left, 1, h] * grad[left, c, r, i]
                                + scores[r, i, right, 0, h] * grad[right, c, r, i]
                            )
                        for k in range(K):
                            query, key = h * K + k, KEYS + h * K + k
                            slope[query] += ask_before * before[key] + ask_after * after[key]
                            slope[key] += by_before * before[query] + by_after * after[query]

    return backward
