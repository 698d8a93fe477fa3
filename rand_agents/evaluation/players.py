"""Anybody's policy as a player: a Stable-Baselines3 model, or a function of observations.

Rules of a task are played on batches, with the seed of a `RandomSeedObservation` as the seed.
Any other environment is copied, wrappers and all, once for every layout and seed; then the seed
is what `reset(seed=...)` gets, which determines what environment and wrappers draw.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces.utils import flatten, flatten_space

from rand_agents.games.given import source_of
from rand_agents.games.gym_task import GymTask, wrappers_of
from rand_agents.games.path.worlds import GymWorld, Rows, TaskWorld, World, play_out
from rand_agents.games.registry import Environment, bare, task_of
from rand_envs.core.arrays import Array
from rand_envs.core.checks import ActionCheck
from rand_envs.core.env import TaskEnv
from rand_envs.core.player import Play, Player
from rand_envs.core.task import Setting, Task
from rand_envs.core.wrappers.random_seed import RandomSeedObservation, seed_from_uniform

COPIES = 4096
"""How many environments are copied at most; rows beyond that wait for their turn."""

Act = Callable[[Rows, Array], Array]


def as_player(policy: Any, env: Environment | None = None, deterministic: bool = True) -> Player:
    """A player of what `evaluate` was given.

    Args:
        policy: A player, which is returned as it is; a Stable-Baselines3 model; or a function
            from an observation to an action, or from an observation and a
            `np.random.Generator`, which is then its randomness.
        env: Where a model or a function plays: a registered id, an environment, or a task.
        deterministic: Whether a model takes the likeliest action instead of drawing one.

    Raises:
        ValueError: It is none of these, or plays in another space than the environment's.
    """
    if source_of(env) is not None:
        raise ValueError(
            "an evaluation looks for the worst layout itself: give an environment without layouts "
            "of its own, and those to be played as layouts="
        )
    if hasattr(policy, "play") and hasattr(policy, "draw_seeds"):
        player: Player = policy
        own, other = player.task, player.task if env is None else task_of(env)
        if _kind_of(own) != _kind_of(other):
            raise ValueError(
                f"{type(policy).__name__} plays {own.env_id} with {own.config}, "
                f"not {other.env_id} with {other.config}"
            )
        return player
    if env is None:
        raise ValueError("a model or a function must be given with the env that it plays in")
    stage = _Stage.of(env)
    if hasattr(policy, "predict"):
        _check_model(policy, stage)
        return _ModelPlayer(policy, stage, deterministic)
    if callable(policy):
        return _FunctionPlayer(policy, stage)
    raise ValueError(
        "a policy must be a player, a Stable-Baselines3 model, or a function from an observation "
        f"to an action, got {policy!r}"
    )


def _kind_of(task: Setting[Any]) -> tuple[Any, ...]:
    spaces = task.observation_space, task.action_space
    return task.env_id, task.config, task.unit, task.max_steps, spaces


class _Stage:
    """Where somebody's policy plays.

    Attributes:
        task: The setting.
        observation_space: What the policy sees.
        action_space: What it does.
        seeded: The wrapper that shows a seed, where its vector is the seed; None elsewhere.
        env: The environment that is copied; None where a task's rules are played on batches.
    """

    def __init__(
        self,
        task: Setting[Any],
        seen: gym.Env[Any, Any] | Setting[Any],
        seeded: RandomSeedObservation | None = None,
        env: gym.Env[Any, Any] | None = None,
    ) -> None:
        self.task, self.seeded, self.env = task, seeded, env
        self.observation_space, self.action_space = seen.observation_space, seen.action_space
        self._copies: list[gym.Env[Any, Any]] = []

    @classmethod
    def of(cls, env: Environment) -> "_Stage":
        env = bare(env)
        task = task_of(env)
        if isinstance(env, str | Setting) or not isinstance(env.unwrapped, TaskEnv):
            return cls(task, task, None, task.make() if isinstance(task, GymTask) else None)
        inner, wrappers = env.unwrapped.task, wrappers_of(env)
        if not wrappers:
            return cls(inner, env)
        if len(wrappers) == 1 and isinstance(wrappers[0], RandomSeedObservation):
            return cls(inner, env, wrappers[0])
        return cls(inner, env, None, env)

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """Seed vectors, or numbers that determine all that is random, (m, k)."""
        if self.seeded is not None:
            return seed_from_uniform(
                self.seeded.distribution, rng.random((m, self.seeded.seed_dim))
            )
        return rng.integers(2**31, size=(m, 1))

    def worlds(self, layouts: Array, seeds: Array) -> Iterator[tuple[Array, World]]:
        """Rows, numbers into the order of layouts and seeds, and their instances."""
        every = np.arange(len(layouts) * len(seeds))
        if self.env is None:
            assert isinstance(self.task, Task)
            yield every, TaskWorld(self.task, np.repeat(layouts, len(seeds)))
            return
        self._copies += [deepcopy(self.env) for _ in every[len(self._copies) : COPIES]]
        values = [layout.to_json() for layout in self.task.layout_space.unpack(layouts)]
        for rows in np.array_split(every, -(-len(every) // COPIES)):
            envs = self._copies[: len(rows)]
            first = [
                self._reset(env, values[row // len(seeds)], int(seeds[row % len(seeds), 0]))
                for env, row in zip(envs, rows.tolist(), strict=True)
            ]
            yield rows, _CopiedWorld(envs, first)

    def shown(self, observations: Array, seeds: Array) -> Array:
        """Observations as the policy sees them: flat, then the seed, under a wrapper that does."""
        if self.seeded is None:
            return observations
        space = self.seeded.env.observation_space
        flat = [flatten(space, seen) for seen in observations]
        return np.concatenate([flat, seeds], 1).astype(np.float32)

    def checked(self, actions: Array) -> Array:
        """Actions, where the rules would take any; `InvalidAction` for illegal ones."""
        if self.env is not None:
            return actions
        assert isinstance(self.task, Task)
        return ActionCheck(self.task.action_space).check(actions, len(actions))

    def _reset(self, env: gym.Env[Any, Any], layout: Any, seed: int) -> Array:
        if isinstance(self.task, GymTask) and not self.task.has_layouts:
            return np.asarray(env.reset(seed=layout["reset_seed"])[0])
        return np.asarray(env.reset(seed=seed, options={"layout": layout})[0])


class _CopiedWorld(GymWorld):
    """Environments whose outcomes are a task's, where they play one; else returns."""

    def step(self, rows: Rows, actions: Array) -> Any:
        ended = super().step(rows, actions)
        for row in rows[ended].tolist():
            inner = self._envs[row].unwrapped
            if isinstance(inner, TaskEnv):
                self.outcomes[row] = inner.outcome
        return ended


