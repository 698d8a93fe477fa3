"""The two faces of a task: `gymnasium.Env` and `gymnasium.vector.VectorEnv`.

Both only keep books: the rules are the task's, played on batches (one environment is a
batch of one).
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Generic, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from rand_envs.core.arrays import Array, whole_number
from rand_envs.core.checks import ActionCheck, check_options, checked_render_mode
from rand_envs.core.layouts.space import L
from rand_envs.core.sources import LayoutsArgument, as_source, pack_for
from rand_envs.core.task import Task


class TaskEnv(gym.Env[Array, Any], Generic[L]):
    """One instance of a task at a time.

    Args:
        task: the rules.
        layouts: None, one layout or a `LayoutSource`: see `as_source`.
        render_mode: None, "human", "rgb_array" or "ansi".

    Raises:
        ValueError: the layouts are not legal, or the render mode is unknown.
    """

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
        self._actions = ActionCheck(task, 1)
        self._layout: Array | None = None
        self._state: Array | None = None
        self._ended = False
        self._history = _History()
        self._window: Any = None

    @property
    def layout(self) -> L:
        """The layout of the current instance."""
        return self.task.layout_space.unpack(_started(self._layout))[0]

    @property
    def outcome(self) -> float:
        """What the current instance has reached so far, in the unit of the task."""
        return float(self.task.outcome(_started(self._state))[0])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start an instance.

        Args:
            seed: of the generator that layouts are drawn with; None goes on with the old one.
            options: may hold "layout", for this instance only; else the source picks.

        Returns:
            The first observation, and the task's info.

        Raises:
            ValueError: an unknown option, or an illegal layout.
        """
        check_options(options, ["layout"])
        given = (options or {}).get("layout")
        packed = None if given is None else self.task.layout_space.pack([given])
        super().reset(seed=seed)
        if packed is None:
            packed = self.source.draw([self.np_random], np.zeros(1, np.int64))
        self._layout = packed
        self._state = self.task.initial(self._layout)
        self._ended = False
        self._history = _History()
        if self.render_mode is not None:
            self._history.states.append(self._state)
        if self.render_mode == "human":
            self.render()
        return self.task.observe(self._state)[0], _first(self.task.info(self._state))

    def step(self, action: Any) -> tuple[Array, SupportsFloat, bool, bool, dict[str, Any]]:
        """Play one action.

        Raises:
            gymnasium.error.ResetNeeded: the instance has ended, or none was started.
            gymnasium.error.InvalidAction: the action is not in the action space.
        """
        state = _started(self._state)
        if self._ended:
            raise ResetNeeded("the instance has ended: call reset() before the next step()")
        actions = self._actions.check(np.asarray(action)[None])
        self._state, reward, terminated = self.task.step(state, actions)
        self._ended = bool(terminated[0])
        info = _first(self.task.info(self._state))
        if self._ended:
            info |= _first(self.task.final_info(self._state))
        if self.render_mode is not None:
            self._history.states.append(self._state)
            self._history.actions.append(actions[0].copy())
        if self.render_mode == "human":
            self.render()
        return self.task.observe(self._state)[0], float(reward[0]), self._ended, False, info

    def render(self) -> Any:
        """Draw the instance so far: a frame, a text, or None after showing it in a window."""
        if self.render_mode is None:
            gym.logger.warn('render() needs a render_mode: gym.make(..., render_mode="rgb_array")')
            return None
        picture = _draw(self.task, self.render_mode, self._history)
        if self.render_mode != "human":
            return picture
        if self._window is None:
            from rand_envs.rendering import Window

            self._window = Window(self.task.env_id, self.metadata["render_fps"])
        self._window.show(picture)
        return None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None


