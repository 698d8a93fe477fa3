"""RandPaging-v0: serve a sequence of requests from a small cache, with few faults."""

import numpy as np
from gymnasium.spaces import Discrete, MultiDiscrete
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, whole_number
from rand_envs.core.compiled import compiled
from rand_envs.core.layouts.fields import FieldLayout, Layouts
from rand_envs.core.task import Advance, CompiledTask, GameValue


class PagingTask(CompiledTask[FieldLayout]):
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
        self._state_dtype = np.dtype(
            [
                ("requests", np.int64, (self.num_requests,)),
                ("cache", np.int64, (self.cache_size,)),
                ("time", np.int64),
                ("faults", np.int64),
            ]
        )

    def initial(self, layouts: Array) -> Array:
        """States in which slot i holds page i and nothing was requested, shape (n,)."""
        state = np.zeros(len(layouts), self._state_dtype)
        state["requests"] = layouts["requests"]
        state["cache"] = np.arange(self.cache_size)
        return state

    def advance(self, state: Array, actions: Array, idle: NDArray[np.bool_]) -> Advance:
        """Serve the next request; on a fault its page goes into the slot `actions`, shape (n,).

        Observations are the requested page and the pages in the slots, int64.
        """
        n = len(state)
        seen = np.empty((n, 1 + self.cache_size), np.int64)
        reward, over = np.empty(n), np.empty(n, bool)
        _serve(
            actions,
            idle,
            state["requests"],
            state["cache"],
            state["time"],
            state["faults"],
            seen,
            reward,
            over,
        )
        return Advance(state, seen, reward, over)

    def info(self, state: Array) -> dict[str, Array]:
        """How many faults there were."""
        return {"faults": state["faults"].copy()}

    def success(self, state: Array) -> NDArray[np.bool_]:
        """Whether the faults are as few as Belady's optimum, shape (n,)."""
        success: NDArray[np.bool_] = state["faults"] <= self.best_outcome(state)
        return success

    def outcome(self, state: Array) -> NDArray[np.float64]:
        """The number of faults, shape (n,)."""
        return state["faults"].astype(np.float64)

    def best_outcome(self, layouts: Array) -> NDArray[np.float64]:
        """Belady's optimum: evict the page that is not requested for longest, shape (n,).

        L. A. Belady, "A study of replacement algorithms", IBM Systems Journal 5, 1966.
        """
        faults = np.zeros(len(layouts))
        _serve_by_belady(self.num_pages, self.cache_size, layouts["requests"], faults)
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


@compiled
def _serve(
    actions: Array,
    idle: Array,
    requests: Array,
    cache: Array,
    time: Array,
    faults: Array,
    seen: Array,
    reward: Array,
    over: Array,
) -> None:
    num_requests, cache_size = requests.shape[1], cache.shape[1]
    for i in range(len(time)):
        reward[i], over[i] = 0.0, False
        if not idle[i]:
            # Indices without a sign need no look at whether they count from the end.
            page, slot = requests[i, np.uint64(time[i])], np.uint64(actions[i])
            fault = 1
            for other in range(cache_size):
                fault &= cache[i, other] != page
            # Without a branch, as processors cannot guess whether it is a fault.
            cache[i, slot] = page if fault else cache[i, slot]
            faults[i] += fault
            reward[i] = 0.0 - fault
            time[i] += 1
            over[i] = time[i] == num_requests
        seen[i, 0] = requests[i, np.uint64(min(time[i], num_requests - 1))]
        for other in range(cache_size):
            seen[i, 1 + other] = cache[i, other]


@compiled
def _serve_by_belady(num_pages: int, cache_size: int, requests: Array, faults: Array) -> None:
    never = requests.shape[1]
    again = np.empty(never, np.int64)
    next_use = np.empty(num_pages, np.int64)
    for i in range(len(requests)):
        next_use[:] = never
        for time in range(never - 1, -1, -1):
            page = np.uint64(requests[i, time])
            again[time], next_use[page] = next_use[page], time
        # Slot i holds page i at first. The page that is requested is the only one due.
        for time in range(never):
            slot, latest = np.uint64(0), -1
            for other in range(cache_size):
                use = next_use[other] if next_use[other] != time else never + 1
                slot = np.uint64(other) if use > latest else slot
                latest = max(latest, use)
            faults[i] += latest <= never
            next_use[slot] = again[time]
