"""Instances that were played to their end, to be looked at step by step."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from rand_envs.core.arrays import Array
from rand_envs.core.task import Task, rules_of
from rand_envs.rendering import Frame, painter_of, render_frame
from rand_envs.rendering.painter import Painter


class Instance(Protocol):
    """An instance that was played."""

    @property
    def length(self) -> int:
        """How many steps it can be looked at."""
        ...

    @property
    def outcome(self) -> float:
        """What it reached, in the unit of its game."""
        ...

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height of a picture of it."""
        ...

    def frame(self, step: int, size: tuple[int, int], title: str) -> Frame:
        """A picture of it after so many steps, that fits into a size."""
        ...

    def painter(self, step: int) -> Painter[Any] | None:
        """What draws it after so many steps; None where it draws itself."""
        ...


@dataclass
class History:
    """One instance so far, as the renderer wants it.

    Attributes:
        states: States since the start, each of shape (1,).
        actions: Actions between them.
    """

    states: list[Array]
    actions: list[Array] = field(default_factory=list)

    def until(self, step: int) -> "History":
        """What was known after `step` actions, or all where it ended before."""
        return History(self.states[: step + 1], self.actions[:step])


class TaskInstance:
    """An instance of a task; see `Instance`.

    Args:
        task: The rules.
        history: All of it.
    """

    def __init__(self, task: Task[Any], history: History) -> None:
        self._task, self._history = task, history
        self.length = len(history.actions)
        self.outcome = float(task.outcome(history.states[-1])[0])

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height of a picture of it."""
        return self.painter(0).size

    def frame(self, step: int, size: tuple[int, int], title: str) -> Frame:
        """A picture of it after so many steps, in that size."""
        seen = self._history.until(step)
        return render_frame(self._task, seen.states, seen.actions, size, title)

    def painter(self, step: int) -> Painter[Any]:
        """What draws it after so many steps."""
        seen = self._history.until(step)
        return painter_of(self._task, seen.states, seen.actions)


def play_out(agent: Any, layout: Array, num_seeds: int, *, sample: bool) -> list[History]:
    """Play one layout, shape (1,), to its end under several seeds.

    Seeds, and samples where actions are sampled, come from the agent's own generator.
    """
    task = rules_of(agent.task)
    state = task.initial(np.repeat(layout, num_seeds))
    histories = [History([state[i : i + 1].copy()]) for i in range(num_seeds)]
    playing = np.arange(num_seeds)
    memory: Any = None
    while len(playing):
        actions, memory = agent.predict(task.observe(state), memory, deterministic=not sample)
        moved = task.step(state[playing], actions[playing])
        state[playing] = moved.state
        for i in playing.tolist():
            histories[i].states.append(state[i : i + 1].copy())
            histories[i].actions.append(actions[i])
        playing = playing[~moved.terminated]
    return histories
