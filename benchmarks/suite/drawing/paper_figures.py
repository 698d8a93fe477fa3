"""Figures of the paper preset, from its results.json alone, each beside the paper's numbers.

Ours are filled marks on lines; the paper's numbers, where it gives them, are hollow ones.
"""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.lines import Line2D

from .paper_numbers import (
    COLORING_BY_Q,
    COLORING_MAJORITY,
    GRID_BY_M,
    HEADLINES,
    LOSS_BY_M,
    LOSS_BY_Q,
    RECALL_SIZES,
    SOURCE,
    VARIANCE_ONSET_Q,
)
from .pictures import (
    COLORS,
    PAPER_STYLE,
    Json,
    Picture,
    draw_histogram,
    log_axis,
    outcome_of,
    panels,
    save,
    sweep_runs,
)
from .recipe_figures import success_by_draw, success_by_recipe

NOTE = f"Hollow marks: the paper, {SOURCE}."
KIND_STYLES = {
    "argmax": {"linestyle": "-", "marker": "o"},
    "sampled": {"linestyle": ":", "marker": "v"},
    "majority of 5": {"linestyle": "--", "marker": "s"},
    "majority of 30": {"linestyle": "-.", "marker": "^"},
}
KINDS_SHOWN = {
    "erm-fixed": ("argmax", "sampled"),
    "erm-seeded": ("argmax", "majority of 30"),
    "adv-fixed": ("argmax", "sampled"),
    "adv-seeded": ("argmax", "majority of 5", "majority of 30"),
}
FIGURE_NAMES = {"average": "average", "p95": "95th percentile"}


def draw_sweeps(sweeps: Json, folder: Path) -> list[Picture]:
    """The figures of all sweeps that were run."""
    drawers: dict[str, tuple[Callable[[Json, Path], Picture], ...]] = {
        "recall-sizes": (_success_by_size,),
        "recall-q": (_recall_by_q, _histograms_by_q),
        "recall-m": (_loss_by_m,),
        "recall-recipe": (success_by_recipe,),
        "coloring-q": (_coloring_by_q, _histograms_by_q),
        "grid-sizes": (partial(_grid_by_size, pepg=sweeps.get("grid-pepg")),),
        "grid-m": (_grid_by_m,),
    }
    pictures = [
        draw(sweep, folder)
        for name, sweep in sweeps.items()
        if len(sweep["points"]) > 1  # one point may be there because a headline shares it
        for draw in drawers.get(name, ())
    ]
    by_draw = {name: sweep for name, sweep in sweeps.items() if name.startswith("recall-m")}
    return [*pictures, success_by_draw(by_draw, folder)] if len(by_draw) > 1 else pictures


def _runs_of(task: Json) -> str:
    counts = sorted({model["training_runs"] for model in task["models"].values()})
    return f"{'-'.join(map(str, counts))} training run{'' if counts == [1] else 's'} a model"


def _percent(unit: str) -> float:
    return 100.0 if unit == "success" else 1.0


def headlines_beside_the_paper(env_id: str, task: Json, folder: Path) -> Picture:
    """Every headline number of the paper with ours, run by run."""
    percent = _percent(task["unit"])
    rows = []
    for number in HEADLINES[env_id]:
        ours = task["models"].get(number.model)
        found = outcome_of(ours, number.kind, number.figure) if ours else None
        rows.append((number, found))
    figure, axes = panels(1, 1, 7.0, 0.9 + 0.27 * len(rows))
    axis = axes[0][0]
    for place, (number, found) in enumerate(rows):
        color = COLORS[number.model]
        axis.axhline(place, color="#eeeeee", linewidth=1, zorder=0)
        axis.plot(number.value, place, "D", color=color, **PAPER_STYLE)
        if found is not None:
            runs = [percent * run for run in found["runs"]]
            axis.plot(runs, [place] * len(runs), "|", color=color, markersize=11)
            axis.plot(percent * found["estimate"], place, "o", color=color, markersize=6)
    labels = [f"{n.model}, {n.kind}, {FIGURE_NAMES[n.figure]}" for n, _ in rows]
    axis.set_yticks(range(len(rows)), labels, fontsize=8)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xlabel("success, %" if percent == 100.0 else "steps over both episodes")
    axis.set_title(f"{env_id}: {_runs_of(task)}", fontsize=10)
    short = task["label"]
    return save(
        figure,
        folder / f"{short}_beside_the_paper.png",
        f"{env_id} at the paper's size. Dots: mean over training runs; ticks: runs. {NOTE}",
    )


