"""RandPaging-v0: serve a sequence of requests from a small cache, with few faults."""

import numpy as np
from gymnasium.spaces import Discrete, MultiDiscrete
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, whole_number
from rand_envs.core.compiled import compiled
from rand_envs.core.layouts.fields import FieldLayout, Layouts
from rand_envs.core.task import Advance, GameValue, HoldingTask

TIME, FAULTS, CACHE = 0, 1, 2
"""Columns of a state, which is a row of whole numbers to compiled code; the requests come last."""


class PagingTask(HoldingTask[FieldLayout]):
    """Decide which page leaves the cache when another is requested, not knowing what is next.

    ## Description
    Paging against an oblivious adversary (Fiat, Karp, Luby, McGeoch, Sleator and Young,
    "Competitive paging algorithms", Journal of Algorithms 12, 1991).  The adversary picks the
    sequence of requested pages beforehand.  A request for a page that is not in the cache is
    a fault: the page is brought in, and the player says which one it replaces.  Whoever
    evicts by a fixed rule is asked for what it has just evicted, and faults every time; a
    good player evicts at random, but not any page.

    ## Action Space
    `Discrete(cache_size)`: the slot whose page is replaced; ignored on a hit.

    ## Observation Space
    `MultiDiscrete([num_pages] * (1 + cache_size))`: the requested page, then the pages in the
    slots, before the request is served.  After the last one: the last request again, and
    what the cache holds in the end.

    ## Starting State
    Slot i holds page i.  The sequence of requests is uniform by default: see Arguments.

    ## Rewards
    -1 for a fault, 0 for a hit.

    ## Episode End
    Terminated after `num_requests` steps.  Never truncated.

    ## Information
    `faults`: how many there were so far.  `is_success`: whether they are as few as Belady's
    optimum, the fewest possible for one who knows the whole sequence, False before the end.

    ## Arguments
    * `num_pages` (3): pages that can be requested, at least 2.
    * `cache_size` (2): slots of the cache, fewer than pages.
    * `num_requests` (6): length of the sequence, at least 1.
    * `layouts` (None): None for uniform layouts, a layout such as {"requests": [2, 0, 2, 1, 0,
      0]}, or a `LayoutSource`.  `reset(options={"layout": ...})` sets it for one instance.
    * `render_mode` (None): "human", "rgb_array" or "ansi".

    ## Version History
    * v0: first version.

    ## The rules as a class
    A state is its layout, and `cache`, the pages in the slots; `time`, the number of requests
    served; and `faults`, how many of them were faults.

    Args:
        num_pages: pages that can be requested.
        cache_size: slots of the cache.
        num_requests: length of the sequence.

    Raises:
        ValueError: a size is not an integer, or out of range.
    """

    env_id = "RandPaging-v0"
    unit = "faults"
    adds_up = True
    painter = "rand_envs.games.paging.painter:PagingPainter"
    players = {
        "lru": "rand_envs.games.paging.classics:LeastRecentlyUsed",
        "fifo": "rand_envs.games.paging.classics:FirstInFirstOut",
        "random": "rand_envs.games.paging.classics:RandomEviction",
        "marking": "rand_envs.games.paging.classics:Marking",
        "random-then-mru": "rand_envs.games.paging.classics:RandomThenMostRecent",
    }

    def __init__(self, num_pages: int = 3, cache_size: int = 2, num_requests: int = 6) -> None:
        self.num_pages = whole_number("num_pages", num_pages, 2, 1_000)
        self.cache_size = whole_number("cache_size", cache_size, 1, self.num_pages - 1)
        self.num_requests = whole_number("num_requests", num_requests, 1, 10_000)
        self.layout_space = Layouts(requests=MultiDiscrete([self.num_pages] * self.num_requests))
        self.observation_space = MultiDiscrete([self.num_pages] * (1 + self.cache_size))
        self.action_space = Discrete(self.cache_size)
        self.max_steps = self.num_requests
        cache = ("cache", np.int64, (self.cache_size,))
        counters = [("time", np.int64), ("faults", np.int64)]
        self.hold([*counters, cache], cache=np.arange(self.cache_size))
        self._row = np.dtype((np.int64, (CACHE + self.cache_size + self.num_requests,)))

    def advance(self, state: Array, actions: Array, idle: NDArray[np.bool_]) -> Advance:
        """Serve the next request; on a fault its page goes into the slot `actions`, shape (n,).

        Observations are the requested page and the pages in the slots, int64.
        """
        n = len(state)
        seen = np.empty((n, 1 + self.cache_size), np.int64)
        reward, over = np.empty(n), np.empty(n, bool)
        facts = _no_facts(n)
        _serve(
            self.num_pages,
            self.cache_size,
            self.head(state, self._row),
            actions,
            idle,
            seen,
            reward,
            over,
            *facts.values(),
        )
        return Advance(state, seen, reward, over, facts)

    def info(self, state: Array) -> dict[str, Array]:
        """How many faults there were."""
        return {"faults": state["faults"].copy()}

    def success(self, state: Array) -> NDArray[np.bool_]:
        """Whether the faults are as few as Belady's optimum, shape (n,)."""
        return self.facts(state, np.ones(len(state), bool))["is_success"]

    def facts(self, state: Array, ended: NDArray[np.bool_]) -> dict[str, Array]:
        """How many faults there were, and whether of the ended they are as few as can be."""
        facts = _no_facts(len(state))
        rows = self.head(state, self._row)
        _tell(self.num_pages, self.cache_size, rows, ended, *facts.values())
        return facts

    def outcome(self, state: Array) -> NDArray[np.float64]:
        """The number of faults, shape (n,)."""
        return state["faults"].astype(np.float64)

    def best_outcome(self, layouts: Array) -> NDArray[np.float64]:
        """The faults of Belady's optimum, the fewest possible, shape (n,).

        L. A. Belady, "A study of replacement algorithms", IBM Systems Journal 5, 1966.
        """
        faults = np.empty(len(layouts))
        _count(self.num_pages, self.cache_size, layouts["requests"], faults)
        return faults

    def known_value(self) -> GameValue:
        """1 + (T - 1) / k for T requests of k + 1 pages; a bound where there are more pages.

        The adversary may request the P - k pages that were never in the cache, once each, and
        then a uniform one of all pages but the last: whatever the cache holds, P - k of these
        P - 1 are not in it.  With P = k + 1 the player `RandomThenMostRecent` reaches that.
        """
        new = min(self.num_pages - self.cache_size, self.num_requests)
        share = (self.num_pages - self.cache_size) / (self.num_pages - 1)
        bound = new + (self.num_requests - new) * share
        if new in (1, self.num_requests):
            return GameValue(bound, "exact")
        return GameValue(bound, "bound", "known exactly where one page does not fit in the cache")


