"""The games, each in a folder of its own: rules, layouts, painter, classical players.

Importing a game's folder registers it; this is the list of those that come with the package.
"""

from rand_envs.games import coloring, grid, paging, patrol, recall
from rand_envs.games.coloring import *  # noqa: F403
from rand_envs.games.grid import *  # noqa: F403
from rand_envs.games.paging import *  # noqa: F403
from rand_envs.games.patrol import *  # noqa: F403
from rand_envs.games.recall import *  # noqa: F403

__all__: list[str] = []
__all__ += coloring.__all__
__all__ += grid.__all__
__all__ += paging.__all__
__all__ += patrol.__all__
__all__ += recall.__all__
