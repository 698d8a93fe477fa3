"""Roll-outs of the grid compiled for the CPU: the plan of `GridRollout`, row by row.

A job is one candidate with a few searches, each a walls pattern and a seed. Its roll-outs wait in
one list, from which LANES at a time take a step: the searches, and the branches that chase a
treasure which their search has found. A branch starts with a copy of its search's context.
Where actions are drawn, branches share the draws of the search they come from until they begin.
"""

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rand_agents.kernels import counter_random, lane_functions, lane_transformer, lanes
from rand_agents.kernels.counter_random import gumbel, mixed
from rand_agents.kernels.lane_transformer import Memory, Shape, copy_context, memory, step
from rand_agents.kernels.lanes import LANES, compiled, sources_of
from rand_agents.kernels.threads import allowed
from rand_envs.core.compiled.keeping import kept

SEARCHES = LANES
"""The most searches of a job."""
PARTS = 8
"""Calls of compiled code a thread, so that none waits long for another."""
SEARCHING = -1


class Rules(NamedTuple):
    """The game: horizon, episodes, start cell; next cells (G, cells, 4), treasures (G, cells)."""

    horizon: int
    episodes: int
    start: int
    moves: NDArray[np.int64]
    wanted: NDArray[np.bool_]


class Policies(NamedTuple):
    """P candidates: packed weights (P, size) and embedded tokens.

    The observations' are (P, 2 * cells, width), the seeds' (P, m, width), positions
    (P, at least the context, width).
    """

    weights: Any
    observed: Any
    seeds: Any
    positions: Any


class Steps(NamedTuple):
    """Steps until a treasure is found, and steps after that: (P, G, cells, m).

    P is left out in a job.
    """

    found: Any
    after: Any


class Draws(NamedTuple):
    """How actions are drawn, and what was done: one entry a token after the seed's.

    Attributes:
        temperature: What outputs are divided by; 0 takes the likeliest action, and records nothing.
        key: Determines all draws.
        observed: 2 * cell + found flag, (P, G, cells + 1, m, max_steps), or of no candidates; at
            the index of a treasure that of the branch which chases it, at the last the search's.
        actions: Of the same shape. P is left out of both in a job.
        is_cut: Whether play ends where the treasure's place is known: of a row that finds it, and
            of the search when it can be in one place alone.
    """

    temperature: float
    key: Any
    observed: Any
    actions: Any
    is_cut: bool


class _Rows(NamedTuple):
    """Roll-outs of a job, one entry each; unfound is (searches, cells), free lists free rows."""

    group: Any
    seed: Any
    treasure: Any
    position: Any
    found: Any
    clock: Any
    remaining: Any
    seen: Any
    action: Any
    unfound: Any
    free: Any


def draws_of(
    rules: Rules,
    policies: Policies,
    rng: np.random.Generator,
    temperature: float = 1.0,
    is_cut: bool = False,
) -> Draws:
    """Draws by a generator, with room for what they lead to."""
    candidates, m = policies.seeds.shape[:2]
    groups, cells = rules.wanted.shape
    room = (candidates, groups, cells + 1, m, rules.horizon * rules.episodes)
    key = rng.integers(0, 1 << 64, dtype=np.uint64)
    return Draws(temperature, key, np.zeros(room, np.int16), np.zeros(room, np.int16), is_cut)


def _no_draws(candidates: int) -> Draws:
    room = (candidates, 0, 0, 0, 0)
    return Draws(0.0, np.uint64(0), np.zeros(room, np.int16), np.zeros(room, np.int16), False)


