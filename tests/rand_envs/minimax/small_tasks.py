"""Games small enough to be solved exactly, most of them with a value known by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete, MultiBinary, MultiDiscrete

from rand_envs.core.arrays import Array, Json
from rand_envs.core.layouts.space import Layout, LayoutSpace
from rand_envs.core.task import Task, Transition


@dataclass(frozen=True)
class Numbers(Layout):
    """A layout that is a few integers."""

    numbers: tuple[int, ...]

    def to_json(self) -> Json:
        return {"numbers": list(self.numbers)}


class NumbersSpace(LayoutSpace[Numbers]):
    """All layouts of integers in [0, sizes[i]), in lexicographic order."""

    def __init__(self, *sizes: int) -> None:
        self.sizes = sizes
        self.dtype = np.dtype([("numbers", np.int64, (len(sizes),))])
        self.num_words = 1

    @property
    def size(self) -> int:
        return int(np.prod(self.sizes))

    def enumerate(self) -> Array:
        return self.pack([Numbers(n) for n in product(*map(range, self.sizes))])

    def from_words(self, words: Array) -> Array:
        return self.enumerate()[(words[:, 0] % np.uint64(self.size)).astype(np.int64)]

    def mutate(self, rng: np.random.Generator, layouts: Array) -> Array:
        return self.sample(rng, len(layouts))

    def validate(self, layout: Numbers | Mapping[str, Any]) -> Numbers:
        numbers = layout.numbers if isinstance(layout, Numbers) else layout["numbers"]
        legal = len(numbers) == len(self.sizes)
        if not legal or not all(0 <= n < size for n, size in zip(numbers, self.sizes, strict=True)):
            raise ValueError(f"a layout must be integers below {self.sizes}, got {numbers}")
        return Numbers(tuple(int(n) for n in numbers))

    def pack(self, layouts: Sequence[Any]) -> Array:
        return np.array([(self.validate(layout).numbers,) for layout in layouts], self.dtype)

    def unpack(self, layouts: Array) -> list[Numbers]:
        return [Numbers(tuple(row)) for row in layouts["numbers"].tolist()]


class SmallTask(Task[Numbers]):
    """What the games of this file share: a state is the layout, `time`, and a few integers."""

    memory = 1

    @property
    def config(self) -> Json:
        return {}

    def initial(self, layouts: Array) -> Array:
        shape = layouts["numbers"].shape[1:]
        fields = [("numbers", np.int64, shape), ("time", np.int64)]
        state = np.zeros(len(layouts), [*fields, ("memory", np.int64, (self.memory,))])
        state["numbers"] = layouts["numbers"]
        return state

    def observe(self, state: Array) -> Array:
        return np.zeros(len(state), np.int64)

    def step(self, state: Array, actions: Array) -> Transition:
        after = state.copy()
        after["time"] += 1
        self.move(after, actions)
        return Transition(after, np.zeros(len(after)), after["time"] == self.max_steps)

    def move(self, after: Array, actions: Array) -> None:
        """Change `memory`, whose first entry is the outcome; `time` is that after the step."""
        raise NotImplementedError

    def info(self, state: Array) -> dict[str, Array]:
        return {}

    def success(self, state: Array) -> Array:
        return state["memory"][:, 0] > 0

    def outcome(self, state: Array) -> Array:
        return state["memory"][:, 0].astype(np.float64)


class Penalty(SmallTask):
    """The keeper's corner is to be guessed."""

    env_id, unit, max_steps = "Penalty-v0", "success", 1
    observation_space = Discrete(1)

    def __init__(self, corners: int = 3) -> None:
        self.corners = corners
        self.layout_space = NumbersSpace(corners)
        self.action_space = Discrete(corners)

    @property
    def config(self) -> Json:
        return {"corners": self.corners}

    def move(self, after: Array, actions: Array) -> None:
        after["memory"][:, 0] = after["numbers"][:, 0] == actions


class RockPaperScissors(SmallTask):
    """Costs 0, 1 or 2 for a win, a draw or a defeat; actions count from 5."""

    env_id, unit, max_steps = "RockPaperScissors-v0", "steps", 1
    observation_space = Discrete(1)
    layout_space = NumbersSpace(3)
    action_space = Discrete(3, start=5)

    def move(self, after: Array, actions: Array) -> None:
        after["memory"][:, 0] = (after["numbers"][:, 0] - (actions - 5) + 1) % 3


