"""What every game provides: its spaces, its layouts, and rules on batches.

A batch of states is one NumPy structured array of shape (n,), like a batch of layouts.
"""

import importlib
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Generic, Literal, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, Json, as_bytes, copied, rows_at
from rand_envs.core.checks import ActionCheck
from rand_envs.core.layouts.space import L, LayoutSpace

Named = str | Callable[..., Any]


class Transition(NamedTuple):
    """What one step of a batch gives; all of shape (n,) and in fresh memory."""

    state: Array
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]


class Advance(NamedTuple):
    """What a step of a batch gives whose memory may be used again; all of shape (n, ...)."""

    state: Array
    observation: Array
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    facts: dict[str, Array] | None = None
    """`Task.facts` of states and ends, where it is cheaper to tell them along the way."""


@dataclass(frozen=True)
class GameValue:
    """The best worst case that any randomised strategy can reach, in the task's unit.

    Attributes:
        value: The number; None where nothing is known.
        kind: "exact"; "bound" if no strategy can do better, and it is open whether one can do
            as well; None where nothing is known.
        remark: Why it is not known exactly, in a sentence.
    """

    value: float | None
    kind: Literal["exact", "bound"] | None
    remark: str | None = None


UNKNOWN = GameValue(None, None)


class Setting(ABC, Generic[L]):
    """What is known of a game without its rules: its id, its spaces, its layouts, its length."""

    env_id: str
    """The id it is registered under, such as "RandGrid-v0"."""
    unit: str
    """Of its outcomes: "success" (0 or 1), "return" (more is better), or that of a cost, such
    as "steps" (fewer is better)."""
    layout_space: LayoutSpace[L]
    observation_space: gym.Space[Any]
    action_space: gym.Space[Any]
    max_steps: int
    """The longest an instance can last, in steps."""
    wrong_answers: int = 1
    """How many wrong answers a vote may go to."""
    adds_up: bool = False
    """Whether the outcome is a cost that never falls in the course of an instance."""

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger outcome is the better one."""
        return self.unit in ("success", "return")

    @property
    def outcome_range(self) -> tuple[float, float]:
        """The smallest and the largest outcome there can be.

        By default 0 to 1 for success, and 0 to one a step for costs. Infinite where it is not
        known: then a q-norm of costs has no meaning.
        """
        if self.unit == "return":
            return -math.inf, math.inf
        return 0.0, 1.0 if self.unit == "success" else float(self.max_steps)

    @property
    def config(self) -> Json:
        """The keyword arguments, JSON-ready, that `type(self)(**config)` builds this task from.

        By default the attributes that are named like the constructor's parameters.
        """
        names = list(inspect.signature(type(self)).parameters)
        missing = [name for name in names if not hasattr(self, name)]
        if missing:
            raise ValueError(
                f"{type(self).__name__} must keep the arguments of its constructor as attributes "
                f"of the same name, or have a `config` of its own: {', '.join(missing)} is missing"
            )
        return {name: as_json(getattr(self, name)) for name in names}

    def best_outcome(self, layouts: Array) -> NDArray[np.float64] | None:
        """What one who knew the layout would get, shape (n,), for regret; None if unknown."""
        return None

    def known_value(self) -> GameValue | None:
        """The game value or a bound of it, where the game knows one; else None."""
        return None


class Task(Setting[L]):
    """The rules of one game, as pure functions on batches of n instances.

    Tasks are deterministic: all that an instance leaves open is in its layout.
    They never change their arguments.

    A subclass must have `env_id`, `unit`, `max_steps`, the three spaces, `initial`, `observe`
    and `step`, and `success` or `outcome`; everything else has a default. See `check_task`.
    """

    @abstractmethod
    def initial(self, layouts: Array) -> Array:
        """First states, shape (n,), of a batch of layouts, shape (n,)."""

    def begin(self, state: Array, at: NDArray[np.int64] | slice, layouts: Array) -> None:
        """Put the first states of layouts into the rows `at` of a batch, which is changed."""
        as_bytes(state)[at] = as_bytes(self.initial(layouts))

    @abstractmethod
    def observe(self, state: Array) -> Array:
        """What the player sees, shape (n, *observation_space.shape); fresh memory."""

    @abstractmethod
    def step(self, state: Array, actions: Array) -> Transition:
        """Play legal actions, shape (n, *action_space.shape), in states that are not over."""

    def advance(self, state: Array, actions: Array, idle: NDArray[np.bool_]) -> Advance:
        """Step and observe at once, as vector environments do; the state is given away.

        Args:
            state: shape (n,); it may be changed, and what is returned may be the same memory.
            actions: legal ones, shape (n, *action_space.shape), of the space's type.
            idle: which instances are only observed, as they have just begun, shape (n,).

        Returns:
            States, observations, rewards and ends after it; 0 and False of those that are idle.
        """
        num_idle = np.count_nonzero(idle)
        if num_idle == len(state):
            nothing = np.zeros(len(state)), np.zeros(len(state), bool)
            return Advance(state, self.observe(state), *nothing)
        # The idle are stepped along, which is cheaper than to pick out the others.
        after, reward, terminated = self.step(state, actions)
        if num_idle:
            as_bytes(after)[idle] = as_bytes(state)[idle]
            reward[idle] = 0.0
            terminated[idle] = False
        return Advance(after, self.observe(after), reward, terminated)

    def info(self, state: Array) -> dict[str, Array]:
        """Facts for `info`, each of shape (n,); fresh memory. None by default."""
        return {}

    def final_info(self, state: Array) -> dict[str, Array]:
        """Facts that `info` tells of ended instances, each of shape (n,); fresh memory.

        They are there before the end, too, as False or 0. Any state may be asked for their types.
        """
        return {"is_success": self.success(state)}

    def facts(self, state: Array, ended: NDArray[np.bool_]) -> dict[str, Array]:
        """What `info` tells of instances of which some have ended, each of shape (n,).

        By default `info`, and `final_info` of those that have ended.
        """
        if self._final_types is None:
            final = self.final_info(state)
            self._final_types = {key: values.dtype for key, values in final.items()}
        facts = self.info(state)
        at = ended.nonzero()[0]
        if len(at) == len(state):
            return facts | self.final_info(state)
        final = self.final_info(rows_at(state, at)) if len(at) else {}
        for key, kind in self._final_types.items():
            facts[key] = np.zeros(len(state), kind)
            if key in final:
                facts[key][at] = final[key]
        return facts

    _final_types: dict[str, np.dtype[Any]] | None = None

    def success(self, state: Array) -> NDArray[np.bool_]:
        """Whether each ended instance was a success, shape (n,); by default all are."""
        if self.unit == "success":
            raise NotImplementedError(f"{type(self).__name__} must say what a success is")
        return np.ones(len(state), bool)

    def outcome(self, state: Array) -> NDArray[np.float64]:
        """Result of each ended instance in `unit`, shape (n,); by default its success."""
        if self.unit != "success":
            raise NotImplementedError(f"{type(self).__name__} must say what its outcome is")
        return self.success(state).astype(np.float64)

    # What a task may give beyond its rules. Code is named "module:name" where its module needs
    # the task's own, or what not every user of the task has.

    painter: ClassVar[Named | None] = None
    """The `rand_envs.rendering.painter.Painter` that draws it; None for plain text."""
    players: ClassVar[Mapping[str, Named]] = {}
    """Classical players by name, made from a task: see `rand_envs.core.player.Player`."""
    solver: ClassVar[Named | None] = None
    """Gives the `GameValue` of a task or None, by better means than any task's solver."""

    def known_value(self) -> GameValue | None:
        """The game value or a bound of it, where the game knows one; else None."""
        found: GameValue | None = None if self.solver is None else resolved(self.solver)(self)
        return found