def play(
    shape: Shape, rules: Rules, policies: Policies, draws: Draws | None = None
) -> tuple[Steps, NDArray[np.int64]]:
    """Steps, see `GridRollout.steps`, and tokens evaluated, (P,).

    They are right where a treasure is wanted; one never found is found with the last step.
    Runs on as many threads as are allowed; the result does not depend on how many.
    """
    candidates, m = len(policies.weights), policies.seeds.shape[1]
    draws = draws or _no_draws(candidates)
    groups, cells = rules.wanted.shape
    searches = groups * m
    found = np.full((candidates, groups, cells, m), rules.episodes * rules.horizon, np.int32)
    steps = Steps(found, np.zeros_like(found))
    firsts = np.arange(0, searches, SEARCHES)
    candidate, first = (a.reshape(-1) for a in np.indices((candidates, len(firsts))))
    begin = firsts[first]
    jobs = np.stack([candidate, begin, np.minimum(begin + SEARCHES, searches)], -1)
    tokens = np.zeros(len(jobs), np.int64)
    threads = min(allowed(), len(jobs))
    count = 1 if threads == 1 else threads * PARTS
    run = functools.partial(_run, shape, rules, policies, draws, steps)
    with ThreadPoolExecutor(threads) as pool:
        # The list passes on what a thread may raise.
        list(pool.map(run, np.array_split(jobs, count), np.array_split(tokens, count)))
    return steps, tokens.reshape(candidates, -1).sum(-1)


def _run(
    shape: Shape,
    rules: Rules,
    policies: Policies,
    draws: Draws,
    steps: Steps,
    jobs: Any,
    tokens: Any,
) -> None:
    """Play some jobs with memory of their own."""
    size = min(SEARCHES, len(rules.wanted) * policies.seeds.shape[1])
    room = size * (1 + int(rules.wanted.sum(-1).max()) * (rules.episodes > 1))
    numbers = {name: np.zeros(room, np.int64) for name in _Rows._fields if name != "unfound"}
    rows = _Rows(**numbers, unfound=np.zeros((size, rules.wanted.shape[1]), np.bool_))
    own = memory(shape, room, policies.weights.dtype)
    _play_jobs(shape, rules, policies, draws, steps, own, rows, jobs, tokens)


@compiled
def _play_job(
    shape: Shape, rules: Rules, policies: Policies, draws: Draws, steps: Steps, memory: Memory,
    rows: _Rows, candidate: int, begin: int, end: int,
) -> int:  # fmt: skip
    """Play the searches begin <= number < end and their branches; returns the tokens evaluated."""
    m, tokens = policies.seeds.shape[1], 0
    alive, following = np.empty_like(rows.free), np.empty_like(rows.free)
    count = end - begin
    for row in range(count):
        alive[row] = row
        rows.group[row], rows.seed[row] = (begin + row) // m, (begin + row) % m
        rows.treasure[row], rows.position[row], rows.found[row] = SEARCHING, rules.start, 0
        rows.clock[row], rows.remaining[row], rows.seen[row] = 0, rules.episodes, 0
        rows.unfound[row] = rules.wanted[rows.group[row]]
    free = len(rows.free) - count
    for i in range(free):
        rows.free[i] = len(rows.free) - 1 - i
    while count:
        tokens += count
        for first in range(0, count, LANES):
            some = alive[first : min(first + LANES, count)]
            _embed(shape, memory, policies, rows, candidate, some)
            step(shape, memory, policies.weights[candidate], some, rows.seen)
            for lane in range(len(some)):
                _act(shape, draws, rows, memory.output, lane, some[lane])
        kept = 0
        for i in range(count):
            row = alive[i]
            finds = _move(rules, rows, steps, row)
            branches = finds and rows.treasure[row] == SEARCHING and rows.remaining[row] > 1
            if branches and not draws.is_cut:
                free -= 1
                _branch(shape, rules, memory, rows, row, rows.free[free])
                following[kept] = rows.free[free]
                kept += 1
            if _goes_on(rules, rows, row, finds, draws.is_cut):
                following[kept] = row
                kept += 1
            else:
                rows.free[free] = row
                free += 1
        alive, following, count = following, alive, kept
    return tokens


@compiled
def _embed(
    shape: Shape, memory: Memory, policies: Policies, rows: _Rows, candidate: int, some: Any
) -> None:
    """Write the next tokens of some rows, with their positions, to memory.x."""
    for lane in range(len(some)):
        row = some[lane]
        position = policies.positions[candidate, rows.seen[row]]
        token = policies.seeds[candidate, rows.seed[row]]
        if rows.seen[row]:
            observation = 2 * rows.position[row] + rows.found[row]
            token = policies.observed[candidate, observation]
        for i in range(shape.width):
            memory.x[i * LANES + lane] = token[i] + position[i]


