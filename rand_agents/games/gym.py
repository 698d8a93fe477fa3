"""Gymnasium environments in general as a game: whole populations play them side by side."""

from collections.abc import Callable
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from rand_agents.games.game import Game
from rand_agents.games.gym_task import GymTask
from rand_agents.games.spaces import ActionCode, ObservationCode
from rand_agents.policies.mlp import MLPConfig, SeedMLP, join
from rand_agents.policies.seeds import SeedSpec
from rand_agents.policies.transformer import SeedTransformer, TransformerConfig, Weights
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play

Model = SeedTransformer | SeedMLP


class GymGame(Game):
    """One token an observation; the output is an action (`rand_agents.games.spaces`).

    A SeedTransformer sees the seed first and then the whole episode; a SeedMLP sees the newest
    observation and the seed. The cost is minus the return.
    """

    differentiable: ClassVar[bool] = False
    signed_costs: ClassVar[bool] = True

    def __init__(self, task: GymTask) -> None:
        """Play `task`; ValueError for spaces that have no code."""
        self.task: GymTask = task
        self._observations = ObservationCode(task.observation_space, task.env_id)
        self._actions = ActionCode(task.action_space, task.env_id)
        self.token_dim, self.output_dim = self._observations.dim, self._actions.dim
        self.context = task.max_steps
        self._envs: list[gym.Env[Any, Any]] = []

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
        )

    def default_mlp(self) -> MLPConfig:
        """Two hidden layers of 16."""
        return MLPConfig(self.token_dim, self.output_dim, self.default_seeds().dim)

    def default_seeds(self) -> SeedSpec:
        """One constant: without an adversary there is nobody to be unpredictable for."""
        return SeedSpec(1, draw="fixed")

    def check_policy(self, config: TransformerConfig | MLPConfig) -> None:
        """Besides the sizes, a transformer's seed is a token of its own and attention causal."""
        if isinstance(config, MLPConfig):
            self._check_sizes(config.token_dim, config.output_dim)
            return
        super().check_policy(config)
        if config.seed_placement != "first" or config.mask != "causal":
            raise ValueError(
                f'a transformer for {self.task.env_id} needs seed_placement="first" and '
                'mask="causal"'
            )

    def costs(
        self, model: Model, layouts: Array, seeds: Tensor, weights: Weights | None = None
    ) -> Tensor:
        """Minus the return of each episode, (*lead, n, m)."""
        return -self._returns(model, layouts, seeds, weights, None)

    def play(
        self,
        model: Model,
        layouts: Array,
        seeds: Tensor,
        sample_rng: np.random.Generator | None = None,
    ) -> Play:
        """Returns; there is no vote."""
        returns = self._returns(model, layouts, seeds, None, sample_rng).cpu().numpy()
        return Play(returns.astype(np.float64), None, returns.astype(np.float32)[..., None])

    def observed(self, observation: Array) -> Tensor:
        """One vector for each observation, (n, 1, token_dim)."""
        return torch.from_numpy(self._observations.encode(observation)).unsqueeze(1)

    def choose(
        self, outputs: Tensor, tokens: Tensor, sample_rng: np.random.Generator | None
    ) -> Array:
        """Actions, (n, *shape)."""
        return self._actions.decode(outputs[:, -1], sample_rng)

    def _returns(
        self,
        model: Model,
        layouts: Array,
        seeds: Tensor,
        weights: Weights | None,
        sample_rng: np.random.Generator | None,
    ) -> Tensor:
        """Returns, (P, n, m) for weights with an axis of P candidates, (n, m) for the model's."""
        own = {name: weight.unsqueeze(0) for name, weight in model.named_weights().items()}
        given = own if weights is None else weights
        population = given["read_out"].shape[0]
        rows = (population, len(layouts) * len(seeds))
        resets = np.tile(np.repeat(layouts["reset_seed"], len(seeds)), population)
        answer = _player(model, given, seeds.repeat(len(layouts), 1).expand(*rows, -1))

        def act(observations: Array) -> Array:
            tokens = torch.from_numpy(self._observations.encode(observations)).to(seeds)
            outputs = answer(tokens.reshape(*rows, -1)).flatten(0, 1)
            return self._actions.decode(outputs, sample_rng)

        returns = self._episodes(resets, act)
        shaped = torch.from_numpy(returns.reshape(population, len(layouts), len(seeds))).to(seeds)
        return shaped[0] if weights is None else shaped

    def _episodes(self, resets: Array, act: Callable[[Array], Array]) -> Array:
        """Play one episode for each reset seed, (k,), all at once; their returns, (k,).

        Environments are stepped one by one, not as a vector environment: native ones (CartPole's)
        take one seed for all, so candidates could not share theirs, and all of them play on
        after an episode's end, while here most of a generation's work ends with it.
        """
        self._envs += [self.task.make() for _ in range(len(resets) - len(self._envs))]
        envs = self._envs[: len(resets)]
        first = [env.reset(seed=int(k))[0] for env, k in zip(envs, resets, strict=True)]
        observations = np.array(first)
        returns = np.zeros(len(resets))
        playing = list(range(len(resets)))
        while playing:
            actions = act(observations)
            ended = set()
            for i in playing:
                seen, reward, terminated, truncated, _ = envs[i].step(actions[i])
                observations[i] = seen
                returns[i] += float(reward)
                if terminated or truncated:
                    ended.add(i)
            playing = [i for i in playing if i not in ended]
        return returns


def _player(model: Model, weights: Weights, seeds: Tensor) -> Callable[[Tensor], Tensor]:
    """Answers to the next tokens, (P, R, token_dim), of rows with seeds (P, R, seed_dim)."""
    if isinstance(model, SeedMLP):
        return lambda tokens: model.act(weights, join(tokens, seeds))
    return _Transcript(model, weights, seeds)


class _Transcript:
    """A transformer's answers; its context grows by a token a step, in steps of doubled room."""

    def __init__(self, model: SeedTransformer, weights: Weights, seeds: Tensor) -> None:
        self._model, self._weights = model, weights
        self._room = 32
        self._cache = model.empty_cache(tuple(seeds.shape[:2]), self._room)
        model.step(weights, model.embed_seed_token(weights, seeds), self._cache)

    def __call__(self, tokens: Tensor) -> Tensor:
        if self._cache.filled == self._room:
            every = torch.arange(len(tokens), device=tokens.device).unsqueeze(-1)
            row = torch.arange(tokens.shape[1], device=tokens.device).unsqueeze(0)
            self._cache = self._cache.rows((every, row), self._room)
            self._room *= 2
        return self._model.step(
            self._weights, self._model.embed_step(self._weights, tokens), self._cache
        )
