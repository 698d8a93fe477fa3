"""What both trainers share: learn, predict, save, load, callbacks, logging, resuming."""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CallbackList,
    ConvertCallback,
    ProgressBarCallback,
)
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import configure_logger
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor

from rand_agents.files import Contents, read_agent, write_agent
from rand_agents.games import game_for, task_of
from rand_agents.seeds import SeedSpec
from rand_agents.tokens import Game
from rand_agents.transformer import SeedTransformer, TransformerConfig
from rand_envs.player import Play
from rand_envs.task import Array, Json, Task

Callback = BaseCallback | list[BaseCallback] | Callable[..., bool] | None
C = TypeVar("C")

PLAY_ROWS = 1 << 18
"""How many token positions `play` puts into one batch, to bound its memory."""


@dataclass
class PolicyState:
    """What a policy carries between calls of `predict`, for n parallel episodes.

    Attributes:
        seeds: The seed each episode drew at its start, shape (n, seed_dim).
        tokens: The context so far, padded, shape (n, T, token_dim).
        seen: How many tokens of the context each episode has, shape (n,).
    """

    seeds: Tensor
    tokens: Tensor
    seen: Tensor


class Agent(ABC, Generic[C]):
    """A seeded policy and its trainer, in the shape of Stable-Baselines3's algorithms.

    One timestep of `learn` is one update of the parameters (a gradient step, or a generation
    of evolution): each plays batch x seeds instances at once. `env_steps` counts those.
    """

    config: C
    config_type: ClassVar[type[Any]]

    def __init__(
        self,
        policy: str | TransformerConfig,
        env: str | gym.Env[Any, Any] | Task[Any],
        config: C | None = None,
        *,
        seeds: SeedSpec | None = None,
        rng_seed: int = 0,
        device: str | torch.device = "cpu",
        verbose: int = 0,
        tensorboard_log: str | None = None,
    ) -> None:
        """Make an untrained agent.

        Args:
            policy: "SeedTransformer" for the game's default architecture, or a configuration.
            env: A registered id, an environment of this project, or a task.
            config: The trainer's options; None for its defaults.
            seeds: Distribution of the seed vector; None for the game's default.
            rng_seed: Determines the initial weights and every later draw.
            device: Where the policy computes.
            verbose: 1 to print the log, 0 for silence.
            tensorboard_log: Folder of TensorBoard curves; None for none.

        Raises:
            ValueError: If policy, seeds or config do not fit the game; the message says how.
        """
        self.game: Game = game_for(task_of(env))
        self.config = self.config_type() if config is None else config
        self.seeds = self._check_seeds(seeds, policy)
        architecture = self._check_policy(policy)
        self.rng_seed = rng_seed
        self.device = torch.device(device)
        self.verbose = verbose
        self.tensorboard_log = tensorboard_log
        self.model = SeedTransformer(architecture, rng_seed).to(self.device)
        # Separate streams keep layouts independent of seeds and of the trainer's noise.
        streams = map(np.random.default_rng, np.random.SeedSequence(rng_seed).spawn(4))
        self._rngs = dict(zip(("layouts", "seeds", "noise", "acting"), streams, strict=True))
        self.num_timesteps = 0
        self.env_steps = 0
        self._total_timesteps = 0
        self._logger: Logger | None = None
        self._env: DummyVecEnv | None = None
        self._setup()

    def _check_seeds(self, seeds: SeedSpec | None, policy: str | TransformerConfig) -> SeedSpec:
        default = self.game.default_seeds()
        if seeds is None and isinstance(policy, TransformerConfig):
            return dataclasses.replace(default, dim=policy.seed_dim)
        return default if seeds is None else seeds

    def _check_policy(self, policy: str | TransformerConfig) -> TransformerConfig:
        if isinstance(policy, str):
            if policy != "SeedTransformer":
                raise ValueError(
                    f'policy must be "SeedTransformer" or a TransformerConfig, got {policy!r}'
                )
            policy = dataclasses.replace(self.game.default_policy(), seed_dim=self.seeds.dim)
        if policy.seed_dim != self.seeds.dim:
            raise ValueError(
                f"the policy takes seeds of dimension {policy.seed_dim}, "
                f"but the seed distribution has dimension {self.seeds.dim}"
            )
        self.game.check_policy(policy)
        return policy

    # What a trainer adds.

    @abstractmethod
    def _setup(self) -> None:
        """Make the optimiser's state."""

    @abstractmethod
    def _update(self, progress: float) -> dict[str, float]:
        """Do one update at `progress` in [0, 1) of the whole run; return what to log."""

    @abstractmethod
    def _trainer_tensors(self) -> dict[str, Tensor]:
        """The optimiser's state, to be saved."""

    @abstractmethod
    def _load_trainer_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Set the optimiser's state from what `_trainer_tensors` gave."""

    # Learning.

    def learn(
        self,
        total_timesteps: int,
        callback: Callback = None,
        log_interval: int = 100,
        tb_log_name: str = "run",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Train for `total_timesteps` updates; schedules stretch over all of them.

        With `reset_num_timesteps=False` they come on top of those already done. Callbacks are
        Stable-Baselines3's and are called after every update; one that returns False ends it.
        """
        if total_timesteps < 1:
            raise ValueError(f"total_timesteps must be at least 1, got {total_timesteps}")
        if reset_num_timesteps:
            self.num_timesteps = 0
        self._total_timesteps = self.num_timesteps + total_timesteps
        return self._run(callback, log_interval, tb_log_name, reset_num_timesteps, progress_bar)

    def resume(
        self, callback: Callback = None, log_interval: int = 100, progress_bar: bool = False
    ) -> Self:
        """Finish the run that was interrupted; the result equals an uninterrupted one."""
        return self._run(callback, log_interval, "run", False, progress_bar)

    def _run(
        self,
        callback: Callback,
        log_interval: int,
        tb_log_name: str,
        fresh: bool,
        progress_bar: bool,
    ) -> Self:
        if self._logger is None:
            self._logger = configure_logger(
                self.verbose, self.tensorboard_log, tb_log_name, reset_num_timesteps=fresh
            )
        hooks = self._as_callback(callback, progress_bar)
        total_timesteps = self._total_timesteps
        hooks.on_training_start(locals(), globals())
        hooks.on_rollout_start()
        while self.num_timesteps < total_timesteps:
            logs = self._update(self.num_timesteps / total_timesteps)
            self.num_timesteps += 1
            if self.num_timesteps % log_interval == 0:
                self._log(logs)
            hooks.update_locals(locals())
            if not hooks.on_step():
                break
        hooks.on_training_end()
        return self

    def _log(self, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            self.logger.record(name, value)
        self.logger.record("time/env_steps", self.env_steps)
        self.logger.record("time/timesteps", self.num_timesteps)
        self.logger.dump(self.num_timesteps)

    def _as_callback(self, callback: Callback, progress_bar: bool) -> BaseCallback:
        hooks = callback if isinstance(callback, list) else [callback]
        wrapped = [
            hook if isinstance(hook, BaseCallback) else ConvertCallback(hook)
            for hook in hooks
            if hook is not None
        ]
        if progress_bar:
            wrapped.append(ProgressBarCallback())
        together = CallbackList(wrapped)
        together.init_callback(cast(Any, self))
        return together

    @property
    def task(self) -> Task[Any]:
        """The game it plays."""
        return self.game.task

    @property
    def total_timesteps(self) -> int:
        """How many updates the current run has in all."""
        return self._total_timesteps

    @property
    def logger(self) -> Logger:
        """Stable-Baselines3's logger; set at the first `learn`, or by `set_logger`."""
        if self._logger is None:
            raise RuntimeError("there is no logger before learn() or set_logger()")
        return self._logger

    def set_logger(self, logger: Logger) -> None:
        """Log to `logger` from now on."""
        self._logger = logger

    def get_env(self) -> DummyVecEnv:
        """An environment of the agent's task, as Stable-Baselines3's callbacks want one."""
        if self._env is None:
            self._env = DummyVecEnv([lambda: gym.make(self.task.env_id, **self.task.config)])
        return self._env

    def get_vec_normalize_env(self) -> None:
        """Observations are never normalised."""

    # Acting.

    def set_random_seed(self, seed: int) -> None:
        """Restart the generator that `predict` draws seeds and samples with, not the training's."""
        self._rngs["acting"] = np.random.default_rng(seed)

    def predict(
        self,
        observation: Array | dict[str, Array],
        state: Any = None,
        episode_start: Array | None = None,
        deterministic: bool = False,
    ) -> tuple[Array, Any]:
        """Actions for one observation or a batch, as in Stable-Baselines3.

        Args:
            observation: Shape (*space), or (n, *space) for n parallel episodes.
            state: What the last call returned; None at the very start.
            episode_start: Shape (n,), True where an episode begins: it draws a new seed and
                starts with an empty context.
            deterministic: Take the argmax of the output; else sample it. The seed is random
                either way, unless the agent's seeds are fixed.

        Returns:
            Actions, and the state (seeds and context) for the next call.
        """
        batch = np.asarray(observation)
        single = batch.shape == self.task.observation_space.shape
        batch = batch[None] if single else batch
        if batch.shape[1:] != self.task.observation_space.shape:
            raise ValueError(
                f"observations of {self.task.env_id} have shape "
                f"{self.task.observation_space.shape}, got {batch.shape}"
            )
        state = self._begin(len(batch), state, episode_start)
        new = self.game.observed(batch)
        self._extend(state, new)
        with torch.no_grad():
            outputs = self.model(state.tokens.to(self.device), state.seeds.to(self.device)).cpu()
        offset = outputs.shape[-2] - state.tokens.shape[-2]
        ends = state.seen - new.shape[1]
        places = offset + ends.unsqueeze(-1) + torch.arange(new.shape[1])
        newest = outputs[torch.arange(len(batch)).unsqueeze(-1), places]
        actions = self.game.choose(newest, new, None if deterministic else self._rngs["acting"])
        return (actions[0] if single else actions), state

    def _begin(self, n: int, state: PolicyState | None, starts: Array | None) -> PolicyState:
        if state is None:
            starts = np.ones(n, np.bool_)
            empty = torch.zeros(n, 0, self.model.config.token_dim)
            nothing = torch.zeros(n, dtype=torch.long)
            state = PolicyState(torch.zeros(n, self.seeds.dim), empty, nothing)
        elif len(state.seen) != n:
            raise ValueError(f"the state is of {len(state.seen)} episodes, got {n} observations")
        else:
            state = PolicyState(state.seeds.clone(), state.tokens.clone(), state.seen.clone())
        begun = np.zeros(n, np.bool_) if starts is None else np.asarray(starts, np.bool_)
        if begun.size != n:
            raise ValueError(f"episode_start must have shape ({n},), got {begun.shape}")
        begun = begun.reshape(n)
        if begun.any():
            drawn = self.draw_seeds(self._rngs["acting"], int(begun.sum()))
            state.seeds[torch.from_numpy(begun)] = torch.from_numpy(drawn)
            state.seen[torch.from_numpy(begun)] = 0
        return state

    def _extend(self, state: PolicyState, new: Tensor) -> None:
        count = new.shape[1]
        if int(state.seen.max()) + count > self.game.context:
            raise ValueError(
                f"an episode of {self.task.env_id} gives a policy at most {self.game.context} "
                "tokens: pass episode_start=True where the next one begins"
            )
        missing = int(state.seen.max()) + count - state.tokens.shape[1]
        if missing > 0:
            room = state.tokens.new_zeros(len(new), missing, new.shape[-1])
            state.tokens = torch.cat([state.tokens, room], 1)
        places = state.seen.unsqueeze(-1) + torch.arange(count)
        state.tokens[torch.arange(len(new)).unsqueeze(-1), places] = new.to(state.tokens)
        state.seen += count

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """Draw m independent seeds, (m, seed_dim); equal to r0 where the seed is fixed."""
        spec = self.seeds
        if not spec.is_fixed:
            spec = dataclasses.replace(spec, draw="independent")
        return spec.sample(rng, m)

    def play(self, layouts: Array, seeds: Array) -> Play:
        """Play every layout, (n,), under every seed, (m, seed_dim), by argmax."""
        return self._play(layouts, seeds, None)

    @property
    def can_play_all(self) -> bool:
        """Whether `play_all` works: the layouts are few, and quicker to play all together."""
        return self.game.can_play_all(self.model)

    def play_all(self, seeds: Array) -> Play:
        """Play every layout there is under every seed, (m, seed_dim), by argmax."""
        return self.game.play_all(self.model, self._as_tensor(seeds))

    def losses(self, layouts: Array, seeds: Array) -> Array:
        """The cost that training makes small, of every layout, (n,), under every seed: (n, m)."""
        drawn = self._as_tensor(seeds)
        with torch.no_grad():
            parts = [
                self.game.costs(self.model, some, drawn).cpu().numpy()
                for some in self._chunks(layouts, len(seeds))
            ]
        return np.concatenate(parts)

    def _as_tensor(self, seeds: Array) -> Tensor:
        return torch.from_numpy(np.array(seeds, np.float32)).to(self.device)

    def _chunks(self, layouts: Array, num_seeds: int) -> Iterator[Array]:
        count = max(1, PLAY_ROWS // (num_seeds * self.game.context))
        return (layouts[i : i + count] for i in range(0, len(layouts), count))

    def play_sampled(self, layouts: Array, seeds: Array, rng: np.random.Generator) -> Play:
        """Play as `play` does, but draw every action from the softmax or Bernoulli output."""
        return self._play(layouts, seeds, rng)

    def _play(self, layouts: Array, seeds: Array, sample_rng: np.random.Generator | None) -> Play:
        drawn = self._as_tensor(seeds)
        with torch.no_grad():
            parts = [
                self.game.play(self.model, some, drawn, sample_rng)
                for some in self._chunks(layouts, len(seeds))
            ]
        answers = [part.answer for part in parts if part.answer is not None]
        return Play(
            np.concatenate([part.outcome for part in parts]),
            np.concatenate(answers) if answers else None,
            np.concatenate([part.output for part in parts]),
        )

    # Files.

    def save(self, path: str | Path) -> Path:
        """Write weights, optimiser, options and generator states to one file, atomically.

        The suffix .safetensors is added where `path` has none. Returns the file's path.
        """
        tensors = {f"weights.{name}": w.detach() for name, w in self.model.named_weights().items()}
        tensors |= {f"trainer.{name}": t for name, t in self._trainer_tensors().items()}
        facts: Json = {
            "algorithm": type(self).__name__,
            "env_id": self.task.env_id,
            "task": self.task.config,
            "policy": dataclasses.asdict(self.model.config),
            "seeds": dataclasses.asdict(self.seeds),
            "config": dataclasses.asdict(cast(Any, self.config)),
            "rng_seed": self.rng_seed,
            "num_timesteps": self.num_timesteps,
            "total_timesteps": self._total_timesteps,
            "env_steps": self.env_steps,
            "rngs": {name: rng.bit_generator.state for name, rng in self._rngs.items()},
        }
        return write_agent(path, Contents(tensors, facts))

    @classmethod
    def load(
        cls,
        path: str | Path,
        env: str | gym.Env[Any, Any] | Task[Any] | None = None,
        device: str | torch.device = "cpu",
        verbose: int = 0,
    ) -> Self:
        """Read an agent that `save` wrote; it continues exactly where it stopped.

        Args:
            path: The file.
            env: If given, the game it is meant for; another one than the file's is an error.
            device: Where the policy computes.
            verbose: As in the constructor.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is corrupt, or of another algorithm or game.
        """
        contents = read_agent(path)
        name = contents.facts.get("algorithm")
        if name != cls.__name__:
            raise ValueError(f"{path} must hold a {cls.__name__} agent, got a {name} one")
        try:
            return cls._rebuilt(path, contents, env, device, verbose)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} does not describe a whole agent: {error!r}") from error

    @classmethod
    def _rebuilt(
        cls,
        path: str | Path,
        contents: Contents,
        env: str | gym.Env[Any, Any] | Task[Any] | None,
        device: str | torch.device,
        verbose: int,
    ) -> Self:
        facts = contents.facts
        task = game_for(task_of(facts["env_id"], facts["task"])).task
        if env is not None and (task_of(env).env_id, task_of(env).config) != (
            task.env_id,
            task.config,
        ):
            raise ValueError(
                f"{path} holds an agent for {task.env_id} with {task.config}, "
                f"not for {task_of(env).env_id} with {task_of(env).config}"
            )
        agent = cls(
            TransformerConfig(**facts["policy"]),
            task,
            cls.config_type(**facts["config"]),
            seeds=SeedSpec(**facts["seeds"]),
            rng_seed=facts["rng_seed"],
            device=device,
            verbose=verbose,
        )
        agent._restore(contents)
        return agent

    def _restore(self, contents: Contents) -> None:
        own = self.model.named_weights()
        weights = contents.under("weights")
        if {k: w.shape for k, w in own.items()} != {k: w.shape for k, w in weights.items()}:
            raise ValueError("the file's weights do not fit the policy it describes")
        with torch.no_grad():
            for name, weight in own.items():
                weight.copy_(weights[name])
        self._load_trainer_tensors(contents.under("trainer"))
        facts = contents.facts
        self.num_timesteps = facts["num_timesteps"]
        self._total_timesteps = facts["total_timesteps"]
        self.env_steps = facts["env_steps"]
        for name, state in facts["rngs"].items():
            self._rngs[name].bit_generator.state = state


def cosine(start: float, end: float, progress: float) -> float:
    """Cosine annealing from `start` at progress 0 to `end` at progress 1."""
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * progress))
