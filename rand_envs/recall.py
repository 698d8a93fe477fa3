"""RandRecall-v0: remember pairs of keys and values, then recall one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.spaces import MultiBinary
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from rand_envs.env import TaskEnv, TaskVectorEnv
from rand_envs.sources import LayoutsArgument
from rand_envs.task import (
    MAX_ENUMERATED,
    Array,
    Json,
    Layout,
    LayoutSpace,
    Task,
    Transition,
    copied,
    layout_fields,
    whole_number,
    words_below,
)


@dataclass(frozen=True)
class RecallLayout(Layout):
    """The bits of every value, N tuples of d bits, and the index of the key asked for."""

    values: tuple[tuple[int, ...], ...]
    query: int

    def to_json(self) -> Json:
        """Return {"values": N lists of d bits, "query": index}."""
        return {"values": [list(value) for value in self.values], "query": self.query}


class RecallSpace(LayoutSpace[RecallLayout]):
    """All values of `num_pairs` keys, `value_bits` bits each, and all queries."""

    def __init__(self, num_pairs: int, value_bits: int) -> None:
        self.num_pairs = num_pairs
        self.value_bits = value_bits
        self.dtype = np.dtype([("values", np.int8, (num_pairs, value_bits)), ("query", np.int64)])
        self.num_words = -(-num_pairs * value_bits // 64) + 1

    @property
    def size(self) -> int:
        """Number of legal layouts, N * 2**(N * d)."""
        return int(self.num_pairs << (self.num_pairs * self.value_bits))

    def from_words(self, words: NDArray[np.uint64]) -> Array:
        """Take the values' bits from all words but the last, and the query from the last."""
        raw = np.ascontiguousarray(words[:, :-1]).view(np.uint8)
        bits = np.unpackbits(raw, axis=1, count=self.num_pairs * self.value_bits)
        return self._build(bits, words_below(words[:, -1], self.num_pairs))

    def sample_stratified(self, rng: np.random.Generator, n: int) -> Array:
        """Draw values for every N layouts, and ask for each key after them, in random order."""
        drawn = self.sample(rng, -(-n // self.num_pairs))
        queries = rng.permuted(np.tile(np.arange(self.num_pairs), (len(drawn), 1)), axis=1)
        layouts = drawn.repeat(self.num_pairs)
        layouts["query"] = queries.reshape(-1)
        return layouts[:n]

    def enumerate(self) -> Array:
        """Every legal layout once, values in lexicographic order, then queries."""
        if self.size > MAX_ENUMERATED:
            raise ValueError(
                f"at most {MAX_ENUMERATED} layouts can be listed, and {self.num_pairs} pairs "
                f"of {self.value_bits} bits have {self.num_pairs} * "
                f"2**{self.num_pairs * self.value_bits}"
            )
        num_bits = self.num_pairs * self.value_bits
        code, query = np.divmod(np.arange(self.size), self.num_pairs)
        return self._build((code[:, None] >> np.arange(num_bits)[::-1]) & 1, query)

    def mutate(self, rng: np.random.Generator, layouts: Array) -> Array:
        """Flip one bit of each layout or, half of the time, ask for another key."""
        mutated = layouts.copy()
        n = len(layouts)
        flips = (rng.random(n) < 0.5) | (self.num_pairs == 1)
        pair = rng.integers(self.num_pairs, size=n)
        bit = rng.integers(self.value_bits, size=n)
        mutated["values"][np.arange(n), pair, bit] ^= flips
        if self.num_pairs > 1:
            moved = layouts["query"] + rng.integers(1, self.num_pairs, size=n)
            mutated["query"] = np.where(flips, layouts["query"], moved % self.num_pairs)
        return mutated

    def validate(self, layout: RecallLayout | Mapping[str, Any]) -> RecallLayout:
        """Return the legal layout; ValueError says what is wrong."""
        values, query = layout_fields(layout, RecallLayout, ["values", "query"])
        shape = (self.num_pairs, self.value_bits)
        try:
            bits = np.asarray(values)
        except ValueError:
            bits = np.empty(0)
        if bits.shape != shape or bits.dtype.kind not in "iu" or ((bits != 0) & (bits != 1)).any():
            raise ValueError(
                f"the values of a recall layout must be {shape[0]} rows of {shape[1]} bits, "
                f"each 0 or 1, got {values!r}"
            )
        query = whole_number("the query of a recall layout", query, 0, self.num_pairs - 1)
        return RecallLayout(tuple(map(tuple, bits.tolist())), query)

    def pack(self, layouts: Sequence[RecallLayout | Mapping[str, Any]]) -> Array:
        """Validate layouts and turn them into one structured array of shape (n,)."""
        legal = map(self.validate, layouts)
        return np.array([(layout.values, layout.query) for layout in legal], self.dtype)

    def unpack(self, layouts: Array) -> list[RecallLayout]:
        """The layouts of a structured array, shape (n,), as values."""
        return [
            RecallLayout(tuple(map(tuple, values)), query)
            for values, query in zip(
                layouts["values"].tolist(), layouts["query"].tolist(), strict=True
            )
        ]

    def _build(self, bits: Array, query: Array) -> Array:
        layouts = np.empty(len(query), self.dtype)
        layouts["values"] = bits.reshape(-1, self.num_pairs, self.value_bits)
        layouts["query"] = query
        return layouts


class RecallTask(Task[RecallLayout]):
    """The rules of RandRecall-v0.

    A state is its layout, and `step`, the number of actions played, and `correct`, whether
    the recalled bits were right.

    Args:
        num_pairs: number of pairs N.
        value_bits: bits per value d.

    Raises:
        ValueError: a size is not an integer, or out of range.
    """

    env_id = "RandRecall-v0"
    unit = "success"

    def __init__(self, num_pairs: int = 20, value_bits: int = 5) -> None:
        self.num_pairs = whole_number("num_pairs", num_pairs, 1, 10_000)
        self.value_bits = whole_number("value_bits", value_bits, 1, 10_000)
        self.layout_space = RecallSpace(self.num_pairs, self.value_bits)
        self.observation_space = MultiBinary(self.num_pairs + self.value_bits + 1)
        self.action_space = MultiBinary(self.value_bits)
        self.max_steps = self.num_pairs + 1
        fields = [("step", np.int64), ("correct", np.bool_)]
        self._state_dtype = np.dtype([*_fields(self.layout_space.dtype), *fields])

    @property
    def config(self) -> Json:
        """The keyword arguments of this task, JSON-ready."""
        return {"num_pairs": self.num_pairs, "value_bits": self.value_bits}

    def initial(self, layouts: Array) -> Array:
        """States in which nothing has been played, shape (n,)."""
        state = np.zeros(len(layouts), self._state_dtype)
        state["values"] = layouts["values"]
        state["query"] = layouts["query"]
        return state

    def observe(self, state: Array) -> Array:
        """Key (one-hot), value and query flag, int8, shape (n, N + d + 1)."""
        N = self.num_pairs
        rows = np.arange(len(state))
        step = state["step"]
        asked = step >= N
        key = np.where(asked, state["query"], step)
        observation = np.zeros((len(state), N + self.value_bits + 1), np.int8)
        observation[rows, key] = 1
        observation[:, N:-1] = state["values"][rows, key] * ~asked[:, None]
        observation[:, -1] = asked
        return observation

    def step(self, state: Array, actions: Array) -> Transition:
        """Go to the next pair; score `actions`, shape (n, d), where the query is shown."""
        after = copied(state)
        after["step"] += 1
        terminated = after["step"] > self.num_pairs
        if terminated.any():
            truth = state["values"][np.arange(len(state)), state["query"]]
            after["correct"] = terminated & (truth == actions).all(axis=1)
        return Transition(after, after["correct"].astype(np.float64), terminated)

    def info(self, state: Array) -> dict[str, Array]:
        """No facts before the end."""
        return {}

    def success(self, state: Array) -> NDArray[np.bool_]:
        """Whether all bits were recalled, shape (n,)."""
        correct: NDArray[np.bool_] = state["correct"].copy()
        return correct

    def outcome(self, state: Array) -> NDArray[np.float64]:
        """1 where all bits were recalled, else 0, shape (n,)."""
        return self.success(state).astype(np.float64)


def _fields(dtype: np.dtype[Any]) -> list[tuple[str, Any]]:
    return [(name, dtype[name]) for name in dtype.names or ()]


class RecallEnv(TaskEnv[RecallLayout]):
    """Associative recall: the adversary picks the pairs and which of them is asked for.

    ## Description
    The player is shown N pairs of a key and a value, one a step, and then one of the keys.
    It must answer with the value of that key.  The adversary picks all the values and the
    key.  A player with too little memory cannot hold all pairs; one that picks at random
    what it keeps leaves the adversary nothing to aim at.

    ## Action Space
    `MultiBinary(value_bits)`: the bits of the value.  Only the action taken when the query
    is shown counts; all earlier ones are ignored.

    ## Observation Space
    `MultiBinary(num_pairs + value_bits + 1)`: the key (one-hot), the bits of the value, and
    a flag that is 1 when the key is a query; the value is then all zeros.

    ## Starting State
    The first pair is shown.  The layout, all values and the query, is uniform by default:
    see Arguments.

    ## Rewards
    1 if all bits of the answer are right, else 0; 0 on every earlier step.

    ## Episode End
    Terminated after num_pairs + 1 steps, when the query was answered.  Never truncated.

    ## Information
    At the end `is_success`: whether all bits were right.

    ## Arguments
    * `num_pairs` (20): number of pairs N, at least 1.
    * `value_bits` (5): bits per value, at least 1.
    * `layouts` (None): None for uniform layouts, a `RecallLayout` (or its JSON dictionary),
      or a `LayoutSource`.  `reset(options={"layout": ...})` sets it for one episode.
    * `render_mode` (None): "human", "rgb_array" or "ansi".

    ## Version History
    * v0: first version.
    """

    def __init__(
        self,
        num_pairs: int = 20,
        value_bits: int = 5,
        layouts: LayoutsArgument[RecallLayout] = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(RecallTask(num_pairs, value_bits), layouts, render_mode)


class RecallVectorEnv(TaskVectorEnv[RecallLayout]):
    """A batch of `RecallEnv`, equal element by element to a `SyncVectorEnv` of them."""

    def __init__(
        self,
        num_envs: int = 1,
        num_pairs: int = 20,
        value_bits: int = 5,
        layouts: LayoutsArgument[RecallLayout] = None,
        render_mode: str | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        task = RecallTask(num_pairs, value_bits)
        super().__init__(task, num_envs, layouts, render_mode, autoreset_mode)
