"""The generic path: how policies play any setting by its public rules alone."""

from abc import abstractmethod
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rand_agents.games.game import Game, M
from rand_agents.games.path.episodes import Codes, Ints, Moment, Rollout
from rand_agents.games.path.plans import Plans
from rand_agents.games.path.score import Episodes
from rand_agents.games.path.spaces import ActionCode, ObservationCode
from rand_agents.games.path.worlds import TaskWorld, World
from rand_agents.policies.seeds import SeedSpec
from rand_agents.policies.transformer import TransformerConfig, Weights
from rand_envs import check_task
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play
from rand_envs.core.task import Setting, Task


class EpisodeGame(Game[M]):
    """One token an observation; the output is an action (`rand_agents.games.path.spaces`).

    A SeedTransformer sees the whole instance so far, a SeedMLP the newest observation. The cost
    is what the outcome lacks of the best one there can be, or minus the return where that is
    not known.
    """

    differentiable: ClassVar[bool] = False
    takes_mlp: ClassVar[bool] = True

    def __init__(self, task: Setting[Any]) -> None:
        """Play `task`; ValueError for spaces that have no code."""
        self.task = task
        self.codes = self._codes_of(task)
        self.token_dim, self.output_dim = self.codes.observations.dim, self.codes.actions.dim
        self.context = task.max_steps

    def _codes_of(self, task: Setting[Any]) -> Codes:
        """How observations become tokens, and outputs actions."""
        return Codes(
            ObservationCode(task.observation_space, task.env_id),
            ActionCode(task.action_space, task.env_id),
        )

    @property
    def default_trainer(self) -> str:
        """Evolution where actions have no probabilities, whose gradient could be followed."""
        return "qnorm" if self.codes.actions.has_probabilities else "pepg"

    @abstractmethod
    def world(self, layouts: Array, seeds: Array, population: int) -> World:
        """Instances of n layouts under m seeds for each candidate, in this order of rows."""

    def default_policy(self) -> TransformerConfig:
        """One small softmax block without positions."""
        return TransformerConfig(
            self.token_dim,
            self.output_dim,
            self.default_seeds().dim,
            seed_placement="first",
            num_blocks=1,
            key_size=8,
            value_size=8,
            model_size=16,
            attention="softmax",
            embedding="linear",
            layer_norm=True,
            mlp_factor=2,
            scale=True,
            # Seeds that matter from the first update on are not forgotten while all is explored.
            seed_gain=3.0,
        )

    def default_seeds(self) -> SeedSpec:
        """A Gaussian vector."""
        return SeedSpec(4, "gaussian")

    def _check_transformer(self, config: TransformerConfig) -> None:
        """Besides the sizes, attention is causal and no token has a seed entry of its own."""
        super()._check_transformer(config)
        if config.seed_placement == "own" or config.mask != "causal":
            raise ValueError(
                f'a transformer for {self.task.env_id} needs seed_placement "first" or "every", '
                'and mask="causal"'
            )

    def costs(
        self, model: M, layouts: Array, seeds: Tensor, weights: Weights | None = None
    ) -> Tensor:
        """Costs of what is played by argmax, (*lead, n, m)."""
        outcomes = self._outcomes(model, layouts, seeds, weights, None)
        costs = self.cost_of(torch.from_numpy(outcomes)).to(seeds)
        return costs if weights is not None else costs[0]

    def play(
        self,
        model: M,
        layouts: Array,
        seeds: Tensor,
        sample_rng: np.random.Generator | None = None,
    ) -> Play:
        """Outcomes; there is no vote."""
        outcomes = self._outcomes(model, layouts, seeds, None, sample_rng)[0]
        return Play(outcomes, None, outcomes.astype(np.float32)[..., None])

    def check_sampled(self) -> None:
        """Actions must have probabilities."""
        if not self.codes.actions.has_probabilities:
            raise ValueError(
                f"actions of {self.task.env_id} must be Discrete, MultiDiscrete or MultiBinary to "
                f"be learned from their probabilities, got {self.task.action_space}: use PEPG"
            )

    def sample(
        self,
        model: M,
        layouts: Array,
        seeds: Tensor,
        rng: np.random.Generator,
        *,
        paths: int = 1,
        temperature: float = 1.0,
        branches: int | None = None,
        plans: Plans | None = None,
    ) -> Episodes:
        """Play n layouts under each seed `paths` times, with actions drawn from the output."""
        self.check_sampled()
        repeated = seeds.repeat_interleave(paths, 0)
        with torch.no_grad():
            costs, moments, end = self._recorded(model, layouts, repeated, rng, temperature, plans)
        return Episodes(
            self.codes.actions,
            moments,
            costs,
            -1.0 if self.task.higher_is_better else 1.0,
            self.policy_seeds(repeated),
            paths,
            temperature,
            branches,
            rng,
            end,
        )

    def _recorded(
        self,
        model: M,
        layouts: Array,
        seeds: Tensor,
        rng: np.random.Generator,
        temperature: float,
        plans: Plans | None,
    ) -> tuple[Tensor, list[Moment], Ints | None]:
        """Costs, (n, m), all that was seen and done, and `Episodes.end`; actions are drawn."""
        rollout = self._rollout(model, layouts, seeds, None, rng)
        rollout.temperature = temperature
        world = rollout.world
        end = np.full(len(world.outcomes), -1)

        def leave(rows: Ints) -> NDArray[np.bool_]:
            assert plans is not None
            assert isinstance(world, TaskWorld)
            end[rows] = plans.of(world.states(rows))
            return end[rows] >= 0

        moments = rollout.play(True, None if plans is None else leave)
        costs = self.cost_of(torch.from_numpy(world.outcomes))
        if plans is None:
            return costs.reshape(len(layouts), -1), moments, None
        plans.charge(costs, end)
        return costs.reshape(len(layouts), -1), moments, end

    def observed(self, observation: Array) -> Tensor:
        """One vector for each observation, (n, 1, token_dim)."""
        return torch.from_numpy(self.codes.observations.encode(observation)).unsqueeze(1)

    def choose(
        self, outputs: Tensor, tokens: Tensor, sample_rng: np.random.Generator | None
    ) -> Array:
        """Actions, (n, *shape)."""
        return self.codes.actions.decode(outputs[:, -1], sample_rng)

    def _outcomes(
        self,
        model: M,
        layouts: Array,
        seeds: Tensor,
        weights: Weights | None,
        sample_rng: np.random.Generator | None,
    ) -> Array:
        """Outcomes, (P, n, m); P = 1 for the model's own weights."""
        with torch.no_grad():
            rollout = self._rollout(model, layouts, seeds, weights, sample_rng)
            rollout.play()
        return rollout.world.outcomes.reshape(-1, len(layouts), len(seeds))

    def _rollout(
        self,
        model: M,
        layouts: Array,
        seeds: Tensor,
        weights: Weights | None,
        sample_rng: np.random.Generator | None,
    ) -> Rollout:
        if weights is None:
            weights = {name: own.unsqueeze(0) for name, own in model.named_weights().items()}
        world = self.world(layouts, seeds.cpu().numpy(), weights["read_out"].shape[0])
        own = self.policy_seeds(seeds)
        return Rollout(world, self.codes, model, weights, own, sample_rng)


