"""From environments to settings, and from settings to games and the policies that play them."""

import dataclasses
import json
from typing import Any, cast

import gymnasium as gym

from rand_agents.gym_game import GymGame
from rand_agents.gym_task import GymTask
from rand_agents.mlp import MLPConfig, SeedMLP
from rand_agents.rollout import GridGame
from rand_agents.tokens import ColoringGame, Game, RecallGame
from rand_agents.transformer import SeedTransformer, TransformerConfig
from rand_envs.coloring import ColoringTask
from rand_envs.grid import GridTask
from rand_envs.recall import RecallTask
from rand_envs.task import Json, Setting, Task

TASKS: dict[str, type[Task[Any]]] = {
    task.env_id: task for task in (RecallTask, ColoringTask, GridTask)
}

Environment = str | gym.Env[Any, Any] | Setting[Any]
PolicyConfig = TransformerConfig | MLPConfig

POLICIES: dict[str, type[Any]] = {"SeedTransformer": TransformerConfig, "MlpPolicy": MLPConfig}
"""Shapes of policies by the name of their kind."""


def task_of(env: Environment, config: Json | None = None) -> Setting[Any]:
    """The setting behind a registered id (with optional arguments) or an environment."""
    if isinstance(env, Setting):
        return env
    if isinstance(env, str):
        return TASKS.get(env, lambda **given: GymTask(env, **given))(**(config or {}))
    task = getattr(env.unwrapped, "task", None)
    return task if isinstance(task, Task) else GymTask.of(env)


def game_for(task: Setting[Any]) -> Game:
    """The game that policies play in a setting."""
    if isinstance(task, RecallTask):
        return RecallGame(task)
    if isinstance(task, ColoringTask):
        return ColoringGame(task)
    if isinstance(task, GridTask):
        return GridGame(task)
    if isinstance(task, GymTask):
        return GymGame(task)
    raise ValueError(f"no policy can play {type(task).__name__}")


def policy_for(game: Game, policy: str | PolicyConfig, seed_dim: int) -> PolicyConfig:
    """The shape of a policy, from a name or as it is; ValueError unless it can play the game."""
    kinds = list(POLICIES) if isinstance(game, GymGame) else ["SeedTransformer"]
    if policy not in kinds and not isinstance(policy, tuple(POLICIES[kind] for kind in kinds)):
        raise ValueError(
            f"a policy for {game.task.env_id} must be {' or '.join(map(json.dumps, kinds))}, "
            f"or its configuration, got {policy!r}"
        )
    shape = _default_shape(game, policy, seed_dim) if isinstance(policy, str) else policy
    if shape.seed_dim != seed_dim:
        raise ValueError(
            f"the policy takes seeds of dimension {shape.seed_dim}, "
            f"but the seed distribution has dimension {seed_dim}"
        )
    # A game that takes other shapes than transformers has a check that does, too.
    game.check_policy(cast(TransformerConfig, shape))
    return shape


def _default_shape(game: Game, kind: str, seed_dim: int) -> PolicyConfig:
    if isinstance(game, GymGame) and kind == "MlpPolicy":
        return dataclasses.replace(game.default_mlp(), seed_dim=seed_dim)
    return dataclasses.replace(game.default_policy(), seed_dim=seed_dim)


def kind_of(config: PolicyConfig) -> str:
    """The name of the kind of policy that has this shape."""
    return next(name for name, shape in POLICIES.items() if isinstance(config, shape))


def model_of(config: PolicyConfig, rng_seed: int) -> SeedTransformer | SeedMLP:
    """An untrained policy of a shape."""
    if isinstance(config, MLPConfig):
        return SeedMLP(config, rng_seed)
    return SeedTransformer(config, rng_seed)
