"""The game value of a task, where one is known: the yardstick of every gap."""

from typing import Any

from rand_envs.core.task import UNKNOWN, GameValue, Task


def game_value(task: Task[Any]) -> GameValue:
    """The game value of a task: what the game itself knows, or a bound where it is success.

    A success can never be more than certain, so 1 is a bound of every game whose unit it is.
    """
    known = task.known_value()
    if known is not None:
        return known
    return GameValue(1.0, "bound") if task.unit == "success" else UNKNOWN
