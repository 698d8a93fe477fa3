"""The games, each in a folder of its own: rules, layouts, painter, classical players.

Importing a game's folder registers it; this is the list of those that come with the package.
"""

from rand_envs.games.coloring import ColoringLayout, ColoringTask
from rand_envs.games.grid import GridLayout, GridTask
from rand_envs.games.paging import PagingTask
from rand_envs.games.patrol import PatrolTask
from rand_envs.games.recall import RecallLayout, RecallTask

__all__ = [
    "ColoringLayout",
    "ColoringTask",
    "GridLayout",
    "GridTask",
    "PagingTask",
    "PatrolTask",
    "RecallLayout",
    "RecallTask",
]
