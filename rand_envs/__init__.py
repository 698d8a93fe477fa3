"""Games in which an adversary picks the instance before the player draws its random seed.

Importing this package registers the games of `rand_envs.games`; `register` makes a game of your
own known.
"""

from rand_envs.adversaries.found import Found
from rand_envs.adversaries.sources import Adversary, Hedge, WorstFor
from rand_envs.core.check_task import check_task
from rand_envs.core.compiled import compiled
from rand_envs.core.env import TaskEnv
from rand_envs.core.layouts.fields import FieldLayout, Layouts
from rand_envs.core.layouts.space import Layout, LayoutSpace
from rand_envs.core.player import Play, Player
from rand_envs.core.register import register
from rand_envs.core.regret import RegretTask
from rand_envs.core.sources import Fixed, LayoutSource, Sweep, Uniform
from rand_envs.core.task import Advance, CompiledTask, GameValue, Task, Transition
from rand_envs.core.vector_env import TaskVectorEnv
from rand_envs.core.wrappers.layouts import LayoutWrapper, layout_space_of
from rand_envs.core.wrappers.random_seed import RandomSeedObservation
from rand_envs.games import (
    ColoringLayout,
    ColoringTask,
    GridLayout,
    GridTask,
    PagingTask,
    PatrolTask,
    RecallLayout,
    RecallTask,
)

__all__ = [
    "Advance",
    "Adversary",
    "ColoringLayout",
    "ColoringTask",
    "CompiledTask",
    "FieldLayout",
    "Fixed",
    "Found",
    "GameValue",
    "GridLayout",
    "GridTask",
    "Hedge",
    "Layout",
    "LayoutSource",
    "LayoutSpace",
    "LayoutWrapper",
    "Layouts",
    "PagingTask",
    "PatrolTask",
    "Play",
    "Player",
    "RandomSeedObservation",
    "RecallLayout",
    "RecallTask",
    "RegretTask",
    "Sweep",
    "Task",
    "TaskEnv",
    "TaskVectorEnv",
    "Transition",
    "Uniform",
    "WorstFor",
    "check_task",
    "compiled",
    "layout_space_of",
    "register",
]
