"""The game value of a task, where one is known: the yardstick of every gap."""

from dataclasses import replace
from typing import Any

from rand_envs.core.register import as_task
from rand_envs.core.task import GameValue, Setting, Task
from rand_envs.minimax.tasks import TooLarge, solve_task

MAX_STATES = 100_000
"""Information states up to which a task is solved on the spot, in seconds."""
MAX_ROWS = 10_000_000
"""The same of (layout, information state, action) triples."""


def game_value(task: Any) -> GameValue:
    """The game value of a task: what the game itself knows, or what `solve_task` finds.

    Where the task is too large to be solved on the spot, a remark says so; what is left then is
    a bound, which the game gives, or of 1 where it is for success. A class, an id or an environment
    of a task will do, too.
    """
    setting: Setting[Any] = task if isinstance(task, Setting) else as_task(task)
    known = setting.known_value()
    if known is not None and known.kind == "exact":
        return known
    if not isinstance(setting, Task):
        return GameValue(None, None, f"the rules of {setting.env_id} are not known as a task")
    try:
        solution = solve_task(setting, max_states=MAX_STATES, max_rows=MAX_ROWS)
    except TooLarge as error:
        remark = str(error)
    else:
        return GameValue(solution.value, "exact")
    if known is not None:
        return replace(known, remark=remark)
    if setting.unit == "success":
        return GameValue(1.0, "bound", remark)
    return GameValue(None, None, remark)
