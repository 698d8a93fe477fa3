"""Games as strangers write them: one file, nothing else edited."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from rand_envs import Layouts, Play, Task, Transition
from rand_envs.core.layouts.space import LayoutSpace


class Penalty(Task[Any]):
    """The keeper chooses a corner before the ball is struck."""

    env_id, unit, max_steps = "Penalty-v0", "success", 1
    layout_space = Layouts(keeper=Discrete(3))
    observation_space, action_space = Discrete(1), Discrete(3)

    def initial(self, layouts: Any) -> Any:
        state = np.zeros(len(layouts), [("keeper", np.int64), ("scored", np.bool_)])
        state["keeper"] = layouts["keeper"]
        return state

    def observe(self, state: Any) -> Any:
        return np.zeros(len(state), np.int64)

    def step(self, state: Any, actions: Any) -> Transition:
        after = state.copy()
        after["scored"] = actions != state["keeper"]
        return Transition(after, after["scored"].astype(float), np.ones(len(state), bool))

    def success(self, state: Any) -> Any:
        return state["scored"].copy()


class Places(Layouts):
    """Where something is hidden."""

    def __init__(self) -> None:
        super().__init__(place=Discrete(4))


class Hunt(Task[Any]):
    """Something is hidden in one of four places; guess until it is found, five times at most."""

    env_id, unit, max_steps = "Hunt-v0", "guesses", 5
    layout_space: LayoutSpace[Any] = Places()
    observation_space, action_space = MultiDiscrete([6, 2]), Discrete(4)
    state_type = np.dtype([("place", np.int64), ("guesses", np.int64), ("found", np.bool_)])

    def initial(self, layouts: Any) -> Any:
        state = np.zeros(len(layouts), self.state_type)
        state["place"] = layouts["place"]
        return state

    def observe(self, state: Any) -> Any:
        return np.stack([state["guesses"], state["found"]], axis=1)

    def step(self, state: Any, actions: Any) -> Transition:
        after = state.copy()
        after["found"] = actions == state["place"]
        after["guesses"] += 1
        over = after["found"] | (after["guesses"] == self.max_steps)
        return Transition(after, np.full(len(state), -1.0), over)

    def info(self, state: Any) -> Any:
        return {"guesses": state["guesses"].copy()}

    def success(self, state: Any) -> Any:
        return state["found"].copy()

    def outcome(self, state: Any) -> Any:
        return state["guesses"].astype(np.float64)

    def best_outcome(self, layouts: Any) -> Any:
        return np.ones(len(layouts))


class InOrder:
    """A player of Hunt that guesses all places in an order of its seed's."""

    def __init__(self, task: Hunt) -> None:
        self.task = task

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Any:
        return rng.permuted(np.tile(np.arange(4), (m, 1)), axis=1)

    def play(self, layouts: Any, seeds: Any) -> Play:
        found = (seeds == layouts["place"][:, None, None]).argmax(axis=2) + 1.0
        return Play(found, None, found[..., None].astype(np.float32))


class Throw(Task[Any]):
    """Throw as far as a wall that is seen only roughly."""

    env_id, unit, max_steps = "Throw-v0", "return", 1
    layout_space = Layouts(wall=Box(0.1, 0.9))
    observation_space = Box(0, 1, (1,), np.float32)
    action_space = Box(0, 1, (1,), np.float32)

    def initial(self, layouts: Any) -> Any:
        return np.array([(wall, 0.0) for wall in layouts["wall"]], [("wall", "f8"), ("at", "f8")])

    def observe(self, state: Any) -> Any:
        return state["wall"].round(1).astype(np.float32)[:, None]

    def step(self, state: Any, actions: Any) -> Transition:
        after = state.copy()
        after["at"] = actions[:, 0]
        return Transition(after, self.outcome(after), np.ones(len(state), bool))

    def outcome(self, state: Any) -> Any:
        return -np.abs(state["at"] - state["wall"])