class CompiledTask(Task[L]):
    """A task whose rules are one compiled loop over the batch: `advance`, in place.

    A subclass must have `advance` where a `Task` must have `step` and `observe`. It makes the
    instances step, and observes them, one after the other, in a function that
    `rand_envs.core.compiled.compiled` compiled. Such code takes the single fields of states,
    `state["cell"]`, and looks at no index: actions are checked before.
    """

    @abstractmethod
    def advance(self, state: Array, actions: Array, idle: NDArray[np.bool_]) -> Advance:
        """See `Task.advance`; nothing is changed where all are idle, whatever their actions."""

    def observe(self, state: Array) -> Array:
        """What the player sees, shape (n, *observation_space.shape)."""
        n = len(state)
        # Compiled code that would write does not take memory that may not be written to.
        held = state if state.flags.writeable else copied(state)
        none = np.zeros((n, *(self.action_space.shape or ())), self.action_space.dtype)
        return self.advance(held, none, np.ones(n, bool)).observation

    def step(self, state: Array, actions: Array) -> Transition:
        """Play actions, shape (n, *action_space.shape), in states that are not over.

        Raises:
            gymnasium.error.InvalidAction: the actions are not in the action space.
        """
        legal = self.legal_actions.check(actions, len(state))
        moved = self.advance(copied(state), legal, np.zeros(len(state), bool))
        return Transition(moved.state, moved.reward, moved.terminated)

    @cached_property
    def legal_actions(self) -> ActionCheck:
        """Checks actions before compiled code gets them."""
        return ActionCheck(self.action_space)


