"""One instance of a task at a time: `gymnasium.Env`.

Like its twin, `gymnasium.vector.VectorEnv`, it only keeps books: the rules are the task's, played
on batches (one environment is a batch of one).
"""

from copy import deepcopy
from typing import Any, Generic, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded

from rand_envs.core.arrays import Array, copied
from rand_envs.core.checks import ActionCheck, check_options, checked_render_mode
from rand_envs.core.faces import History, draw, first_of, plain_spec, started
from rand_envs.core.layouts.space import L
from rand_envs.core.sources import LayoutsArgument, as_source
from rand_envs.core.streams import Stream, checked_seed, generator
from rand_envs.core.task import Task


class TaskEnv(gym.Env[Array, Any], Generic[L]):
    """One instance of a task at a time.

    Args:
        task: the rules.
        layouts: None, one layout or a `LayoutSource`: see `as_source`.
        render_mode: None, "human", "rgb_array" or "ansi".

    Attributes:
        player_view: whether pictures show only what the player has seen, for a person who plays.

    Raises:
        ValueError: the layouts are not legal, or the render mode is unknown.
    """

    player_view = False
    _spec: EnvSpec | None = None
    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array", "ansi"], "render_fps": 4}

    def __init__(
        self, task: Task[L], layouts: LayoutsArgument[L] = None, render_mode: str | None = None
    ) -> None:
        self.task = task
        self.source = as_source(layouts, task.layout_space, num_envs=1)
        # Spaces hold generators of their own, which environments of one task must not share.
        self.observation_space = deepcopy(task.observation_space)
        self.action_space = deepcopy(task.action_space)
        self.render_mode = checked_render_mode(render_mode, self.metadata["render_modes"])
        self._actions = ActionCheck(task.action_space)
        self._layout: Array | None = None
        self._state: Array | None = None
        self._ended = False
        self._history = History()
        self._window: Any = None

    @property
    def spec(self) -> EnvSpec | None:
        """What `gym.make` made it from, such that it can be written as JSON."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = plain_spec(spec)

    @property
    def layout(self) -> L:
        """The layout of the current instance."""
        return self.task.layout_space.unpack(started(self._layout))[0]

    @property
    def outcome(self) -> float:
        """What the current instance has reached so far, in the unit of the task."""
        return float(self.task.outcome(started(self._state))[0])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start an instance.

        Args:
            seed: of the generator that layouts are drawn with, which nobody else's generator of
                the same seed repeats; None goes on with the old one.
            options: may hold "layout", for this instance only; else the source picks.

        Returns:
            The first observation, and the task's info.

        Raises:
            ValueError: an unknown option, an illegal layout, or no seed.
        """
        check_options(options, ["layout"])
        given = (options or {}).get("layout")
        packed = None if given is None else self.task.layout_space.pack([given])
        if seed is not None:
            self._np_random_seed = checked_seed(seed)
            self._np_random = generator(Stream.RESET, self._np_random_seed)
        if packed is None:
            packed = self.source.draw([self.np_random], np.zeros(1, np.int64))
        self._layout = packed
        self._state = self.task.initial(self._layout)
        self._ended = False
        self._history = History()
        if self.render_mode is not None:
            self._history.states.append(self._state)
        if self.render_mode == "human":
            self.render()
        return self.task.observe(self._state)[0], self._info()

    def step(self, action: Any) -> tuple[Array, SupportsFloat, bool, bool, dict[str, Any]]:
        """Play one action.

        Raises:
            gymnasium.error.ResetNeeded: the instance has ended, or none was started.
            gymnasium.error.InvalidAction: the action is not in the action space.
        """
        state = started(self._state)
        if self._ended:
            raise ResetNeeded("the instance has ended: call reset() before the next step()")
        actions = self._actions.check([action], 1)
        # What happened before is kept where it is drawn, so the state is not given away.
        moved = self.task.advance(copied(state), actions, np.zeros(1, bool))
        self._state, seen, reward, terminated, _ = moved
        self._ended = bool(terminated[0])
        if self.render_mode is not None:
            self._history.states.append(self._state)
            self._history.actions.append(actions[0].copy())
        if self.render_mode == "human":
            self.render()
        return seen[0], float(reward[0]), self._ended, False, self._info()

    def _info(self) -> dict[str, Any]:
        return first_of(self.task.facts(started(self._state), np.array([self._ended])))

    def render(self) -> Any:
        """Draw the instance so far: a frame, a text, or None after showing it in a window."""
        if self.render_mode is None:
            gym.logger.warn('render() needs a render_mode: gym.make(..., render_mode="rgb_array")')
            return None
        picture = draw(self.task, self.render_mode, self._history, self.player_view)
        if self.render_mode != "human":
            return picture
        if self._window is None:
            from rand_envs.rendering import Window

            self._window = Window(self.task.env_id, self.metadata["render_fps"])
        self._window.show(picture)
        return None

    def get_keys_to_action(self) -> dict[tuple[int, ...], Any]:
        """What `gymnasium.utils.play` asks for: the actions by pygame's codes of their keys.

        Whoever asks lets a person play: from now on pictures show only what the player has seen.

        Raises:
            ValueError: there are more actions than keys.
        """
        from rand_envs.rendering.keys import key_codes

        codes = key_codes(self.task)
        self.player_view = True
        return codes

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None