class PeekOrGuess(SmallTask):
    """Guess one of four boxes in two guesses, the first of which may be wasted on a peek.

    Actions are (peek, box): a peek shows in which half the treasure is, so that the guess after
    it succeeds half of the time, as do two guesses without it.
    """

    env_id, unit, max_steps, memory = "PeekOrGuess-v0", "success", 2, 2
    layout_space = NumbersSpace(4)
    observation_space = Discrete(3)
    action_space = MultiDiscrete([2, 4])

    def observe(self, state: Array) -> Array:
        half = 1 + state["numbers"][:, 0] // 2
        return np.where(state["memory"][:, 1] == 1, half, 0)

    def move(self, after: Array, actions: Array) -> None:
        peek = actions[:, 0] == 1
        after["memory"][:, 0] |= (actions[:, 1] == after["numbers"][:, 0]) & ~peek
        after["memory"][:, 1] = peek


class Reveal(SmallTask):
    """One of three numbers is revealed after the first step, and then has to be said."""

    env_id, unit, max_steps = "Reveal-v0", "success", 2
    layout_space = NumbersSpace(3)
    observation_space = Discrete(4)
    action_space = Discrete(3)

    def observe(self, state: Array) -> Array:
        return np.where(state["time"] == 0, 3, state["numbers"][:, 0])

    def move(self, after: Array, actions: Array) -> None:
        told = actions == after["numbers"][:, 0]
        after["memory"][:, 0] = told & (after["time"] == self.max_steps)


class Patrol(SmallTask):
    """Catch an attack on a node of a graph that lasts a while, by being there in time."""

    env_id, unit, memory = "Patrol-v0", "success", 2
    observation_space = Discrete(1)

    def __init__(self, edges: Sequence[tuple[int, int]], steps: int, attack: int) -> None:
        nodes = 1 + max(max(edge) for edge in edges)
        self.edges, self.attack, self.max_steps = list(edges), attack, steps
        self.layout_space = NumbersSpace(nodes, steps - attack + 1)
        self.action_space = Discrete(nodes)
        self.near = np.eye(nodes, dtype=bool)
        for a, b in edges:
            self.near[a, b] = self.near[b, a] = True

    def move(self, after: Array, actions: Array) -> None:
        place, time = after["memory"][:, 1], after["time"] - 1
        # The first action picks the first node; a move without an edge stays.
        place = np.where((time == 0) | self.near[place, actions], actions, place)
        attacked, first = after["numbers"].T
        seen = (place == attacked) & (first <= time) & (time < first + self.attack)
        after["memory"][:, 0] |= seen
        after["memory"][:, 1] = place


class Paging(SmallTask):
    """Requests of pages for a cache with two slots; the action is the slot to empty on a fault."""

    env_id, unit, memory, higher_is_better = "Paging-v0", "faults", 3, False
    action_space = Discrete(2)

    def __init__(self, pages: int = 3, requests: int = 4) -> None:
        self.max_steps = requests
        self.layout_space = NumbersSpace(*[pages] * requests)
        self.observation_space = MultiDiscrete([pages] * 3)

    def initial(self, layouts: Array) -> Array:
        state = super().initial(layouts)
        state["memory"][:, 2] = 1
        return state

    def observe(self, state: Array) -> Array:
        request = state["numbers"][np.arange(len(state)), state["time"]]
        return np.column_stack([request, state["memory"][:, 1:]])

    def move(self, after: Array, actions: Array) -> None:
        rows = np.arange(len(after))
        request = after["numbers"][rows, after["time"] - 1]
        fault = (after["memory"][:, 1:] != request[:, None]).all(axis=1)
        after["memory"][:, 0] += fault
        slot = 1 + actions
        after["memory"][rows, slot] = np.where(fault, request, after["memory"][rows, slot])


class RandomGame(SmallTask):
    """Moves, observations, ends and outcomes drawn at random, for each layout its own.

    Higher is better where the seed is odd.
    """

    env_id, max_steps, memory = "RandomGame-v0", 3, 2
    layout_space = NumbersSpace(4)
    observation_space = Discrete(2)
    action_space = MultiBinary(2)

    def __init__(self, rng_seed: int) -> None:
        rng = np.random.default_rng(rng_seed)
        self.unit = "return" if rng_seed % 2 else "steps"
        self.next = rng.integers(5, size=(4, 5, 2, 2))
        self.shown: Array = rng.integers(2, size=(4, 5))
        self.over = rng.random((4, 5)) < 0.2
        self.costs = rng.integers(-3, 4, size=(4, 5))

    def observe(self, state: Array) -> Array:
        shown: Array = self.shown[state["numbers"][:, 0], state["memory"][:, 1]]
        return shown

    def step(self, state: Array, actions: Array) -> Transition:
        after, reward, terminated = super().step(state, actions)
        over = self.over[after["numbers"][:, 0], after["memory"][:, 1]]
        return Transition(after, reward, terminated | over)

    def move(self, after: Array, actions: Array) -> None:
        layout = after["numbers"][:, 0]
        place = self.next[layout, after["memory"][:, 1], actions[:, 0], actions[:, 1]]
        after["memory"] = np.column_stack([self.costs[layout, place], place])
