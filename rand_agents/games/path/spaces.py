"""Gymnasium's spaces as a policy sees them: observations to vectors, outputs to actions."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from rand_envs.core.arrays import Array

LEGAL = "Box, Discrete, MultiDiscrete or MultiBinary"
"""The spaces that policies can see and act in."""


def draw_bits(logits: Tensor, sample_rng: np.random.Generator | None) -> Tensor:
    """Bits whose logit is above 0, or draws of them with `sample_rng`."""
    if sample_rng is None:
        return logits > 0
    uniforms = torch.from_numpy(sample_rng.random(tuple(logits.shape), np.float32))
    return uniforms.to(logits.device) < logits.sigmoid()


def draw_category(logits: Tensor, sample_rng: np.random.Generator | None) -> Tensor:
    """Argmax over the last axis, or a draw from its softmax (Gumbel's trick) with `sample_rng`."""
    if sample_rng is None:
        return logits.argmax(-1)
    uniforms = torch.from_numpy(sample_rng.random(tuple(logits.shape), np.float32))
    gumbel = -torch.log(-torch.log(uniforms.clamp(1e-12, 1 - 1e-7)))
    return (logits + gumbel.to(logits)).argmax(-1)


def categories(space: gym.Space[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Sizes and smallest values of the parts of a space of integers, each (k,); else None."""
    if isinstance(space, Discrete):
        return np.array([space.n], np.int64), np.array([space.start], np.int64)
    if isinstance(space, MultiDiscrete):
        return space.nvec.reshape(-1).astype(np.int64), space.start.reshape(-1).astype(np.int64)
    return None


class ObservationCode:
    """Observations as vectors: integers one-hot, part after part; bits and real numbers flattened.

    Where a Box has both bounds, its numbers are scaled to [-1, 1]; the others stay as they are.
    """

    def __init__(self, space: gym.Space[Any], env_id: str) -> None:
        """Prepare for a space; ValueError if it is none of `LEGAL`."""
        self._parts = categories(space)
        self._middle, self._half = np.zeros(1), np.ones(1)
        if self._parts is not None:
            sizes, start = self._parts
            self.dim = int(sizes.sum())
            self._offset = np.cumsum(sizes) - sizes - start
        elif isinstance(space, MultiBinary):
            self.dim = int(np.prod(space.shape))
        elif isinstance(space, Box):
            self.dim = int(np.prod(space.shape))
            middle, half = _middle_and_half(space)
            bounded = np.isfinite(half) & (half > 0)
            self._middle, self._half = np.where(bounded, middle, 0), np.where(bounded, half, 1)
        else:
            raise ValueError(_unfit(env_id, "observations", space))

    def encode(self, observations: Array) -> NDArray[np.float32]:
        """Vectors, (n, dim), of observations, (n, *shape)."""
        flat = observations.reshape(len(observations), -1)
        if self._parts is None:
            scaled = (flat.astype(np.float32) - self._middle) / self._half
            return scaled.astype(np.float32)
        hot = np.zeros((len(flat), self.dim), np.float32)
        hot[np.arange(len(flat))[:, None], flat + self._offset] = 1.0
        return hot


class ActionCode:
    """Actions from outputs: the likeliest category of every part, bits, or real numbers in bounds.

    A bit is 1 where its output is above 0. Where a Box has both bounds, an action is a tanh
    scaled to them; other actions are clipped. Actions but those of a Box are made of integers,
    their codes, which have probabilities: softmax in each part, sigmoid for bits.
    """

    def __init__(self, space: gym.Space[Any], env_id: str) -> None:
        """Prepare for a space; ValueError if it is none of `LEGAL`."""
        parts = categories(space)
        self._is_bits = isinstance(space, MultiBinary)
        self.has_probabilities = parts is not None or self._is_bits
        if not self.has_probabilities and not isinstance(space, Box):
            raise ValueError(_unfit(env_id, "actions", space))
        self._space = space
        self._shape = space.shape or ()
        numbers = np.ones(int(np.prod(self._shape)), np.int64)
        self._sizes, self._start = parts or (numbers, 0 * numbers)
        self.dim = int(self._sizes.sum())
        self.parts = len(self._sizes)

    def decode(self, outputs: Tensor, sample_rng: np.random.Generator | None) -> Array:
        """Actions, (n, *shape), from outputs, (n, dim).

        With `sample_rng`, categories are drawn from the softmax of their part, bits likewise.
        """
        if not self.has_probabilities:
            return self._in_bounds(outputs.double().cpu().numpy().reshape(-1, *self._shape))
        return self.actions(self.pick(outputs, sample_rng))

    def pick(self, outputs: Tensor, sample_rng: np.random.Generator | None) -> Tensor:
        """Codes, integers of shape (n, parts): argmax, or drawn with `sample_rng`."""
        if self._is_bits:
            return draw_bits(outputs, sample_rng).long()
        return torch.stack([draw_category(p, sample_rng) for p in self._split(outputs)], -1)

    def actions(self, codes: Tensor) -> Array:
        """The actions, (n, *shape), that codes, (n, parts), stand for."""
        actions = codes.cpu().numpy() + self._start
        return actions.reshape(-1, *self._shape).astype(self._space.dtype)

    def codes(self, actions: Array) -> Tensor:
        """The codes, (n, parts), that stand for actions, (n, *shape)."""
        numbers = actions.reshape(len(actions), -1).astype(np.int64)
        return torch.from_numpy(numbers - self._start * (not self._is_bits))

    def log_probability(self, outputs: Tensor, codes: Tensor) -> Tensor:
        """Logarithm of the probability of codes, (*, parts), under outputs, (*, dim): shape (*)."""
        if self._is_bits:
            return -F.softplus(torch.where(codes > 0, -outputs, outputs)).sum(-1)
        terms = [
            part.log_softmax(-1).gather(-1, codes[..., k : k + 1]).squeeze(-1)
            for k, part in enumerate(self._split(outputs))
        ]
        return torch.stack(terms).sum(0)

    def entropy(self, outputs: Tensor) -> Tensor:
        """Entropy in nats of the codes' distribution, summed over the parts: (*, dim) to (*)."""
        if self._is_bits:
            one = outputs.sigmoid()
            return (one * F.softplus(-outputs) + (1 - one) * F.softplus(outputs)).sum(-1)
        logs = [part.log_softmax(-1) for part in self._split(outputs)]
        return -torch.stack([(log.exp() * log).sum(-1) for log in logs]).sum(0)

    @property
    def most_entropy(self) -> float:
        """That of codes that are all equally likely, in nats."""
        return float(np.log(2 * self._sizes if self._is_bits else self._sizes).sum())

    def _split(self, outputs: Tensor) -> tuple[Tensor, ...]:
        return torch.split(outputs, self._sizes.tolist(), -1)

    def _in_bounds(self, x: NDArray[np.float64]) -> Array:
        space = self._space
        assert isinstance(space, Box)
        middle, half = (bound.reshape(space.shape) for bound in _middle_and_half(space))
        bounded = np.isfinite(half)
        scaled = np.where(bounded, middle, 0) + np.where(bounded, half, 1) * np.tanh(x)
        if np.issubdtype(space.dtype, np.integer):
            scaled, x = np.rint(scaled), np.rint(x)
        inside = np.where(bounded, scaled, x).astype(space.dtype)
        clipped: Array = np.clip(inside, space.low, space.high)
        return clipped


def _middle_and_half(space: Box) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middle and half width of each flattened number; not finite without both bounds.

    Bounds at the ends of the floating-point range count as none.
    """
    low, high = (bound.reshape(-1).astype(np.float64) for bound in (space.low, space.high))
    both = np.maximum(np.abs(low), np.abs(high)) < np.finfo(np.float32).max / 2
    low, high = np.where(both, low, 0.0), np.where(both, high, 0.0)
    return np.where(both, (low + high) / 2, np.inf), np.where(both, (high - low) / 2, np.inf)


def _unfit(env_id: str, what: str, space: gym.Space[Any]) -> str:
    return (
        f"the {what} of {env_id} must be {LEGAL}, got {space}; "
        "register a wrapped environment, for example with FlattenObservation, and give its id"
    )
