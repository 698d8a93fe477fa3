"""RandGrid-v0 as policies play it: an acceleration that searches once for all treasures."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rand_agents.games.accelerated.grid_rollout import GridRollout
from rand_agents.games.accelerated.grid_samples import sampled, sampled_until_known
from rand_agents.games.accelerated.grid_tables import cell_tokens, path_lengths
from rand_agents.games.generic import TaskGame
from rand_agents.games.path.episodes import Codes, Ints, Moment
from rand_agents.games.path.plans import Plans
from rand_agents.games.path.spaces import ActionCode
from rand_agents.games.registry import accelerates
from rand_agents.policies.seeds import SeedSpec
from rand_agents.policies.transformer import SeedTransformer, TransformerConfig, Weights
from rand_envs.adversaries import MAX_EXHAUSTIVE
from rand_envs.core.arrays import Array, Json
from rand_envs.core.player import Play
from rand_envs.core.task import Setting
from rand_envs.games.grid.rules import GridTask


class CellCode:
    """[row, column, found] becomes one-hot row, one-hot column, found."""

    def __init__(self, task: GridTask) -> None:
        """Prepare for a task's observations."""
        self._columns = task.columns
        self._table = cell_tokens(task).numpy()
        self.dim = self._table.shape[1]

    def encode(self, observations: Array) -> NDArray[np.float32]:
        """Tokens, (n, dim), of observations, (n, 3)."""
        row, column, found = observations.T
        tokens: NDArray[np.float32] = self._table[2 * (row * self._columns + column) + found]
        return tokens