class TaskGame(EpisodeGame[M]):
    """Any task, by its rules on batches."""

    task: Task[Any]

    def __init__(self, task: Task[Any]) -> None:
        """Play `task`; ValueError for spaces that have no code, or rules that do not fit them."""
        super().__init__(task)
        if not _plays(task):
            check_task(task)
            raise ValueError(f"{type(task).__name__} cannot be played for a single step")

    def world(self, layouts: Array, seeds: Array, population: int) -> World:
        """Instances of n layouts under m seeds for each candidate, in this order of rows."""
        rows = np.tile(np.repeat(layouts, len(seeds)), population)
        return TaskWorld(self.task, rows)


def _plays(task: Task[Any]) -> bool:
    """Whether two layouts can be played for a step; `check_task` then says what is wrong."""
    space = deepcopy(task.action_space)
    space.seed(0)
    try:
        state = task.initial(task.layout_space.sample(np.random.default_rng(0), 2))
        seen = task.observe(state)
        moved = task.step(state, np.stack([space.sample()] * 2))
        outcome = task.outcome(moved.state)
    # Whatever a stranger's rules raise, the check tells it in a sentence.
    except Exception:
        return False
    shape = (2, *(task.observation_space.shape or ()))
    return (
        (seen.shape, outcome.shape, moved.terminated.shape) == (shape, (2,), (2,))
        and moved.state.dtype == state.dtype
        and task.observation_space.contains(seen[0])
    )
