"""Tests a task that somebody wrote, as Gymnasium's `check_env` tests environments."""

import inspect
from typing import Any

from rand_envs.core.arrays import shown
from rand_envs.core.check_task.calls import attempt, need, told
from rand_envs.core.check_task.extras import check_painter, check_players, check_value
from rand_envs.core.check_task.layouts import check_layout_space
from rand_envs.core.check_task.play import check_play
from rand_envs.core.check_task.setting import check_attributes, check_config
from rand_envs.core.task import Task

__all__ = ["check_layout_space", "check_task"]


def check_task(task: Task[Any] | type[Task[Any]]) -> None:
    """Check that a task keeps what `Task` and `LayoutSpace` promise, by playing it.

    Its spaces and layouts, its rules on batches, its outcomes, and what it names beside them: a
    painter (where there is pygame), players, a game value. Layouts and actions are random, and
    the same each time. What passes can be made, trained, attacked and drawn like our games.

    Args:
        task: a task, or its class where the constructor needs no argument.

    Raises:
        ValueError: what fails, and what would be legal, in one sentence that begins with the
            name of the method. What the task itself raised is its cause.
    """
    built = _built(task)
    name = type(built).__name__
    try:
        _check(built, name)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(
            f"{name} must give what is promised wherever it is used, and made the check raise "
            f"{told(error)}"
        ) from error


def _check(built: Task[Any], name: str) -> None:
    check_attributes(built, name)
    check_layout_space(built.layout_space, f"{name}.layout_space")
    twin = check_config(built, name)
    check_play(built, twin, name)
    check_painter(built, name)
    check_players(built, name)
    check_value(built, name)


def _built(task: Any) -> Task[Any]:
    if isinstance(task, Task):
        return task
    is_task = isinstance(task, type) and issubclass(task, Task)
    need(is_task, f"a task must be an object or a subclass of rand_envs.Task, got {shown(task)}")
    missing = sorted(getattr(task, "__abstractmethods__", ()))
    need(not missing, f"{task.__name__} must define {', '.join(missing)}")
    needed = [
        name
        for name, parameter in inspect.signature(task).parameters.items()
        if parameter.default is parameter.empty and parameter.kind.name[:3] != "VAR"
    ]
    need(
        not needed,
        f"{task.__name__} must be given as an object, such as check_task({task.__name__}(...)), "
        f"where its constructor needs arguments: {', '.join(needed)}",
    )
    built: Task[Any] = attempt(f"{task.__name__}()", "must build a task", task)
    return built
