"""RandColoring-v0 as policies play it: a vertex is a token and sees its neighbours only."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rand_agents.games.accelerated.coloring_windows import play_all_cycles, window_size
from rand_agents.games.game import Game
from rand_agents.games.path.spaces import draw_category
from rand_agents.games.registry import accelerates
from rand_agents.kernels import ring
from rand_agents.policies.seeds import SeedSpec
from rand_agents.policies.transformer import SeedTransformer, TransformerConfig, Weights
from rand_envs.core.arrays import Array, Json
from rand_envs.core.player import Play
from rand_envs.games.coloring.rules import ColoringTask
from rand_envs.games.coloring.windows import CycleWindows


def conflict_loss(logits: Tensor) -> Tensor:
    """Minus the logarithm of the probability that no edge's ends take one colour, edge by edge.

    A sum over edges, each as if it were independent of the others; every vertex draws its colour
    independently. At least the sum of the probabilities of a conflict (the paper's loss), and so
    an upper bound on the probability of an improper colouring (union bound). Unlike that sum it
    keeps its slope where both ends are sure of one colour.

    Args:
        logits: Of each colour at each vertex, vertices in cycle order, (N, colours, ...).
            These axes come first because loops along short last ones are slow.

    Returns:
        Shape (...).
    """
    each = logits.softmax(1)
    # Not 1 - each, which rounds to 0 where a colour is sure.
    others = torch.stack([each.roll(k, 1) for k in range(1, each.shape[1])]).sum(0)
    differ = (each * others.roll(1, 0)).sum(1)
    return -(differ + torch.finfo(each.dtype).tiny).log().clamp(max=0.0).sum(0)


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


@accelerates(ColoringTask)
class ColoringGame(Game[SeedTransformer]):
    """One token a vertex, its one-hot id, in the order of the cycle; colour logits at each."""

    quick: ClassVar[Mapping[str, Json]] = {
        "qnorm": {"objective": {"q": 10.0}, "m": 10, "batch_size": 256}
    }

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

    def _check_transformer(self, config: TransformerConfig) -> None:
        """Besides the sizes, a vertex may see its neighbours only."""
        super()._check_transformer(config)
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
        """See `conflict_loss`, (*lead, n, m)."""
        logits = self._logits(model, layouts, seeds, weights)
        return conflict_loss(logits).transpose(-1, -2)

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
            conflict_loss(logits).T.cpu().numpy(),
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
