"""Many instances of a task at once: `gymnasium.vector.VectorEnv`."""

import numbers
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Generic

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from rand_envs.core.arrays import Array, as_bytes, copied, rows_at, shown, whole_number
from rand_envs.core.checks import ActionCheck, check_options, checked_render_mode
from rand_envs.core.faces import History, draw, infos_of, plain_spec, started
from rand_envs.core.generators import Generators
from rand_envs.core.layouts.space import L
from rand_envs.core.sources import LayoutsArgument, as_source, pack_for
from rand_envs.core.streams import Stream, checked_seed, generator
from rand_envs.core.task import HoldingTask, Task

MAX_ENVS = 1 << 20
"""The most sub-environments there are side by side: each has a generator of its own."""


class TaskVectorEnv(gym.vector.VectorEnv[Array, Array, Array], Generic[L]):
    """Many instances of a task at once, equal to a `SyncVectorEnv` of `TaskEnv`s.

    Every sub-environment has its own generator, so that it plays as if it were alone.

    Args:
        task: the rules.
        num_envs: number of sub-environments.
        layouts: None, one layout for all, one for each, or a `LayoutSource`.
        render_mode: None, "rgb_array" or "ansi".
        autoreset_mode: when a sub-environment that ended starts its next instance.
        max_episode_steps: after how many steps an instance is truncated, as by a `TimeLimit`;
            None for never.

    Raises:
        ValueError: an argument is out of range, or the layouts are not legal.
    """

    _spec: EnvSpec | None = None
    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}

    def __init__(
        self,
        task: Task[L],
        num_envs: int = 1,
        layouts: LayoutsArgument[L] = None,
        render_mode: str | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
    ) -> None:
        self.task = task
        self.num_envs = whole_number("num_envs", num_envs, 1, MAX_ENVS)
        if max_episode_steps is not None:
            max_episode_steps = whole_number("max_episode_steps", max_episode_steps, 1)
        self.max_episode_steps = max_episode_steps
        self.source = as_source(layouts, task.layout_space, self.num_envs)
        self.render_mode = checked_render_mode(render_mode, self.metadata["render_modes"])
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = deepcopy(task.observation_space)
        self.single_action_space = deepcopy(task.action_space)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._actions = ActionCheck(task.action_space)
        seeded = [seeding.np_random() for _ in range(self.num_envs)]
        self._rngs = Generators(rng for rng, _ in seeded)
        self._rng_seeds = [seed for _, seed in seeded]
        self._layouts: Array | None = None
        if not isinstance(task, HoldingTask):
            self._layouts = np.empty(self.num_envs, task.layout_space.dtype)
        self._state: Array | None = None
        self._everyone = np.ones(self.num_envs, bool)
        self._ended = np.zeros(self.num_envs, bool)
        self._elapsed = np.zeros(self.num_envs, np.int64)
        told = 0 if self.render_mode is None else self.num_envs
        self._histories = [History() for _ in range(told)]

    @property
    def spec(self) -> EnvSpec | None:
        """What `gym.make_vec` made it from, such that it can be written as JSON."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = plain_spec(spec)

    @property
    def layouts(self) -> list[L]:
        """The layouts of the current instances, one per sub-environment."""
        state = started(self._state)
        held = self.task.layouts_in(state) if isinstance(self.task, HoldingTask) else self._layouts
        return self.task.layout_space.unpack(started(held))

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
            ValueError: an unknown option, an illegal layout, mask or seed, or as many seeds as
                there are not sub-environments.
        """
        check_options(options, ["layout", "reset_mask"])
        mask = self._checked_mask((options or {}).get("reset_mask"))
        layouts = (options or {}).get("layout")
        if layouts is not None:
            layouts = pack_for(self.num_envs, layouts, self.task.layout_space)
        self._seed_all(self._checked_seeds(seed), mask)
        at = mask.nonzero()[0]
        self._begin(at, None if layouts is None else layouts[at])
        self._ended[at] = False
        state = started(self._state)
        facts = self.task.facts(rows_at(state, at), np.zeros(len(at), bool))
        return self.task.observe(state), infos_of(facts, mask)

    def step(
        self, actions: ArrayLike
    ) -> tuple[Array, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Play one action in every sub-environment; those that begin anew ignore theirs.

        Returns:
            Observations, rewards, terminations, truncations (all False unless there is a
            `max_episode_steps`) and infos.

        Raises:
            gymnasium.error.ResetNeeded: an instance has ended and autoreset is disabled, or
                none was started.
            gymnasium.error.InvalidAction: the actions are not in the action space.
        """
        state = started(self._state)
        idle, begun = self._ended, self._ended.nonzero()[0]
        if len(begun) and self.autoreset_mode is AutoresetMode.DISABLED:
            raise ResetNeeded(
                f"the instances {begun.tolist()} have ended: call "
                'reset(options={"reset_mask": ...}) before the next step()'
            )
        legal = self._actions.check(actions, self.num_envs, ignored=idle)
        if len(begun):
            self._begin(begun)
        self._state, seen, rewards, over, facts = self.task.advance(state, legal, idle)
        self._ended, cut = over.copy(), np.zeros(self.num_envs, bool)
        if self.max_episode_steps is not None:
            self._elapsed += ~idle
            cut = ~idle & (self._elapsed >= self.max_episode_steps)
            self._ended |= cut
        if self.render_mode is not None:
            self._record(~idle, legal)
        infos = {}
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._ended.any():
            infos = self._finish(over)
            seen = self.task.observe(self._state)
            facts = self.task.facts(self._state, np.zeros(self.num_envs, bool))
        elif facts is None:
            facts = self.task.facts(self._state, over)
        infos |= infos_of(facts, self._everyone)
        return seen, rewards, over, cut, infos

    def render(self) -> tuple[Any, ...] | None:
        """Draw every instance so far: a tuple of frames or texts."""
        if self.render_mode is None:
            gym.logger.warn('render() needs a render_mode: "rgb_array" or "ansi"')
            return None
        started(self._state)
        return tuple(draw(self.task, self.render_mode, past) for past in self._histories)

    def _begin(self, at: NDArray[np.int64], layouts: Array | None = None) -> None:
        """Start an instance in the sub-environments `at`, of the source's layouts by default."""
        if self._state is None and len(at) < self.num_envs:
            raise ResetNeeded("the first reset() must reset all sub-environments")
        # All of an array are copied faster than those at indices.
        rows = at if len(at) < self.num_envs else slice(None)
        if layouts is None:
            layouts = self.source.draw(self._rngs.at(rows), at)
        if self._layouts is not None:
            as_bytes(self._layouts)[rows] = as_bytes(layouts)
        if self._state is None:
            self._state = self.task.initial(layouts)
        else:
            self.task.begin(self._state, rows, layouts)
        if self.max_episode_steps is not None:
            self._elapsed[rows] = 0
        if self.render_mode is not None:
            for place in at.tolist():
                self._histories[place] = History([copied(self._state[place : place + 1])])

    def _finish(self, terminations: NDArray[np.bool_]) -> dict[str, Any]:
        """Start the next instances where one just ended; infos of those that did."""
        mask = self._ended
        ended = rows_at(started(self._state), mask)
        facts = self.task.facts(ended, terminations[mask])
        final_obs = np.full(self.num_envs, None, dtype=object)
        for place, observation in zip(mask.nonzero()[0], self.task.observe(ended), strict=True):
            final_obs[place] = observation
        infos = {
            "final_obs": final_obs,
            "_final_obs": mask.copy(),
            "final_info": infos_of(facts, mask),
            "_final_info": mask.copy(),
        }
        self._ended = np.zeros(self.num_envs, bool)
        self._begin(mask.nonzero()[0])
        return infos

    def _record(self, stepped: NDArray[np.bool_], actions: Array) -> None:
        state = started(self._state)
        for i in stepped.nonzero()[0].tolist():
            self._histories[i].states.append(state[i : i + 1].copy())
            self._histories[i].actions.append(np.array(actions[i]))

    def _checked_seeds(self, seed: Any) -> Sequence[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, numbers.Number):
            first = checked_seed(seed)
            return range(first, first + self.num_envs)
        if isinstance(seed, str | bytes) or not isinstance(seed, Sequence | np.ndarray):
            raise ValueError(
                f"seed must be an integer, or one for each environment, got {shown(seed)}"
            )
        if len(seed) != self.num_envs:
            raise ValueError(f"seed must hold {self.num_envs} seeds, got {len(seed)}")
        return [None if own is None else checked_seed(own) for own in seed]

    def _seed_all(self, seeds: Sequence[int | None], mask: NDArray[np.bool_]) -> None:
        """Replace the generators under the mask whose seed is not None."""
        for i in mask.nonzero()[0].tolist():
            own = seeds[i]
            if own is not None:
                self._rngs[i], self._rng_seeds[i] = generator(Stream.RESET, own), own

    def _checked_mask(self, mask: Any) -> NDArray[np.bool_]:
        if mask is None:
            return np.ones(self.num_envs, bool)
        is_mask = isinstance(mask, np.ndarray) and mask.dtype == np.bool_
        if not is_mask or mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(
                f"reset_mask must be a boolean array of shape ({self.num_envs},) with at least "
                f"one True, got {shown(mask)}"
            )
        return np.array(mask)
