"""The policy: a small transformer that takes a random seed vector beside its tokens.

The forward pass is a function of a dictionary of weights whose tensors may carry leading
population axes, so that one piece of code serves gradient training (no such axis) and
evolution (one axis, every candidate at once).
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rand_agents.policies.architecture import InitialWeights, TransformerConfig
from rand_agents.policies.cache import Cache

__all__ = ["Cache", "SeedTransformer", "TransformerConfig", "Weights", "affine"]

Weights = Mapping[str, Tensor]


def affine(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiply x, (*lead, ..., in), by weight, (*lead, in, out), and add bias, (*lead, out)."""
    lead = weight.dim() - 2
    if lead == 0:
        return F.linear(x, weight.T, bias)
    flat = x.reshape(*x.shape[:lead], -1, x.shape[-1])
    product = flat @ weight
    if bias is not None:
        product = product + bias.unsqueeze(-2)
    return product.reshape(*x.shape[:-1], -1)


def _over(vector: Tensor, x: Tensor, lead: int) -> Tensor:
    """Give a weight vector, (*lead, width), the axes it needs to broadcast over x."""
    middle = x.dim() - lead - 1
    return vector.reshape(*vector.shape[:lead], *(1,) * middle, vector.shape[-1])


class SeedTransformer(nn.Module):
    """A transformer with a random seed encoding; every architecture of the paper is a config."""

    remembers: ClassVar[bool] = True
    """Whether the output depends on earlier tokens, so that acting needs them all."""

    def __init__(self, config: TransformerConfig, rng_seed: int = 0) -> None:
        """Build the module with weights that depend on `rng_seed` alone."""
        super().__init__()
        self.config = config
        initial = InitialWeights(config, rng_seed).weights()
        self.weights = nn.ParameterDict({name: nn.Parameter(w) for name, w in initial.items()})

    def named_weights(self) -> dict[str, Tensor]:
        """The weights as the dictionary that the forward functions take."""
        return dict(self.weights.items())

    def forward(self, tokens: Tensor, seeds: Tensor, weights: Weights | None = None) -> Tensor:
        """Outputs at every token of whole sequences.

        Args:
            tokens: Shape (*batch, T, token_dim).
            seeds: Shape (*batch, seed_dim); its batch axes broadcast against those of tokens.
            weights: Defaults to the module's own; tensors may have leading axes `lead`.

        Returns:
            Shape (*lead, *batch, T', output_dim), where T' = T, or T + 1 with a seed token.
        """
        w = self.named_weights() if weights is None else weights
        x = self.embed(w, tokens, seeds)
        for block in range(self.config.num_blocks):
            x = self._block(w, block, x)
        return self.read_out(w, x)

    def answer(self, tokens: Tensor, seeds: Tensor, weights: Weights | None = None) -> Tensor:
        """Outputs at the last token alone, (*lead, *batch, output_dim): forward()[..., -1, :]."""
        w = self.named_weights() if weights is None else weights
        x = self.embed(w, tokens, seeds)
        for block in range(self.config.num_blocks - 1):
            x = self._block(w, block, x)
        x = self._block(w, self.config.num_blocks - 1, x, last_only=True)
        return self.read_out(w, x).squeeze(-2)

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing but linear attention between embedding and read-out."""
        c = self.config
        other = c.layer_norm or c.mlp_factor or c.max_length or c.seed_placement == "first"
        return c.attention == "linear" and not other

    @property
    def is_foldable(self) -> bool:
        """Whether `answer_from_table` covers this architecture."""
        return self.is_plain and self.config.mask == "causal" and not self.config.scale

    def answer_from_table(
        self, table: Tensor, index: Tensor, seeds: Tensor, weights: Weights | None = None
    ) -> Tensor:
        """`answer` for sequences of tokens from a small table, under every seed; much faster.

        Compiled loops do the same for two blocks with one head, see `rand_agents.kernels.memory`.
        Without LayerNorm and MLP, x_l = x_0 + sum_j o_j P_j, where o_j is what block j attended
        to and P_j its projection. So every linear map of x_l is the same map of x_0, which is
        computed once for each distinct token and seed, plus o_j times a small folded matrix.

        Args:
            table: Distinct tokens, shape (D, token_dim).
            index: Sequences of n layouts, rows of the table, integers of shape (n, T).
            seeds: Shape (m, seed_dim).
            weights: As in `forward`.

        Returns:
            Shape (*lead, n, m, output_dim).
        """
        if not self.is_foldable:
            raise ValueError("only plain causal linear attention can be folded")
        w = self.named_weights() if weights is None else dict(weights)
        x = self.embed(w, table[:, None, None], seeds).squeeze(-2)
        attended: list[Tensor] = []
        last = self.config.num_blocks - 1

        def mapped(name: str, at: Tensor, only_last: bool = False) -> Tensor:
            lead = w[name].dim() - 2
            value = affine(x, w[name]).index_select(lead, at.reshape(-1))
            value = value.reshape(*value.shape[:lead], *at.shape, *value.shape[lead + 1 :])
            for block, mixed in enumerate(attended):
                mixed = mixed[..., -1:, :, :] if only_last else mixed
                value = value + affine(mixed, w[f"project_{block}"] @ w[name])
            return value.transpose(-2, -3)

        for block in range(self.config.num_blocks):
            is_last = block == last
            asking = index[:, -1:] if is_last else index
            queries = self._heads(mapped(f"query_{block}", asking, is_last))
            keys = self._heads(mapped(f"key_{block}", index))
            values = self._heads(mapped(f"value_{block}", index))
            mixed = self._attend_causal(queries, keys, values)
            attended.append(mixed.transpose(-2, -3).flatten(-2).transpose(-2, -3))
        output = mapped("read_out", index[:, -1:], True).squeeze(-2)
        bias = w["read_out_bias"]
        return output + _over(bias, output, bias.dim() - 1)

    def embed(self, w: Weights, tokens: Tensor, seeds: Tensor) -> Tensor:
        """Join tokens and seeds, which all candidates share: (*lead, *batch, T', width)."""
        lead = w["read_out"].shape[:-2]
        batch = max(tokens.dim() - 2, seeds.dim() - 1)
        tokens = tokens.expand(*lead, *(1,) * (batch + 2 - tokens.dim()), *tokens.shape)
        seeds = seeds.expand(*lead, *(1,) * (batch + 1 - seeds.dim()), *seeds.shape)
        if self.config.seed_placement != "first":
            carried = seeds.unsqueeze(-2)
            if self.config.seed_placement == "own":
                carried = tokens[..., : self.config.seed_dim] @ seeds.unsqueeze(-1)
            return self._with_positions(w, self._joined(w, tokens, carried))
        x = affine(tokens, w["embed_token"], w["embed_bias"])
        first = self.embed_seed_token(w, seeds).unsqueeze(-2)
        shape = np.broadcast_shapes(x.shape[:-2], first.shape[:-2])
        x = self._embed_out(w, x)
        x = torch.cat([first.expand(*shape, -1, -1), x.expand(*shape, -1, -1)], -2)
        return self._with_positions(w, x)

    def embed_next(self, w: Weights, tokens: Tensor, seeds: Tensor) -> Tensor:
        """The next token of each row of a roll-out, without its position: (*batch, width).

        Args:
            w: Weights; their leading axes are the first ones of the batch.
            tokens: Shape (*batch, token_dim).
            seeds: Of each row, shape (*batch, seed_dim); not used where the seed came first. The
                seed placement must not be "own".
        """
        if self.config.seed_placement == "first":
            return self.embed_step(w, tokens)
        return self._joined(w, tokens, seeds)

    def _joined(self, w: Weights, tokens: Tensor, seeds: Tensor) -> Tensor:
        """Tokens joined with what they carry of the seed; all axes but the last broadcast."""
        c = self.config
        if c.embedding == "none":
            shape = np.broadcast_shapes(tokens.shape[:-1], seeds.shape[:-1])
            return torch.cat([tokens.expand(*shape, -1), seeds.expand(*shape, -1)], -1)
        x = affine(tokens, w["embed_token"], w["embed_bias"]) + affine(seeds, w["embed_seed"])
        gate = None
        if c.is_gated:
            gate = affine(tokens, w["gate_token"], w["gate_bias"]) + affine(seeds, w["gate_seed"])
        return self._embed_out(w, x, gate)

    def embed_seed_token(self, w: Weights, seeds: Tensor) -> Tensor:
        """The seed as a token, without its position: (*lead, *batch, width)."""
        return self._embed_out(w, affine(seeds, w["first_seed"], w["first_bias"]))

    def embed_step(self, w: Weights, tokens: Tensor) -> Tensor:
        """One later token of a roll-out whose seed came first: (*lead, *batch, width)."""
        return self._embed_out(w, affine(tokens, w["embed_token"], w["embed_bias"]))

    def _embed_out(self, w: Weights, x: Tensor, gate: Tensor | None = None) -> Tensor:
        if not self.config.has_hidden:
            return x
        hidden = F.gelu(x) if gate is None else F.gelu(x) * gate
        return affine(hidden, w["embed_out"], w["embed_out_bias"])

    def _with_positions(self, w: Weights, x: Tensor) -> Tensor:
        if not self.config.max_length:
            return x
        if x.shape[-2] > self.config.max_length:
            raise ValueError(
                f"a sequence of {x.shape[-2]} tokens is longer than the positional encoding, "
                f"which covers {self.config.max_length}"
            )
        positions = w["positions"][..., : x.shape[-2], :]
        lead = positions.dim() - 2
        middle = (1,) * (x.dim() - lead - 2)
        return x + positions.reshape(*positions.shape[:lead], *middle, *positions.shape[lead:])

    def _norm(self, w: Weights, name: str, x: Tensor) -> Tensor:
        if not self.config.layer_norm:
            return x
        gain, bias = w[f"norm_{name}"], w[f"norm_{name}_bias"]
        lead = gain.dim() - 1
        centred = F.layer_norm(x, x.shape[-1:])
        return torch.addcmul(_over(bias, x, lead), centred, _over(gain, x, lead))

    def _heads(self, x: Tensor) -> Tensor:
        """(..., T, heads * size) to (..., heads, T, size)."""
        heads = x.reshape(*x.shape[:-1], self.config.num_heads, -1)
        return heads.transpose(-2, -3)

    def _block(self, w: Weights, block: int, x: Tensor, last_only: bool = False) -> Tensor:
        normed = self._norm(w, f"attention_{block}", x)
        asking = normed[..., -1:, :] if last_only else normed
        queries = self._heads(affine(asking, w[f"query_{block}"]))
        keys = self._heads(affine(normed, w[f"key_{block}"]))
        values = self._heads(affine(normed, w[f"value_{block}"]))
        attend = self._attend_ring if self.config.mask == "neighbours" else self._attend_causal
        mixed = attend(queries, keys, values).transpose(-2, -3).flatten(-2)
        x = x[..., -1:, :] if last_only else x
        return self._mlp(w, block, x + affine(mixed, w[f"project_{block}"]))

    def _mlp(self, w: Weights, block: int, x: Tensor) -> Tensor:
        if not self.config.mlp_factor:
            return x
        normed = self._norm(w, f"mlp_{block}", x)
        hidden = F.gelu(affine(normed, w[f"mlp_in_{block}"], w[f"mlp_in_bias_{block}"]))
        return x + affine(hidden, w[f"mlp_out_{block}"], w[f"mlp_out_bias_{block}"])

    def _scores_scale(self) -> float:
        return self.config.key_size**-0.5 if self.config.scale else 1.0

    def _attend_causal(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        shape = (queries.shape[-2], keys.shape[-2])
        hidden = torch.ones(shape, dtype=torch.bool, device=keys.device)
        return self._mix(queries, keys, values, hidden.triu(1 + shape[1] - shape[0]))

    def _mix(self, queries: Tensor, keys: Tensor, values: Tensor, hidden: Tensor) -> Tensor:
        scores = queries @ keys.transpose(-1, -2) * self._scores_scale()
        if self.config.attention == "linear":
            return scores.masked_fill(hidden, 0.0) @ values
        return scores.masked_fill(hidden, -math.inf).softmax(-1) @ values

    def _attend_ring(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        sides = [(keys.roll(shift, -2), values.roll(shift, -2)) for shift in (1, -1)]
        return self._attend_sides(queries, sides)

    def _attend_sides(self, queries: Tensor, sides: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Attend to one key and value on each side of every query."""
        around = torch.stack([keys for keys, _ in sides], -2)
        scores = (queries.unsqueeze(-2) * around).sum(-1) * self._scores_scale()
        if self.config.attention == "softmax":
            scores = scores.softmax(-1)
        shares = scores.unsqueeze(-1).unbind(-2)
        return shares[0] * sides[0][1] + shares[1] * sides[1][1]

    def block_between(
        self, w: Weights, block: int, x: Tensor, left: Tensor, middle: Tensor, right: Tensor
    ) -> Tensor:
        """A block's output at tokens with given neighbours, for the mask "neighbours".

        Args:
            w: Weights, without leading axes.
            block: Index of the block.
            x: Its input at T tokens, shape (*batch, T, width).
            left: Token on one side of each of k, integers of shape (k,).
            middle: The token itself, shape (k,).
            right: Token on the other side, shape (k,).

        Returns:
            Shape (*batch, k, width).
        """
        normed = self._norm(w, f"attention_{block}", x)
        queries, keys, values = (
            self._heads(affine(normed, w[f"{name}_{block}"])) for name in ("query", "key", "value")
        )
        sides = [(keys.index_select(-2, s), values.index_select(-2, s)) for s in (left, right)]
        mixed = self._attend_sides(queries.index_select(-2, middle), sides)
        mixed = mixed.transpose(-2, -3).flatten(-2)
        x = x.index_select(-2, middle) + affine(mixed, w[f"project_{block}"])
        return self._mlp(w, block, x)

    def read_out(self, w: Weights, x: Tensor) -> Tensor:
        """Outputs, (*batch, T, output_dim), from what the last block gave, (*batch, T, width)."""
        return affine(self._norm(w, "out", x), w["read_out"], w["read_out_bias"])

    def empty_cache(self, batch: tuple[int, ...], capacity: int) -> Cache:
        """A cache with room for `capacity` tokens in each row of `batch`."""
        c, like = self.config, self.weights["read_out"]
        shape = (*batch, c.num_heads)
        return Cache(
            [like.new_empty(*shape, c.key_size, capacity) for _ in range(c.num_blocks)],
            [like.new_empty(*shape, c.value_size, capacity) for _ in range(c.num_blocks)],
            torch.ones(*batch, capacity, dtype=torch.bool, device=like.device),
            torch.zeros(batch, dtype=torch.long, device=like.device),
            0,
        )

    def step(self, w: Weights, x: Tensor, cache: Cache) -> Tensor:
        """Append one embedded token to each row of the cache and answer at it.

        Args:
            w: Weights, with the leading axes of x that differ between candidates.
            x: Embedded tokens without position, shape (*batch, width).
            cache: Changed in place.

        Returns:
            Outputs, shape (*batch, output_dim); equal to `forward` on the whole sequence.
        """
        if self.config.max_length:
            x = x + self._position_rows(w["positions"], cache.seen)
        slot, end = cache.filled, cache.filled + 1
        x = x.unsqueeze(-2)
        for block in range(self.config.num_blocks):
            normed = self._norm(w, f"attention_{block}", x)
            queries = self._heads(affine(normed, w[f"query_{block}"]))
            keys, values = cache.keys[block], cache.values[block]
            keys[..., slot] = self._heads(affine(normed, w[f"key_{block}"])).squeeze(-2)
            values[..., slot] = self._heads(affine(normed, w[f"value_{block}"])).squeeze(-2)
            mixed = self._attend_cache(queries, keys, values, cache.valid, end)
            mixed = mixed.transpose(-2, -3).flatten(-2)
            x = self._mlp(w, block, x + affine(mixed, w[f"project_{block}"]))
        cache.filled = end
        cache.seen = cache.seen + 1
        return self.read_out(w, x).squeeze(-2)

    def _attend_cache(
        self, queries: Tensor, keys: Tensor, values: Tensor, valid: Tensor, end: int
    ) -> Tensor:
        hidden = ~valid[..., None, None, :end]
        keys, values = (kept[..., :end].transpose(-1, -2) for kept in (keys, values))
        return self._mix(queries, keys, values, hidden)

    def _position_rows(self, positions: Tensor, seen: Tensor) -> Tensor:
        if positions.dim() == 2:
            return positions[seen]
        candidates = torch.arange(positions.shape[0], device=seen.device)
        return positions[candidates.reshape(-1, *(1,) * (seen.dim() - 1)), seen]