class _StagePlayer(ABC):
    """Somebody's policy on a stage; see `Player`."""

    def __init__(self, stage: _Stage, is_random: bool) -> None:
        self.stage, self.is_random = stage, is_random

    @property
    def task(self) -> Setting[Any]:
        """The game it plays."""
        return self.stage.task

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """Seeds, (m, k); all equal where nothing is random."""
        seeds = self.stage.draw_seeds(rng, m)
        stage = self.stage
        chance = stage.seeded is not None or (
            stage.env is not None and not (isinstance(stage.task, GymTask) and _resets(stage.task))
        )
        return seeds if chance or self.is_random else np.zeros_like(seeds)

    def play(self, layouts: Array, seeds: Array) -> Play:
        """Play every layout, (n,), under every seed, (m, k); there is no vote."""
        flat = np.empty(len(layouts) * len(seeds))
        for rows, world in self.stage.worlds(layouts, seeds):
            flat[rows] = play_out(world, self.acting(seeds[rows % len(seeds)]))
        outcomes = flat.reshape(len(layouts), len(seeds))
        return Play(outcomes, None, outcomes.astype(np.float32)[..., None])

    def acting(self, seeds: Array) -> Act:
        """What plays rows with these seeds, (k, ...): what the stage shows to legal actions."""
        act, stage = self._act(seeds), self.stage
        return lambda rows, seen: stage.checked(act(rows, stage.shown(seen, seeds[rows])))

    @abstractmethod
    def _act(self, seeds: Array) -> Act:
        """What answers the observations of rows with these seeds, (k, ...)."""