def _no_facts(n: int) -> dict[str, Array]:
    return {"faults": np.empty(n, np.int64), "is_success": np.empty(n, bool)}


@compiled
def _serve(
    num_pages: int,
    cache_size: int,
    state: Array,
    actions: Array,
    idle: Array,
    seen: Array,
    reward: Array,
    over: Array,
    faults: Array,
    success: Array,
) -> None:
    requests = state[:, CACHE + cache_size :]
    last, kept = _memory(num_pages, cache_size)
    end = requests.shape[1] - 1
    for i in range(len(state)):
        me, sees = state[i], seen[i]
        # Indices without a sign need no look at whether they count from the end.
        time, slot = me[TIME], np.uint64(actions[i])
        page, fault = requests[i, np.uint64(min(time, end))], np.int64(1)
        for other in range(cache_size):
            held = me[CACHE + other]
            fault &= held != page
            sees[1 + other] = held
        # Without branches, as processors cannot guess whether it is a fault.
        plays = 1 - np.int64(idle[i])
        fault &= plays
        held = me[np.uint64(CACHE) + slot]
        held += fault * (page - held)
        me[np.uint64(CACHE) + slot] = sees[np.uint64(1) + slot] = held
        me[FAULTS] += fault
        time += plays
        me[TIME] = time
        reward[i] = 0.0 - fault
        over[i] = plays & (time > end)
        sees[0] = requests[i, np.uint64(min(time, end))]
        faults[i] = me[FAULTS]
        success[i] = over[i] and faults[i] <= _fewest(cache_size, requests, i, last, kept)


@compiled
def _tell(
    num_pages: int, cache_size: int, state: Array, ended: Array, faults: Array, success: Array
) -> None:
    requests = state[:, CACHE + cache_size :]
    last, kept = _memory(num_pages, cache_size)
    for i in range(len(state)):
        faults[i] = state[i, FAULTS]
        success[i] = ended[i] and faults[i] <= _fewest(cache_size, requests, i, last, kept)


@compiled
def _count(num_pages: int, cache_size: int, requests: Array, faults: Array) -> None:
    last, kept = _memory(num_pages, cache_size)
    for i in range(len(requests)):
        faults[i] = _fewest(cache_size, requests, i, last, kept)


@compiled
def _memory(num_pages: int, cache_size: int) -> tuple[Array, Array]:
    """What `_fewest` keeps its notes in."""
    return np.zeros(num_pages, np.int64), np.empty(cache_size - 1, np.int64)


@compiled
def _fewest(cache_size: int, requests: Array, i: int, last: Array, kept: Array) -> int:
    """The fewest faults; `last` and `kept` are its `_memory`.

    A hit means that its page stayed since its last request. Meanwhile one slot is that of the
    requests that come, so pages stay in the others: as many of these stays are to be found as fit.
    Take each that fits, in order of their ends, in the slot that is free for the shortest time
    (M. C. Carlisle and E. L. Lloyd, "On the k-coloring of intervals", Discrete Applied
    Mathematics 59, 1995). Slot j of the first cache holds page j.
    """
    length = requests.shape[1]
    # A clock that goes on, so that memory need not be cleared: what is older was never.
    start = (length + 1) * (i + 1)
    for held in range(cache_size):
        last[held] = start - 1
    for free_slot in range(cache_size - 1):
        kept[free_slot] = start - 1
    faults = 0
    for time in range(length):
        now, asked = start + time, np.uint64(requests[i, time])
        since, slot, free = last[asked], -1, -1
        for other in range(cache_size - 1):
            if free < kept[other] <= since:
                slot, free = other, kept[other]
        if since < now - 1:
            if slot >= 0:
                kept[np.uint64(slot)] = now - 1
            else:
                faults += 1
        last[asked] = now
    return faults
