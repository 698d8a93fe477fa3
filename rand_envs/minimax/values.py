"""The game value of a task, where one is known: the yardstick of every gap."""

from dataclasses import replace
from typing import Any

from rand_envs.core.task import GameValue, Setting, Task
from rand_envs.minimax.tasks import TooLarge, solve_task

MAX_STATES = 100_000
"""Information states up to which a task is solved on the spot, in seconds."""
MAX_ROWS = 10_000_000
"""The same of (layout, information state, action) triples."""


def game_value(task: Setting[Any]) -> GameValue:
    """The game value of a task: what the game itself knows, or what `solve_task` finds.

    Where the task is too large to be solved on the spot, a remark says so; what is left then is
    a bound, which the game gives, or of 1 where it is for success.
    """
    known = task.known_value()
    if known is not None and known.kind == "exact":
        return known
    if not isinstance(task, Task):
        return GameValue(None, None, f"the rules of {task.env_id} are not known as a task")
    try:
        solution = solve_task(task, max_states=MAX_STATES, max_rows=MAX_ROWS)
    except TooLarge as error:
        remark = str(error)
    else:
        return GameValue(solution.value, "exact")
    if known is not None:
        return replace(known, remark=remark)
    if task.unit == "success":
        return GameValue(1.0, "bound", remark)
    return GameValue(None, None, remark)
