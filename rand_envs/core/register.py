"""The one door by which games come in: `register` gives a task its ids in Gymnasium."""

import inspect
from typing import Any, TypeVar

import gymnasium as gym
from gymnasium.envs.registration import find_highest_version, parse_env_id
from gymnasium.vector import AutoresetMode

from rand_envs.core.env import TaskEnv
from rand_envs.core.sources import LayoutsArgument
from rand_envs.core.task import Task
from rand_envs.core.vector_env import TaskVectorEnv

TASKS: dict[str, type[Task[Any]]] = {}
"""The registered tasks by their ids."""

RESERVED = (
    *("id", "max_episode_steps", "disable_env_checker"),
    *("num_envs", "vectorization_mode", "vector_kwargs", "wrappers", "autoreset_mode"),
    *("layouts", "render_mode", "game"),
)
"""Arguments of `gym.make`, `gym.make_vec` and the environments, which a task's cannot be called."""

T = TypeVar("T", bound=type[Task[Any]])


def register(task: T) -> T:
    """Make a task known by its `env_id`; also a decorator of its class.

    After that `gym.make(env_id, **arguments)` and `gym.make_vec(env_id, ...,
    vectorization_mode="vector_entry_point")` make environments of it, and trainers, adversaries,
    evaluation, exact values and the command line take the id. Arguments are those of the class,
    `layouts` and `render_mode`.

    Args:
        task: a subclass of `Task`. Registering a class anew under the same name, as a notebook
            does when a cell is run again, replaces it.

    Returns:
        The class itself.

    Raises:
        ValueError: it is no task, lacks a method, has an argument with a name of `gym.make`'s
            or the environments', its id has not the form "Name-v0", or the id is taken.
    """
    if not (isinstance(task, type) and issubclass(task, Task)):
        raise ValueError(f"only a subclass of rand_envs.Task can be registered, got {task!r}")
    _check_class(task)
    env_id = task.env_id
    before = TASKS.get(env_id)
    is_same = before is not None and _place(before) == _place(task)
    if not is_same and (before is not None or env_id in gym.registry):
        owner = f"by {_place(before)}" if before else "in Gymnasium"
        namespace, name, _ = parse_env_id(env_id)
        free = f"{env_id.rpartition('-v')[0]}-v{(find_highest_version(namespace, name) or 0) + 1}"
        raise ValueError(
            f"the id {env_id} of {_place(task)} is taken {owner}: choose another, such as {free}"
        )
    if is_same:
        gym.registry.pop(env_id, None)
    gym.register(
        id=env_id,
        entry_point="rand_envs.core.register:make_env",
        vector_entry_point="rand_envs.core.register:make_vector_env",
        kwargs={"game": env_id},
    )
    TASKS[env_id] = task
    return task


def as_task(given: Any) -> Task[Any]:
    """A task as it is, or of a class, a registered id, or an environment of one.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(given, str) and given in TASKS:
        return TASKS[given]()
    if isinstance(given, type) and issubclass(given, Task):
        return given()
    found = getattr(getattr(given, "unwrapped", None), "task", given)
    if not isinstance(found, Task):
        raise ValueError(
            "a task must be one, its class, an environment of it, or one of the ids "
            f"{', '.join(sorted(TASKS))}, got {given!r}"
        )
    return found


def make_env(
    game: str,
    layouts: LayoutsArgument[Any] = None,
    render_mode: str | None = None,
    **config: Any,
) -> TaskEnv[Any]:
    """An environment of a registered task; the entry point of `gym.make`."""
    return TaskEnv(_known(game)(**config), layouts, render_mode)


def make_vector_env(
    game: str,
    num_envs: int = 1,
    layouts: LayoutsArgument[Any] = None,
    render_mode: str | None = None,
    autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
    max_episode_steps: int | None = None,
    **config: Any,
) -> TaskVectorEnv[Any]:
    """A native vector environment of a registered task; the entry point of `gym.make_vec`."""
    task = _known(game)(**config)
    return TaskVectorEnv(task, num_envs, layouts, render_mode, autoreset_mode, max_episode_steps)


def _known(game: str) -> type[Task[Any]]:
    """The task of an id, which a stored `EnvSpec` may name before its module is imported."""
    if game not in TASKS:
        raise ValueError(
            f"{game} must be the id of a registered task: import the module that registers it "
            f"first; registered are {', '.join(sorted(TASKS))}"
        )
    return TASKS[game]


def _check_class(task: type[Task[Any]]) -> None:
    missing = sorted(getattr(task, "__abstractmethods__", ()))
    if missing:
        raise ValueError(f"{task.__name__} must define {', '.join(missing)} to be registered")
    taken = [name for name in inspect.signature(task).parameters if name in RESERVED]
    if taken:
        raise ValueError(
            f"the arguments of {task.__name__} must have other names than those of gym.make and "
            f"of the environments, got {', '.join(taken)}"
        )
    env_id = getattr(task, "env_id", None)
    if not isinstance(env_id, str):
        raise ValueError(f'{task.__name__} needs an env_id such as "Name-v0", got {env_id!r}')
    try:
        version = parse_env_id(env_id)[2]
    except gym.error.Error:
        version = None
    if version is None:
        raise ValueError(
            f'the env_id of {task.__name__} must have the form "Name-v0", got {env_id!r}'
        )


def _place(task: type[Task[Any]]) -> str:
    """Where a class is defined."""
    return f"{task.__module__}.{task.__qualname__}"
