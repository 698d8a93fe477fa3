"""The slot memory: a player of RandRecall-v0 that keeps some pairs and forgets the others."""

from collections.abc import Callable

import numpy as np
from scipy.stats import binom

from rand_envs.core.arrays import Array, whole_number
from rand_envs.core.player import Play
from rand_envs.games.recall.rules import RecallTask


class SlotMemory:
    """Stores M of the N pairs, and answers all zeros when asked for any other.

    Args:
        task: the game.
        slots: M, from 0 to N.
        random: whether the seed picks the M pairs, uniformly; else they are the first M.

    Raises:
        ValueError: `slots` is not an integer, or out of range.
    """

    def __init__(self, task: RecallTask, slots: int, random: bool = True) -> None:
        self.task = task
        self.slots = whole_number("slots", slots, 0, task.num_pairs)
        self.random = random

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """One number a pair, shape (m, N): the M smallest are kept. Zeros if not random."""
        shape = (m, self.task.num_pairs)
        return rng.random(shape) if self.random else np.zeros(shape)

    def kept(self, seeds: Array) -> Array:
        """Which pairs are kept under each seed, bool, shape (m, N)."""
        kept = np.zeros(seeds.shape, bool)
        order = np.argsort(seeds, axis=1, kind="stable")
        np.put_along_axis(kept, order[:, : self.slots], True, axis=1)
        return kept

    def acting(self, seeds: Array) -> Callable[[Array, Array], Array]:
        """What answers the observations of rows, (r,), that have these seeds, (n, N)."""
        N, kept = self.task.num_pairs, self.kept(seeds)
        memory = np.zeros((len(seeds), N, self.task.value_bits), np.int8)

        def act(rows: Array, seen: Array) -> Array:
            key = seen[:, :N].argmax(axis=1)
            shown = (seen[:, -1] == 0) & kept[rows, key]
            memory[rows[shown], key[shown]] = seen[shown, N:-1]
            recalled: Array = memory[rows, key]
            return recalled

        return act

    def play(self, layouts: Array, seeds: Array) -> Play:
        """Play every layout, (n,), under every seed, (m, N); the vote is on the value."""
        kept = self.kept(seeds)
        query = layouts["query"]
        truth = layouts["values"][np.arange(len(layouts)), query].astype(bool)
        recalled = truth[:, None] & kept.T[query][:, :, None]
        right = (recalled == truth[:, None]).all(axis=-1)
        # A layout has two possible answers, the value and zeros, which `right` tells apart.
        return Play(right.astype(np.float64), right.astype(np.int64), recalled.astype(np.float32))

    def worst_case(self) -> float:
        """Success on the worst layout, exact: M / N if random, else 0 (1 where M = N).

        Proof: the player is right if the pair asked for was kept, which has probability M / N
        whatever the query, or if its value is zeros; so every layout gives M / N at least, and
        any query whose value is not zeros gives no more.  Without randomness the adversary asks
        for a pair that is not kept.
        """
        if self.random:
            return self.slots / self.task.num_pairs
        return float(self.slots == self.task.num_pairs)

    def majority_success(self, votes: int) -> float:
        """Success of the majority over `votes` independent seeds on the worst layout, exact.

        There each vote is the value with probability p = M / N and otherwise zeros, so the
        number of right votes is binomial, and the majority is right where it exceeds votes / 2:
        a tie counts as wrong.  More votes help where p > 1/2 and hurt where p < 1/2: the wrong
        votes all agree.

        Raises:
            ValueError: `votes` is not an integer of at least 1.
        """
        votes = whole_number("votes", votes, 1)
        return float(binom.sf(votes // 2, votes, self.worst_case()))


def half_of_the_slots(task: RecallTask) -> SlotMemory:
    """A random slot memory for half of the pairs, rounded up."""
    return SlotMemory(task, (task.num_pairs + 1) // 2)
