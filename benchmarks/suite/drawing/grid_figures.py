"""Figures of a game played on the cells of a grid, each of one policy."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.patches import Rectangle

from rand_agents.games import task_of
from rand_envs.games.grid.value import known_solution

from ..job import MODELS
from .pictures import MARK, Json, Picture, panels, save

DARK_TEXT, LIGHT_TEXT = "#010101", "#ffffff"
"""On cells, whose colours are the same on every ground. Of what is plain black, matplotlib says no
colour, and it would be the page's."""


def has_cells(model: Json) -> bool:
    """Whether what a single policy does on each cell is known: older files have means over runs."""
    return bool(model.get("cells")) and "rng_seed" in model["cells"]


def draw_cells(name: str, task: Json, folder: Path) -> list[Picture]:
    """What the first training run of each model does on each cell."""
    models = {n: task["models"][n] for n in MODELS if n in task["models"]}
    cells = {n: model["cells"] for n, model in models.items() if has_cells(model)}
    horizon = task["config"]["horizon"]
    steps = max(np.max(found["steps"]) for found in cells.values())
    whose = "Of one policy each, that of the first training run; "
    pictures = [
        _maps(
            folder / f"{name}_first_visits.svg",
            {n: found["first_visit"] for n, found in cells.items()},
            horizon,
            "When a cell is first visited",
            "A policy that always searches in one order has cells that it visits late every time; "
            "with seeds, late and early visits mix and the numbers come closer together.",
            f"{whose}mean over seeds of the step of the first visit, at most {horizon}.",
        ),
        _maps(
            folder / f"{name}_steps.svg",
            {n: found["steps"] for n, found in cells.items()},
            steps,
            "Steps with the treasure in each cell",
            "The adversary hides the treasure in the framed cell, the darkest one: the better the "
            "policy, the more cells are as dark as that.",
            f"{whose}mean over seeds of the steps of both episodes.",
            framed=True,
        ),
    ]
    weakest = _weakest(name, task, cells.get("adv-seeded"), folder)
    return [*pictures, *([weakest] if weakest else [])]


def _maps(
    path: Path,
    cells: dict[str, Any],
    limit: float,
    title: str,
    see: str,
    note: str,
    framed: bool = False,
) -> Picture:
    rows, columns = -(-len(cells) // 2), min(2, len(cells))
    figure, axes = panels(rows, columns, 0.1 + rows * (2.5 if columns == 2 else 4.0))
    for axis in axes.flat[len(cells) :]:
        axis.set_visible(False)
    for axis, (model, values) in zip(axes.flat, cells.items(), strict=False):
        _heat_map(axis, np.array(values), limit, ".1f", "cividis_r")
        if framed:
            _frame(axis, np.array(values))
        axis.set_title(model)
    _label(axes)
    return save(figure, path, title, see, note)


def _label(axes: Any) -> None:
    for axis in axes[:, 0]:
        axis.set_ylabel("row")
    for axis in axes[-1]:
        axis.set_xlabel("column")


def _heat_map(axis: Any, cells: Any, limit: float, style: str, colors: str) -> None:
    """Numbers on a grid, row 0 at the bottom."""
    axis.set_aspect("equal")
    shades = matplotlib.colormaps[colors]
    size = 11 if len(cells) < 5 else 9
    for (row, column), value in np.ndenumerate(cells):
        color = shades(value / limit if limit else 0.0)
        axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, color=color, lw=0.5))
        text = DARK_TEXT if _luminance(color) > 0.179 else LIGHT_TEXT
        axis.text(
            column, row, format(value, style), ha="center", va="center", color=text, fontsize=size
        )
    axis.set_xlim(-0.5, cells.shape[1] - 0.5)
    axis.set_ylim(-0.5, cells.shape[0] - 0.5)
    axis.set_xticks(range(cells.shape[1]))
    axis.set_yticks(range(cells.shape[0]))
    axis.tick_params(length=0)
    axis.spines[["left", "bottom"]].set_visible(False)


def _luminance(color: Any) -> float:
    """How bright a colour looks, from 0 to 1 (WCAG 2)."""
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]]
    return float(np.dot((0.2126, 0.7152, 0.0722), channels))


def _frame(axis: Any, values: Any) -> None:
    row, column = np.unravel_index(values.argmax(), values.shape)
    corner = (float(column) - 0.46, float(row) - 0.46)
    axis.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, color=MARK, linewidth=3, zorder=4))


def _weakest(name: str, task: Json, cells: Json | None, folder: Path) -> Picture | None:
    """Where it hurts a policy to have the treasure, and where no searcher can do better."""
    grid_task: Any = task_of(task["env_id"], task["config"])
    solution = known_solution(grid_task)
    if cells is None or solution is None:
        return None
    steps = np.array(cells["steps"])
    best = 100 * np.array(solution.treasure_distribution)
    figure, axes = panels(1, 2, 2.6)
    left, right = axes[0]
    _heat_map(left, steps, steps.max(), ".1f", "cividis_r")
    _frame(left, steps)
    _heat_map(right, best, best.max(), ".1f", "Greys")
    left.set_title("steps of adv-seeded")
    right.set_title("optimal treasure, %")
    _label(axes)
    return save(
        figure,
        folder / f"{name}_weakest.svg",
        "The policy and the best adversary",
        "Where the best adversary hides the treasure (right), adv-seeded should need about as "
        f"many steps as in its worst cell (left, framed: {steps.max():.2f}); the game value is "
        f"{float(solution.value):.2f}.",
        "Left: one policy, mean over seeds. Right: how often the treasure must be in each cell so "
        "that no searcher can do better than the game value.",
    )
