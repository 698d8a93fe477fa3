"""Two blocks of linear attention as two small memories, with gradients, compiled for the CPU.

Causal linear attention is a memory: every token adds key (outer) value to a K x V state, and what
a query attends to is query @ state. So a sequence costs N state updates instead of N x N scores,
and all questions asked after one sequence share its states. Seeds are the lanes of a row
(`rand_agents.kernels.lanes`), in groups of LANES.

Arrays are flat: entry c of table row r in group g starts at ((g * rows + r) * columns + c) * LANES.
Rows of the table hold [key 1, value 1, query 1, key 2, value 2] of a token without what block 1
attended to; rows of the asked table hold [query 2, output]. `folds` holds the matrices by which
the rest comes in: what block 1 attended to enters key 2, value 2, query 2 and the output, and what
block 2 attended to enters the output.
"""

from typing import Any, NamedTuple

import numpy as np

from rand_agents.kernels import lanes
from rand_agents.kernels.lanes import LANES, compiled, load, sources_of, spread, store
from rand_envs.core.compiled.keeping import kept


class Sizes(NamedTuple):
    """Sizes of keys, values and outputs, and where the parts of rows and folds begin."""

    key: int
    value: int
    output: int
    columns: int
    value_1: int
    query_1: int
    key_2: int
    value_2: int
    fold_value: int
    fold_query: int
    fold_out_1: int
    fold_out_2: int
    folds: int

    @classmethod
    def of(cls, key: int, value: int, output: int) -> "Sizes":
        """All of them from the three that are free."""
        K, V, D = key, value, output
        ends = np.cumsum([V * K, V * V, V * K, V * D, V * D]).tolist()
        return cls(K, V, D, 3 * K + 2 * V, K, K + V, 2 * K + V, 3 * K + V, *ends)


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


class Tables(NamedTuple):
    """The table, the asked table and the folds, or their gradients; folds' have LANES entries."""

    table: Any
    asked: Any
    folds: Any


class Scratch(NamedTuple):
    """Room for one sequence, its token of a question last: what its tokens left behind.

    `attended` is (N + 1, V), `pairs` (N + 1, K + V), `states` (N + 1, K, V); the rest are the
    states now and after a question, and a question's query 2 and what it attends to, and
    gradients.
    """

    attended: Any
    pairs: Any
    states: Any
    state_1: Any
    state_2: Any
    after_1: Any
    after_2: Any
    query: Any
    mixed: Any
    d_attended: Any
    d_pairs: Any
    d_state_1: Any
    d_state_2: Any
    own_1: Any
    own_2: Any


def scratch(sizes: Sizes, tokens: int, dtype: Any) -> Scratch:
    """Room for sequences of `tokens` tokens, the question's included."""
    pair, state = sizes.key + sizes.value, sizes.key * sizes.value
    counts = [tokens * sizes.value, tokens * pair, tokens * state, *4 * [state], sizes.key]
    counts += [sizes.value, sizes.value, pair, *4 * [state]]
    return Scratch(*(np.zeros(count * LANES, dtype) for count in counts))


@compiled
def _dot(a: Any, at: int, step: int, b: Any, there: int, jump: int, count: int) -> Any:
    """Sum of products of `count` rows of a, `step` rows apart, and of b, `jump` rows apart."""
    total = load(a, at) * load(b, there)
    for i in range(1, count):
        total = total + load(a, at + i * step * LANES) * load(b, there + i * jump * LANES)
    return total


@compiled
def _through(start: Any, x: Any, at: int, folds: Any, first: int, step: int, count: int) -> Any:
    """Add to `start` the rows of x from `at`, each times a number of the folds."""
    total = start
    for i in range(count):
        total = total + load(x, at + i * LANES) * spread(folds, first + i * step)
    return total


@compiled
def _add(row: Any, x: Any, at: int) -> None:
    store(load(x, at) + row, x, at)


@compiled
def _show(
    sizes: Sizes, tables: Tables, at: int, slot: int, room: Scratch, state_1: Any, state_2: Any
) -> None:
    """Add the token whose table row starts at `at` to both memories."""
    K, V, table = sizes.key, sizes.value, tables.table
    o, p = slot * V * LANES, slot * (K + V) * LANES
    for v in range(V):
        value = load(table, at + (sizes.value_1 + v) * LANES)
        total = value - value
        for k in range(K):
            entry = (k * V + v) * LANES
            state = load(state_1, entry) + load(table, at + k * LANES) * value
            store(state, state_1, entry)
            total = total + load(table, at + (sizes.query_1 + k) * LANES) * state
        store(total, room.attended, o + v * LANES)
    for k in range(K):
        start = load(table, at + (sizes.key_2 + k) * LANES)
        key = _through(start, room.attended, o, tables.folds, k, K, V)
        store(key, room.pairs, p + k * LANES)
    for v in range(V):
        start = load(table, at + (sizes.value_2 + v) * LANES)
        value = _through(start, room.attended, o, tables.folds, sizes.fold_value + v, V, V)
        store(value, room.pairs, p + (K + v) * LANES)
        for k in range(K):
            _add(load(room.pairs, p + k * LANES) * value, state_2, (k * V + v) * LANES)


