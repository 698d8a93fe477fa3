"""Roll-outs of the grid as one would first write them: the reference of `speed_rollouts`.

Every layout is a row of its own from the first step on, and every step runs the policy on the
whole context so far. Rows stay in the batch until all have ended.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from rand_agents.games.game import Game
from rand_agents.policies.transformer import SeedTransformer, Weights
from rand_envs.core.arrays import Array
from rand_envs.core.task import rules_of


def plain_steps(
    game: Game[Any], model: SeedTransformer, weights: Weights, layouts: Array, seeds: Tensor
) -> tuple[Tensor, int]:
    """Steps used, (P, n, m), with P candidates' weights, and how many tokens were evaluated."""
    task = rules_of(game.task)
    candidates, n, m = len(weights["read_out"]), len(layouts), len(seeds)
    rows = candidates * n * m
    state = task.initial(np.tile(np.repeat(layouts, m), candidates))
    alive = np.ones(rows, bool)
    context = torch.zeros(candidates, n * m, 0, game.token_dim)
    evaluated = 0
    while alive.any():
        new = game.observed(task.observe(state)).reshape(candidates, n * m, 1, -1)
        context = torch.cat([context, new], 2)
        logits = _outputs(model, weights, context, seeds.repeat(n, 1))
        evaluated += rows * (1 + context.shape[2])
        actions = logits.argmax(-1).reshape(rows).numpy()
        after, _, terminated = task.step(state[alive], actions[alive])
        state[alive] = after
        alive[alive] = ~terminated
    return torch.from_numpy(task.outcome(state)).reshape(candidates, n, m).float(), evaluated


def _outputs(model: SeedTransformer, weights: Weights, context: Tensor, seeds: Tensor) -> Tensor:
    """Logits after each context, (P, rows, T, token_dim): (P, rows, 4)."""
    outputs = [
        model.answer(context[i], seeds, {name: w[i] for name, w in weights.items()})
        for i in range(len(context))
    ]
    return torch.stack(outputs)
