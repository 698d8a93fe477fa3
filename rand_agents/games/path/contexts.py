"""What policies remember while they play: contexts that grow by a token a step, and branch."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from rand_agents.policies.mlp import SeedMLP, join
from rand_agents.policies.transformer import SeedTransformer, Weights

Model = SeedTransformer | SeedMLP

ROOM = 16
"""For how many tokens a cache has room at first; then twice as many, and so on."""


class Contexts(ABC):
    """Contexts of P candidates, W each, under seeds of their own."""

    @abstractmethod
    def answer(self, parents: Tensor, tokens: Tensor, seeds: Tensor) -> Tensor:
        """Append a token to contexts, and answer at it.

        Args:
            parents: Which of its candidate's contexts each new one continues, shape (P, W').
            tokens: Shape (P, W', token_dim).
            seeds: Of each new context, shape (P, W', seed_dim).

        Returns:
            Outputs, shape (P, W', output_dim).
        """


def contexts_of(model: Model, weights: Weights, seeds: Tensor) -> Contexts:
    """Empty contexts of weights with a leading axis of P candidates, and seeds (P, W, dim)."""
    if isinstance(model, SeedMLP):
        return _Forgetful(model, weights)
    return _Transcripts(model, weights, seeds)


class _Forgetful(Contexts):
    """A perceptron sees the newest token only."""

    def __init__(self, model: SeedMLP, weights: Weights) -> None:
        self._model, self._weights = model, weights

    def answer(self, parents: Tensor, tokens: Tensor, seeds: Tensor) -> Tensor:
        return self._model.act(self._weights, join(tokens, seeds))


class _Transcripts(Contexts):
    """A transformer's keys and values of all tokens so far."""

    def __init__(self, model: SeedTransformer, weights: Weights, seeds: Tensor) -> None:
        self._model, self._weights = model, weights
        self._room = ROOM
        self._cache = model.empty_cache(tuple(seeds.shape[:2]), ROOM)
        if model.config.seed_placement == "first":
            model.step(weights, model.embed_seed_token(weights, seeds), self._cache)

    def answer(self, parents: Tensor, tokens: Tensor, seeds: Tensor) -> Tensor:
        width = self._cache.seen.shape[1]
        own = torch.arange(width, device=parents.device)
        is_same = parents.shape[1] == width and bool((parents == own).all())
        is_full = self._cache.filled == self._room
        if is_full or not is_same:
            self._room *= 2 if is_full else 1
            candidates = torch.arange(len(parents), device=parents.device).unsqueeze(-1)
            index = (candidates.expand_as(parents), parents)
            self._cache = self._cache.rows(index, self._room - self._cache.filled)
        embedded = self._model.embed_next(self._weights, tokens, seeds)
        return self._model.step(self._weights, embedded, self._cache)
