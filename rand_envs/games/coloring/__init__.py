"""RandColoring-v0."""

from rand_envs.core.register import register
from rand_envs.games.coloring.layouts import ColoringLayout
from rand_envs.games.coloring.rules import ColoringTask

__all__ = ["ColoringLayout", "ColoringTask"]

register(ColoringTask)
