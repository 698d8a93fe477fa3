"""A run on its way to its end: started or gone on with, saved meanwhile, and stopped when asked."""

import dataclasses
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from stable_baselines3.common.callbacks import BaseCallback

from rand_agents.agents.agent import Agent
from rand_agents.agents.ranks import Ranks
from rand_agents.app.commands import Train
from rand_agents.training.loading import load_agent
from rand_envs.adversaries import Found
from rand_envs.core.arrays import Json
from rand_envs.core.writing import write_atomically

SLOW = 0.5
"""Seconds of an update from which on a wish to stop does not wait for its end."""
SAVE_SECONDS = 20.0
"""How long a run goes on unsaved, whatever its updates take."""


@dataclasses.dataclass(frozen=True)
class Start:
    """An agent, and what of its run is still to be done.

    Attributes:
        agent: New, or from the file.
        updates: How many the whole run has.
        is_new: Whether it is not from the file.
    """

    agent: Agent[Any]
    updates: int
    is_new: bool

    @classmethod
    def of(cls, options: Train, untrained: Callable[[], Agent[Any]], out: Path) -> "Start":
        """What the options ask for; from the file, where there is one and it is to go on.

        Raises:
            ValueError: The run in the file is another one, or cannot become longer.
        """
        agent = untrained()
        if not options.resume or not out.exists():
            return cls(agent, options.updates, is_new=True)
        saved = load_agent(out, agent.device)
        total = saved.total_timesteps
        if saved.num_timesteps >= total and options.updates > total:
            # It becomes longer, which takes what a file with weights alone has not.
            saved.check_resumable()
            total = options.updates
        then = _flat(_facts(saved, total))
        now = _flat(_facts(agent, options.updates))
        for name in then | now:
            if then.get(name) != now.get(name):
                raise ValueError(
                    f"the run in {out} has --{name} {then.get(name)}, not {now.get(name)}: to "
                    "resume it repeat its options, or use --overwrite to start anew"
                )
        return cls(saved, options.updates, is_new=False)

    @property
    def is_longer(self) -> bool:
        """Whether a run that had come to its end goes on to a later one."""
        done, total = self.agent.num_timesteps, self.agent.total_timesteps
        return not self.is_new and done >= total and self.updates > total

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return not self.is_new and self.agent.num_timesteps >= self.updates


def _facts(agent: Agent[Any], updates: int) -> Json:
    """All that determines a run, named like its options."""
    trainer, found = type(agent).__name__.lower(), agent.layouts
    return {
        "env": agent.task.env_id,
        "game": agent.task.config,
        "trainer": trainer,
        "updates": updates,
        "rng_seed": agent.rng_seed,
        "seeds": dataclasses.asdict(agent.seeds),
        "policy": dataclasses.asdict(agent.model.config),
        "found": dataclasses.asdict(found.config) if isinstance(found, Found) else {},
        trainer: dataclasses.asdict(agent.config),
    }


def _flat(facts: Json, prefix: str = "") -> Json:
    flat: Json = {}
    for name, value in facts.items():
        key = prefix + name.replace("_", "-")
        flat |= _flat(value, f"{key}.") if isinstance(value, dict) else {key: value}
    return flat


class Display(Protocol):
    """Shows how far a run is."""

    def begin(self, agent: Agent[Any]) -> None:
        """Its updates begin, or go on."""
        ...

    def show(self, agent: Agent[Any], objective: float) -> None:
        """An update more is done, which had this objective."""
        ...


def run_on(
    start: Start,
    out: Path,
    checkpoint_every: int,
    display: Display,
    *,
    ranks: Ranks | None = None,
    signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM),
) -> int:
    """Train a new run, finish one, or make it longer.

    Args:
        start: What is to be done.
        out: The agent file.
        checkpoint_every: After so many updates it is saved.
        display: Shows how far it is.
        ranks: The processes that train it together; None for this one alone.
        signals: What asks it to stop.

    Returns:
        How many updates are done and saved; less than all if it was stopped.
    """
    agent, ranks = start.agent, ranks or Ranks()
    with _stop_signals(signals) as wish:
        watch = _Supervisor(display, out, checkpoint_every, wish, ranks.count == 1)
        try:
            if start.is_new:
                agent.learn(start.updates, watch, tb_log_name=out.stem)
            elif start.is_longer:
                more = start.updates - agent.total_timesteps
                agent.learn(more, watch, tb_log_name=out.stem, reset_num_timesteps=False)
            else:
                agent.resume(watch, tb_log_name=out.stem)
        except _Dropped:
            assert wish.before is not None
            done, data = wish.before
            write_atomically(out, data)
            return done
    if ranks.is_first:
        agent.save(out)
    return agent.num_timesteps


class _Dropped(BaseException):
    """An update was given up, since it takes long and the user does not want to wait."""


@dataclasses.dataclass
class _Wish:
    """Whether the user wants the run to stop.

    Attributes:
        is_there: Whether so.
        before: Updates done and the agent file at that time, while an update runs that need not
            be waited for; None while one runs that soon ends.
    """

    is_there: bool = False
    before: tuple[int, bytes] | None = None


@contextmanager
def _stop_signals(signals: Sequence[signal.Signals]) -> Iterator[_Wish]:
    """Collect signals that ask to stop.

    An update that takes long is dropped at once: the run goes on from before it. Others are
    waited for. A second signal gives up with KeyboardInterrupt; the last checkpoint stays.
    """
    wish = _Wish()

    def ask(number: int, frame: FrameType | None) -> None:
        if wish.is_there:
            raise KeyboardInterrupt
        wish.is_there = True
        if wish.before is not None:
            raise _Dropped

    before = [signal.signal(number, ask) for number in signals]
    try:
        yield wish
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


class _Supervisor(BaseCallback):
    """Has progress shown, saves checkpoints, and stops the run between updates when asked to.

    An update that others wait for in the middle is never dropped, however long it takes.
    """

    def __init__(
        self, display: Display, out: Path, checkpoint_every: int, wish: _Wish, is_alone: bool
    ) -> None:
        super().__init__()
        self._display = display
        self._out = out
        self._checkpoint_every = checkpoint_every
        self._wish = wish
        self._is_alone = is_alone

    def _on_training_start(self) -> None:
        agent: Any = self.model
        # Saved at once: a file that cannot be written should not cost a training run, and a
        # run that was to overwrite another should not be resumed as that one.
        self._save()
        if self._is_alone:
            self._wish.before = agent.num_timesteps, agent.snapshot()
        self._display.begin(agent)
        self._at = time.monotonic()

    def _on_step(self) -> bool:
        agent: Any = self.model
        done, now, logs = agent.num_timesteps, time.monotonic(), self.locals["logs"]
        is_slow, self._at = self._is_alone and now - self._at > SLOW, now
        self._display.show(agent, logs.get("train/objective", logs.get("train/objective_mean")))
        if done % self._checkpoint_every == 0 or now - self._saved > SAVE_SECONDS:
            self._save()
        self._wish.before = (done, agent.snapshot()) if is_slow else None
        return not self._wish.is_there

    def _save(self) -> None:
        agent: Any = self.model
        agent.save(self._out)
        self._saved = time.monotonic()
