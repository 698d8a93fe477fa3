"""Learning as Stable-Baselines3's algorithms do it: `learn`, callbacks, the logger, TensorBoard."""

import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Self, cast

import numpy as np
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CallbackList,
    ConvertCallback,
    EvalCallback,
    EventCallback,
    ProgressBarCallback,
    StopTrainingOnNoModelImprovement,
    StopTrainingOnRewardThreshold,
)
from stable_baselines3.common.logger import HumanOutputFormat, Logger
from stable_baselines3.common.utils import configure_logger
from stable_baselines3.common.vec_env import DummyVecEnv

from rand_agents.agents.aim import Aim
from rand_agents.agents.ranks import Ranks
from rand_agents.agents.schema import MAX_TIMESTEPS
from rand_agents.games.registry import environment_of
from rand_agents.kernels.threads import one_thread
from rand_envs.adversaries import Missing
from rand_envs.core.arrays import whole_number
from rand_envs.core.task import Setting

Callback = BaseCallback | list[BaseCallback] | Callable[..., bool] | None

LOG_EVERY = 100
"""Updates between two logs where nobody says how many, ..."""
SILENCE = 10.0
"""... and the most seconds: an update may take some."""

OF_EVALUATIONS = (StopTrainingOnRewardThreshold, StopTrainingOnNoModelImprovement)
"""Callbacks that only an `EvalCallback` can call."""


class NotFiniteError(FloatingPointError):
    """Weights, losses or fitness that are no numbers any more, and what may help against it."""

    def __init__(self, what: str, hint: str, row: int | None = None) -> None:
        super().__init__(f"{what}; {hint}")
        self.row = row
        """Of which of the update's layouts, where it is a loss."""


