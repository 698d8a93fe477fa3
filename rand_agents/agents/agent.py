"""What all trainers share: learn, predict, save, load, callbacks, logging, resuming."""

import dataclasses
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from rand_agents.agents.acting import SeededPolicy
from rand_agents.agents.device import usable_device
from rand_agents.agents.files import Contents, agent_data, read_agent, write_agent
from rand_agents.agents.learning import Learner
from rand_agents.agents.schema import STREAMS, Description, task_in_file
from rand_agents.games.game import Game
from rand_agents.games.given import chosen_source, resumed_source
from rand_agents.games.registry import (
    Environment,
    PolicyConfig,
    game_for,
    is_registered,
    kind_of,
    model_of,
    policy_for,
    task_of,
)
from rand_agents.policies.seeds import SeedSpec
from rand_envs.adversaries import restored, stored
from rand_envs.core.arrays import Json
from rand_envs.core.options import rng_seed_number
from rand_envs.core.sealed import without_infinities
from rand_envs.core.sources import LayoutSource
from rand_envs.core.task import Setting

C = TypeVar("C")


class Agent(SeededPolicy, Learner, ABC, Generic[C]):
    """A seeded policy and its trainer, in the shape of Stable-Baselines3's algorithms.

    One timestep of `learn` is one update of the parameters (a gradient step, or a generation
    of evolution): each plays batch x seeds instances at once. `env_steps` counts their steps as
    if each lasted to its end.
    """

    config: C
    config_type: ClassVar[type[Any]]

    def __init__(
        self,
        policy: str | PolicyConfig,
        env: Environment,
        config: C | None = None,
        *,
        seeds: SeedSpec | None = None,
        layouts: LayoutSource[Any] | None = None,
        rng_seed: int = 0,
        device: str | torch.device = "cpu",
        verbose: int = 0,
        tensorboard_log: str | None = None,
    ) -> None:
        """Make an untrained agent.

        Args:
            policy: "SeedTransformer" for the game's default architecture, or a configuration;
                for Gymnasium's environments also "MlpPolicy".
            env: A registered id, an environment as `gym.make` gives it, or a task.
            config: The trainer's options; None for its defaults.
            seeds: Distribution of the seed vector; None for the game's default.
            layouts: Who picks the layouts that are trained on, such as a `Found` pool that
                keeps up those that hurt; None for those that `env` was made with, by default
                uniform ones. It is saved with the agent, unless its class is somebody's own.
            rng_seed: Determines the initial weights and every later draw.
            device: Where the policy computes.
            verbose: 1 to print the log, 0 for silence.
            tensorboard_log: Folder of TensorBoard curves; None for none.

        Raises:
            ValueError: If policy, seeds or config do not fit the game, the device is not there, or
                the `rng_seed` is no integer from 0 to 2**64 - 1; the message says how.
        """
        self.game: Game[Any] = game_for(task_of(env), policy)
        self.config = self.default_config(self.game) if config is None else config
        self.seeds = self._check_seeds(seeds, policy)
        architecture = policy_for(self.game, policy, self.seeds.dim)
        self.layouts = chosen_source(env, layouts)
        self.rng_seed = rng_seed = rng_seed_number(rng_seed)
        self.device = usable_device(device)
        self.model = model_of(architecture, rng_seed).to(self.device)
        # Separate streams keep layouts independent of seeds and of the trainer's noise.
        spawned = np.random.SeedSequence(rng_seed).spawn(len(STREAMS))
        self._rngs = dict(zip(STREAMS, map(np.random.default_rng, spawned), strict=True))
        Learner.__init__(self, verbose, tensorboard_log)
        self._setup()

    def _check_seeds(self, seeds: SeedSpec | None, policy: str | PolicyConfig) -> SeedSpec:
        default = self.default_seeds(self.game)
        if seeds is None and not isinstance(policy, str):
            return dataclasses.replace(default, dim=policy.seed_dim)
        return default if seeds is None else seeds

    # What a trainer adds.

    @classmethod
    def default_config(cls, game: Game[Any] | Environment) -> C:
        """The options used where none are given, for this game."""
        return cast(C, cls.config_type())

    @classmethod
    def default_seeds(cls, game: Game[Any]) -> SeedSpec:
        """The seeds used where none are given."""
        return game.default_seeds()

    @property
    def has_begun(self) -> bool:
        """Whether the policy itself has learned anything yet."""
        return self.num_timesteps > 0

    def phases(self, total: int) -> list[tuple[str, int]]:
        """Parts of a run of so many updates, which differ in pace; each with its last update."""
        return [("training", total)]

    @property
    def summary(self) -> str:
        """What is trained, in a line or two: a run begins with it."""
        count = sum(weight.numel() for weight in self.model.named_weights().values())
        aim = cast(Any, self.config).objective.summary
        how = f"seeds of {self.seeds.dim} {self.seeds.distribution}"
        if self.seeds.is_fixed:
            how = "unseeded: one fixed seed, as for a deterministic policy"
        if not self.game.has_adversary:
            how += "; an instance is a reset, which no adversary picks"
        policy = kind_of(self.model.config)
        return (
            f"{type(self).__name__} on {self.task.env_id}, for {aim}: {policy} with {count:,} "
            f"weights, {how}"
        )

    @abstractmethod
    def _setup(self) -> None:
        """Make the optimiser's state."""

    @abstractmethod
    def _trainer_tensors(self) -> dict[str, Tensor]:
        """The optimiser's state, to be saved."""

    @abstractmethod
    def _load_trainer_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Set the optimiser's state from what `_trainer_tensors` gave."""

    # Files.

    def save(self, path: str | Path, weights_only: bool = False) -> Path:
        """Write weights, optimiser, options and generator states to one file, atomically.

        A checksum of all of it is in the file, and what is damaged is not loaded.
        With `weights_only` the optimiser's state is left out: the agent that is loaded plays
        as this one does, but cannot `resume`. The suffix .safetensors is added where `path`
        has none. Returns the file's path.
        """
        return write_agent(path, self.contents(weights_only))

    def snapshot(self) -> bytes:
        """What `save` would write now, to be written later."""
        return agent_data(self.contents())

    def _state(self) -> bytes:
        contents = self.contents()
        # What it acted with meanwhile, as in an evaluation, is no matter of training.
        del contents.facts["rngs"]["acting"]
        return agent_data(contents)

    def contents(self, weights_only: bool = False) -> Contents:
        """What `save` writes; the tensors are the agent's own, not copies."""
        tensors = {f"weights.{name}": w.detach() for name, w in self.model.named_weights().items()}
        whole = self._has_trainer_state and not weights_only
        if whole:
            tensors |= {f"trainer.{name}": t for name, t in self._trainer_tensors().items()}
        facts: Json = {
            "algorithm": type(self).__name__,
            "has_trainer_state": whole,
            "env_id": self.task.env_id,
            "task": self.task.config,
            "is_registered": is_registered(self.task),
            "policy_kind": kind_of(self.model.config),
            "policy": dataclasses.asdict(self.model.config),
            "seeds": dataclasses.asdict(self.seeds),
            "config": without_infinities(dataclasses.asdict(cast(Any, self.config))),
            "rng_seed": self.rng_seed,
            "num_timesteps": self.num_timesteps,
            "total_timesteps": self._total_timesteps,
            "env_steps": self.env_steps,
            "layouts": stored(self.layouts),
            "rngs": {name: rng.bit_generator.state for name, rng in self._rngs.items()},
        }
        return Contents(tensors, facts)

    @classmethod
    def load(
        cls,
        path: str | Path,
        env: Environment | None = None,
        device: str | torch.device = "cpu",
        verbose: int = 0,
        tensorboard_log: str | None = None,
    ) -> Self:
        """Read an agent that `save` wrote; it continues exactly where it stopped.

        Args:
            path: The file.
            env: If given, the game it is meant for; another one than the file's is an error. An
                environment that `gym.make` does not give, such as a wrapped one, must be given.
                Layouts that it was made with are those of further training, unless the agent was
                trained on ones of the same kind: these go on where they were.
            device: Where the policy computes.
            verbose: As in the constructor.
            tensorboard_log: As in the constructor.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is corrupt, or of another algorithm or game.
        """
        agent = cls.from_contents(path, read_agent(path), env, device, verbose)
        agent.tensorboard_log = tensorboard_log
        return agent

    @classmethod
    def from_contents(
        cls,
        path: str | Path,
        contents: Contents,
        env: Environment | None = None,
        device: str | torch.device = "cpu",
        verbose: int = 0,
    ) -> Self:
        """The agent that a file holds, whose contents were read; otherwise as `load`."""
        name = contents.facts.get("algorithm")
        if name != cls.__name__:
            raise ValueError(f"{path} must hold a {cls.__name__} agent, got a {name} one")
        try:
            described = Description.of(contents, cls.config_type)
            agent = cls._built(described, task_in_file(described, env), env, device, verbose)
            agent._restore(described)
            return agent
        except ValueError as error:
            raise ValueError(f"{path} cannot be loaded: {error}") from error
        # What an environment makes of its arguments is not for a schema to say.
        except (TypeError, KeyError, AttributeError, OverflowError, RuntimeError) as error:
            raise ValueError(f"{path} does not describe a whole agent: {error!r}") from error

    @classmethod
    def _built(
        cls,
        described: Description,
        task: Setting[Any],
        env: Environment | None,
        device: str | torch.device,
        verbose: int,
    ) -> Self:
        found = described.layouts
        kept = None if found is None else restored(task.layout_space, found)
        return cls(
            described.policy,
            task,
            described.config,
            seeds=described.seeds,
            layouts=resumed_source(env, kept),
            rng_seed=described.rng_seed,
            device=device,
            verbose=verbose,
        )

    def _restore(self, described: Description) -> None:
        with torch.no_grad():
            for name, weight in self.model.named_weights().items():
                weight.copy_(described.weights[name])
        self.num_timesteps = described.num_timesteps
        self._total_timesteps = described.total_timesteps
        self.env_steps = described.env_steps
        self._rngs = described.rngs
        self._has_trainer_state = described.has_trainer_state
        if self._has_trainer_state:
            self._load_trainer_tensors(described.trainer)
        else:
            self._setup()
