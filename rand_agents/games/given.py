"""What an environment was given: its layouts are those that are trained on."""

from typing import Any

import gymnasium as gym

from rand_agents.games.registry import Environment, bare
from rand_envs.adversaries import Missing
from rand_envs.core.sources import Fixed, LayoutSource, Uniform


def source_of(env: Environment | None) -> LayoutSource[Any] | None:
    """Who picks the layouts of an environment; None for uniform ones, or where there is none."""
    env = None if env is None else bare(env)
    if not isinstance(env, gym.Env) or not env.has_wrapper_attr("source"):
        return None
    source = env.get_wrapper_attr("source")
    return source if isinstance(source, LayoutSource) and type(source) is not Uniform else None


def chosen_source(env: Environment, layouts: LayoutSource[Any] | None) -> LayoutSource[Any] | None:
    """The source to train on: the one given, or else the environment's.

    Raises:
        ValueError: there are both, and they are not the same, or it is no source.
    """
    if layouts is not None and not isinstance(layouts, LayoutSource):
        raise ValueError(
            "layouts must be a LayoutSource, such as Fixed(space, [layout, ...]) or "
            f"Found(space), got {layouts!r}"
        )
    own = source_of(env)
    if layouts is not None and own is not None and layouts is not own:
        raise ValueError(
            f"the environment was made with layouts of its own, {type(own).__name__}, and layouts= "
            f"gives others, {type(layouts).__name__}: give them once"
        )
    return own if layouts is None else layouts


def resumed_source(
    env: Environment | None, stored: LayoutSource[Any] | None
) -> LayoutSource[Any] | None:
    """The source of further training: the environment's, or the stored one of the same kind."""
    own = source_of(env)
    if own is None:
        return stored
    if type(own) is not type(stored) or isinstance(stored, Missing):
        return own
    if isinstance(own, Fixed) and isinstance(stored, Fixed) and own.to_json() != stored.to_json():
        return own
    return stored
