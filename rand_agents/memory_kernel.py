"""Compiled loops for the CPU: two blocks of linear attention as two small memories, with gradients.

Causal linear attention is a memory: every token adds key (outer) value to a K x V state, and what
a query attends to is query @ state. So a sequence costs N state updates instead of N x N scores,
and all questions asked after one sequence share its states. Seeds are the lanes of the innermost
loop, side by side in memory, so that it runs as vector instructions without any gather.

Everything lies in flat arrays, and seeds in groups of LANES, because the compiler vectorises
nothing else: entry c of table row r under lane l of group g is
``table[((g * rows + r) * columns + c) * LANES + l]``. Rows of the table hold [key 1, value 1,
query 1, key 2, value 2] of a token without what block 1 attended to; rows of the asked table hold
[query 2, output]. `folds` holds the matrices by which the rest comes in: what block 1 attended to
enters key 2, value 2, query 2 and the output, and what block 2 attended to enters the output.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numba
import numpy as np

LANES = 16
"""Seeds computed together."""

_compiled = numba.njit(
    cache=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"}
)


class Questions(NamedTuple):
    """Which sequences are shown, and what is asked after each.

    Attributes:
        shown: Table rows of A sequences of N tokens, int64, shape (A, N).
        first: Sequence a is asked the questions first[a] to first[a + 1], int64, shape (A + 1,).
        asked: Row of each question in the asked table, int64, shape (Q,).
        token: Row of each question's token in the table, int64, shape (Q,).
        place: Where each question's answer goes, int64, shape (Q,).
    """

    shown: Any
    first: Any
    asked: Any
    token: Any
    place: Any


class Kernels(NamedTuple):
    """Compiled loops for one set of sizes; see `kernels`."""

    forward: Any
    backward: Any


@lru_cache
def kernels(key_size: int, value_size: int, output_dim: int) -> Kernels:
    """Loops with the sizes as constants, so that the compiler unrolls all but the lanes."""
    K, V, D, L = key_size, value_size, output_dim, LANES
    STATE, COLUMNS, ASKED = K * V * L, 3 * K + 2 * V, K + D
    VALUE_1, QUERY_1, KEY_2, VALUE_2 = K, K + V, 2 * K + V, 3 * K + V
    F_VALUE, F_QUERY = V * K, V * K + V * V
    F_OUT_1, F_OUT_2 = F_QUERY + V * K, F_QUERY + V * K + V * D
    FOLDS = F_OUT_2 + V * D

    @_compiled
    def show(table, at, folds, slot, attended, pairs, state_1, state_2):  # type: ignore[no-untyped-def]
        """Add a token to both memories."""
        o, p = slot * V * L, slot * (K + V) * L
        for lane in range(L):
            for v in range(V):
                value = table[at + (VALUE_1 + v) * L + lane]
                total = value - value
                for k in range(K):
                    entry = (k * V + v) * L + lane
                    state = state_1[entry] + table[at + k * L + lane] * value
                    state_1[entry] = state
                    total += table[at + (QUERY_1 + k) * L + lane] * state
                attended[o + v * L + lane] = total
        for lane in range(L):
            for k in range(K):
                total = table[at + (KEY_2 + k) * L + lane]
                for u in range(V):
                    total += attended[o + u * L + lane] * folds[u * K + k]
                pairs[p + k * L + lane] = total
            for v in range(V):
                total = table[at + (VALUE_2 + v) * L + lane]
                for u in range(V):
                    total += attended[o + u * L + lane] * folds[F_VALUE + u * V + v]
                pairs[p + (K + v) * L + lane] = total
        for lane in range(L):
            for k in range(K):
                key = pairs[p + k * L + lane]
                for v in range(V):
                    state_2[(k * V + v) * L + lane] += key * pairs[p + (K + v) * L + lane]

    @_compiled
    def ask(asked, at, folds, attended, o, state_2, query, mixed):  # type: ignore[no-untyped-def]
        """Query 2 of a question, and what block 2 attends to with it."""
        for lane in range(L):
            for k in range(K):
                total = asked[at + k * L + lane]
                for u in range(V):
                    total += attended[o + u * L + lane] * folds[F_QUERY + u * K + k]
                query[k * L + lane] = total
            for v in range(V):
                total = query[lane] * state_2[v * L + lane]
                for k in range(1, K):
                    total += query[k * L + lane] * state_2[(k * V + v) * L + lane]
                mixed[v * L + lane] = total

    @_compiled
    def forward(table, asked, folds, questions, groups, out):  # type: ignore[no-untyped-def]
        """Write the outputs, flat (groups, Q, D, LANES), of all questions under all seeds."""
        N = questions.shown.shape[1]
        size, asked_size = len(table) // groups, len(asked) // groups
        out_size = len(out) // groups
        attended = np.empty((N + 1) * V * L, table.dtype)
        pairs = np.empty((N + 1) * (K + V) * L, table.dtype)
        state_1, state_2 = np.empty(STATE, table.dtype), np.empty(STATE, table.dtype)
        after_1, after_2 = np.empty(STATE, table.dtype), np.empty(STATE, table.dtype)
        query, mixed = np.empty(K * L, table.dtype), np.empty(V * L, table.dtype)
        for group in range(groups):
            for a in range(len(questions.shown)):
                state_1[:] = 0
                state_2[:] = 0
                for i in range(N):
                    at = group * size + questions.shown[a, i] * COLUMNS * L
                    show(table, at, folds, i, attended, pairs, state_1, state_2)
                for j in range(questions.first[a], questions.first[a + 1]):
                    after_1[:] = state_1
                    after_2[:] = state_2
                    at = group * size + questions.token[j] * COLUMNS * L
                    show(table, at, folds, N, attended, pairs, after_1, after_2)
                    at = group * asked_size + questions.asked[j] * ASKED * L
                    o = N * V * L
                    ask(asked, at, folds, attended, o, after_2, query, mixed)
                    place = group * out_size + questions.place[j] * D * L
                    for lane in range(L):
                        for d in range(D):
                            total = asked[at + (K + d) * L + lane]
                            for v in range(V):
                                total += attended[o + v * L + lane] * folds[F_OUT_1 + v * D + d]
                                total += mixed[v * L + lane] * folds[F_OUT_2 + v * D + d]
                            out[place + d * L + lane] = total

    @_compiled
    def ask_back(  # type: ignore[no-untyped-def]
        at, folds, attended, o, state_2, query, mixed, grad, place, d_asked, d_folds, d_o, d_2
    ):
        """Gradients of a question; d_o and d_2 are set to those of attended and state 2."""
        for lane in range(L):
            for v in range(V):
                total = mixed[v * L + lane] - mixed[v * L + lane]
                for d in range(D):
                    total += grad[place + d * L + lane] * folds[F_OUT_1 + v * D + d]
                d_o[v * L + lane] = total
        for lane in range(L):
            for d in range(D):
                slope = grad[place + d * L + lane]
                d_asked[at + (K + d) * L + lane] += slope
                for v in range(V):
                    d_folds[(F_OUT_1 + v * D + d) * L + lane] += attended[o + v * L + lane] * slope
                    d_folds[(F_OUT_2 + v * D + d) * L + lane] += mixed[v * L + lane] * slope
        for lane in range(L):
            for v in range(V):
                total = mixed[v * L + lane] - mixed[v * L + lane]
                for d in range(D):
                    total += grad[place + d * L + lane] * folds[F_OUT_2 + v * D + d]
                for k in range(K):
                    d_2[(k * V + v) * L + lane] = query[k * L + lane] * total
                mixed[v * L + lane] = total
        for lane in range(L):
            for k in range(K):
                total = state_2[k * V * L + lane] * mixed[lane]
                for v in range(1, V):
                    total += state_2[(k * V + v) * L + lane] * mixed[v * L + lane]
                d_asked[at + k * L + lane] += total
                for u in range(V):
                    entry = F_QUERY + u * K + k
                    d_folds[entry * L + lane] += attended[o + u * L + lane] * total
                    d_o[u * L + lane] += folds[entry] * total

    @_compiled
    def show_back(  # type: ignore[no-untyped-def]
        table,
        at,
        folds,
        states,
        new,
        slot,
        attended,
        pairs,
        d_table,
        d_folds,
        d_o,
        d_p,
        d_1,
        d_2,
    ):
        """Gradients of a token from those of state 2 after it and of what it attended to.

        d_1, the gradient of state 1 after the token, gains what the token's query adds to it.
        """
        o, p = slot * V * L, slot * (K + V) * L
        for lane in range(L):
            for k in range(K):
                total = d_2[k * V * L + lane] * pairs[p + K * L + lane]
                for v in range(1, V):
                    total += d_2[(k * V + v) * L + lane] * pairs[p + (K + v) * L + lane]
                d_table[at + (KEY_2 + k) * L + lane] += total
                d_p[k * L + lane] = total
            for v in range(V):
                total = d_2[v * L + lane] * pairs[p + lane]
                for k in range(1, K):
                    total += d_2[(k * V + v) * L + lane] * pairs[p + k * L + lane]
                d_table[at + (VALUE_2 + v) * L + lane] += total
                d_p[(K + v) * L + lane] = total
        for lane in range(L):
            for u in range(V):
                total = d_o[u * L + lane]
                for k in range(K):
                    total += d_p[k * L + lane] * folds[u * K + k]
                for v in range(V):
                    total += d_p[(K + v) * L + lane] * folds[F_VALUE + u * V + v]
                d_o[u * L + lane] = total
        for lane in range(L):
            for u in range(V):
                seen = attended[o + u * L + lane]
                for k in range(K):
                    d_folds[(u * K + k) * L + lane] += seen * d_p[k * L + lane]
                for v in range(V):
                    entry = F_VALUE + u * V + v
                    d_folds[entry * L + lane] += seen * d_p[(K + v) * L + lane]
        for lane in range(L):
            for k in range(K):
                query = table[at + (QUERY_1 + k) * L + lane]
                d_key = d_query = query - query
                for v in range(V):
                    entry = (k * V + v) * L + lane
                    d_query += states[new + entry] * d_o[v * L + lane]
                    slope = d_1[entry] + query * d_o[v * L + lane]
                    d_1[entry] = slope
                    d_key += slope * table[at + (VALUE_1 + v) * L + lane]
                d_table[at + k * L + lane] += d_key
                d_table[at + (QUERY_1 + k) * L + lane] += d_query
        for lane in range(L):
            for v in range(V):
                total = d_1[v * L + lane] * table[at + lane]
                for k in range(1, K):
                    total += d_1[(k * V + v) * L + lane] * table[at + k * L + lane]
                d_table[at + (VALUE_1 + v) * L + lane] += total

    @_compiled
    def backward(table, asked, folds, questions, groups, grad, d_table, d_asked, d_folds):  # type: ignore[no-untyped-def]
        """Add the gradients of tables and folds, given those of the outputs."""
        N = questions.shown.shape[1]
        size, asked_size = len(table) // groups, len(asked) // groups
        out_size = len(grad) // groups
        attended = np.empty((N + 1) * V * L, table.dtype)
        pairs = np.empty((N + 1) * (K + V) * L, table.dtype)
        state_1, state_2 = np.empty(STATE, table.dtype), np.empty(STATE, table.dtype)
        after_1, after_2 = np.empty(STATE, table.dtype), np.empty(STATE, table.dtype)
        query, mixed = np.empty(K * L, table.dtype), np.empty(V * L, table.dtype)
        d_o, d_p = np.empty(V * L, table.dtype), np.empty((K + V) * L, table.dtype)
        states = np.empty((N + 1) * STATE, table.dtype)
        d_1, d_2 = np.empty(STATE, table.dtype), np.empty(STATE, table.dtype)
        own_1, own_2 = np.empty(STATE, table.dtype), np.empty(STATE, table.dtype)
        slopes = np.zeros(FOLDS * L, table.dtype)
        for group in range(groups):
            for a in range(len(questions.shown)):
                state_1[:] = 0
                state_2[:] = 0
                d_1[:] = 0
                d_2[:] = 0
                for i in range(N):
                    at = group * size + questions.shown[a, i] * COLUMNS * L
                    show(table, at, folds, i, attended, pairs, state_1, state_2)
                    for entry in range(STATE):
                        states[i * STATE + entry] = state_1[entry]
                for j in range(questions.first[a], questions.first[a + 1]):
                    after_1[:] = state_1
                    after_2[:] = state_2
                    at = group * size + questions.token[j] * COLUMNS * L
                    show(table, at, folds, N, attended, pairs, after_1, after_2)
                    row, o = group * asked_size + questions.asked[j] * ASKED * L, N * V * L
                    ask(asked, row, folds, attended, o, after_2, query, mixed)
                    place = group * out_size + questions.place[j] * D * L
                    ask_back(
                        row, folds, attended, o, after_2, query, mixed, grad, place,
                        d_asked, slopes, d_o, own_2,
                    )  # fmt: skip
                    own_1[:] = 0
                    show_back(
                        table, at, folds, after_1, 0, N, attended, pairs,
                        d_table, slopes, d_o, d_p, own_1, own_2,
                    )  # fmt: skip
                    for entry in range(STATE):
                        d_1[entry] += own_1[entry]
                        d_2[entry] += own_2[entry]
                for i in range(N - 1, -1, -1):
                    at = group * size + questions.shown[a, i] * COLUMNS * L
                    d_o[:] = 0
                    show_back(
                        table, at, folds, states, i * STATE, i, attended, pairs,
                        d_table, slopes, d_o, d_p, d_1, d_2,
                    )  # fmt: skip
        for entry in range(FOLDS):
            for lane in range(L):
                d_folds[entry] += slopes[entry * L + lane]

    return Kernels(forward, backward)
