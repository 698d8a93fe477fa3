"""Games in which an adversary picks the instance before the player draws its random seed.

Importing this package registers RandRecall-v0, RandColoring-v0 and RandGrid-v0.
"""

from gymnasium.envs.registration import register

from rand_envs.adversaries import Adversary, Hedge, MutatingSearch, WorstFor
from rand_envs.coloring import ColoringEnv, ColoringLayout, ColoringTask, ColoringVectorEnv
from rand_envs.env import TaskEnv, TaskVectorEnv
from rand_envs.grid import GridEnv, GridLayout, GridTask, GridVectorEnv
from rand_envs.recall import RecallEnv, RecallLayout, RecallTask, RecallVectorEnv
from rand_envs.sources import Fixed, LayoutSource, Sweep, Uniform
from rand_envs.task import Layout, LayoutSpace, Task
from rand_envs.wrappers import RandomSeedObservation

__all__ = [
    "Adversary",
    "ColoringEnv",
    "ColoringLayout",
    "ColoringTask",
    "ColoringVectorEnv",
    "Fixed",
    "GridEnv",
    "GridLayout",
    "GridTask",
    "GridVectorEnv",
    "Hedge",
    "Layout",
    "LayoutSource",
    "LayoutSpace",
    "MutatingSearch",
    "RandomSeedObservation",
    "RecallEnv",
    "RecallLayout",
    "RecallTask",
    "RecallVectorEnv",
    "Sweep",
    "Task",
    "TaskEnv",
    "TaskVectorEnv",
    "Uniform",
    "WorstFor",
]

for _task, _module, _name in (
    (RecallTask, "recall", "Recall"),
    (ColoringTask, "coloring", "Coloring"),
    (GridTask, "grid", "Grid"),
):
    register(
        id=_task.env_id,
        entry_point=f"rand_envs.{_module}:{_name}Env",
        vector_entry_point=f"rand_envs.{_module}:{_name}VectorEnv",
    )