class HoldingTask(CompiledTask[L]):
    """A compiled task whose states hold their layouts, behind what else is in them."""

    blank: Array
    """What first states have in common, shape (1,): see `hold`."""

    def hold(self, fields: list[tuple[Any, ...]], **values: Any) -> None:
        """Let states be some fields, and then those of a layout.

        Args:
            fields: names and types, and shapes where they are arrays.
            values: of some of them in a first state; the others are zero.
        """
        layout = self.layout_space.dtype
        parts: Mapping[str, Any] = layout.fields or {}
        held = [(name, kind) for name, (kind, *_) in parts.items()]
        self.blank = np.zeros(1, np.dtype([*fields, *held], align=True))
        for name, value in values.items():
            self.blank[name] = value
        # Layouts are copied as bytes, so the fields must be as far from each other as in a layout.
        places: Mapping[str, Any] = self.blank.dtype.fields or {}
        offsets = {places[name][1] - place for name, (_, place, *_) in parts.items()}
        if len(offsets) != 1:
            raise ValueError(f"states cannot hold layouts of type {layout}, which is not aligned")
        self._offset = offsets.pop()

    def initial(self, layouts: Array) -> Array:
        """First states, shape (n,), of a batch of layouts, shape (n,)."""
        state = np.empty(len(layouts), self.blank.dtype)
        self.begin(state, slice(None), layouts)
        return state

    def begin(self, state: Array, at: NDArray[np.int64] | slice, layouts: Array) -> None:
        """Put the first states of layouts into the rows `at` of a batch, which is changed."""
        as_bytes(state)[at] = as_bytes(self.blank)
        as_bytes(self.layouts_in(state))[at] = as_bytes(layouts)

    def layouts_in(self, state: Array) -> Array:
        """The layouts that states hold, a view of shape (n,)."""
        held: Array = state.getfield(self.layout_space.dtype, self._offset)
        return held

    def head(self, state: Array, dtype: np.dtype[Any]) -> Array:
        """A view of the first fields of states, under the names of a type of their own.

        To compiled code that is one type for all sizes of a game, whatever follows these fields.

        Raises:
            ValueError: the states are of another type than those that `initial` gives.
        """
        if state.dtype != self.blank.dtype:
            raise ValueError(f"states must be of type {self.blank.dtype}, got {state.dtype}")
        first: Array = state.getfield(dtype)
        return first


def resolved(named: Named) -> Callable[..., Any]:
    """The function or class itself, or the one that "module:name" names."""
    if not isinstance(named, str):
        return named
    module, _, name = named.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def as_json(value: Any) -> Any:
    """Arrays and tuples as lists, NumPy's numbers as Python's."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [as_json(entry) for entry in value]
    return value


def rules_of(setting: Setting[L]) -> Task[L]:
    """The same setting as one whose rules are known; ValueError if they are not."""
    if not isinstance(setting, Task):
        raise ValueError(
            f"{setting.env_id} is not a task of rand_envs, whose rules can be played on batches"
        )
    return setting
