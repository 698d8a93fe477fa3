"""From environments to settings, and from settings to games and the policies that play them."""

import dataclasses
import json
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import gymnasium as gym
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from rand_agents.games.game import Game
from rand_agents.games.generic import TaskGame
from rand_agents.games.gym import GymGame
from rand_agents.games.gym_task import GymTask, wrappers_of
from rand_agents.policies.mlp import MLPConfig, SeedMLP
from rand_agents.policies.transformer import SeedTransformer, TransformerConfig
from rand_envs.core.arrays import Json
from rand_envs.core.env import TaskEnv
from rand_envs.core.register import TASKS
from rand_envs.core.sources import Fixed, LayoutSource, Uniform
from rand_envs.core.task import Setting, Task, rules_of

Environment = str | gym.Env[Any, Any] | VecEnv | Setting[Any] | type[Setting[Any]]
PolicyConfig = TransformerConfig | MLPConfig
G = TypeVar("G", bound=Game[Any])

POLICIES: dict[str, type[Any]] = {"SeedTransformer": TransformerConfig, "MlpPolicy": MLPConfig}
"""Shapes of policies by the name of their kind."""


def task_of(env: Environment, config: Json | None = None) -> Setting[Any]:
    """The setting behind a registered id (with optional arguments) or an environment.

    A task under wrappers that change something is played as any other environment.
    """
    env = bare(env)
    if isinstance(env, Setting):
        return env
    if isinstance(env, str):
        return TASKS.get(env, partial(GymTask, env))(**(config or {}))
    task = getattr(env.unwrapped, "task", None)
    return task if isinstance(task, Task) and not wrappers_of(env) else GymTask.of(env)


def bare(env: Environment) -> str | gym.Env[Any, Any] | Setting[Any]:
    """A task of a class that needs no arguments; the first of environments side by side."""
    if isinstance(env, type) and issubclass(env, Setting):
        return env()
    if isinstance(env, str | gym.Env | Setting):
        return env
    if not isinstance(env, VecEnv):
        raise ValueError(
            "an environment must be a registered id, one of gym.make's, a DummyVecEnv of "
            f"Stable-Baselines3's, or a task, got {env!r}"
        )
    if not isinstance(env, DummyVecEnv):
        raise ValueError(
            "of Stable-Baselines3's vector environments a DummyVecEnv without wrappers can be "
            f"played, got {type(env).__name__}: give one environment"
        )
    first = env.envs[0]
    if any(_made_of(each) != _made_of(first) for each in env.envs[1:]):
        raise ValueError(
            "environments side by side must all be made alike, since the first is trained on for "
            "all of them: give that one"
        )
    return first


def _made_of(env: gym.Env[Any, Any]) -> Any:
    """What an environment was made of, to be compared."""
    wrappers = [type(wrapper) for wrapper in wrappers_of(env)]
    spec = env.spec
    source = env.get_wrapper_attr("source") if env.has_wrapper_attr("source") else None
    picks: Any = id(source) if isinstance(source, LayoutSource) else None
    if isinstance(source, Fixed | Uniform):
        picks = source.to_json()
    if spec is None:
        return type(env.unwrapped), wrappers, picks
    given = {name: value for name, value in spec.kwargs.items() if name != "layouts"}
    plain = json.dumps(given, sort_keys=True, default=lambda value: type(value).__name__)
    return type(env.unwrapped), wrappers, picks, spec.max_episode_steps, plain


def is_registered(task: Setting[Any]) -> bool:
    """Whether the id and the configuration of a setting are enough to make it anew."""
    if isinstance(task, GymTask):
        return task.is_registered
    known = TASKS.get(task.env_id)
    # A notebook's cell that is run again defines its class anew.
    return known is not None and (known.__module__, known.__qualname__) == (
        type(task).__module__,
        type(task).__qualname__,
    )


def environment_of(task: Setting[Any]) -> gym.Env[Any, Any]:
    """A new environment of a setting."""
    if isinstance(task, GymTask):
        return task.make()
    if is_registered(task):
        return gym.make(task.env_id, **task.config)
    return TaskEnv(rules_of(task))


ACCELERATIONS: dict[type[Setting[Any]], type[Any]] = {}
"""Games that play tasks of exactly one class, faster than the generic path or otherwise."""


def accelerates(task: type[Setting[Any]]) -> Callable[[type[G]], type[G]]:
    """Register a `Game` for the tasks of a class; its subclasses may have other rules."""

    def registered(game: type[G]) -> type[G]:
        ACCELERATIONS[task] = game
        return game

    return registered


def game_for(task: Setting[Any], policy: str | PolicyConfig = "SeedTransformer") -> Game[Any]:
    """The game that a policy plays in a setting: its acceleration, or the generic path."""
    accelerated = ACCELERATIONS.get(type(task))
    is_mlp = policy == "MlpPolicy" or isinstance(policy, MLPConfig)
    if accelerated is not None and (accelerated.takes_mlp or not is_mlp):
        game: Game[Any] = accelerated(task)
        return game
    if isinstance(task, GymTask):
        return GymGame(task)
    return TaskGame(rules_of(task))


def as_game(given: Game[Any] | Environment) -> Game[Any]:
    """A game as it is, or the one that is played in an environment."""
    return given if isinstance(given, Game) else game_for(task_of(given))


def policy_for(game: Game[Any], policy: str | PolicyConfig, seed_dim: int) -> PolicyConfig:
    """The shape of a policy, from a name or as it is; ValueError unless it can play the game."""
    if policy not in POLICIES and not isinstance(policy, tuple(POLICIES.values())):
        raise ValueError(
            f"a policy for {game.task.env_id} must be {' or '.join(map(json.dumps, POLICIES))}, "
            f"or its configuration, got {policy!r}"
        )
    shape: PolicyConfig
    if isinstance(policy, str):
        default = game.default_mlp() if policy == "MlpPolicy" else game.default_policy()
        shape = dataclasses.replace(default, seed_dim=seed_dim)
    else:
        shape = policy
    if shape.seed_dim != seed_dim:
        raise ValueError(
            f"the policy takes seeds of dimension {shape.seed_dim}, "
            f"but the seed distribution has dimension {seed_dim}"
        )
    game.check_policy(shape)
    return shape


def kind_of(config: PolicyConfig) -> str:
    """The name of the kind of policy that has this shape."""
    return next(name for name, shape in POLICIES.items() if isinstance(config, shape))


def model_of(config: PolicyConfig, rng_seed: int) -> SeedTransformer | SeedMLP:
    """An untrained policy of a shape."""
    if isinstance(config, MLPConfig):
        return SeedMLP(config, rng_seed)
    return SeedTransformer(config, rng_seed)
