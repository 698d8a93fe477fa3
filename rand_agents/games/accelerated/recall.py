"""RandRecall-v0 as policies play it: an acceleration that answers from a table of tokens."""

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from rand_agents.games.generic import TaskGame
from rand_agents.games.path.episodes import Codes
from rand_agents.games.path.spaces import ActionCode, draw_bits
from rand_agents.games.registry import accelerates
from rand_agents.kernels.memory import Shown, answer_questions, covers
from rand_agents.policies.seeds import SeedSpec
from rand_agents.policies.transformer import SeedTransformer, TransformerConfig, Weights
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play
from rand_envs.core.task import Setting
from rand_envs.games.recall.rules import RecallTask

MAX_DISTINCT_TOKENS = 1 << 20
"""The most rows of a game's token table."""


def bit_cross_entropy(logits: Tensor, bits: Tensor) -> Tensor:
    """Sigmoid binary cross-entropy, mean over the bits, in nats.

    Args:
        logits: Shape (..., d).
        bits: The right bits as 0 and 1, broadcastable to the shape of `logits`.

    Returns:
        Shape (...).
    """
    targets = bits.expand(logits.shape)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(-1)


class PairCode:
    """[key, value, query flag] becomes [value, key]; a value of a query is all zeros."""

    def __init__(self, task: RecallTask) -> None:
        """Prepare for a task's observations."""
        self.dim = task.value_bits + task.num_pairs
        self._num_pairs = task.num_pairs

    def encode(self, observations: Array) -> NDArray[np.float32]:
        """Tokens, (n, dim), of observations, (n, N + d + 1)."""
        key, value = observations[:, : self._num_pairs], observations[:, self._num_pairs : -1]
        return np.concatenate([value, key], -1).astype(np.float32)


@accelerates(RecallTask)
class RecallGame(TaskGame[SeedTransformer]):
    """Tokens [value, key]; the last one is the query [0, key]; d logits at it.

    The cost is the cross-entropy of the bits instead of the failures that it bounds.
    """

    task: RecallTask
    differentiable: ClassVar[bool] = True
    takes_mlp: ClassVar[bool] = False

    def __init__(self, task: RecallTask) -> None:
        """Play `task`."""
        super().__init__(task)
        if task.num_pairs << task.value_bits > MAX_DISTINCT_TOKENS:
            raise ValueError(
                f"a policy for RandRecall-v0 needs num_pairs * 2**value_bits of at most "
                f"{MAX_DISTINCT_TOKENS}, got {task.num_pairs} * 2**{task.value_bits}"
            )
        self.table = self._table()
        self._shown = Shown()

    def _codes_of(self, task: Setting[Any]) -> Codes:
        """Tokens as they stand in the table."""
        return Codes(PairCode(self.task), ActionCode(task.action_space, task.env_id))

    def default_policy(self) -> TransformerConfig:
        """The architecture of the public replication of the paper."""
        return TransformerConfig(self.token_dim, self.output_dim, self.default_seeds().dim)

    def default_seeds(self) -> SeedSpec:
        """Ten random bits."""
        return SeedSpec(10, "bits")

    def _table(self) -> Tensor:
        """Every distinct token: pair k with value v in row k 2^d + v, then the N queries."""
        pairs, bits = self.task.num_pairs, self.task.value_bits
        values = (torch.arange(2**bits).unsqueeze(-1) >> torch.arange(bits)) & 1
        keys = torch.eye(pairs)
        shown = [values.float().repeat(pairs, 1), keys.repeat_interleave(2**bits, 0)]
        queries = [torch.zeros(pairs, bits), keys]
        return torch.cat([torch.cat(shown, -1), torch.cat(queries, -1)])

    def encode(self, layouts: Array, device: torch.device) -> tuple[Tensor, Tensor]:
        """Rows of the token table, (n, N + 1), and the right bits, (n, d)."""
        values = torch.from_numpy(layouts["values"].astype(np.int64)).to(device)
        query = torch.from_numpy(layouts["query"].astype(np.int64)).to(device)
        pairs, bits = self.task.num_pairs, self.task.value_bits
        number = (values << torch.arange(bits, device=device)).sum(-1)
        shown = number + 2**bits * torch.arange(pairs, device=device)
        index = torch.cat([shown, pairs * 2**bits + query.unsqueeze(-1)], -1)
        return index, values[torch.arange(len(values), device=device), query]

    def _logits(
        self, model: SeedTransformer, layouts: Array, seeds: Tensor, weights: Weights | None
    ) -> tuple[Tensor, Tensor]:
        index, bits = self.encode(layouts, seeds.device)
        table = self.table.to(seeds)
        if model.is_foldable:
            w = model.named_weights() if weights is None else dict(weights)
            if covers(model.config, w):
                logits = answer_questions(model.config, w, table, index, seeds, self._shown)
                return logits, bits.to(seeds)
            return model.answer_from_table(table, index, seeds, weights), bits.to(seeds)
        return model.answer(table[index].unsqueeze(1), seeds, weights), bits.to(seeds)

    def costs(
        self, model: SeedTransformer, layouts: Array, seeds: Tensor, weights: Weights | None = None
    ) -> Tensor:
        """Bit cross-entropy at the query, (*lead, n, m)."""
        logits, bits = self._logits(model, layouts, seeds, weights)
        return bit_cross_entropy(logits, bits.unsqueeze(1))

    def play(
        self,
        model: SeedTransformer,
        layouts: Array,
        seeds: Tensor,
        sample_rng: np.random.Generator | None = None,
    ) -> Play:
        """Success where all bits are right; the vote is on the whole value."""
        logits, bits = self._logits(model, layouts, seeds, None)
        recalled = draw_bits(logits, sample_rng)
        outcome = (recalled == (bits.unsqueeze(1) > 0.5)).all(-1)
        places = 2 ** torch.arange(self.task.value_bits, device=seeds.device)
        return Play(
            outcome.double().cpu().numpy(),
            (recalled * places).sum(-1).cpu().numpy(),
            logits.sigmoid().float().cpu().numpy(),
            bit_cross_entropy(logits, bits.unsqueeze(1)).cpu().numpy(),
        )
