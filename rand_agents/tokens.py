"""How each game meets a `SeedTransformer`: layouts and observations become tokens, outputs actions.

A `Game` holds a task and no weights. `costs` and `play` are the two ends of one data flow:
layouts, tokens, outputs, then a loss per (layout, seed) or an outcome.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rand_agents import ring
from rand_agents.losses import bit_cross_entropy, conflict_bound
from rand_agents.seeds import SeedSpec
from rand_agents.transformer import SeedTransformer, TransformerConfig, Weights
from rand_agents.windows import play_all_cycles, window_size
from rand_envs.coloring import ColoringTask
from rand_envs.player import Play
from rand_envs.recall import RecallTask
from rand_envs.task import Array, Setting
from rand_envs.windows import CycleWindows

MAX_DISTINCT_TOKENS = 1 << 20
"""The most rows of a game's token table."""


class Game(ABC):
    """One task as a SeedTransformer plays it."""

    task: Setting[Any]
    differentiable: ClassVar[bool] = True
    """Whether `costs` has a gradient with respect to the weights."""
    signed_costs: ClassVar[bool] = False
    """Whether `costs` may be below 0, where q-norms but the mean and the maximum mean nothing."""
    has_detours: ClassVar[bool] = False
    """Whether what is learned in an episode leaves one best way through those after it."""
    token_dim: int
    output_dim: int
    context: int
    """The most tokens an instance can fill, seed token excluded."""

    @abstractmethod
    def default_policy(self) -> TransformerConfig:
        """The architecture used where none is asked for."""

    @abstractmethod
    def default_seeds(self) -> SeedSpec:
        """The seed distribution used where none is asked for."""

    @abstractmethod
    def costs(
        self, model: SeedTransformer, layouts: Array, seeds: Tensor, weights: Weights | None = None
    ) -> Tensor:
        """Cost to be minimised per (layout, seed): shape (*lead, n, m).

        `seeds` has shape (m, seed_dim); `weights` may carry a leading population axis.
        """

    def costs_and_detours(
        self, model: SeedTransformer, layouts: Array, seeds: Tensor, weights: Weights | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`costs`, how much of them what was learned before made needless, and a loss; same shapes.

        The loss is large where a small change of the policy would bring detours, or end them.
        """
        raise ValueError(f"{self.task.env_id} has no detours")

    @abstractmethod
    def play(
        self,
        model: SeedTransformer,
        layouts: Array,
        seeds: Tensor,
        sample_rng: np.random.Generator | None = None,
    ) -> Play:
        """Play n layouts under m seeds, by argmax, or sampling the output with `sample_rng`."""

    def can_play_all(self, model: SeedTransformer) -> bool:
        """Whether `play_all` works: all layouts are played faster together than one by one."""
        return False

    def play_all(self, model: SeedTransformer, seeds: Tensor) -> Play:
        """Play every layout there is under m seeds, by argmax; see `rand_envs.player`."""
        raise ValueError(f"the layouts of {self.task.env_id} must be played one by one")

    @abstractmethod
    def observed(self, observation: Array) -> Tensor:
        """The tokens that observations, (n, *shape), add to the context: (n, k, token_dim)."""

    @abstractmethod
    def choose(
        self, outputs: Tensor, tokens: Tensor, sample_rng: np.random.Generator | None
    ) -> Array:
        """Actions, (n, *action shape), from the outputs at the k newest tokens, (n, k, output)."""

    def check_policy(self, config: TransformerConfig) -> None:
        """Raise ValueError unless a policy of this shape can play the game."""
        self._check_sizes(config.token_dim, config.output_dim)
        needed = self.context + (config.seed_placement == "first")
        if 0 < config.max_length < needed:
            raise ValueError(
                f"a policy for {self.task.env_id} needs max_length 0 or at least {needed}, "
                f"got {config.max_length}"
            )

    def _check_sizes(self, token_dim: int, output_dim: int) -> None:
        for name, got in (("token_dim", token_dim), ("output_dim", output_dim)):
            if got != getattr(self, name):
                raise ValueError(
                    f"a policy for {self.task.env_id} needs {name} {getattr(self, name)}, got {got}"
                )


def _draw_bits(logits: Tensor, sample_rng: np.random.Generator | None) -> Tensor:
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


class RecallGame(Game):
    """Tokens [value, key]; the last one is the query [0, key]; d logits at it."""

    def __init__(self, task: RecallTask) -> None:
        """Play `task`."""
        self.task: RecallTask = task
        self.token_dim = task.value_bits + task.num_pairs
        self.output_dim = task.value_bits
        self.context = task.num_pairs + 1
        if task.num_pairs << task.value_bits > MAX_DISTINCT_TOKENS:
            raise ValueError(
                f"a policy for RandRecall-v0 needs num_pairs * 2**value_bits of at most "
                f"{MAX_DISTINCT_TOKENS}, got {task.num_pairs} * 2**{task.value_bits}"
            )
        self.table = self._table()

    def default_policy(self) -> TransformerConfig:
        """The architecture of the public replication of the paper."""
        return TransformerConfig(self.token_dim, self.output_dim, self.default_seeds().dim)

    def default_seeds(self) -> SeedSpec:
        """Ten random bits."""
        return SeedSpec(10, "bits")

    def check_policy(self, config: TransformerConfig) -> None:
        """Besides the sizes, attention is causal and no token has a seed entry of its own."""
        super().check_policy(config)
        if config.mask != "causal" or config.seed_placement == "own":
            raise ValueError(
                'a policy for RandRecall-v0 needs mask="causal" and '
                'seed_placement "every" or "first"'
            )

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
        recalled = _draw_bits(logits, sample_rng)
        outcome = (recalled == (bits.unsqueeze(1) > 0.5)).all(-1)
        places = 2 ** torch.arange(self.task.value_bits, device=seeds.device)
        return Play(
            outcome.double().cpu().numpy(),
            (recalled * places).sum(-1).cpu().numpy(),
            logits.sigmoid().float().cpu().numpy(),
        )

    def observed(self, observation: Array) -> Tensor:
        """[key, value, query flag] becomes [value, key]."""
        pairs, bits = self.task.num_pairs, self.task.value_bits
        key, value = observation[:, :pairs], observation[:, pairs : pairs + bits]
        return torch.from_numpy(np.concatenate([value, key], -1).astype(np.float32)).unsqueeze(1)

    def choose(
        self, outputs: Tensor, tokens: Tensor, sample_rng: np.random.Generator | None
    ) -> NDArray[np.int64]:
        """The recalled bits, (n, d)."""
        return _draw_bits(outputs[:, -1], sample_rng).long().cpu().numpy()


def cycle_order(adjacency: Array) -> Tensor:
    """Vertices in the order of the cycle, from 0, (n, N), of adjacency matrices (n, N, N)."""
    edges = torch.from_numpy(adjacency.astype(np.float32))
    n, size, _ = edges.shape
    order = torch.zeros(n, size, dtype=torch.long)
    rows = torch.arange(n)
    fresh = torch.ones(n, size)
    fresh[:, 0] = 0
    for place in range(1, size):
        order[:, place] = (edges[rows, order[:, place - 1]] * fresh).argmax(-1)
        fresh[rows, order[:, place]] = 0
    return order


class ColoringGame(Game):
    """One token a vertex, its one-hot id, in the order of the cycle; colour logits at each."""

    def __init__(self, task: ColoringTask) -> None:
        """Play `task`."""
        self.task: ColoringTask = task
        self.token_dim = self.context = task.num_vertices
        self.output_dim = task.num_colors

    def default_policy(self) -> TransformerConfig:
        """Two rounds of linear attention, key size 16."""
        return TransformerConfig(
            self.token_dim,
            self.output_dim,
            self.task.num_vertices,
            seed_placement="own",
            mask="neighbours",
            key_size=16,
            value_size=16,
            model_size=16,
            embedding="linear",
        )

    def default_seeds(self) -> SeedSpec:
        """One uniform number a vertex."""
        return SeedSpec(self.task.num_vertices, "uniform")

    def check_policy(self, config: TransformerConfig) -> None:
        """Besides the sizes, a vertex may see its neighbours only."""
        super().check_policy(config)
        if config.mask != "neighbours" or config.max_length or config.seed_placement == "first":
            raise ValueError(
                'a policy for RandColoring-v0 needs mask="neighbours", max_length=0 and '
                'seed_placement "own" or "every"'
            )
        if config.seed_placement == "own" and config.seed_dim != self.task.num_vertices:
            raise ValueError(
                f"a policy for RandColoring-v0 whose vertices have seeds of their own needs "
                f"seed_dim {self.task.num_vertices}, got {config.seed_dim}"
            )

    def _logits(
        self, model: SeedTransformer, layouts: Array, seeds: Tensor, weights: Weights | None
    ) -> Tensor:
        """At every place of the cycles, (N, colours, *lead, m, n)."""
        cycles = torch.from_numpy(layouts["cycle"].astype(np.int64)).to(seeds.device)
        if ring.covers(model, cycles):
            return ring.cycle_logits(model, cycles, seeds, weights)
        tokens = torch.nn.functional.one_hot(cycles, self.task.num_vertices).to(seeds)
        logits: Tensor = model(tokens.unsqueeze(1), seeds, weights)
        return logits.movedim((-2, -1), (0, 1)).transpose(-1, -2)

    def costs(
        self, model: SeedTransformer, layouts: Array, seeds: Tensor, weights: Weights | None = None
    ) -> Tensor:
        """The bound on the probability of an improper colouring, (*lead, n, m)."""
        logits = self._logits(model, layouts, seeds, weights)
        return conflict_bound(logits.softmax(1)).transpose(-1, -2)

    def play(
        self,
        model: SeedTransformer,
        layouts: Array,
        seeds: Tensor,
        sample_rng: np.random.Generator | None = None,
    ) -> Play:
        """Success where no edge conflicts; the vote is on the verdict, proper or not.

        Many colourings of one cycle are proper, so whole colourings are not voted on.
        """
        logits = self._logits(model, layouts, seeds, None)
        colors = draw_category(logits.permute(3, 2, 0, 1), sample_rng)
        proper = (colors != colors.roll(1, -1)).all(-1)
        return Play(
            proper.double().cpu().numpy(),
            proper.long().cpu().numpy(),
            logits.softmax(1).permute(3, 2, 0, 1).flatten(-2).float().cpu().numpy(),
        )

    def can_play_all(self, model: SeedTransformer) -> bool:
        """Whether the cycles can be listed, and a vertex sees no vertex twice."""
        return CycleWindows.fits(self.task.num_vertices, window_size(model))

    def play_all(self, model: SeedTransformer, seeds: Tensor) -> Play:
        """Play all cycles, each window of vertices once."""
        return play_all_cycles(model, self.task.num_vertices, seeds)

    def observed(self, observation: Array) -> Tensor:
        """Adjacency matrices, (n, N, N), become vertices in cycle order."""
        return torch.nn.functional.one_hot(cycle_order(observation), self.task.num_vertices).float()

    def choose(
        self, outputs: Tensor, tokens: Tensor, sample_rng: np.random.Generator | None
    ) -> NDArray[np.int64]:
        """A colour for every vertex, (n, N), from vertices in cycle order back to their ids."""
        colors = draw_category(outputs, sample_rng)
        return (tokens * colors.unsqueeze(-1)).sum(-2).long().cpu().numpy()
