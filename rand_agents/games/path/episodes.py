"""The generic path's data flow: rows, what they saw, and the policy's answers.

A row is an instance of one layout under one seed and one candidate. Rows of one candidate and
seed that have seen the same are in the same state of mind: they form a *mind*, for which the
policy computes once, and which draws one action where actions are drawn. So layouts that look
alike share their randomness (common random numbers), and a search whose path does not depend on
where the treasure lies is computed once for all treasures, whatever the game.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rand_agents.games.path.contexts import Model, contexts_of
from rand_agents.games.path.spaces import ActionCode
from rand_agents.games.path.worlds import World
from rand_agents.policies.transformer import Weights
from rand_envs.core.arrays import Array

Ints = NDArray[np.int64]


class Encoder(Protocol):
    """Turns observations into tokens."""

    dim: int

    def encode(self, observations: Array) -> NDArray[np.float32]:
        """Tokens, (n, dim), of observations, (n, *shape)."""
        ...


@dataclass(frozen=True)
class Codes:
    """How a setting's observations become tokens, and outputs actions."""

    observations: Encoder
    actions: ActionCode


@dataclass(frozen=True)
class Minds:
    """One step of G minds.

    Attributes:
        tokens: What each saw, shape (G, token_dim).
        codes: What it did, integers of shape (G, parts).
        parents: The mind of the step before that each continues, shape (G,); at the first step
            its seed.
    """

    tokens: Tensor
    codes: Tensor
    parents: Ints


@dataclass(frozen=True)
class Moment(Minds):
    """One step of all minds, and who they are, recorded to learn from.

    Attributes:
        rows: The rows that play, shape (r,).
        minds: The mind of each of them, shape (r,).
        outcomes: What each of them had reached before, shape (r,).
    """

    rows: Ints
    minds: Ints
    outcomes: NDArray[np.float64]


class Rollout:
    """Plays worlds of P candidates x n layouts x m seeds to their end, in this order of rows.

    Args:
        world: P * n * m instances.
        codes: Of the setting's spaces.
        model: The policy's shape.
        weights: Its weights, with a leading axis of P candidates.
        seeds: Shape (m, seed_dim).
        sample_rng: Draws actions; None takes the likeliest.
        temperature: What outputs are divided by where actions are drawn.
    """

    def __init__(
        self,
        world: World,
        codes: Codes,
        model: Model,
        weights: Weights,
        seeds: Tensor,
        sample_rng: np.random.Generator | None,
        temperature: float = 1.0,
    ) -> None:
        self.temperature = temperature
        self.world, self.codes, self.seeds, self.sample_rng = world, codes, seeds, sample_rng
        self.candidates = weights["read_out"].shape[0]
        own = seeds.expand(self.candidates, *seeds.shape)
        self.contexts = contexts_of(model, weights, own)
        per_candidate = len(world.outcomes) // self.candidates
        rows = np.arange(len(world.outcomes))
        self._candidate, self._seed = rows // per_candidate, rows % len(seeds)
        # Before anything is seen, a mind for each candidate and seed, in this order.
        self._mind = self._candidate * len(seeds) + self._seed
        self._all_differ = False
        self._places = np.tile(np.arange(len(seeds)), self.candidates)

    def play(
        self, record: bool = False, leave: Callable[[Ints], NDArray[np.bool_]] | None = None
    ) -> list[Moment]:
        """Play to the end; the moments, if they are to be recorded.

        Args:
            record: Whether they are.
            leave: From the second moment on it is given the rows that are alone in their minds,
                (r,), and says which of them play no more.
        """
        moments: list[Moment] = []
        rows = np.arange(len(self.world.outcomes))
        while len(rows):
            representatives, minds = self._grouped(rows)
            if leave is not None and moments:
                alone = np.flatnonzero(np.bincount(minds)[minds] == 1)
                gone = alone[leave(rows[alone])]
                rows = np.delete(rows, gone)
                if not len(rows):
                    break
                representatives, minds = self._grouped(rows)
            parents = self._mind[representatives]
            outputs, tokens = self._answers(representatives, parents)
            if self.sample_rng is not None:
                outputs = outputs / self.temperature
            if record:
                codes = self.codes.actions.pick(outputs, self.sample_rng)
                before = self.world.outcomes[rows].copy()
                moments.append(Moment(tokens, codes, parents, rows, minds, before))
                actions = self.codes.actions.actions(codes)
            else:
                actions = self.codes.actions.decode(outputs, self.sample_rng)
            self._mind[rows] = minds
            rows = rows[~self.world.step(rows, actions[minds])]
        return moments

    def _grouped(self, rows: Ints) -> tuple[Ints, Ints]:
        """A row of each mind, (G,), and the mind of each row, (r,); ordered by candidate."""
        if self._all_differ:
            return rows, np.arange(len(rows))
        seen = np.ascontiguousarray(self.world.observations[rows]).reshape(len(rows), -1)
        raw = seen.view(np.dtype((np.void, seen.dtype.itemsize * seen.shape[1]))).ravel()
        _, look = np.unique(raw, return_inverse=True)
        key = self._mind[rows] * (int(look.max()) + 1) + look
        _, first, minds = np.unique(key, return_index=True, return_inverse=True)
        # What has been seen is never forgotten: rows that differ once differ for ever.
        self._all_differ = len(first) == len(rows)
        return rows[first], minds

    def _answers(self, representatives: Ints, parents: Ints) -> tuple[Tensor, Tensor]:
        """Outputs and tokens of each mind, (G, dim), minds side by side for all candidates."""
        tokens = torch.from_numpy(
            self.codes.observations.encode(self.world.observations[representatives])
        ).to(self.seeds)
        candidate = self._candidate[representatives]
        counts = np.bincount(candidate, minlength=self.candidates)
        place = np.arange(len(candidate)) - np.repeat(counts.cumsum() - counts, counts)
        # Candidates with fewer minds repeat their first one; nobody reads those answers.
        index = np.zeros((self.candidates, int(counts.max())), np.int64)
        index[:] = (counts.cumsum() - counts).clip(max=len(candidate) - 1)[:, None]
        index[candidate, place] = np.arange(len(candidate))
        answers = self.contexts.answer(
            self._tensor(self._places[parents[index]]),
            tokens[self._tensor(index)],
            self.seeds[self._tensor(self._seed[representatives[index]])],
        )
        self._places = place
        return answers[self._tensor(candidate), self._tensor(place)], tokens

    def _tensor(self, index: Ints) -> Tensor:
        return torch.from_numpy(index).to(self.seeds.device)
