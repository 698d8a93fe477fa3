"""Patrollers of RandPatrol-v0: a random walk, a round from a random phase, and a guard."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array
from rand_envs.core.player import Play
from rand_envs.games.patrol.graphs import closed_tour
from rand_envs.games.patrol.rules import PatrolTask

Ints = NDArray[np.int64]


class Patroller(ABC):
    """A walk that the seed picks: there is nothing to see that could change it."""

    def __init__(self, task: PatrolTask) -> None:
        self.task = task

    @abstractmethod
    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """Draw m seeds, uniform numbers in [0, 1), shape (m, k)."""

    @abstractmethod
    def walks(self, seeds: Array) -> Ints:
        """The nodes of every step, each an action of the game, shape (m, horizon)."""

    @abstractmethod
    def exact_success(self, layouts: Array) -> NDArray[np.float64]:
        """The probability to intercept on each layout, shape (n,)."""

    def worst_case(self) -> float:
        """The smallest probability to intercept over all layouts, exact."""
        return float(self.exact_success(self.task.layout_space.enumerate()).min())

    def acting(self, seeds: Array) -> Callable[[Ints, Array], Ints]:
        """What answers the observations, (r, 2), of rows, (r,), that have these seeds, (n, k)."""
        walks = self.walks(seeds)
        return lambda rows, seen: walks[rows, seen[:, 1]]

    def play(self, layouts: Array, seeds: Array) -> Play:
        """Play every layout, (n,), under every seed, (m, k)."""
        walks = self.walks(seeds)
        met = np.zeros((len(layouts), len(seeds)), bool)
        for time, place in enumerate(walks.T):
            since = time - layouts["start"]
            attacked = (since >= 0) & (since < self.task.attack_duration)
            met |= attacked[:, None] & (layouts["node"][:, None] == place)
        return Play(met.astype(np.float64), None, met.astype(np.float32)[..., None])


class StationaryGuard(Patroller):
    """Chooses a uniform node and stays there: 1 / n on every layout."""

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """One uniform number, shape (m, 1)."""
        return rng.random((m, 1))

    def walks(self, seeds: Array) -> Ints:
        """The same node in every step, shape (m, horizon)."""
        node = (seeds[:, :1] * self.task.num_nodes).astype(np.int64)
        return np.repeat(node, self.task.horizon, axis=1)

    def exact_success(self, layouts: Array) -> NDArray[np.float64]:
        """1 / n everywhere, shape (n,)."""
        return np.full(len(layouts), 1 / self.task.num_nodes)


class CyclicPatrol(Patroller):
    """Walks a closed tour again and again, from a uniform phase in a uniform direction.

    The tour goes once around where the graph is a cycle, which is optimal there: m / n on every
    layout, 1 where m > n.  On any other graph it goes down and up a depth-first tree, of length
    l = 2 (n - 1).  A leaf of the tree is passed once in l steps, other nodes more often, so that
    the worst case is m / l, or 1 where m > l.
    """

    def __init__(self, task: PatrolTask) -> None:
        super().__init__(task)
        self.tour = closed_tour(task.adjacency)

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """Two uniform numbers, for phase and direction, shape (m, 2)."""
        return rng.random((m, 2))

    def walks(self, seeds: Array) -> Ints:
        """The tour from its phase on, shape (m, horizon)."""
        phase = (seeds[:, :1] * len(self.tour)).astype(np.int64)
        direction = np.where(seeds[:, 1:] < 0.5, 1, -1)
        places = (phase + direction * np.arange(self.task.horizon)) % len(self.tour)
        walks: Ints = self.tour[places]
        return walks

    def exact_success(self, layouts: Array) -> NDArray[np.float64]:
        """Share of the phases that intercept, shape (n,); both directions have the same."""
        phases = (np.arange(len(self.tour)) + 0.5) / len(self.tour)
        seeds = np.stack([phases, np.zeros_like(phases)], axis=1)
        success: NDArray[np.float64] = self.play(layouts, seeds).outcome.mean(axis=1)
        return success


class RandomWalk(Patroller):
    """From a uniform node on, each step goes to a uniform one of its neighbours and itself."""

    def __init__(self, task: PatrolTask) -> None:
        super().__init__(task)
        near = task.adjacency | np.eye(task.num_nodes, dtype=bool)
        self._count = near.sum(axis=1)
        # Neighbours first, in their order; what comes after them is never looked up.
        self._near = np.argsort(~near, axis=1, kind="stable")
        self._probability = near / self._count[:, None]

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """One uniform number a step, shape (m, horizon)."""
        return rng.random((m, self.task.horizon))

    def walks(self, seeds: Array) -> Ints:
        """The nodes that the numbers pick in turn, shape (m, horizon)."""
        walks = np.empty(seeds.shape, np.int64)
        walks[:, 0] = seeds[:, 0] * self.task.num_nodes
        for time in range(1, self.task.horizon):
            before = walks[:, time - 1]
            chosen = (seeds[:, time] * self._count[before]).astype(np.int64)
            walks[:, time] = self._near[before, chosen]
        return walks

    def exact_success(self, layouts: Array) -> NDArray[np.float64]:
        """1 - the chance to avoid the node for m steps, from the Markov chain, shape (n,)."""
        nodes, duration = self.task.num_nodes, self.task.attack_duration
        places = np.full((self.task.horizon - duration + 1, nodes), 1 / nodes)
        for start in range(1, len(places)):
            places[start] = places[start - 1] @ self._probability
        success = np.empty(len(layouts))
        for node in np.unique(layouts["node"]).tolist():
            avoiding = places.copy()
            avoiding[:, node] = 0
            for _ in range(duration - 1):
                avoiding = avoiding @ self._probability
                avoiding[:, node] = 0
            at = layouts["node"] == node
            success[at] = 1 - avoiding.sum(axis=1)[layouts["start"][at]]
        return success
