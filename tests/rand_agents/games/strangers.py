"""Tasks and an environment that nobody here knows: a penalty, random automata, a corridor."""

import itertools
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

from rand_envs.core.arrays import Array
from rand_envs.core.layouts.fields import FieldLayout, Layouts
from rand_envs.core.register import register
from rand_envs.core.task import Task, Transition

COUNT = 3
"""How many observations an automaton tells apart."""

OBSERVATIONS: dict[str, tuple[gym.Space[Any], Array]] = {
    "discrete": (Discrete(COUNT), np.arange(COUNT)),
    "multidiscrete": (
        MultiDiscrete([2, COUNT], start=[4, -1]),
        np.array([[4, -1], [5, 1], [4, 1]]),
    ),
    "multibinary": (MultiBinary((1, 2)), np.array([[[0, 1]], [[1, 0]], [[1, 1]]], np.int8)),
    "box": (
        Box(-2.0, 2.0, (2,), np.float32),
        np.array([[0.1, -1.7], [1.3, 0.1], [0.0, -0.0]], np.float32),
    ),
}
ACTIONS: dict[str, gym.Space[Any]] = {
    "discrete": Discrete(3),
    "multidiscrete": MultiDiscrete([2, 2]),
    "multibinary": MultiBinary(2),
}


class Penalty(Task[FieldLayout]):
    """The keeper chooses a corner before the ball is struck."""

    env_id, unit, max_steps = "test/Penalty-v0", "success", 1
    observation_space, action_space = Discrete(1), Discrete(3)
    layout_space = Layouts(keeper=Discrete(3))

    def initial(self, layouts: Array) -> Array:
        state = np.zeros(len(layouts), [("keeper", np.int64), ("guessed", np.bool_)])
        state["keeper"] = layouts["keeper"]
        return state

    def observe(self, state: Array) -> Array:
        return np.zeros(len(state), np.int64)

    def step(self, state: Array, actions: Array) -> Transition:
        after = state.copy()
        after["guessed"] = state["keeper"] == actions
        return Transition(after, after["guessed"].astype(float), np.ones(len(state), bool))

    def success(self, state: Array) -> Array:
        return state["guessed"].copy()


class Automaton(Task[FieldLayout]):
    """Places, observations, costs and ends drawn at random, for each of four layouts its own.

    Args:
        seen: Key of `OBSERVATIONS`.
        asked: Key of `ACTIONS`.
        rng_seed: Of the draws.
        max_steps: The longest episode.
        ends: Probability that a place ends the episode.
        alike: Share of (layout, place) pairs in which all is as in the first layout; in the
            first place it is, unless `alike` is 0.
    """

    env_id, unit = "test/Automaton-v0", "cost"
    layout_space = Layouts(number=Discrete(4))

    def __init__(
        self,
        seen: str = "discrete",
        asked: str = "discrete",
        rng_seed: int = 0,
        max_steps: int = 4,
        ends: float = 0.2,
        alike: float = 0.5,
    ) -> None:
        self.seen, self.asked, self.rng_seed = seen, asked, rng_seed
        self.max_steps, self.ends, self.alike = max_steps, ends, alike
        self.observation_space, self._shown = OBSERVATIONS[seen]
        self.action_space = ACTIONS[asked]
        self._digits = int(np.prod(self.action_space.shape or ()))
        rng = np.random.default_rng(rng_seed)
        same = rng.random((4, 6)) < alike
        same[:, 0] |= alike > 0
        self.places = _blended(rng.integers(6, size=(4, 6, 4)), same)
        self.looks = _blended(rng.integers(COUNT, size=(4, 6)), same)
        self.over = _blended(rng.random((4, 6)) < ends, same)
        self.costs = rng.integers(4, size=(4, 6)) / 4

    def initial(self, layouts: Array) -> Array:
        fields = [("number", np.int64), ("place", np.int64), ("time", np.int64), ("cost", float)]
        state = np.zeros(len(layouts), fields)
        state["number"] = layouts["number"]
        return state

    def observe(self, state: Array) -> Array:
        shown: Array = self._shown[self.looks[state["number"], state["place"]]]
        return shown

    def step(self, state: Array, actions: Array) -> Transition:
        after = state.copy()
        digits = np.asarray(actions).reshape(len(state), self._digits)
        number = digits @ 2 ** np.arange(digits.shape[1])[::-1]
        place = self.places[state["number"], state["place"], number]
        cost = self.costs[state["number"], place]
        after["place"], after["time"] = place, state["time"] + 1
        after["cost"] += cost
        over = self.over[state["number"], place] | (after["time"] == self.max_steps)
        return Transition(after, -cost, over)

    def outcome(self, state: Array) -> Array:
        outcome: Array = state["cost"].copy()
        return outcome


def _blended(drawn: Array, same: Array) -> Array:
    """What was drawn, and what was drawn for the first layout where they are the same."""
    mask = same.reshape(*same.shape, *(1,) * (drawn.ndim - 2))
    blended: Array = np.where(mask, drawn[:1], drawn)
    return blended


register(Penalty)
register(Automaton)


class Corridor(gym.Env[Any, Any]):
    """Walk along a row to a door that the layout puts somewhere; each step may slip.

    Every step costs 1; the walk ends at the door. Chance and layout are separate.
    """

    layout_space = Layouts(door=Discrete(5))
    observation_space = Discrete(5)
    action_space = Discrete(2)

    def __init__(
        self, slip: float = 0.25, outcome_range: tuple[float, float] | None = None
    ) -> None:
        self.slip = slip
        if outcome_range is not None:
            self.outcome_range = outcome_range

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        given = (options or {}).get("layout", {"door": 4})
        self.door = self.layout_space.validate(given).door
        self.place = 2
        return self.place, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        way = 1 if action == 1 else -1
        if self.np_random.random() < self.slip:
            way = -way
        self.place = min(max(self.place + way, 0), 4)
        return self.place, -1.0, self.place == self.door, False, {}


gym.register("test/Corridor-v0", "tests.rand_agents.games.strangers:Corridor", max_episode_steps=6)


def every_code(sizes: list[int], steps: int) -> Array:
    """All sequences of actions' codes, (sequences, steps, parts)."""
    one = list(itertools.product(*map(range, sizes)))
    return np.array(list(itertools.product(one, repeat=steps)))
