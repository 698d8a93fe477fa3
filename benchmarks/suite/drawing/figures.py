"""The figures of one game, of a training or of the zoo, from what results.json says of it."""

from pathlib import Path
from typing import Any

import numpy as np

from ..job import MODELS
from ..report.entries import best_model, trainer_of
from .grid_figures import draw_cells, has_cells
from .pictures import (
    COLORS,
    INK,
    LINE,
    MUTED,
    Json,
    Picture,
    draw_histogram,
    legend,
    panels,
    percent,
    save,
    unit_of,
    value_words,
)

PROBED = 64
"""Layouts that a look during training plays, of more."""


def draw_game(name: str, task: Json, folder: Path) -> list[Picture]:
    """All figures of a game's four models, as far as they are there.

    Args:
        name: Begins the names of the files.
        task: Its entry of results.json, its models named as in `MODELS`.
        folder: Where to.
    """
    pictures = [_worst_cases(name, task, folder), _histograms(name, task, folder)]
    if any(model.get("history") for model in task["models"].values()):
        pictures.append(_training(name, task, folder))
    if any(has_cells(model) for model in task["models"].values()):
        pictures += draw_cells(name, task, folder)
    return pictures


def shown_models(task: Json) -> dict[str, Json]:
    """The models that are there, in their order."""
    return {name: task["models"][name] for name in MODELS if name in task["models"]}


def _number(value: float, unit: str) -> str:
    return f"{100 * value:.1f} %" if unit == "success" else f"{value:.2f} {unit}"


