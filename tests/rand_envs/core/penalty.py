"""A stranger's game, as the documents show it: one file, nothing else edited."""

from typing import Any

import numpy as np
from gymnasium.spaces import Discrete

from rand_envs import Layouts, Task, Transition


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