class Learner(ABC):
    """What runs a trainer's updates.

    Attributes:
        verbose: 1 to print the log of the next `learn`, 0 for silence.
        tensorboard_log: Folder of the next `learn`'s TensorBoard curves; None for none.
        num_timesteps: Updates so far.
        env_steps: Steps of instances so far, as if each lasted to its end.
    """

    _aim: Aim

    def __init__(self, verbose: int, tensorboard_log: str | None) -> None:
        self.verbose = verbose
        self.tensorboard_log = tensorboard_log
        self.num_timesteps = 0
        self.env_steps = 0
        self._total_timesteps = 0
        self._has_trainer_state = True
        self._logger: Logger | None = None
        self._is_own_logger = True
        self._log_name = "run"
        self._logs: Mapping[str, float | str] = {}
        self._logged_at = 0.0
        self._is_logged = True
        self._env: DummyVecEnv | None = None
        self._ranks = Ranks()

    @property
    @abstractmethod
    def task(self) -> Setting[Any]:
        """The game it plays."""

    @abstractmethod
    def _state(self) -> bytes:
        """All that the next updates depend on."""

    def join(self, ranks: Ranks) -> None:
        """Train together with other processes, or alone; ValueError where that is not possible.

        Every `learn` begins with it.
        """
        if ranks.count > 1:
            raise ValueError(
                f"{type(self).__name__} trains in one process, and this is one of {ranks.count}: "
                "only QNorm divides an update between processes"
            )

    @abstractmethod
    def _update(self, progress: float) -> dict[str, float]:
        """Do one update at `progress` in [0, 1) of the whole run; return what to log."""

    def _diagnose(self) -> dict[str, float | str]:
        """Facts that are only worth their cost where something is logged; changes nothing."""
        return {}

    def _check_length(self, done: int, total: int) -> None:
        """Raise ValueError unless a run with so many updates done can have so many in all."""
        whole_number("the total of timesteps", total, 1, MAX_TIMESTEPS)

    def learn(
        self,
        total_timesteps: int,
        callback: Callback = None,
        log_interval: int | None = None,
        tb_log_name: str = "run",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Train for `total_timesteps` updates; schedules stretch over all of them.

        Sums are made on one thread, so that results do not depend on how many there are.
        With `reset_num_timesteps=False` they come on top of those already done, and curves go on
        in the last folder of this `tb_log_name` instead of a new one. Schedules then stretch over
        the new total, so that the end is not that of one run of this length.

        Logs come every `log_interval` updates; by default every 100, after ten seconds without
        one, and after the last. Callbacks are Stable-Baselines3's and are called after every
        update; one that returns False ends it.

        In a process group of PyTorch's all processes train one agent, and must all call this;
        logs and callbacks are the first one's alone.

        Raises:
            ValueError: There is nothing to do, a callback cannot work here, layouts are missing,
                or an update cannot be divided between so many processes.
            FloatingPointError: Weights, losses or fitness became infinite or NaN.
        """
        total_timesteps = whole_number("total_timesteps", total_timesteps, 1, MAX_TIMESTEPS)
        hooks = self._checked(callback, progress_bar)
        done = 0 if reset_num_timesteps else self.num_timesteps
        self._check_length(done, done + total_timesteps)
        self.num_timesteps = done
        self._has_trainer_state = True
        self._total_timesteps = done + total_timesteps
        self._log_name = tb_log_name
        return self._run(hooks, log_interval, tb_log_name, reset_num_timesteps)

    def resume(
        self,
        callback: Callback = None,
        log_interval: int | None = None,
        progress_bar: bool = False,
        tb_log_name: str | None = None,
    ) -> Self:
        """Finish the run that was interrupted; the result equals an uninterrupted one.

        Curves go on in the last folder of `tb_log_name`, by default that of the last `learn`.

        Raises:
            ValueError: The agent is from a file with weights alone, a callback cannot work here, or
                layouts are missing.
        """
        self.check_resumable()
        hooks = self._checked(callback, progress_bar)
        return self._run(hooks, log_interval, tb_log_name or self._log_name, False)

    def check_resumable(self) -> None:
        """Raise ValueError unless the optimiser's state is there, with which a run goes on."""
        if not self._has_trainer_state:
            raise ValueError(
                "a run is resumed from its optimiser's state, but this agent's file has weights "
                "alone: learn() starts a fresh optimiser from them"
            )

    def _run(
        self, hooks: BaseCallback, log_interval: int | None, tb_log_name: str, fresh: bool
    ) -> Self:
        # Nobody writes anything before all have read what they begin with.
        self._ranks.check_same(self._state)
        with one_thread():
            return self._run_on_one_thread(hooks, log_interval, tb_log_name, fresh)

    def _run_on_one_thread(
        self, hooks: BaseCallback, log_interval: int | None, tb_log_name: str, fresh: bool
    ) -> Self:
        """Callbacks read the names of the variables here, which are Stable-Baselines3's."""
        self._begin_logging(tb_log_name, fresh)
        hooks.init_callback(cast(Any, self))
        total_timesteps = self._total_timesteps
        hooks.on_training_start(locals(), globals())
        hooks.on_rollout_start()
        while self.num_timesteps < total_timesteps:
            before = self.env_steps
            self._aim.observe(cast(Any, self), self.num_timesteps)
            logs = self._logs = self._checked_update(self.num_timesteps / total_timesteps)
            self.num_timesteps += 1
            self._is_logged = False
            if self._is_log_due(log_interval):
                self.dump_logs()
            # Every instance that the update played has ended.
            played = (self.env_steps - before) // self.task.max_steps
            dones = np.broadcast_to(np.True_, (played,))
            hooks.update_locals(locals())
            if not self._ranks.follow(hooks.on_step()):
                break
        if log_interval is None and not self._is_logged:
            self.dump_logs()
        hooks.on_rollout_end()
        hooks.on_training_end()
        return self

    def _is_log_due(self, log_interval: int | None) -> bool:
        is_silent = log_interval is None and time.monotonic() - self._logged_at >= SILENCE
        return is_silent or self.num_timesteps % (log_interval or LOG_EVERY) == 0

    def _checked(self, callback: Callback, progress_bar: bool) -> BaseCallback:
        """The callbacks, where all is there that training needs."""
        if isinstance(self._aim.source, Missing):
            raise ValueError(self._aim.source.why)
        self._ranks = Ranks.here()
        self.join(self._ranks)
        hooks = _as_callback(callback, progress_bar)
        return hooks if self._ranks.is_first else CallbackList([])

    def _checked_update(self, progress: float) -> Mapping[str, float | str]:
        try:
            return self._update(progress)
        except NotFiniteError as error:
            where = f"in update {self.num_timesteps + 1} of {self._total_timesteps}"
            if error.row is not None and self._aim.last is not None:
                layout = self.task.layout_space.unpack(self._aim.last[[error.row]])[0]
                where += f", on the layout {json.dumps(layout.to_json())}"
            raise FloatingPointError(f"{error} ({where})") from None

    # Logs.

    @property
    @abstractmethod
    def summary(self) -> str:
        """What is trained, in a line or two."""

    def _begin_logging(self, tb_log_name: str, fresh: bool) -> None:
        self._logged_at = time.monotonic()
        if self.verbose >= 1 and self._ranks.is_first:
            sys.stdout.write(f"{self.summary}\n")
        if not self._is_own_logger:
            return
        if self._logger is not None:
            self._logger.close()
        if not self._ranks.is_first:
            self._logger = Logger(None, [])
            return
        if self.tensorboard_log is not None:
            self._logger = configure_logger(self.verbose, self.tensorboard_log, tb_log_name, fresh)
            return
        # Stable-Baselines3 would make a folder for what is written to none.
        printed = [HumanOutputFormat(sys.stdout)] if self.verbose >= 1 else []
        self._logger = Logger(None, cast(Any, printed))

    def dump_logs(self, iteration: int = 0) -> None:
        """Log what the last update was like, now and not at the next `log_interval`."""
        if iteration > 0:
            self.logger.record("time/iterations", iteration, exclude="tensorboard")
        for name, value in {**self._logs, **self._diagnose()}.items():
            self.logger.record(name, value)
        self.logger.record("time/env_steps", self.env_steps)
        self.logger.record("time/timesteps", self.num_timesteps)
        self.logger.dump(self.num_timesteps)
        self._logged_at, self._is_logged = time.monotonic(), True

    @property
    def total_timesteps(self) -> int:
        """How many updates the current run has in all."""
        return self._total_timesteps

    @property
    def logger(self) -> Logger:
        """Stable-Baselines3's logger; set at every `learn`, or for good by `set_logger`."""
        if self._logger is None:
            raise RuntimeError("there is no logger before learn() or set_logger()")
        return self._logger

    def set_logger(self, logger: Logger) -> None:
        """Log to `logger` from now on, whatever `verbose` and `tensorboard_log` are."""
        self._logger, self._is_own_logger = logger, False

    # What Stable-Baselines3's callbacks ask for.

    def get_env(self) -> DummyVecEnv:
        """An environment of the agent's task, as Stable-Baselines3's callbacks want one."""
        if self._env is None:
            self._env = DummyVecEnv([lambda: environment_of(self.task)])
        return self._env

    def get_vec_normalize_env(self) -> None:  # noqa: B027
        """Observations are never normalised."""


def _as_callback(callback: Callback, progress_bar: bool) -> BaseCallback:
    """All callbacks as one; ValueError for what could not be called, before anything is trained."""
    hooks: list[Any] = callback if isinstance(callback, list) else [callback]
    together = []
    for hook in hooks:
        if isinstance(hook, BaseCallback):
            _check_callback(hook, None)
            together.append(hook)
        elif callable(hook):
            together.append(ConvertCallback(hook))
        elif hook is not None:
            raise ValueError(f"a callback must be Stable-Baselines3's or a function, got {hook!r}")
    if progress_bar:
        together.append(ProgressBarCallback())
    return CallbackList(together)


def _check_callback(hook: BaseCallback, parent: BaseCallback | None) -> None:
    if isinstance(hook, OF_EVALUATIONS) and not isinstance(parent, EvalCallback):
        raise ValueError(
            f"{type(hook).__name__} looks at evaluations: give it to an EvalCallback, as its "
            "callback_on_new_best or callback_after_eval"
        )
    inner: list[BaseCallback | None] = []
    if isinstance(hook, EventCallback):
        inner.append(hook.callback)
    if isinstance(hook, EvalCallback):
        inner.append(hook.callback_on_new_best)
    if isinstance(hook, CallbackList):
        # A list stands where its parent does.
        for each in hook.callbacks:
            _check_callback(each, parent)
    for child in inner:
        if child is not None:
            _check_callback(child, hook)