@accelerates(GridTask)
class GridGame(TaskGame[SeedTransformer]):
    """First token the seed, then one token [row, column, found] a step; four action logits."""

    task: GridTask
    takes_mlp: ClassVar[bool] = False
    quick: ClassVar[Mapping[str, Json]] = {
        "policy": {
            "num_heads": 2, "key_size": 8, "value_size": 8, "model_size": 24, "mlp_factor": 2,
            "seed_gain": 6.0,
        },
        "qnorm": {
            "objective": {"q": 40.0, "q_start": 10.0, "q_rise": 0.5},
            "m": 16,
            "learning_rate": 4e-3,
            "final_learning_rate": 5e-4,
            "score": {"paths": 8, "branches": 1, "entropy": 0.25, "temperature": 1.0},
        },
        "psro": {"branches": 1},
        "pepg": {"m": 8, "search": {"population": 60, "learning_rate": 0.02, "std": 0.1}},
    }  # fmt: skip

    def _codes_of(self, task: Setting[Any]) -> Codes:
        """Tokens of cells."""
        return Codes(CellCode(self.task), ActionCode(task.action_space, task.env_id))

    @property
    def default_trainer(self) -> str:
        """Seeds of one policy that learn together all learn the same path."""
        size = self.task.layout_space.size
        return "qnorm" if size is None or size > MAX_EXHAUSTIVE else "psro"

    def default_policy(self) -> TransformerConfig:
        """The paper's: two softmax blocks, four heads of key size 10, width 80, MLP 4x."""
        return TransformerConfig(
            self.token_dim,
            self.output_dim,
            self.default_seeds().dim,
            seed_placement="first",
            num_heads=4,
            key_size=10,
            value_size=10,
            model_size=80,
            attention="softmax",
            embedding="linear",
            layer_norm=True,
            mlp_factor=4,
            max_length=self.context + 1,
            scale=True,
        )

    def default_seeds(self) -> SeedSpec:
        """A Gaussian vector."""
        return SeedSpec(10, "gaussian")

    def _check_transformer(self, config: TransformerConfig) -> None:
        """Besides the sizes, the seed is a token of its own and attention is causal."""
        super()._check_transformer(config)
        if config.seed_placement != "first" or config.mask != "causal":
            raise ValueError(
                'a policy for RandGrid-v0 needs seed_placement="first" and mask="causal"'
            )

    def costs(
        self, model: SeedTransformer, layouts: Array, seeds: Tensor, weights: Weights | None = None
    ) -> Tensor:
        """Steps used over all episodes, (*lead, n, m)."""
        found, after = self._searches(model, layouts, seeds, weights).steps()
        steps = found + after
        return steps if weights is not None else steps[0]

    def _searches(
        self,
        model: SeedTransformer,
        layouts: Array,
        seeds: Tensor,
        weights: Weights | None = None,
        **options: Any,
    ) -> GridRollout:
        """Of candidates, or of the model's own weights as the only one."""
        if weights is None:
            weights = {name: own.unsqueeze(0) for name, own in model.named_weights().items()}
        return GridRollout(self.task, model, weights, layouts, seeds, **options)

    def _recorded(
        self,
        model: SeedTransformer,
        layouts: Array,
        seeds: Tensor,
        rng: np.random.Generator,
        temperature: float,
        plans: Plans | None,
    ) -> tuple[Tensor, list[Moment], Ints | None]:
        """By compiled code, where that runs."""
        is_cut = plans is not None
        rollout = self._searches(
            model, layouts, seeds, sample_rng=rng, temperature=temperature, is_cut=is_cut
        )
        if rollout.is_compiled and plans is None:
            return *sampled(rollout), None
        # Searches among several patterns of walls do not know what others would have seen.
        if rollout.is_compiled and plans is not None and len(rollout.moves) == 1:
            found = sampled_until_known(rollout, layouts, plans)
            if found is not None:
                return found
        return super()._recorded(model, layouts, seeds, rng, temperature, plans)

    def first_visits(
        self, model: SeedTransformer, layouts: Array, seeds: Tensor
    ) -> NDArray[np.int64]:
        """Step of the first visit to each cell while searching in the first episode, (m, cells).

        The layouts must share their walls; `NEVER` marks cells not visited before the last
        treasure of the layouts was.
        """
        with torch.no_grad():
            visits = self._searches(model, layouts, seeds).first_visits()[0]
        return visits.cpu().numpy()

    def details(self, model: SeedTransformer, seeds: Tensor) -> Json | None:
        """For each cell of the grid, rows from the bottom: first visit and mean steps.

        `first_visit` is the mean step of the first visit in the first episode, capped at the
        horizon; `steps` the mean steps with the treasure there, 0 where it cannot be. `direct`
        is the share of (treasure, seed) found in the first episode, of all that are found in
        it, after which the second takes a shortest path; None where nothing is found.
        """
        task = self.task
        if task.layout_space.size is None:
            return None
        layouts = task.layout_space.enumerate()
        row, column = layouts["treasure"].T
        visits = self.first_visits(model, layouts, seeds)
        first = visits.clip(max=task.horizon).mean(0).reshape(task.rows, task.columns)
        first[task.start] = 0.0
        with torch.no_grad():
            rollout = self._searches(model, layouts, seeds)
            found, after = (part[0].double().cpu().numpy() for part in rollout.steps())
        steps = np.zeros((task.rows, task.columns))
        steps[row, column] = (found + after).mean(1)
        distance = path_lengths(rollout.moves.cpu().numpy())
        shortest = distance[rollout.group.cpu(), rollout.treasure.cpu(), rollout.start]
        is_direct = after == (task.num_episodes - 1) * shortest[:, None]
        direct = is_direct[found <= task.horizon]
        return {
            "first_visit": first.round(3).tolist(),
            "steps": steps.round(3).tolist(),
            "direct": float(direct.mean()) if direct.size else None,
        }

    def play(
        self,
        model: SeedTransformer,
        layouts: Array,
        seeds: Tensor,
        sample_rng: np.random.Generator | None = None,
    ) -> Play:
        """Steps used; there is no vote."""
        found, after = self._searches(model, layouts, seeds, sample_rng=sample_rng).steps()
        steps = (found + after)[0].cpu().numpy()
        return Play(steps.astype(np.float64), None, steps.astype(np.float32)[..., None])
