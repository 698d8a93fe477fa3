"""RandGrid-v0."""

from rand_envs.core.register import register
from rand_envs.games.grid.layouts import GridLayout
from rand_envs.games.grid.rules import GridTask

__all__ = ["GridLayout", "GridTask"]

register(GridTask)
