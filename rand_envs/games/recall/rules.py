"""RandRecall-v0: remember pairs of keys and values, then recall one of them."""

from typing import Any

import numpy as np
from gymnasium.spaces import MultiBinary
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, copied, whole_number
from rand_envs.core.task import Task, Transition
from rand_envs.games.recall.layouts import RecallLayout, RecallSpace


class RecallTask(Task[RecallLayout]):
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
    `is_success`: whether all bits were right, False before the end.

    ## Arguments
    * `num_pairs` (20): number of pairs N, at least 1.
    * `value_bits` (5): bits per value, at least 1.
    * `layouts` (None): None for uniform layouts, a `RecallLayout` (or its JSON dictionary),
      or a `LayoutSource`.  `reset(options={"layout": ...})` sets it for one episode.
    * `render_mode` (None): "human", "rgb_array" or "ansi".

    ## Version History
    * v0: first version.

    ## The rules as a class
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
    painter = "rand_envs.games.recall.painter:RecallPainter"
    players = {"slots": "rand_envs.games.recall.classics:half_of_the_slots"}

    def __init__(self, num_pairs: int = 20, value_bits: int = 5) -> None:
        self.num_pairs = whole_number("num_pairs", num_pairs, 1, 10_000)
        self.value_bits = whole_number("value_bits", value_bits, 1, 10_000)
        self.layout_space = RecallSpace(self.num_pairs, self.value_bits)
        self.observation_space = MultiBinary(self.num_pairs + self.value_bits + 1)
        self.action_space = MultiBinary(self.value_bits)
        self.max_steps = self.num_pairs + 1
        self.wrong_answers = 2**self.value_bits - 1
        fields = [("step", np.int64), ("correct", np.bool_)]
        self._state_dtype = np.dtype([*_fields(self.layout_space.dtype), *fields])

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

    def success(self, state: Array) -> NDArray[np.bool_]:
        """Whether all bits were recalled, shape (n,)."""
        correct: NDArray[np.bool_] = state["correct"].copy()
        return correct


def _fields(dtype: np.dtype[Any]) -> list[tuple[str, Any]]:
    return [(name, dtype[name]) for name in dtype.names or ()]
