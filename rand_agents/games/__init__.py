"""Floor 3: how tasks meet policies, by the generic path or by an acceleration.

Importing this package registers the accelerations, each in a file of its own.
"""

from rand_agents.games.accelerated import coloring, grid, recall
from rand_agents.games.game import Game
from rand_agents.games.registry import game_for, task_of

__all__ = ["Game", "coloring", "game_for", "grid", "recall", "task_of"]