def _worst_cases(name: str, task: Json, folder: Path) -> Picture:
    models, unit = shown_models(task), task["unit"]
    scale = percent(unit)
    figure, axes = panels(1, 1, 1.15 + 0.36 * len(models))
    axis = axes[0][0]
    for place, (model_name, model) in enumerate(models.items()):
        color, worst = COLORS[model_name], model["worst"]
        middle, average = scale * worst["estimate"], scale * model["average"]["estimate"]
        axis.plot([average, middle], [place, place], color=LINE, linewidth=2, zorder=0)
        axis.plot(average, place, "o", color=color, markerfacecolor="none", markersize=8)
        low, high = (scale * end for end in worst["ci95"])
        axis.plot([low, high], [place, place], color=color, linewidth=4, solid_capstyle="butt")
        axis.plot(middle, place, "o", color=color, markersize=9)
        runs = [scale * value for value in worst["runs"]]
        axis.plot(runs, [place + 0.33] * len(runs), "|", color=INK, markersize=7)
    axis.set_yticks(range(len(models)), list(models))
    axis.set_ylim(len(models) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.set_xlim(*((-4, 104) if scale == 100.0 else (0, None)))
    better = "right" if task["higher_is_better"] else "left"
    axis.set_xlabel(f"{unit_of(task)} (further {better} is better)")
    _mark_value(axis, task)
    entries: list[tuple[str, Json]] = [
        ("worst case, interval", {"marker": "o", "linewidth": 4, "markersize": 9}),
        ("average", {"marker": "o", "linestyle": "none", "markerfacecolor": "none"}),
    ]
    if any(len(model["worst"]["runs"]) > 1 for model in models.values()):
        entries.append(("a training run", {"marker": "|", "linestyle": "none", "markersize": 8}))
    legend(figure, [(label, {"color": MUTED} | style) for label, style in entries])
    return save(
        figure,
        folder / f"{name}_worst_case.svg",
        "Average and worst layout",
        _loss_to_adversary(models, task),
        "The worst layout of each trained policy is scored on seeds that did not choose it.",
    )


def _loss_to_adversary(models: dict[str, Json], task: Json) -> str:
    """What an adversary takes from the model with the best worst case, in numbers."""
    name, unit = best_model(task), task["unit"]
    average, worst = (_number(models[name][f]["estimate"], unit) for f in ("average", "worst"))
    verb = "falls" if task["higher_is_better"] else "goes"
    return (
        f"The length of a line is what an adversary takes from a policy: {name} {verb} from "
        f"{average} on average to {worst} on its worst layout."
    )


def _mark_value(axis: Any, task: Json) -> None:
    """The game value as a line across, its name above."""
    value = task["ground_truth"]["value"]
    if value is None:
        return
    place = percent(task["unit"]) * value
    low, high = axis.get_xlim()
    axis.axvline(place, color=INK, linestyle="--", linewidth=1, zorder=0)
    share = (place - low) / (high - low)
    side = "left" if share < 0.35 else "right" if share > 0.65 else "center"
    axis.set_title(value_words(task), x=share, ha=side, fontsize=10.5)


def _histograms(name: str, task: Json, folder: Path) -> Picture:
    models, scale = shown_models(task), percent(task["unit"])
    figure, axes = panels(len(models), 1, 0.5 + 0.75 * len(models), sharex=True, sharey=True)
    for axis, (model_name, model) in zip(axes[:, 0], models.items(), strict=True):
        draw_histogram(axis, model, COLORS[model_name], scale)
        worst = scale * model["worst"]["estimate"]
        axis.plot(worst, 0, "^", color=INK, markersize=7, clip_on=False, zorder=5)
        axis.set_title(model_name, loc="left", pad=2)
        axis.set_ylim(0, 105)
        axis.set_yticks([0, 50, 100])
    figure.supylabel("layouts, %", fontsize=11)
    axes[-1][0].set_xlabel(f"mean {unit_of(task)} over seeds")
    return save(
        figure,
        folder / f"{name}_layouts.svg",
        "How the layouts spread",
        _far_bars(models, task),
        "Triangle: the worst layout, with fresh seeds.",
    )


def _far_bars(models: dict[str, Json], task: Json) -> str:
    """Where the bars begin that an adversary picks from."""
    higher, unit = task["higher_is_better"], task["unit"]
    edges = {name: _far_edge(model, higher) for name, model in models.items()}
    best = (max if higher else min)(edges, key=lambda name: edges[name])
    said = f"Bars far to the {'left' if higher else 'right'} are what an adversary picks from: "
    said += f"those of {best} {'begin' if higher else 'end'} at {_number(edges.pop(best), unit)}"
    if not edges:
        return f"{said}."
    other = (max if higher else min)(edges.values())
    how = "less" if higher else "more"
    return f"{said}, those of the others at {_number(other, unit)} or {how}."


def _far_edge(model: Json, higher_is_better: bool) -> float:
    """The outer edge of the bar of the worst layouts, in the task's unit."""
    (low, high), share = model["histogram"]["range"], model["histogram"]["share"]
    there = [place for place, part in enumerate(share) if part > 0]
    place = there[0] if higher_is_better else there[-1] + 1
    return float(low + place * (high - low) / len(share))


def _training(name: str, task: Json, folder: Path) -> Picture:
    models = {n: m for n, m in shown_models(task).items() if m.get("history")}
    scale, rows = percent(task["unit"]), -(-len(models) // 2)
    columns = min(2, len(models))
    figure, axes = panels(rows, columns, 0.8 + 1.45 * rows, sharex=True, sharey=True)
    for axis in axes.flat[len(models) :]:
        axis.set_visible(False)
    is_sample = any(model["num_layouts"] > PROBED for model in models.values())
    for axis, (model_name, model) in zip(axes.flat, models.items(), strict=False):
        update, average, _, worst = np.array(model["history"]).T
        if is_sample:
            worst = _of_neighbours(worst, task["higher_is_better"])
        color = COLORS[model_name]
        axis.fill_between(update, scale * average, scale * worst, color=color, alpha=0.2, lw=0)
        axis.plot(update, scale * average, color=color, linewidth=1)
        axis.plot(update, scale * worst, color=color, linewidth=2.2)
        axis.set_title(model_name)
        axis.set_ylim(0, 104 if scale == 100.0 else None)
        axis.set_xlim(0, None)
    value = task["ground_truth"]["value"]
    entries: list[tuple[str, Json]] = [
        ("average", {"color": MUTED, "linewidth": 1}),
        ("worst layout", {"color": MUTED, "linewidth": 2.2}),
    ]
    if value is not None:
        for axis in axes.flat:
            axis.axhline(scale * value, color=INK, linestyle="--", linewidth=1, zorder=0)
        entries.append((value_words(task), {"linestyle": "--", "linewidth": 1}))
    for axis in axes[:, 0]:
        axis.set_ylabel(unit_of(task))
    for axis in axes[-1]:
        axis.set_xlabel("updates")
    legend(figure, entries, 2)
    return save(
        figure,
        folder / f"{name}_training.svg",
        "While they learn",
        "The shaded band is what an adversary takes: training for the worst case with seeds is "
        "there to make it narrow, and to bring its far edge to the dashed line.",
        _training_note(task, is_sample),
    )


def _of_neighbours(worst: Any, higher_is_better: bool) -> Any:
    """The worst of three looks: one alone plays few layouts and may miss all that are bad."""
    padded = np.pad(worst, 1, mode="edge")
    looks = np.stack([padded[:-2], padded[1:-1], padded[2:]])
    return looks.min(0) if higher_is_better else looks.max(0)


def _training_note(task: Json, is_sample: bool) -> str:
    note = "The first training run of each model. "
    note += (
        f"A look plays {PROBED} layouts; the worst is that of three looks."
        if is_sample
        else "All layouts are played."
    )
    if trainer_of(task["recipe"]) == "PSRO":
        note += " Before a line begins, best responses are learned, which no policy plays yet."
    return note