def _line(axis: Any, sweep: Json, models: tuple[str, ...], kind: str, figure: str) -> bool:
    """Success or steps along the sweep's axis for whichever of the models each point has."""
    found = [
        (point["x"], value["estimate"] * _percent(point["unit"]))
        for point in sweep["points"]
        for model in models
        if model in point["models"]
        if (value := outcome_of(point["models"][model], kind, figure)) is not None
    ]
    if found:
        axis.plot(*zip(*found, strict=True), color=COLORS[models[0]], **KIND_STYLES[kind])
    return bool(found)


def _papers(axis: Any, values: dict[Any, float], color: str, marker: str) -> None:
    if not values:
        return
    x, y = list(values), list(values.values())
    axis.plot(x, y, marker, color=color, clip_on=False, **PAPER_STYLE)


def _legend(owner: Any, entries: list[tuple[str, str, Json]], **place: Any) -> None:
    lines = [Line2D([], [], color=color, label=label, **style) for label, color, style in entries]
    lines.append(Line2D([], [], color="#555555", marker="o", label="paper", **PAPER_STYLE))
    owner.legend(handles=lines, frameon=False, fontsize=8, **place)


def _success_by_size(sweep: Json, folder: Path) -> Picture:
    figure, axes = panels(2, 2, 3.7, 2.7, sharex=True, sharey=True)
    entries = []
    for row, family in enumerate(("erm", "adv")):
        for model in (f"{family}-fixed", f"{family}-seeded"):
            for kind in KINDS_SHOWN[model]:
                drawn = False
                for axis, name in zip(axes[row], FIGURE_NAMES, strict=True):
                    drawn = _line(axis, sweep, (model,), kind, name) or drawn
                    papers = RECALL_SIZES.get((model, kind, name), {})
                    _papers(axis, papers, COLORS[model], KIND_STYLES[kind]["marker"])
                if drawn:
                    entries.append((f"{model}, {kind}", COLORS[model], KIND_STYLES[kind]))
        axes[row][0].set_ylabel("success, %")
        for axis, name in zip(axes[row], FIGURE_NAMES.values(), strict=True):
            what = "the mean" if family == "erm" else "the q-norm"
            axis.set_title(f"{what}: {name}", fontsize=9)
            axis.set_ylim(-3, 103)
    for axis in axes[1]:
        axis.set_xlabel("pairs N")
        axis.set_xticks([point["x"] for point in sweep["points"]])
    _legend(figure, entries, loc="outside right center")
    return save(
        figure,
        folder / "recall_sizes.png",
        f"RandRecall-v0: success against the number of pairs, trained on the mean "
        f"(q = 1) and on the q-norm; {sweep_runs(sweep)}, at N = 20 of the headline's length, else "
        f"shorter. {NOTE}",
    )


def _family(axis: Any, sweep: Json, kind: str, read: Callable[[Json], float], style: Json) -> None:
    """One number of the seeded or of the fixed models against q or m."""
    found = [
        (point["x"], read(model))
        for point in sweep["points"]
        for name, model in point["models"].items()
        if name.endswith(kind)
    ]
    if found:
        axis.plot(*zip(*found, strict=True), color=COLORS[f"adv-{kind}"], markersize=5, **style)


