"""Gymnasium environments of others as games: an adversary picks parameters of theirs."""

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded

from rand_envs.core.arrays import Array, finite_number
from rand_envs.core.checks import checked_options
from rand_envs.core.layouts.space import L, LayoutSpace
from rand_envs.core.sources import LayoutsArgument, as_source
from rand_envs.core.streams import Stream, checked_seed, generator

Apply = Callable[[gym.Env[Any, Any], Any], None]


class LayoutWrapper(gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs):
    """Makes any Gymnasium environment one whose instance parameters an adversary picks.

    At every reset, autoresets included, a layout is picked and set on the innermost environment,
    `apply(env.unwrapped, layout)`, before that is reset: so its first state and observation may
    depend on the layout. What the environment leaves to chance itself is as without the wrapper;
    layouts are drawn by a generator of the wrapper's own, and `reset(seed=...)` seeds both.

    The info of a reset gains "layout", the layout as its JSON dictionary.

    Args:
        env: the environment.
        layout_space: the legal layouts.
        apply: sets a layout; by default `set_attributes`.
        layouts: None for uniform layouts, a layout (or its JSON dictionary), or a
            `LayoutSource`.
        outcome_range: the lowest and the highest return of an episode, where they are known:
            then costs have a scale, which q-norms need.

    Attributes:
        layout_space: The legal layouts.
        source: Who picks them.

    Raises:
        ValueError: an argument is none of these, a layout is not legal, or the environment has
            layouts already.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        layout_space: LayoutSpace[L],
        apply: Apply | None = None,
        layouts: LayoutsArgument[L] = None,
        outcome_range: tuple[float, float] | None = None,
    ) -> None:
        _check_arguments(env, layout_space, apply)
        self.outcome_range = _checked_range(outcome_range)
        # A source may be shared, and hold whole players: it is kept as it is.
        gym.utils.RecordConstructorArgs.__init__(
            self,
            _disable_deepcopy=True,
            layout_space=layout_space,
            apply=apply,
            layouts=layouts,
            outcome_range=outcome_range,
        )
        gym.Wrapper.__init__(self, env)
        self.layout_space = layout_space
        self.source = as_source(layouts, layout_space, num_envs=1)
        self._apply: Apply = apply or set_attributes
        if apply is None:
            _check_attributes(env, layout_space)
        self._layout: Array | None = None
        self._rng = np.random.default_rng()

    @property
    def layout(self) -> Any:
        """The layout of the current instance."""
        if self._layout is None:
            raise ResetNeeded("no instance was started: call reset() first")
        return self.layout_space.unpack(self._layout)[0]

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Pick a layout and set it, then reset the environment.

        Args:
            seed: of the environment, and of the generator that layouts are drawn with.
            options: may hold "layout", for this instance only; else the source picks. All other
                options go to the environment.

        Returns:
            What the environment gave, and "layout" among the infos.

        Raises:
            ValueError: an illegal layout, or one that cannot be set.
        """
        others = checked_options(options)
        given = others.pop("layout", None)
        if given is not None:
            given = self.layout_space.pack([given])
        if seed is not None:
            seed = checked_seed(seed)
            self._rng = generator(Stream.WRAPPED_RESET, seed)
        if given is None:
            given = self.source.draw([self._rng], np.zeros(1, np.int64))
        self._layout = given
        layout = self.layout
        self._set(layout)
        observation, info = self.env.reset(seed=seed, options=others or None)
        return observation, {**info, "layout": layout.to_json()}

    def _set(self, layout: Any) -> None:
        try:
            self._apply(self.unwrapped, layout)
        except AttributeError as error:
            raise ValueError(
                f"apply must set attributes that {type(self.unwrapped).__name__} has, from fields "
                f"that the layout has, and raised AttributeError: {error}"
            ) from error


def set_attributes(env: gym.Env[Any, Any], layout: Any) -> None:
    """Set each field of a `Layouts` space as the attribute of that name, a list as an array.

    What an environment computed from an attribute when it was made stays as it was: then write
    an `apply` that sets this too.

    Raises:
        AttributeError: the environment has no attribute of that name.
    """
    fields = layout.to_json()
    for name in fields:
        getattr(env, name)
    for name, value in fields.items():
        setattr(env, name, np.array(value) if isinstance(value, list) else value)


def layout_space_of(env: gym.Env[Any, Any]) -> LayoutSpace[Any] | None:
    """The layout space of an environment, through its wrappers; None if it has none."""
    if env.has_wrapper_attr("layout_space"):
        space = env.get_wrapper_attr("layout_space")
    else:
        space = getattr(getattr(env.unwrapped, "task", None), "layout_space", None)
    return space if isinstance(space, LayoutSpace) else None


def _checked_range(outcome_range: Any) -> tuple[float, float] | None:
    if outcome_range is None:
        return None
    is_pair = isinstance(outcome_range, tuple | list | np.ndarray) and len(outcome_range) == 2
    low, high = outcome_range if is_pair else (1.0, 0.0)
    low, high = (finite_number("an end of outcome_range", end) for end in (low, high))
    if not low < high:
        raise ValueError(
            f"outcome_range must be the lowest and the highest return, got {outcome_range!r}"
        )
    return low, high


def _check_attributes(env: gym.Env[Any, Any], space: LayoutSpace[Any]) -> None:
    layout = space.unpack(space.sample(np.random.default_rng(0), 1))[0]
    missing = [name for name in layout.to_json() if not hasattr(env.unwrapped, name)]
    if missing:
        raise ValueError(
            f"without apply the fields of a layout must be attributes that "
            f"{type(env.unwrapped).__name__} has, and it has no {', '.join(missing)}"
        )


def _check_arguments(env: Any, layout_space: Any, apply: Any) -> None:
    if not isinstance(env, gym.Env):
        raise ValueError(f"env must be a Gymnasium environment, with reset and step, got {env!r}")
    if not isinstance(layout_space, LayoutSpace):
        raise ValueError(
            "layout_space must be a LayoutSpace, such as Layouts(length=Box(0.25, 1.0)), got "
            f"{layout_space!r}"
        )
    if apply is not None and not callable(apply):
        raise ValueError(f"apply must be a function of an environment and a layout, got {apply!r}")
    if layout_space_of(env) is not None:
        raise ValueError(
            f"{env} must have no layouts yet: put all that the adversary picks into one space"
        )