class TaskVectorEnv(gym.vector.VectorEnv[Array, Array, Array], Generic[L]):
    """Many instances of a task at once, equal to a `SyncVectorEnv` of `TaskEnv`s.

    Every sub-environment has its own generator, so that it plays as if it were alone.

    Args:
        task: the rules.
        num_envs: number of sub-environments.
        layouts: None, one layout for all, one for each, or a `LayoutSource`.
        render_mode: None, "rgb_array" or "ansi".
        autoreset_mode: when a sub-environment that ended starts its next instance.

    Raises:
        ValueError: an argument is out of range, or the layouts are not legal.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}

    def __init__(
        self,
        task: Task[L],
        num_envs: int = 1,
        layouts: LayoutsArgument[L] = None,
        render_mode: str | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        self.task = task
        self.num_envs = whole_number("num_envs", num_envs, 1)
        self.source = as_source(layouts, task.layout_space, self.num_envs)
        self.render_mode = checked_render_mode(render_mode, self.metadata["render_modes"])
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = deepcopy(task.observation_space)
        self.single_action_space = deepcopy(task.action_space)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._actions = ActionCheck(task, self.num_envs)
        seeded = [seeding.np_random() for _ in range(self.num_envs)]
        self._rngs = [rng for rng, _ in seeded]
        self._rng_seeds = [seed for _, seed in seeded]
        self._layouts = np.empty(self.num_envs, task.layout_space.dtype)
        self._state: Array | None = None
        self._ended = np.zeros(self.num_envs, bool)
        self._histories = [_History() for _ in range(self.num_envs)]

    @property
    def layouts(self) -> list[L]:
        """The layouts of the current instances, one per sub-environment."""
        _started(self._state)
        return self.task.layout_space.unpack(self._layouts)

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The generators that layouts are drawn with, one per sub-environment."""
        return tuple(self._rngs)

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seeds of the generators."""
        return tuple(self._rng_seeds)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Array, dict[str, Any]]:
        """Start an instance in every sub-environment, or in some.

        Args:
            seed: sub-environment i gets seed + i, or its own of a sequence; None goes on
                with the old generators.
            options: may hold "layout", one for all or a sequence of one for each, for these
                instances only; and "reset_mask", boolean of shape (num_envs,), to reset some.

        Returns:
            Observations, shape (num_envs, ...), and infos of those that were reset.

        Raises:
            ValueError: an unknown option, an illegal layout or mask, or as many seeds as there
                are not sub-environments.
        """
        check_options(options, ["layout", "reset_mask"])
        mask = self._checked_mask((options or {}).get("reset_mask"))
        layouts = (options or {}).get("layout")
        if layouts is not None:
            layouts = pack_for(self.num_envs, layouts, self.task.layout_space)
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
        self._seed_all([None] * self.num_envs if seeds is None else seeds, mask)
        at = mask.nonzero()[0]
        self._begin(at, None if layouts is None else layouts[at])
        state = _started(self._state)
        return self.task.observe(state), _infos(self.task.info(state[mask]), mask)

    def step(
        self, actions: ArrayLike
    ) -> tuple[Array, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Play one action in every sub-environment; those that begin anew ignore theirs.

        Returns:
            Observations, rewards, terminations, truncations (all False) and infos.

        Raises:
            gymnasium.error.ResetNeeded: an instance has ended and autoreset is disabled, or
                none was started.
            gymnasium.error.InvalidAction: the actions are not in the action space.
        """
        state = _started(self._state)
        begun = self._ended.nonzero()[0]
        if len(begun) and self.autoreset_mode is AutoresetMode.DISABLED:
            raise ResetNeeded(
                f"the instances {begun.tolist()} have ended: call "
                'reset(options={"reset_mask": ...}) before the next step()'
            )
        legal = self._actions.check(np.asarray(actions), ignored=begun)
        stepped = ~self._ended
        if len(begun):
            self._begin(begun)
        # What has just begun is stepped along, which is cheaper than to pick out the others.
        after, rewards, terminations = self.task.step(state, legal)
        if len(begun):
            after[begun] = state[begun]
            rewards[begun] = 0.0
            terminations[begun] = False
        self._state = after
        self._ended = terminations
        self._record(stepped, legal)
        infos = self._finish() if terminations.any() else {}
        state = _started(self._state)
        infos |= _infos(self.task.info(state), np.ones(self.num_envs, bool))
        truncations = np.zeros(self.num_envs, bool)
        return self.task.observe(state), rewards, terminations.copy(), truncations, infos

    def render(self) -> tuple[Any, ...] | None:
        """Draw every instance so far: a tuple of frames or texts."""
        if self.render_mode is None:
            gym.logger.warn('render() needs a render_mode: "rgb_array" or "ansi"')
            return None
        _started(self._state)
        return tuple(_draw(self.task, self.render_mode, past) for past in self._histories)

    def _begin(self, at: NDArray[np.int64], layouts: Array | None = None) -> None:
        """Start an instance in the sub-environments `at`, of the source's layouts by default."""
        if self._state is None and len(at) < self.num_envs:
            raise ResetNeeded("the first reset() must reset all sub-environments")
        if layouts is None:
            layouts = self.source.draw([self._rngs[i] for i in at.tolist()], at)
        first = self.task.initial(layouts)
        if self._state is None:
            self._state = np.zeros(self.num_envs, first.dtype)
        self._layouts[at] = layouts
        self._state[at] = first
        self._ended[at] = False
        if self.render_mode is not None:
            for i, place in enumerate(at.tolist()):
                self._histories[place] = _History([first[i : i + 1]])

    def _finish(self) -> dict[str, Any]:
        """Infos of the instances that just ended; with SAME_STEP, start the next ones."""
        mask = self._ended
        ended = _started(self._state)[mask]
        facts = self.task.final_info(ended)
        if self.autoreset_mode is not AutoresetMode.SAME_STEP:
            return _infos(facts, mask)
        final_obs = np.full(self.num_envs, None, dtype=object)
        for place, observation in zip(mask.nonzero()[0], self.task.observe(ended), strict=True):
            final_obs[place] = observation
        infos = {
            "final_obs": final_obs,
            "_final_obs": mask.copy(),
            "final_info": _infos(self.task.info(ended) | facts, mask),
            "_final_info": mask.copy(),
        }
        self._ended = np.zeros(self.num_envs, bool)
        self._begin(mask.nonzero()[0])
        return infos

    def _record(self, stepped: NDArray[np.bool_], actions: Array) -> None:
        if self.render_mode is None:
            return
        state = _started(self._state)
        for i in stepped.nonzero()[0].tolist():
            self._histories[i].states.append(state[i : i + 1].copy())
            self._histories[i].actions.append(np.array(actions[i]))

    def _seed_all(self, seeds: Sequence[int | None], mask: NDArray[np.bool_]) -> None:
        """Replace the generators under the mask whose seed is not None."""
        if len(seeds) != self.num_envs:
            raise ValueError(f"seed must hold {self.num_envs} seeds, got {len(seeds)}")
        for i in mask.nonzero()[0].tolist():
            if seeds[i] is not None:
                self._rngs[i], self._rng_seeds[i] = seeding.np_random(seeds[i])

    def _checked_mask(self, mask: Any) -> NDArray[np.bool_]:
        if mask is None:
            return np.ones(self.num_envs, bool)
        is_mask = isinstance(mask, np.ndarray) and mask.dtype == np.bool_
        if not is_mask or mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(
                f"reset_mask must be a boolean array of shape ({self.num_envs},) with at least "
                f"one True, got {mask!r}"
            )
        return np.array(mask)


class _History:
    """States, each of shape (1,), and the actions between them, since the last reset."""

    def __init__(self, states: list[Array] | None = None) -> None:
        self.states: list[Array] = states or []
        self.actions: list[Array] = []


def _started(value: Array | None) -> Array:
    if value is None:
        raise ResetNeeded("no instance was started: call reset() first")
    return value


def _first(facts: dict[str, Array]) -> dict[str, Any]:
    """Facts of a batch of one as plain Python values."""
    return {key: values.item() for key, values in facts.items()}


def _infos(facts: dict[str, Array], mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Facts of the sub-environments under the mask, in the form of a vector environment."""
    infos: dict[str, Any] = {}
    for key, values in facts.items():
        infos[key] = np.zeros(len(mask), values.dtype)
        infos[key][mask] = values
        infos[f"_{key}"] = mask.copy()
    return infos


def _draw(task: Task[Any], mode: str, past: _History) -> Any:
    # Imported here so that the environments work where there is no pygame.
    from rand_envs import rendering

    _started(past.states[0] if past.states else None)
    if mode == "ansi":
        return rendering.render_text(task, past.states, past.actions)
    return rendering.render_frame(task, past.states, past.actions)