LOSS_STYLES: dict[str, Json] = {
    "average": {"linestyle": "-", "marker": "o"},
    "p95": {"linestyle": "--", "marker": "s"},
}


def _losses(axis: Any, sweep: Json, papers: dict[str, dict[float, tuple[float, float]]]) -> None:
    """Mean and 95th percentile of the loss along q or m, and the paper's."""
    entries = []
    for kind, numbers in papers.items():
        color = COLORS[f"adv-{kind}"]
        for place, (name, style) in enumerate(LOSS_STYLES.items()):
            _family(axis, sweep, kind, lambda m, name=name: m["loss"][name]["estimate"], style)
            known = {x: pair[place] for x, pair in numbers.items()}
            _papers(axis, known, color, style["marker"])
            entries.append((f"{kind}, {FIGURE_NAMES[name]}", color, style))
    axis.set_ylabel("loss, nats a bit")
    axis.set_ylim(0, 1.4 * axis.get_ylim()[1])
    _legend(axis, entries, loc="upper right", ncols=2)


def _recall_by_q(sweep: Json, folder: Path) -> Picture:
    figure, axes = panels(1, 2, 4.4, 3.3)
    loss, variance = axes[0]
    _losses(loss, sweep, LOSS_BY_Q)
    for kind in ("seeded", "fixed"):
        style = LOSS_STYLES["average"] | {"label": kind}
        _family(variance, sweep, kind, lambda model: model["seed_variance"], style)
    variance.axvline(VARIANCE_ONSET_Q, color="#555555", linestyle="--", linewidth=1)
    top = variance.get_ylim()[1]
    variance.text(VARIANCE_ONSET_Q, top, " paper: sets in near here", fontsize=8, va="top")
    variance.set_ylabel("variance over seeds")
    variance.legend(frameon=False, fontsize=8, loc="center right")
    for axis in (loss, variance):
        log_axis(axis, sweep, "q")
    return save(
        figure,
        folder / "recall_q.png",
        f"RandRecall-v0, N = 15: loss over layouts, and how much the predicted probabilities vary "
        f"over seeds, against q; {sweep_runs(sweep)}. {NOTE}",
    )


def _loss_by_m(sweep: Json, folder: Path) -> Picture:
    figure, axes = panels(1, 1, 4.8, 3.3)
    _losses(axes[0][0], sweep, {"seeded": LOSS_BY_M})
    axes[0][0].set_xlabel("seeds a step, m")
    return save(
        figure,
        folder / "recall_m.png",
        f"RandRecall-v0, N = 15, largest q of the recipe: loss over layouts against the number of "
        f"seeds a step; {sweep_runs(sweep)}. {NOTE}",
    )


def _histograms_by_q(sweep: Json, folder: Path) -> Picture:
    points = sweep["points"]
    figure, axes = panels(2, len(points), 2.1, 1.8, sharex=True, sharey=True)
    for row, kind in enumerate(("fixed", "seeded")):
        for axis, point in zip(axes[row], points, strict=True):
            for name, model in point["models"].items():
                if name.endswith(kind):
                    draw_histogram(axis, model, COLORS[name])
            if row == 0:
                axis.set_title(f"q = {point['x']:g}", fontsize=10)
            else:
                axis.set_xlabel("success rate", fontsize=9)
        axes[row][0].set_ylabel(f"{kind}: layouts, %", fontsize=9)
    game = "recall" if "Recall" in sweep["env_id"] else "coloring"
    return save(
        figure,
        folder / f"{game}_histograms_q.png",
        f"{sweep['env_id']}: layouts by their success rate over seeds, for several q. As in the "
        f"paper ({SOURCE}), two spikes are a collapsed policy and one hump a randomised one; "
        f"{sweep_runs(sweep)}.",
    )


