"""The shape of a `SeedTransformer`, and its weights at the start."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from rand_envs.core.arrays import whole_number
from rand_envs.core.options import convert_options

_CHOICES = {
    "seed_placement": ("every", "first", "own"),
    "attention": ("linear", "softmax"),
    "mask": ("causal", "neighbours"),
    "embedding": ("none", "linear", "gelu", "geglu"),
}


@dataclass(frozen=True)
class TransformerConfig:
    """Shape of a `SeedTransformer`.

    Attributes:
        token_dim: Length of an input token, without the seed.
        output_dim: Length of the output at each token.
        seed_dim: Length of the seed vector.
        seed_placement: "every" concatenates the seed to every token, "first" makes it a first
            token of its own, "own" gives the token with one-hot prefix v the v-th entry alone.
        num_blocks: Attention blocks.
        num_heads: Attention heads a block.
        key_size: Key (and query) size of a head.
        value_size: Value size of a head.
        model_size: Width between blocks; ignored without input embedding.
        attention: "linear" (no softmax) or "softmax".
        mask: "causal", or "neighbours": tokens stand in a ring, each sees the two beside it.
        embedding: "none" (tokens enter the blocks as they are), "linear", "gelu" (linear, GELU,
            linear), or "geglu" (linear, GELU times another linear map, linear; Shazeer, 2020).
        layer_norm: LayerNorm before attention and MLP and before the read-out.
        mlp_factor: Hidden width of a block's MLP in multiples of the width; 0 for no MLP.
        max_length: Tokens a learned positional encoding covers; 0 for no encoding.
        scale: Divide the attention scores by the square root of the key size.
        seed_gain: Factor on the initial input weights of the seed.
    """

    token_dim: int
    output_dim: int
    seed_dim: int
    seed_placement: Literal["every", "first", "own"] = "every"
    num_blocks: int = 2
    num_heads: int = 1
    key_size: int = 5
    value_size: int = 5
    model_size: int = 40
    attention: Literal["linear", "softmax"] = "linear"
    mask: Literal["causal", "neighbours"] = "causal"
    embedding: Literal["none", "linear", "gelu", "geglu"] = "gelu"
    layer_norm: bool = False
    mlp_factor: int = 0
    max_length: int = 0
    scale: bool = False
    seed_gain: float = 1.0

    def __post_init__(self) -> None:
        convert_options(self)
        positive = ("token_dim", "output_dim", "seed_dim", "num_blocks", "num_heads")
        for name in (*positive, "key_size", "value_size", "model_size"):
            whole_number(name, getattr(self, name), 1)
        for name in ("mlp_factor", "max_length"):
            whole_number(name, getattr(self, name), 0)
        for name, legal in _CHOICES.items():
            if getattr(self, name) not in legal:
                raise ValueError(f"{name} must be one of {legal}, got {getattr(self, name)!r}")
        if self.embedding == "none" and self.seed_placement == "first":
            raise ValueError("a seed token of its own needs an input embedding, got none")
        if self.seed_placement == "own" and self.seed_dim > self.token_dim:
            raise ValueError(
                f'seed_placement "own" needs seed_dim at most token_dim, {self.token_dim}, '
                f"got {self.seed_dim}"
            )
        if self.is_gated and self.seed_placement == "first":
            raise ValueError(
                'embedding "geglu" needs seeds in the tokens, not a token of their own'
            )

    @property
    def width(self) -> int:
        """Width of the tokens between blocks."""
        if self.embedding != "none":
            return self.model_size
        return self.token_dim + self.token_seed_dim

    @property
    def is_gated(self) -> bool:
        """Whether a second linear map of token and seed gates the embedding."""
        return self.embedding == "geglu"

    @property
    def has_hidden(self) -> bool:
        """Whether the embedding has a hidden layer."""
        return self.embedding in ("gelu", "geglu")

    @property
    def token_seed_dim(self) -> int:
        """How many seed entries each token carries."""
        return {"every": self.seed_dim, "own": 1, "first": 0}[self.seed_placement]


class InitialWeights:
    """Weights from a truncated normal with fan-in variance.

    The attention's and the MLP's output projections are scaled by 1 / num_blocks.
    """

    def __init__(self, config: TransformerConfig, rng_seed: int) -> None:
        """Prepare weights that depend on `rng_seed` alone."""
        self.config = config
        self._generator = torch.Generator().manual_seed(rng_seed)

    def _matrix(self, rows: int, columns: int, gain: float = 1.0) -> Tensor:
        # 0.8796 is the standard deviation of a unit normal truncated at two deviations.
        std = gain / (math.sqrt(rows) * 0.8796)
        matrix = torch.empty(rows, columns)
        nn.init.trunc_normal_(matrix, 0.0, std, -2 * std, 2 * std, generator=self._generator)
        return matrix

    def weights(self) -> dict[str, Tensor]:
        """All weights by name, each drawn anew."""
        c = self.config
        weights: dict[str, Tensor] = {}
        if c.embedding != "none":
            whole = self._matrix(c.token_dim + c.token_seed_dim, c.width)
            weights["embed_token"] = whole[: c.token_dim]
            if c.seed_placement != "first":
                weights["embed_seed"] = c.seed_gain * whole[c.token_dim :]
            weights["embed_bias"] = torch.zeros(c.width)
        if c.seed_placement == "first":
            weights["first_seed"] = self._matrix(c.seed_dim, c.width, c.seed_gain)
            weights["first_bias"] = torch.zeros(c.width)
        if c.is_gated:
            whole = self._matrix(c.token_dim + c.token_seed_dim, c.width)
            weights["gate_token"] = whole[: c.token_dim]
            weights["gate_seed"] = c.seed_gain * whole[c.token_dim :]
            weights["gate_bias"] = torch.ones(c.width)
        if c.has_hidden:
            weights["embed_out"] = self._matrix(c.width, c.width)
            weights["embed_out_bias"] = torch.zeros(c.width)
        if c.max_length:
            weights["positions"] = self._matrix(c.max_length, c.width, 0.02 * c.max_length**0.5)
        for block in range(c.num_blocks):
            weights |= {f"{name}_{block}": w for name, w in self._block_weights().items()}
            if c.layer_norm:
                weights |= self._norm_weights(f"attention_{block}")
                weights |= self._norm_weights(f"mlp_{block}") if c.mlp_factor else {}
        if c.layer_norm:
            weights |= self._norm_weights("out")
        weights["read_out"] = self._matrix(c.width, c.output_dim)
        weights["read_out_bias"] = torch.zeros(c.output_dim)
        return weights

    def _norm_weights(self, name: str) -> dict[str, Tensor]:
        width = self.config.width
        ones, zeros = torch.ones(width), torch.zeros(width)
        return {f"norm_{name}": ones, f"norm_{name}_bias": zeros}

    def _block_weights(self) -> dict[str, Tensor]:
        c = self.config
        gain = 1.0 / c.num_blocks
        weights = {
            "query": self._matrix(c.width, c.num_heads * c.key_size),
            "key": self._matrix(c.width, c.num_heads * c.key_size),
            "value": self._matrix(c.width, c.num_heads * c.value_size),
            "project": self._matrix(c.num_heads * c.value_size, c.width, gain),
        }
        if c.mlp_factor:
            hidden = c.mlp_factor * c.width
            weights["mlp_in"] = self._matrix(c.width, hidden)
            weights["mlp_in_bias"] = torch.zeros(hidden)
            weights["mlp_out"] = self._matrix(hidden, c.width, gain)
            weights["mlp_out_bias"] = torch.zeros(c.width)
        return weights
