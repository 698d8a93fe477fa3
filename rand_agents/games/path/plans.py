"""Play that nobody needs to try: where what was seen leaves one layout, rules say how to go on.

All layouts are played by each path, so a mind of one row knows which layout it is in, and the
rest is no game any more.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rand_agents.games.path.episodes import Codes, Ints
from rand_envs.core.arrays import Array, rows_at
from rand_envs.core.task import Task
from rand_envs.minimax.tasks.fingerprints import distinct, fingerprints
from rand_envs.minimax.tasks.plans import Plan, plans

AT_ONCE = 64
"""How many states are planned from together."""


class Plans:
    """The best ways to go on that were asked for so far, K of them.

    Args:
        task: The rules.
        codes: Of its spaces.
        cost_of: Makes costs of outcomes.

    Attributes:
        costs: Of the whole instance, (K,).
        tokens: What is seen at each step of each, one after the other, (steps, token_dim).
        codes: What is done, (steps, parts).
        first: Where each begins, (K,).
        lengths: How many steps each has, (K,).
    """

    def __init__(self, task: Task[Any], codes: Codes, cost_of: Callable[[Tensor], Tensor]) -> None:
        self._task, self._spaces, self._cost_of = task, codes, cost_of
        self._known: dict[bytes, int] = {}
        self.costs = torch.zeros(0, dtype=torch.float64)
        self.tokens = torch.zeros(0, codes.observations.dim)
        self.codes = torch.zeros(0, codes.actions.parts, dtype=torch.int64)
        self.first = self.lengths = np.zeros(0, np.int64)

    def of(self, states: Array) -> Ints:
        """The number of the plan from each of some states, -1 where there is too much to plan."""
        prints = fingerprints(states)
        first, kind = distinct(prints)
        keys = [key.tobytes() for key in prints[first]]
        new = [place for place, key in enumerate(keys) if key not in self._known]
        for begin in range(0, len(new), AT_ONCE):
            at = new[begin : begin + AT_ONCE]
            self._plan(rows_at(states, first[at]), [keys[place] for place in at])
        numbers: Ints = np.array([self._known[key] for key in keys], np.int64)[kind]
        return numbers

    def charge(self, costs: Tensor, end: Ints) -> None:
        """Put what plans cost, in place, where rows play on by one: see `Episodes.end`.

        Args:
            costs: Of rows, any shape.
            end: Of the same shape.
        """
        left = torch.from_numpy(end >= 0)
        costs[left] = self.costs[torch.from_numpy(end)[left]].to(costs)

    def _plan(self, states: Array, keys: list[bytes]) -> None:
        made = plans(self._task, states)
        found = [plan for plan in made if plan is not None]
        numbers = iter(range(len(self.costs), len(self.costs) + len(found)))
        for key, plan in zip(keys, made, strict=True):
            self._known[key] = -1 if plan is None else next(numbers)
        if found:
            self._add(found)

    def _add(self, found: list[Plan]) -> None:
        outcomes = torch.tensor([plan.outcome for plan in found], dtype=torch.float64)
        seen = self._spaces.observations.encode(np.concatenate([p.observations for p in found]))
        done = self._spaces.actions.codes(np.concatenate([plan.actions for plan in found]))
        lengths = [len(plan.actions) for plan in found]
        self.costs = torch.cat([self.costs, self._cost_of(outcomes)])
        self.tokens = torch.cat([self.tokens, torch.from_numpy(seen)])
        self.codes = torch.cat([self.codes, done])
        self.lengths = np.concatenate([self.lengths, lengths])
        self.first = np.cumsum(self.lengths) - self.lengths
