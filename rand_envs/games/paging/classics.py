"""Players of RandPaging-v0: LRU, FIFO, random eviction, marking, and the optimal mix."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array
from rand_envs.core.player import Play
from rand_envs.games.paging.rules import PagingTask

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

ROWS = 1 << 16
"""How many (layout, seed) pairs are played at once, to bound the memory."""


class Pager(ABC):
    """Acts on what the environment shows, and remembers one number a slot."""

    randomised: ClassVar[bool]
    """Whether the seed matters."""

    def __init__(self, task: PagingTask) -> None:
        self.task = task

    def begin(self, n: int) -> Ints:
        """The memory at the start of n instances, shape (n, cache_size): zeros."""
        return np.zeros((n, self.task.cache_size), np.int64)

    @abstractmethod
    def victims(self, memory: Ints, draws: Array) -> Ints:
        """The slots to evict on a fault, shape (n,), by uniform numbers `draws`, (n,)."""

    def note(self, memory: Ints, slots: Ints, fault: Mask) -> None:
        """Remember in place which slots, (n,), were used, and whether after a fault, (n,)."""
        return

    def act(self, memory: Ints, observation: Array, draws: Array) -> Ints:
        """Choose slots, shape (n,), on observations, (n, 1 + cache_size); `memory` remembers."""
        hit = observation[:, 1:] == observation[:, :1]
        fault = ~hit.any(axis=1)
        slots: Ints = np.where(fault, self.victims(memory, draws), hit.argmax(axis=1))
        self.note(memory, slots, fault)
        return slots

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """One uniform number a request, shape (m, num_requests); zeros if not randomised."""
        shape = (m, self.task.num_requests)
        return rng.random(shape) if self.randomised else np.zeros(shape)

    def play(self, layouts: Array, seeds: Array) -> Play:
        """Play every layout, (n,), under every seed, (m, num_requests), by the task's rules."""
        draws, picked = np.unique(seeds, axis=0, return_inverse=True)
        count = max(1, ROWS // len(draws))
        parts = [self._play(layouts[i : i + count], draws) for i in range(0, len(layouts), count)]
        faults = np.concatenate(parts)[:, picked.reshape(-1)]
        return Play(faults, None, faults.astype(np.float32)[..., None])

    def _play(self, layouts: Array, draws: Array) -> NDArray[np.float64]:
        state = self.task.initial(np.repeat(layouts, len(draws)))
        memory = self.begin(len(state))
        for draw in np.tile(draws, (len(layouts), 1)).T:
            action = self.act(memory, self.task.observe(state), draw)
            state = self.task.step(state, action).state
        return self.task.outcome(state).reshape(len(layouts), len(draws))


class LeastRecentlyUsed(Pager):
    """LRU: evicts the page that was not requested for longest; at first, that of slot 0, 1, ...

    It has at most k times as many faults as Belady's optimum (Sleator and Tarjan, 1985), and its
    worst case is a fault on every request: the adversary asks for what was evicted last.
    """

    randomised = False

    def begin(self, n: int) -> Ints:
        """When each slot was used last, shape (n, cache_size): as if in the order of slots."""
        return np.tile(np.arange(self.task.cache_size), (n, 1))

    def victims(self, memory: Ints, draws: Array) -> Ints:
        """The slots used first, shape (n,)."""
        first: Ints = memory.argmin(axis=1)
        return first

    def note(self, memory: Ints, slots: Ints, fault: Mask) -> None:
        """Put every slot used last."""
        memory[np.arange(len(memory)), slots] = memory.max(axis=1) + 1


class FirstInFirstOut(LeastRecentlyUsed):
    """FIFO: evicts the page that came in first, hits or not; slots 0, 1, ... in turn.

    Bounds and worst case are those of LRU.
    """

    def note(self, memory: Ints, slots: Ints, fault: Mask) -> None:
        """Put slots last where a page came in."""
        row = np.flatnonzero(fault)
        memory[row, slots[row]] = memory[row].max(axis=1) + 1


class RandomEviction(Pager):
    """Evicts a uniformly random slot.

    Against Belady's optimum it is no better than k times as many faults in the limit of long
    sequences (Raghavan and Snir, 1989).
    """

    randomised = True

    def victims(self, memory: Ints, draws: Array) -> Ints:
        """Slots picked by the draws alone, shape (n,)."""
        return (draws * self.task.cache_size).astype(np.int64)


class Marking(Pager):
    """Marks every slot that is used, and evicts a uniformly random unmarked one.

    When all are marked, a fault first removes all marks: a new phase begins.  At the start none
    is marked.  On every sequence it has in the mean at most 2 H_k times as many faults as
    Belady's optimum, where H_k = 1 + 1/2 + ... + 1/k (Fiat and others, 1991).
    """

    randomised = True

    def victims(self, memory: Ints, draws: Array) -> Ints:
        """Unmarked slots picked by the draws, shape (n,); any slots where all are marked."""
        free = (memory == 0) | memory.all(axis=1, keepdims=True)
        picked = (draws * free.sum(axis=1)).astype(np.int64)
        slots: Ints = (free.cumsum(axis=1) > picked[:, None]).argmax(axis=1)
        return slots

    def note(self, memory: Ints, slots: Ints, fault: Mask) -> None:
        """Begin a phase where all are marked and another page came in; mark the slots used."""
        memory[fault & memory.all(axis=1)] = 0
        memory[np.arange(len(memory)), slots] = 1


class RandomThenMostRecent(Pager):
    """Evicts a uniformly random slot at the first fault, and the one used last at all others.

    This is optimal where there are k + 1 pages: 1 + (T - 1) / k faults in the worst case.
    Proof: after the first fault each page but the last requested one is the missing one with
    probability 1 / k.  That stays so.  A request for another page faults with probability 1 / k,
    and then the page requested before it goes missing; if not, the missing page is one of the
    k - 1 others, each with probability 1 / k.  So every request after the first fault costs 1 / k
    at most, and no adversary's mix gives less: see `PagingTask.known_value`.
    """

    randomised = True

    def victims(self, memory: Ints, draws: Array) -> Ints:
        """The slots used last, shape (n,); before any fault those that the draws pick."""
        first = (draws * self.task.cache_size).astype(np.int64)
        return np.where(memory.any(axis=1), memory.argmax(axis=1), first)

    def note(self, memory: Ints, slots: Ints, fault: Mask) -> None:
        """Remember which slot was used last, from the first fault on."""
        last = np.arange(self.task.cache_size) == slots[:, None]
        memory[:] = last & (fault | memory.any(axis=1))[:, None]
