"""CartPole whose pole and first push an adversary picks: somebody else's environment as a game."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box

from rand_envs import Layouts, LayoutWrapper

POLES = Layouts(length=Box(0.1, 2.0), mass=Box(0.05, 1.0), cart=Box(0.5, 2.0), push=Box(-1.5, 1.5))
"""Half the pole's length (m), its mass (kg), that of the cart (kg), and a first velocity (m/s)."""

LONGEST = 500
"""Steps of an episode at most, and so the highest return."""


def set_pole(env: Any, layout: Any) -> None:
    """Give CartPole these parameters, and what it derives from them."""
    env.length, env.masspole, env.masscart = layout.length, layout.mass, layout.cart
    env.total_mass = env.masspole + env.masscart
    env.polemass_length = env.masspole * env.length
    env.push = layout.push


class FirstPush(gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs):
    """Starts a cart that was pushed, with the velocity `push` on top of its own."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        gym.utils.RecordConstructorArgs.__init__(self)
        gym.Wrapper.__init__(self, env)

    def reset(self, **arguments: Any) -> Any:
        """Reset, then push."""
        _, info = super().reset(**arguments)
        cart: Any = self.unwrapped
        cart.state[1] += cart.push
        return np.array(cart.state, np.float32), info


def pushed_pole(layouts: Any = None) -> LayoutWrapper:
    """The environment; `layouts` as in `LayoutWrapper`."""
    env = FirstPush(gym.make("CartPole-v1"))
    return LayoutWrapper(env, POLES, set_pole, layouts, outcome_range=(0, LONGEST))