def _coloring_by_q(sweep: Json, folder: Path) -> Picture:
    figure, axes = panels(1, 2, 4.0, 3.2, sharey=True)
    entries = []
    for kind in ("seeded", "fixed"):
        color = COLORS[f"adv-{kind}"]
        models = (f"adv-{kind}", f"erm-{kind}")
        for way in ("argmax", "sampled") if kind == "fixed" else ("argmax", "majority of 30"):
            pairs = zip(axes[0], FIGURE_NAMES, strict=True)
            drawn = [_line(axis, sweep, models, way, name) for axis, name in pairs]
            if any(drawn):
                entries.append((f"{kind}, {way}", color, KIND_STYLES[way]))
        for place, axis in enumerate(axes[0]):
            known = {q: pair[place] for q, pair in COLORING_BY_Q[kind].items()}
            _papers(axis, known, color, KIND_STYLES["argmax"]["marker"])
    for axis, name in zip(axes[0], FIGURE_NAMES.values(), strict=True):
        majority = KIND_STYLES["majority of 30"]["marker"]
        _papers(axis, COLORING_MAJORITY, COLORS["adv-seeded"], majority)
        axis.set_title(name, fontsize=10)
        axis.set_ylim(-3, 103)
        log_axis(axis, sweep, "q")
    axes[0][0].set_ylabel("success, %")
    _legend(figure, entries, loc="outside right center")
    return save(
        figure,
        folder / "coloring_q.png",
        f"RandColoring-v0, all cycles: success against q; {sweep_runs(sweep)}. {NOTE}",
    )


def _grid_by_size(sweep: Json, folder: Path, pepg: Json | None = None) -> Picture:
    """The worst treasure by size, and beside it that of the paper's trainer."""
    figure, axes = panels(1, 1, 4.8, 3.3)
    axis = axes[0][0]
    for found, style, suffix in ((sweep, "o-", ""), (pepg, "s:", ", PEPG")):
        for name, color in COLORS.items():
            line = [
                (point["x"], point["models"][name]["worst"]["estimate"])
                for point in (found["points"] if found else ())
                if name in point["models"]
            ]
            if line:
                axis.plot(*zip(*line, strict=True), style, color=color, label=f"{name}{suffix}")
    values = [(p["x"], p["ground_truth"]["value"] or math.nan) for p in sweep["points"]]
    axis.plot(*zip(*values, strict=True), "k--", label="game value")
    axis.set_xticks([point["x"] for point in sweep["points"]])
    axis.set_xlabel("side of the grid")
    axis.set_ylabel("steps, worst treasure")
    axis.set_ylim(0, None)
    axis.legend(frameon=False, fontsize=8)
    return save(
        figure,
        folder / "grid_sizes.png",
        f"RandGrid-v0: worst treasure against the size; {sweep_runs(sweep)}.",
    )


def _grid_by_m(sweep: Json, folder: Path) -> Picture:
    figure, axes = panels(1, 1, 4.8, 3.3)
    axis = axes[0][0]
    color = COLORS["adv-seeded"]
    styles: dict[str, Json] = {"average": {"marker": "o"}, "worst": {"marker": "s", "ls": "--"}}
    for name, style in styles.items():
        _family(axis, sweep, "seeded", lambda m, name=name: m[name]["estimate"], style)
    _papers(axis, GRID_BY_M, color, "o")
    value = sweep["points"][0]["ground_truth"]["value"]
    if value is not None:
        axis.axhline(value, color="black", linestyle="--", linewidth=1)
    axis.set_xticks([point["x"] for point in sweep["points"]])
    axis.set_xlabel("seeds a generation, m")
    axis.set_ylabel("steps")
    axis.set_ylim(0, None)
    _legend(axis, [("average", color, styles["average"]), ("worst", color, styles["worst"])])
    return save(
        figure,
        folder / "grid_m.png",
        "RandGrid-v0, adv-seeded: steps against the number of seeds a generation; dashed: game "
        f"value; {sweep_runs(sweep)}. {NOTE}",
    )
