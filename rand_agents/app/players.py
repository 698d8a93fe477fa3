"""Who plays a game on the command line: agents, classical players, models, and chance."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import stable_baselines3
from gymnasium.spaces.utils import flatten_space
from rich.console import Console
from stable_baselines3.common.base_class import BaseAlgorithm

from rand_agents.agents.agent import Agent
from rand_agents.agents.device import usable_device
from rand_agents.agents.files import read_agent
from rand_agents.app.checks import MODEL, RANDOM, agent_source, check_player
from rand_agents.app.commands import Evaluate, Watch
from rand_agents.evaluation.players import Act, as_player
from rand_agents.games.generic import TaskGame
from rand_agents.games.gym import GymGame
from rand_agents.games.gym_task import GymTask
from rand_agents.games.path.worlds import Rows, play_out
from rand_agents.training.loading import agent_of
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play, Player
from rand_envs.core.register import TASKS
from rand_envs.core.streams import Stream, generator
from rand_envs.core.task import Setting, Task, resolved, rules_of
from rand_envs.core.wrappers.random_seed import RandomSeedObservation
from rand_envs.minimax.players import is_solution_file, player_from

ROWS = 4096
"""How many instances are played at once at most, to bound the number of environments."""


def loaded(source: str, errors: Console, device: str = "cpu") -> Agent[Any]:
    """The agent of a file, or of the zoo; says so where its training is unfinished."""
    path = agent_source(source)
    contents = read_agent(path)
    env_id = contents.facts.get("env_id")
    if isinstance(env_id, str) and env_id not in TASKS and env_id not in gym.registry:
        raise ValueError(
            f"{path} holds an agent for {env_id}, which nothing registers: add --import MODULE, "
            "the module that does"
        )
    agent = agent_of(path, contents, usable_device(device))
    if agent.num_timesteps < agent.total_timesteps:
        done = f"{agent.num_timesteps} of {agent.total_timesteps} updates"
        errors.print(f"note: the training of {path} is unfinished, {done}", soft_wrap=True)
    return agent


def player_of_file(source: str, errors: Console, device: str = "cpu") -> Player:
    """The agent of a file or of the zoo, or the player of a solution file."""
    if is_solution_file(source):
        task, make = player_from(source)
        return make(task)
    return loaded(source, errors, device)


def named_player(options: Evaluate | Watch, task: Setting[Any], name: str | None = None) -> Player:
    """The player of a task that the user named.

    Args:
        options: Of the command.
        task: The game.
        name: The player's, where it is not that of `--player`.

    Raises:
        ValueError: The game has no such player, or the model does not fit it.
    """
    name = name or options.player or ""
    if name == RANDOM:
        return Spectated(RandomPlayer(task))
    if name.startswith(MODEL):
        return Spectated(_model(Path(name.removeprefix(MODEL)), options, task))
    check_player(name, task)
    assert isinstance(task, Task)
    player: Player = resolved(task.players[name])(task)
    return player


def _model(file: Path, options: Evaluate | Watch, task: Setting[Any]) -> Any:
    """A model of Stable-Baselines3's, with a seed beside its observations if it is used to one."""
    model = _loaded_model(file, options.algorithm, getattr(options, "device", "cpu"))
    env = gym.make(task.env_id, disable_env_checker=True, **task.config)
    flat: tuple[int, ...] = flatten_space(env.observation_space).shape or ()
    seen: tuple[int, ...] = model.observation_space.shape or ()
    if len(seen) == len(flat) == 1 and seen > flat and seen != env.observation_space.shape:
        env = RandomSeedObservation(env, seen[0] - flat[0], options.seed_distribution)
    for name in ("observation", "action"):
        trained, own = (getattr(each, f"{name}_space") for each in (model, env))
        if trained != own:
            raise ValueError(
                f"{file} was trained with {name}s of {trained}, but those of {task.env_id} are of "
                f"{own}: --game.* and --seed-distribution must be as in training"
            )
    return as_player(model, env, not getattr(options, "sample", False))


def _loaded_model(file: Path, algorithm: str, device: str) -> Any:
    known = {
        name: kind
        for name, kind in vars(stable_baselines3).items()
        if isinstance(kind, type) and issubclass(kind, BaseAlgorithm)
    }
    if algorithm not in known:
        raise ValueError(f"--algorithm must be one of {', '.join(known)}, got {algorithm}")
    place = usable_device(device)
    try:
        return known[algorithm].load(file, device=place)
    # What a file of another algorithm or version, or of none, lets it raise is nowhere written.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{file} cannot be loaded as a model of {algorithm}: {reason}") from error


class RandomPlayer:
    """Plays uniform random legal actions, whatever it sees; its seed decides on them all."""

    def __init__(self, task: Setting[Any]) -> None:
        """Play `task`."""
        self.task = task
        self._game: Any = GymGame(task) if isinstance(task, GymTask) else TaskGame(rules_of(task))

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """Uniform numbers, (m, 2): for actions, and for what a game itself leaves to chance."""
        return rng.random((m, 2))

    def play(self, layouts: Array, seeds: Array) -> Play:
        """Play every layout, (n,), under every seed, (m, 2); there is no vote."""
        parts = np.array_split(layouts, -(-len(layouts) * len(seeds) // ROWS))
        outcomes = np.concatenate([self._outcomes(part, seeds) for part in parts if len(part)])
        return Play(outcomes, None, outcomes.astype(np.float32)[..., None])

    def _outcomes(self, layouts: Array, seeds: Array) -> Array:
        world = self._game.world(layouts, seeds, 1)
        act = self.acting(np.tile(seeds, (len(layouts), 1)))
        return play_out(world, act).reshape(len(layouts), len(seeds))

    def acting(self, seeds: Array) -> Act:
        """What answers the observations of rows with these seeds, (k, 2)."""
        chances, place = np.unique(seeds[:, 0], return_inverse=True)
        spaces = [deepcopy(self.task.action_space) for _ in chances]
        for space, chance in zip(spaces, chances.view(np.uint64).tolist(), strict=True):
            space.seed(chance)

        def act(rows: Rows, observations: Array) -> Array:
            drawn = np.array([space.sample() for space in spaces])
            return drawn[place[rows]]

        return act


class Spectated:
    """A player that can also be watched, as agents can: it draws its seeds itself."""

    def __init__(self, player: Any) -> None:
        """Take a player that is `acting` under seeds."""
        self._player = player
        self.task: Setting[Any] = player.task
        drawn = player.draw_seeds(np.random.default_rng(0), 2)
        self.is_deterministic = bool((drawn[0] == drawn[1]).all())
        self.draw_seeds, self.play = player.draw_seeds, player.play
        self._rng = np.random.default_rng()

    def set_random_seed(self, seed: int) -> None:
        """Restart the generator that seeds are drawn with."""
        self._rng = generator(Stream.ACTING, seed)

    def predict(
        self, observations: Array, state: Act | None = None, deterministic: bool = True
    ) -> tuple[Array, Act]:
        """Actions for observations, (n, ...), of n episodes, and the state for the next call."""
        act = state
        if act is None:
            act = self._player.acting(self.draw_seeds(self._rng, len(observations)))
        return act(np.arange(len(observations)), observations), act
