"""`games` and `zoo`: what there is to play, and who comes with the package, in tables."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from rand_agents.app.lookup import short_name, wrapped_environments
from rand_agents.evaluation.intervals import Figure
from rand_agents.evaluation.report import gap_sign
from rand_agents.evaluation.tables import interval_of, number, print_table
from rand_agents.zoo import zoo_card, zoo_names
from rand_envs import layout_space_of
from rand_envs.core.arrays import Json
from rand_envs.core.layouts.space import counted
from rand_envs.core.register import TASKS
from rand_envs.core.task import GameValue, Task
from rand_envs.minimax import game_value


def print_games(modules: Sequence[str], console: Console, errors: Console) -> None:
    """Print what every task is called, and what is known of it at its default size.

    Environments that the modules registered with Gymnasium come after the tasks.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("id", "short", "unit"):
        table.add_column(column, no_wrap=True)
    for column in ("layouts", "game value"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("players")
    with errors.status("solving …"):
        for env_id, task in TASKS.items():
            table.add_row(env_id, short_name(env_id) or "-", task.unit, *_at_default_size(task))
        for env_id in wrapped_environments() if modules else []:
            table.add_row(env_id, "-", "return", _layouts_of(env_id), "not known", "random")
    print_table(table, console)
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
    return _count(task.layout_space.size), _value(task), ", ".join(task.players) or "-"


def _count(size: int | None) -> str:
    return "not counted" if size is None else counted(size)


def _layouts_of(env_id: str) -> str:
    """How many layouts an environment of somebody's has; "-" without an adversary."""
    try:
        space = layout_space_of(gym.make(env_id, disable_env_checker=True))
    # It is somebody else's code, which may raise anything.
    except Exception:
        return "-"
    return "-" if space is None else _count(space.size)


def _value(task: Task[Any]) -> str:
    known = game_value(task)
    if known.value is None:
        return "not known"
    bound = "≤ " if task.higher_is_better else "≥ "
    return f"{'' if known.kind == 'exact' else bound}{number(known.value, task.unit)}"


def print_zoo(console: Console) -> None:
    """Print the trained agents that come with the package, with the scores of their cards."""
    names = zoo_names()
    if not names:
        console.print("The zoo is empty.")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("agent", no_wrap=True)
    for column in ("average", "worst", "interval", "gap", "interval"):
        table.add_column(column, justify="right", no_wrap=True)
    values: dict[str, GameValue] = {}
    for name in names:
        card = zoo_card(name)
        what = f"{card['env_id']} {card['recipe']['task']}"
        if what not in values:
            values[what] = game_value(TASKS[card["env_id"]](**card["recipe"]["task"]))
        table.add_row(name, *_scores(card["scores"], values[what]))
    print_table(table, console)
    console.print(
        "Success in %, or steps, by argmax, of the run that each is from, with 95 % intervals. The "
        "gap is from the worst layout to the game value: ≤ where only a bound of that is known, ≥ "
        "where the worst layout is what a search found, ≈ where both."
    )
    console.print("python -m rand_agents evaluate NAME plays anew.")


def _scores(scores: Json, known: GameValue) -> list[str]:
    unit, worst = scores["unit"], _figure(scores["worst"])
    shown = [number(scores["average"]["estimate"], unit)]
    shown += [_plain(worst, unit), interval_of(worst, unit).removesuffix(" %")]
    if known.value is None:
        return [*shown, "not known", "-"]
    sign = -1.0 if unit == "success" else 1.0
    low, high = sorted(sign * (end - known.value) for end in worst.ci95)
    gap = Figure(sign * (worst.estimate - known.value), (low, high))
    sign_of = gap_sign(known.kind, scores["worst"]["kind"])
    of_gap = interval_of(gap, unit).removesuffix(" %")
    return [*shown, f"{sign_of} {_plain(gap, unit)}".strip(), of_gap]


def _plain(figure: Figure, unit: str) -> str:
    return number(figure.estimate, unit).removesuffix(" %")


def _figure(facts: Json) -> Figure:
    low, high = facts["ci95"]
    return Figure(facts["estimate"], (low, high))