@compiled
def _ask(sizes: Sizes, tables: Tables, at: int, o: int, room: Scratch) -> None:
    """Query 2 of a question, and what block 2 attends to with it."""
    K, V = sizes.key, sizes.value
    for k in range(K):
        start = load(tables.asked, at + k * LANES)
        first = sizes.fold_query + k
        store(_through(start, room.attended, o, tables.folds, first, K, V), room.query, k * LANES)
    for v in range(V):
        mixed = _dot(room.query, 0, 1, room.after_2, v * LANES, V, K)
        store(mixed, room.mixed, v * LANES)


@compiled
def _question(
    sizes: Sizes, tables: Tables, questions: Questions, group: int, j: int, rows: Any, room: Scratch
) -> Any:
    """Show and ask question j after the sequence; where its rows and its attended start.

    `rows` are the numbers of rows of the table, the asked table and the outputs.
    """
    room.after_1[:] = room.state_1
    room.after_2[:] = room.state_2
    slot = questions.shown.shape[1]
    token = (group * rows[0] + questions.token[j]) * sizes.columns * LANES
    asked = (group * rows[1] + questions.asked[j]) * (sizes.key + sizes.output) * LANES
    place = (group * rows[2] + questions.place[j]) * sizes.output * LANES
    o = slot * sizes.value * LANES
    _show(sizes, tables, token, slot, room, room.after_1, room.after_2)
    _ask(sizes, tables, asked, o, room)
    return token, asked, place, o


@compiled
def _answer(
    sizes: Sizes, tables: Tables, asked: int, o: int, room: Scratch, out: Any, place: int
) -> None:
    """Write a question's outputs."""
    V, D, folds = sizes.value, sizes.output, tables.folds
    for d in range(D):
        total = load(tables.asked, asked + (sizes.key + d) * LANES)
        total = _through(total, room.attended, o, folds, sizes.fold_out_1 + d, D, V)
        total = _through(total, room.mixed, 0, folds, sizes.fold_out_2 + d, D, V)
        store(total, out, place + d * LANES)


@compiled
def _ask_back(
    sizes: Sizes, tables: Tables, slopes: Tables, asked: int, o: int, room: Scratch, grad: Any,
    place: int,
) -> None:  # fmt: skip
    """Gradients of a question; those of its token's attended and of state 2 are set, not added."""
    K, V, D, folds = sizes.key, sizes.value, sizes.output, tables.folds
    zero = load(room.mixed, 0) - load(room.mixed, 0)
    for v in range(V):
        seen, mixed = load(room.attended, o + v * LANES), load(room.mixed, v * LANES)
        first, second = sizes.fold_out_1 + v * D, sizes.fold_out_2 + v * D
        store(_through(zero, grad, place, folds, first, 1, D), room.d_attended, v * LANES)
        slope = _through(zero, grad, place, folds, second, 1, D)
        for d in range(D):
            back = load(grad, place + d * LANES)
            _add(seen * back, slopes.folds, (first + d) * LANES)
            _add(mixed * back, slopes.folds, (second + d) * LANES)
        store(slope, room.mixed, v * LANES)
        for k in range(K):
            store(load(room.query, k * LANES) * slope, room.own_2, (k * V + v) * LANES)
    for d in range(D):
        _add(load(grad, place + d * LANES), slopes.asked, asked + (K + d) * LANES)
    for k in range(K):
        slope = _dot(room.after_2, k * V * LANES, 1, room.mixed, 0, 1, V)
        _add(slope, slopes.asked, asked + k * LANES)
        for u in range(V):
            entry = sizes.fold_query + u * K + k
            _add(load(room.attended, o + u * LANES) * slope, slopes.folds, entry * LANES)
            _add(slope * spread(folds, entry), room.d_attended, u * LANES)


@compiled
def _pair_back(
    sizes: Sizes, tables: Tables, slopes: Tables, at: int, slot: int, room: Scratch, d_state_2: Any
) -> None:
    """Gradients of a token's key 2 and value 2, and what they add to that of its attended."""
    K, V = sizes.key, sizes.value
    o, p = slot * V * LANES, slot * (K + V) * LANES
    for k in range(K):
        slope = _dot(d_state_2, k * V * LANES, 1, room.pairs, p + K * LANES, 1, V)
        _add(slope, slopes.table, at + (sizes.key_2 + k) * LANES)
        store(slope, room.d_pairs, k * LANES)
    for v in range(V):
        slope = _dot(d_state_2, v * LANES, V, room.pairs, p, 1, K)
        _add(slope, slopes.table, at + (sizes.value_2 + v) * LANES)
        store(slope, room.d_pairs, (K + v) * LANES)
    for u in range(V):
        seen, total = load(room.attended, o + u * LANES), load(room.d_attended, u * LANES)
        total = _through(total, room.d_pairs, 0, tables.folds, u * K, 1, K)
        first = sizes.fold_value + u * V
        total = _through(total, room.d_pairs, K * LANES, tables.folds, first, 1, V)
        store(total, room.d_attended, u * LANES)
        for k in range(K):
            _add(seen * load(room.d_pairs, k * LANES), slopes.folds, (u * K + k) * LANES)
        for v in range(V):
            slope = seen * load(room.d_pairs, (K + v) * LANES)
            _add(slope, slopes.folds, (first + v) * LANES)


