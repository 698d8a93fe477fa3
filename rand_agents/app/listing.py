"""`games`: the registered tasks in a table."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from rand_agents.app.lookup import short_name
from rand_agents.evaluation.tables import number
from rand_envs.core.register import TASKS
from rand_envs.core.task import Task
from rand_envs.minimax import game_value

MOST_DIGITS = 9
"""Larger numbers of layouts are rounded."""


def print_games(console: Console, errors: Console) -> None:
    """Print what every task is called, and what is known of it at its default size."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("id", "short", "unit"):
        table.add_column(column, no_wrap=True)
    for column in ("layouts", "game value"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("players")
    with errors.status("solving …"):
        for env_id, task in TASKS.items():
            table.add_row(env_id, short_name(env_id) or "-", task.unit, *_at_default_size(task))
    console.print(table)
    console.print(
        "Layouts and game values, the best worst case that any randomised player can reach, are "
        "those of the default size; ≤ and ≥ are bounds. Every game has the player random, too. "
        "Any other environment that is registered with Gymnasium goes by its id.",
    )


def _at_default_size(kind: type[Task[Any]]) -> tuple[str, str, str]:
    try:
        task = kind()
    except (TypeError, ValueError):
        # It has no default size.
        return "-", "-", ", ".join(kind.players)
    size = task.layout_space.size
    count = "not counted" if size is None else f"{size:,}"
    if size is not None and len(str(size)) > MOST_DIGITS:
        count = f"{size:.1e}"
    return count, _value(task), ", ".join(task.players) or "-"


def _value(task: Task[Any]) -> str:
    known = game_value(task)
    if known.value is None:
        return "not known"
    bound = "≤ " if task.higher_is_better else "≥ "
    return f"{'' if known.kind == 'exact' else bound}{number(known.value, task.unit)}"