@compiled
def _act(shape: Shape, draws: Draws, rows: _Rows, output: Any, lane: int, row: int) -> None:
    """Choose the action of a row, and record it where actions are drawn."""
    rows.action[row] = 0
    if draws.temperature == 0.0:
        for i in range(1, shape.output_dim):
            if output[i * LANES + lane] > output[rows.action[row] * LANES + lane]:
                rows.action[row] = i
        return
    time = rows.seen[row] - 1
    if time < 0:
        return  # that token was the seed
    group, seed, who = rows.group[row], rows.seed[row], rows.treasure[row]
    _, tracks, m, steps = draws.actions.shape
    counter = (((group * tracks + who + 1) * m + seed) * steps + time) * shape.output_dim
    best = -np.inf
    for i in range(shape.output_dim):
        chance = output[i * LANES + lane] / draws.temperature
        chance += gumbel(mixed(draws.key, counter + i))
        if chance > best:
            best, rows.action[row] = chance, i
    draws.observed[group, who, seed, time] = 2 * rows.position[row] + rows.found[row]
    draws.actions[group, who, seed, time] = rows.action[row]


@compiled
def _move(rules: Rules, rows: _Rows, steps: Steps, row: int) -> bool:
    """Act; whether that finds a treasure for the first time, or the treasure that it chases."""
    rows.seen[row] += 1
    if rows.seen[row] == 1:
        return False  # that token was the seed
    group, seed, treasure = rows.group[row], rows.seed[row], rows.treasure[row]
    cell = rules.moves[group, rows.position[row], rows.action[row]]
    rows.position[row] = cell
    rows.clock[row] += 1
    if treasure != SEARCHING:
        steps.after[group, treasure, seed] += 1
        return bool(cell == treasure)
    if not rows.unfound[row, cell]:
        return False
    rows.unfound[row, cell] = False
    before = (rules.episodes - rows.remaining[row]) * rules.horizon
    steps.found[group, cell, seed] = before + rows.clock[row]
    return True


@compiled
def _branch(shape: Shape, rules: Rules, memory: Memory, rows: _Rows, search: int, row: int) -> None:
    """Begin the episode after a search found a treasure where it stands, in a row of its own."""
    rows.group[row], rows.seed[row] = rows.group[search], rows.seed[search]
    rows.treasure[row], rows.found[row] = rows.position[search], 1
    rows.position[row], rows.clock[row] = rules.start, 0
    rows.remaining[row], rows.seen[row] = rows.remaining[search] - 1, rows.seen[search]
    copy_context(shape, memory, search, row, rows.seen[search])


@compiled
def _goes_on(rules: Rules, rows: _Rows, row: int, finds: bool, is_cut: bool) -> bool:
    """Begin the next episode if one ended; whether there is anything left to play."""
    searching = rows.treasure[row] == SEARCHING
    # The first token was the seed.
    known = is_cut and rows.seen[row] > 1
    if searching and rows.unfound[row].sum() <= known:
        return False
    ended = (finds and not searching) or rows.clock[row] == rules.horizon
    rows.found[row] = finds and not searching
    if ended:
        rows.remaining[row] -= 1
        rows.clock[row], rows.position[row] = 0, rules.start
    return bool(rows.remaining[row] > 0)


def _compiled_jobs(sources: int) -> Any:
    # `sources` is held for numba's cache, see `lanes.sources_of`.
    @kept(nogil=True, error_model="numpy")
    def play_jobs(
        shape: Shape, rules: Rules, policies: Policies, draws: Draws, steps: Steps,
        memory: Memory, rows: _Rows, jobs: Any, tokens: Any,
    ) -> None:  # fmt: skip
        _ = sources
        for job in range(len(jobs)):
            candidate, begin, end = jobs[job]
            own = Steps(steps.found[candidate], steps.after[candidate])
            drawn = Draws(
                draws.temperature,
                mixed(draws.key, candidate),
                draws.observed[candidate],
                draws.actions[candidate],
                draws.is_cut,
            )
            tokens[job] = _play_job(
                shape, rules, policies, drawn, own, memory, rows, candidate, begin, end
            )

    return play_jobs


_play_jobs = _compiled_jobs(
    sources_of(
        counter_random.__file__,
        lanes.__file__,
        lane_functions.__file__,
        lane_transformer.__file__,
        __file__,
    )
)
