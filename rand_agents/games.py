"""From environments to tasks, and from tasks to the games that policies play."""

from typing import Any

import gymnasium as gym

from rand_agents.rollout import GridGame
from rand_agents.tokens import ColoringGame, Game, RecallGame
from rand_envs.coloring import ColoringTask
from rand_envs.grid import GridTask
from rand_envs.recall import RecallTask
from rand_envs.task import Json, Task

TASKS: dict[str, type[Task[Any]]] = {
    task.env_id: task for task in (RecallTask, ColoringTask, GridTask)
}


def task_of(env: str | gym.Env[Any, Any] | Task[Any], config: Json | None = None) -> Task[Any]:
    """The task behind a registered id (with optional arguments), an environment, or a task."""
    if isinstance(env, Task):
        return env
    if isinstance(env, str):
        if env not in TASKS:
            raise ValueError(f"the environment must be one of {sorted(TASKS)}, got {env!r}")
        return TASKS[env](**(config or {}))
    task = getattr(env.unwrapped, "task", None)
    if not isinstance(task, Task):
        raise ValueError(f"{env} is not an environment of rand_envs: it has no task")
    return task


def game_for(task: Task[Any]) -> Game:
    """The game that a SeedTransformer plays in a task."""
    if isinstance(task, RecallTask):
        return RecallGame(task)
    if isinstance(task, ColoringTask):
        return ColoringGame(task)
    if isinstance(task, GridTask):
        return GridGame(task)
    raise ValueError(f"no policy can play {type(task).__name__}")
