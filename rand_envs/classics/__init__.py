"""Textbook randomised algorithms, as players of the same games as trained policies.

Each is a `Player`: `rand_agents.evaluate` scores it as it scores an agent.
"""

from rand_envs.classics.coloring import SelfSelectionColoring
from rand_envs.classics.grid import GridSweep, GridWalker, OptimalMix, RandomGridSweep, Trail
from rand_envs.classics.memory import SlotMemory

__all__ = [
    "GridSweep",
    "GridWalker",
    "OptimalMix",
    "RandomGridSweep",
    "SelfSelectionColoring",
    "SlotMemory",
    "Trail",
]
