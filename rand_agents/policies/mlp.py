"""A plain policy: a perceptron that sees the newest token and the seed, and remembers nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from rand_agents.policies.transformer import Weights, affine
from rand_envs.core.arrays import whole_number
from rand_envs.core.options import convert_options


@dataclass(frozen=True)
class MLPConfig:
    """Shape of a `SeedMLP`.

    Attributes:
        token_dim: Length of an input token, without the seed.
        output_dim: Length of the output.
        seed_dim: Length of the seed vector.
        hidden: Widths of the hidden layers, each followed by tanh; empty for a linear policy.
    """

    token_dim: int
    output_dim: int
    seed_dim: int
    hidden: Sequence[int] = (16, 16)

    def __post_init__(self) -> None:
        convert_options(self)
        for name in ("token_dim", "output_dim", "seed_dim"):
            whole_number(name, getattr(self, name), 1)
        for width in self.hidden:
            whole_number("a hidden layer's width", width, 1)


class SeedMLP(nn.Module):
    """A multilayer perceptron with the seed beside its input; see `SeedTransformer`."""

    remembers: ClassVar[bool] = False

    def __init__(self, config: MLPConfig, rng_seed: int = 0) -> None:
        """Build the module with weights that depend on `rng_seed` alone."""
        super().__init__()
        self.config = config
        generator = torch.Generator().manual_seed(rng_seed)
        widths = (config.token_dim + config.seed_dim, *config.hidden, config.output_dim)
        weights: dict[str, Tensor] = {}
        names = [f"layer_{layer}" for layer in range(len(config.hidden))] + ["read_out"]
        for name, rows, columns in zip(names, widths, widths[1:], strict=False):
            noise = torch.randn(rows, columns, generator=generator)
            weights |= {name: noise / math.sqrt(rows), f"{name}_bias": torch.zeros(columns)}
        self.weights = nn.ParameterDict({name: nn.Parameter(w) for name, w in weights.items()})

    def named_weights(self) -> dict[str, Tensor]:
        """The weights as the dictionary that the forward functions take."""
        return dict(self.weights.items())

    def forward(self, tokens: Tensor, seeds: Tensor, weights: Weights | None = None) -> Tensor:
        """Outputs at every token, each on its own.

        Args:
            tokens: Shape (*batch, T, token_dim).
            seeds: Shape (*batch, seed_dim); its batch axes broadcast against those of tokens.
            weights: Defaults to the module's own; tensors may have leading axes `lead`.

        Returns:
            Shape (*lead, *batch, T, output_dim).
        """
        w = self.named_weights() if weights is None else weights
        x = join(tokens, seeds.unsqueeze(-2))
        return self.act(w, x.expand(*w["read_out"].shape[:-2], *x.shape))

    def act(self, w: Weights, x: Tensor) -> Tensor:
        """Outputs, (*lead, ..., output_dim), from tokens joined with seeds, (*lead, ..., width)."""
        for layer in range(len(self.config.hidden)):
            x = affine(x, w[f"layer_{layer}"], w[f"layer_{layer}_bias"]).tanh()
        return affine(x, w["read_out"], w["read_out_bias"])


def join(tokens: Tensor, seeds: Tensor) -> Tensor:
    """Tokens followed by seeds along the last axis; the other axes broadcast."""
    shape = np.broadcast_shapes(tokens.shape[:-1], seeds.shape[:-1])
    return torch.cat([tokens.expand(*shape, -1), seeds.expand(*shape, -1)], -1)