class _ModelPlayer(_StagePlayer):
    """A Stable-Baselines3 model."""

    def __init__(self, model: Any, stage: _Stage, deterministic: bool) -> None:
        super().__init__(stage, not deterministic)
        self.model, self.deterministic = model, deterministic

    def _act(self, seeds: Array) -> Act:
        state: Any = None
        starts = np.ones(len(seeds), bool)
        everything: Array | None = None
        generator = np.random.default_rng(seeds.astype(np.float64).view(np.uint32).ravel())

        def act(rows: Rows, observations: Array) -> Array:
            nonlocal state, starts, everything
            # A model that remembers wants all its episodes at every step.
            if everything is None:
                everything = np.zeros((len(seeds), *observations.shape[1:]), observations.dtype)
            everything[rows] = observations
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(generator.integers(2**31)))
                if state is None:
                    actions, after = self.model.predict(
                        observations, None, starts[rows], deterministic=self.deterministic
                    )
                    state = after if len(rows) == len(seeds) else None
                else:
                    actions, state = self.model.predict(
                        everything, state, starts, deterministic=self.deterministic
                    )
                    actions = actions[rows]
            starts = np.zeros(len(seeds), bool)
            return np.asarray(actions)

        return act


class _FunctionPlayer(_StagePlayer):
    """A function of the observation, and of a generator if it takes one."""

    def __init__(self, function: Callable[..., Any], stage: _Stage) -> None:
        super().__init__(stage, _takes_rng(function))
        self.function = function

    def _act(self, seeds: Array) -> Act:
        rngs = []
        if self.is_random:
            # Rows of one seed draw the same, as they would have the same seed vector.
            rngs = [np.random.default_rng(row.astype(np.float64).view(np.uint32)) for row in seeds]

        def act(rows: Rows, observations: Array) -> Array:
            if not self.is_random:
                return np.array([self.function(seen) for seen in observations])
            pairs = zip(rows.tolist(), observations, strict=True)
            return np.array([self.function(seen, rngs[row]) for row, seen in pairs])

        return act


def _takes_rng(function: Callable[..., Any]) -> bool:
    """Whether a function has a second parameter without a default."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [
        p
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return len(needed) >= 2


def _resets(task: GymTask) -> bool:
    """Whether the layouts are reset seeds, beside which nothing is random."""
    return not task.has_layouts


def _check_model(model: Any, stage: _Stage) -> None:
    """ValueError unless a model's spaces are those of the stage."""
    for name, own in (
        ("observation", stage.observation_space),
        ("action", stage.action_space),
    ):
        given = getattr(model, f"{name}_space", own)
        if given != own and not _is_transposed(given, own):
            hint = ""
            if name == "observation" and given.shape == getattr(flatten_space(own), "shape", None):
                hint = "; wrap the env as in training"
            raise ValueError(
                f"the model's {name}s are of {given}, but those of {stage.task.env_id} of "
                f"{own}{hint}"
            )


def _is_transposed(given: gym.Space[Any], own: gym.Space[Any]) -> bool:
    """Whether these are images, one with its channels first, as Stable-Baselines3 wants them."""
    shape, other = given.shape or (), own.shape or ()
    return len(shape) == 3 and shape == (other[-1:] + other[:-1])