@compiled
def _token_back(
    sizes: Sizes, tables: Tables, slopes: Tables, at: int, states: Any, here: int, room: Scratch,
    d_state_1: Any,
) -> None:  # fmt: skip
    """Gradients of a token's key, value and query 1, from that of what it attended to.

    `states` holds state 1 with the token from `here`; its gradient gains what the query adds.
    """
    K, V, table = sizes.key, sizes.value, tables.table
    for k in range(K):
        query = load(table, at + (sizes.query_1 + k) * LANES)
        slope = _dot(states, here + k * V * LANES, 1, room.d_attended, 0, 1, V)
        _add(slope, slopes.table, at + (sizes.query_1 + k) * LANES)
        for v in range(V):
            _add(query * load(room.d_attended, v * LANES), d_state_1, (k * V + v) * LANES)
        slope = _dot(d_state_1, k * V * LANES, 1, table, at + sizes.value_1 * LANES, 1, V)
        _add(slope, slopes.table, at + k * LANES)
    for v in range(V):
        slope = _dot(d_state_1, v * LANES, V, table, at, 1, K)
        _add(slope, slopes.table, at + (sizes.value_1 + v) * LANES)


@compiled
def _question_back(
    sizes: Sizes, tables: Tables, slopes: Tables, questions: Questions, group: int, j: int,
    rows: Any, room: Scratch, grad: Any,
) -> None:  # fmt: skip
    """Gradients of a question and its token; adds those of the states it was asked in."""
    token, asked, place, o = _question(sizes, tables, questions, group, j, rows, room)
    _ask_back(sizes, tables, slopes, asked, o, room, grad, place)
    room.own_1[:] = 0
    _pair_back(sizes, tables, slopes, token, questions.shown.shape[1], room, room.own_2)
    _token_back(sizes, tables, slopes, token, room.after_1, 0, room, room.own_1)
    for entry in range(0, len(room.own_1), LANES):
        _add(load(room.own_1, entry), room.d_state_1, entry)
        _add(load(room.own_2, entry), room.d_state_2, entry)


@compiled
def _sequence(
    sizes: Sizes, tables: Tables, questions: Questions, group: int, a: int, rows: int, room: Scratch
) -> None:
    """Show the tokens of sequence a, and keep state 1 after each."""
    room.state_1[:] = 0
    room.state_2[:] = 0
    size = len(room.state_1)
    for i in range(questions.shown.shape[1]):
        at = (group * rows + questions.shown[a, i]) * sizes.columns * LANES
        _show(sizes, tables, at, i, room, room.state_1, room.state_2)
        room.states[i * size : (i + 1) * size] = room.state_1


def _entry_points(sources: int) -> tuple[Any, Any]:
    # `sources` is held for numba's cache, see `lanes.sources_of`.
    @kept(nogil=True, error_model="numpy")
    def forward(
        sizes: Sizes, tables: Tables, questions: Questions, rows: Any, room: Scratch, out: Any
    ) -> None:
        """Write the outputs, flat (groups, Q, D, LANES), of all questions under all seeds."""
        _ = sources
        for group in range(len(out) // (rows[2] * sizes.output * LANES)):
            for a in range(len(questions.shown)):
                _sequence(sizes, tables, questions, group, a, rows[0], room)
                for j in range(questions.first[a], questions.first[a + 1]):
                    _, asked, place, o = _question(sizes, tables, questions, group, j, rows, room)
                    _answer(sizes, tables, asked, o, room, out, place)

    @kept(nogil=True, error_model="numpy")
    def backward(
        sizes: Sizes, tables: Tables, questions: Questions, rows: Any, room: Scratch, grad: Any,
        slopes: Tables,
    ) -> None:  # fmt: skip
        """Add to slopes the gradients of the tables, given those of the outputs."""
        _ = sources
        size = len(room.state_1)
        for group in range(len(grad) // (rows[2] * sizes.output * LANES)):
            for a in range(len(questions.shown)):
                _sequence(sizes, tables, questions, group, a, rows[0], room)
                room.d_state_1[:] = 0
                room.d_state_2[:] = 0
                for j in range(questions.first[a], questions.first[a + 1]):
                    _question_back(sizes, tables, slopes, questions, group, j, rows, room, grad)
                for i in range(questions.shown.shape[1] - 1, -1, -1):
                    at = (group * rows[0] + questions.shown[a, i]) * sizes.columns * LANES
                    room.d_attended[:] = 0
                    _pair_back(sizes, tables, slopes, at, i, room, room.d_state_2)
                    _token_back(
                        sizes, tables, slopes, at, room.states, i * size, room, room.d_state_1
                    )

    return forward, backward


forward, backward = _entry_points(sources_of(lanes.__file__, __file__))
