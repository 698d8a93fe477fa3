"""RandRecall-v0: remember pairs of keys and values, then recall one of them."""

from typing import Any

import numpy as np
from gymnasium.spaces import MultiBinary
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, whole_number
from rand_envs.core.compiled import compiled
from rand_envs.core.task import Advance, CompiledTask
from rand_envs.games.recall.layouts import RecallLayout, RecallSpace


class RecallTask(CompiledTask[RecallLayout]):
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
        self._state_dtype = np.dtype([*_fields(self.layout_space.dtype), *fields], align=True)

    def initial(self, layouts: Array) -> Array:
        """States in which nothing has been played, shape (n,)."""
        state = np.zeros(len(layouts), self._state_dtype)
        state["values"] = layouts["values"]
        state["query"] = layouts["query"]
        return state

    def advance(self, state: Array, actions: Array, idle: NDArray[np.bool_]) -> Advance:
        """Go to the next pair; score `actions`, shape (n, d), where the query is shown.

        Observations are key (one-hot), value and query flag, int8, shape (n, N + d + 1).
        """
        n = len(state)
        seen = np.zeros((n, self.num_pairs + self.value_bits + 1), np.int8)
        reward, over = np.zeros(n), np.zeros(n, bool)
        _recall(
            actions,
            idle,
            state["values"],
            state["query"],
            state["step"],
            state["correct"],
            seen,
            reward,
            over,
        )
        return Advance(state, seen, reward, over)

    def success(self, state: Array) -> NDArray[np.bool_]:
        """Whether all bits were recalled, shape (n,)."""
        correct: NDArray[np.bool_] = state["correct"].copy()
        return correct


def _fields(dtype: np.dtype[Any]) -> list[tuple[str, Any]]:
    return [(name, dtype[name]) for name in dtype.names or ()]


@compiled
def _recall(
    actions: Array,
    idle: Array,
    values: Array,
    query: Array,
    step: Array,
    correct: Array,
    seen: Array,
    reward: Array,
    over: Array,
) -> None:
    n, num_pairs, value_bits = values.shape
    for i in range(n):
        if not idle[i]:
            step[i] += 1
            over[i] = step[i] > num_pairs
            if over[i]:
                correct[i] = True
                for bit in range(value_bits):
                    correct[i] &= values[i, query[i], bit] == actions[i, bit]
                reward[i] = correct[i]
        if step[i] < num_pairs:
            seen[i, step[i]] = 1
            for bit in range(value_bits):
                seen[i, num_pairs + bit] = values[i, step[i], bit]
        else:
            seen[i, query[i]] = 1
            seen[i, num_pairs + value_bits] = 1
