"""A policy of RandColoring-v0 on all cycles at once.

With B blocks a vertex depends on the window of 2 B + 1 vertices around it, and what block b
gives on the window of 2 b + 1. So each window is computed once for every seed, from its three
windows of the block before, and the cycles are put together from the last ones.
"""

import numpy as np
import torch
from torch import Tensor

from rand_agents.policies.transformer import SeedTransformer
from rand_envs.core.player import Play
from rand_envs.games.coloring.windows import cycle_windows, ordered_windows

SEEDS_AT_ONCE = 4
"""How many seeds are computed together: few enough for the processor's cache."""


def window_size(model: SeedTransformer) -> int:
    """How many vertices a colour depends on."""
    return 2 * model.config.num_blocks + 1


def parts_of_windows(num_vertices: int, size: int) -> list[Tensor]:
    """The left, middle and right part of each window, as numbers of windows two shorter.

    Both are numbered as `ordered_windows` orders them; three tensors of shape (W,).
    """
    windows = ordered_windows(num_vertices, size)
    place_values = num_vertices ** np.arange(size - 2)[::-1]
    shorter = ordered_windows(num_vertices, size - 2) @ place_values
    parts = [windows[:, at : at + size - 2] @ place_values for at in range(3)]
    return [torch.from_numpy(np.searchsorted(shorter, part)) for part in parts]


class WindowColors:
    """The outputs of one policy on every ordered window."""

    def __init__(self, model: SeedTransformer, num_vertices: int) -> None:
        """List the windows of every block.

        Args:
            model: A policy with the mask "neighbours", and a window that fits into the cycle.
            num_vertices: Length of the cycles, N.
        """
        self.model = model
        self.device = model.weights["read_out"].device
        self.tokens = torch.eye(num_vertices, device=self.device)
        sizes = range(3, window_size(model) + 1, 2)
        self.parts = [
            [part.to(self.device) for part in parts_of_windows(num_vertices, size)]
            for size in sizes
        ]

    def logits(self, seeds: Tensor) -> Tensor:
        """Outputs at the middle of every window, (m, W, colours), under seeds (m, seed_dim)."""
        w = self.model.named_weights()
        x = self.model.embed(w, self.tokens.to(seeds), seeds)
        for block, (left, middle, right) in enumerate(self.parts):
            x = self.model.block_between(w, block, x, left, middle, right)
        return self.model.read_out(w, x)


def play_all_cycles(model: SeedTransformer, num_vertices: int, seeds: Tensor) -> Play:
    """Play all cycles by argmax under seeds, (m, seed_dim), in the order of the layout space.

    Equal to playing them one by one, up to ties of two colours within rounding. The output has
    the colours' probabilities on each window, (W, m, colours), instead of each cycle.
    """
    computed = WindowColors(model, num_vertices)
    colors, output = [], []
    with torch.no_grad():
        for begin in range(0, len(seeds), SEEDS_AT_ONCE):
            logits = computed.logits(seeds[begin : begin + SEEDS_AT_ONCE])
            colors.append(logits.argmax(-1).to(torch.uint8).cpu().numpy())
            output.append(logits.softmax(-1).float().transpose(0, 1).cpu().numpy())
    whole = cycle_windows(num_vertices, window_size(model))
    return whole.play(np.concatenate(colors), np.concatenate(output, 1))
