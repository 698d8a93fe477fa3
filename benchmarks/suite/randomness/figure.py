"""The worst layout of every run, by game and kind of randomness."""

from pathlib import Path
from typing import Any

from ..drawing.pictures import COLORS, INK, MARK, Picture, panels, percent, save, unit_of

Json = dict[str, Any]


def draw(summary: Json, path: Path) -> Picture:
    """A panel a game: a dot for each run's worst layout, a bar for their mean, the game value."""
    tasks = summary["tasks"]
    figure, axes = panels(len(tasks), 1, 1.5 * len(tasks))
    for axis, (name, task) in zip(axes[:, 0], tasks.items(), strict=True):
        scale = percent(task["unit"])
        kinds = list(task["kinds"])
        for place, kind in enumerate(kinds):
            worst = task["kinds"][kind]["worst"]
            runs = [scale * value for value in worst["runs"]]
            color = COLORS["adv-seeded" if kind == "seeds" else "erm-seeded"]
            axis.plot(runs, [place] * len(runs), "o", color=color, alpha=0.6, markersize=5)
            axis.plot([scale * worst["estimate"]], [place], "|", color=INK, markersize=16)
        value = task["ground_truth"]["value"]
        if value is not None:
            axis.axvline(scale * value, color=MARK, linestyle="--", linewidth=1)
        axis.set_yticks(range(len(kinds)), kinds)
        axis.invert_yaxis()
        axis.set_title(f"{name}, worst layout: {unit_of(task)}", loc="left")
    return save(
        figure,
        path,
        "Kinds of randomness",
        "Each dot is the worst layout of a run, each upright the mean of five; dashed: the game "
        "value, or a bound of it.",
    )
