"""Figures of the paper preset, from its results.json alone, each beside the paper's numbers.

Ours are filled marks on lines; the paper's numbers, where it gives them, are hollow ones.
"""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .paper_numbers import GRID_BRACKETS, GRID_BY_M, HEADLINES, SOURCE
from .paper_sweeps import (
    NOTE,
    coloring_by_q,
    estimate,
    family,
    histograms_by_q,
    loss_by_m,
    papers,
    recall_by_q,
    success_by_size,
)
from .pictures import (
    COLORS,
    INK,
    LINE,
    MUTED,
    PAPER_STYLE,
    Json,
    Picture,
    legend,
    outcome_of,
    panels,
    percent,
    save,
    sweep_runs,
    unit_of,
    value_words,
)
from .recipe_figures import success_by_draw, success_by_recipe

FIGURES = {"average": "average", "p95": "95th pct"}


def draw_sweeps(sweeps: Json, folder: Path) -> list[tuple[str, Picture]]:
    """The figures of all sweeps that were run, each with the game's id."""
    drawers: dict[str, tuple[Callable[[Json, Path], Picture], ...]] = {
        "recall-sizes": (success_by_size,),
        "recall-q": (recall_by_q, histograms_by_q),
        "recall-m": (loss_by_m,),
        "recall-recipe": (success_by_recipe,),
        "coloring-q": (coloring_by_q, histograms_by_q),
        "grid-sizes": (partial(_grid_by_size, pepg=sweeps.get("grid-pepg")),),
        "grid-m": (_grid_by_m,),
    }
    pictures = [
        (sweep["env_id"], draw(sweep, folder))
        for name, sweep in sweeps.items()
        if len(sweep["points"]) > 1  # one point may be there because a headline shares it
        for draw in drawers.get(name, ())
    ]
    by_draw = {name: sweep for name, sweep in sweeps.items() if name.startswith("recall-m")}
    if len(by_draw) > 1:
        pictures.append((sweeps["recall-m"]["env_id"], success_by_draw(by_draw, folder)))
    return pictures


def _runs_of(task: Json) -> str:
    counts = sorted({model["training_runs"] for model in task["models"].values()})
    return f"{'-'.join(map(str, counts))} training run{'' if counts == [1] else 's'} a model"


def beside_the_paper(name: str, task: Json, folder: Path) -> Picture:
    """Every headline number of the paper with ours, run by run."""
    scale = percent(task["unit"])
    rows = []
    for number in HEADLINES[task["env_id"]]:
        ours = task["models"].get(number.model)
        found = outcome_of(ours, number.kind, number.figure) if ours else None
        rows.append((number, found))
    figure, axes = panels(1, 1, 1.2 + 0.26 * len(rows))
    axis = axes[0][0]
    for place, (number, found) in enumerate(rows):
        color = COLORS[number.model]
        axis.axhline(place, color=LINE, linewidth=1, zorder=0)
        axis.plot(number.value, place, "D", color=color, **PAPER_STYLE)
        if found is not None:
            runs = [scale * run for run in found["runs"]]
            axis.plot(runs, [place] * len(runs), "|", color=color, markersize=12)
            axis.plot(scale * found["estimate"], place, "o", color=color, markersize=6)
    kinds = {"argmax": "", "sampled": ", sampled"}
    labels = [
        f"{n.model}{kinds.get(n.kind, f', {n.kind}')}: {FIGURES[n.figure]}".replace(
            "majority of", "vote of"
        )
        for n, _ in rows
    ]
    axis.set_yticks(range(len(rows)), labels, fontsize=9.5)
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    if scale == 100.0:
        axis.set_xlim(-4, 104)
    axis.set_xlabel(unit_of(task))
    marks: list[tuple[str, Json]] = [
        ("paper", PAPER_STYLE | {"marker": "D"}),
        ("ours, mean", {"marker": "o"}),
        ("ours, a run", {"marker": "|", "markersize": 10}),
    ]
    legend(figure, [(n, {"color": MUTED, "linestyle": "none"} | m) for n, m in marks], 3)
    missing = sum(found is None for _, found in rows)
    better = "right" if task["higher_is_better"] else "left"
    return save(
        figure,
        folder / f"{name}_beside_the_paper.svg",
        "Beside the paper's numbers",
        f"A dot to the {better} of its diamond is better than the paper.",
        f"The paper: {SOURCE}. Ours: {_runs_of(task)}."
        + (" Rows without a dot were not run." if missing else ""),
    )


def _grid_by_size(sweep: Json, folder: Path, pepg: Json | None = None) -> Picture:
    """The worst treasure by size, and beside it that of the paper's trainer."""
    figure, axes = panels(1, 1, 3.5)
    axis = axes[0][0]
    entries: list[tuple[str, Json]] = []
    ways = ((sweep, {"marker": "o"}, ""), (pepg, {"marker": "s", "linestyle": ":"}, ", PEPG"))
    for found, style, suffix in ways:
        for name, color in COLORS.items():
            line = [
                (point["x"], point["models"][name]["worst"]["estimate"])
                for point in (found["points"] if found else ())
                if name in point["models"]
            ]
            if line:
                axis.plot(*zip(*line, strict=True), color=color, **style)
                entries.append((f"{name}{suffix}", {"color": color} | style))
    values = [
        (p["x"], p["ground_truth"]["value"] or GRID_BRACKETS.get(p["x"], (math.nan,))[0])
        for p in sweep["points"]
    ]
    dashed: Json = {"color": INK, "linestyle": "--"}
    axis.plot(*zip(*values, strict=True), **dashed)
    axis.set_xticks([point["x"] for point in sweep["points"]])
    axis.set_xlabel("side of the grid, cells")
    axis.set_ylabel("steps, worst treasure")
    axis.set_ylim(0, None)
    legend(figure, [*entries, ("game value", dashed)])
    return save(
        figure,
        folder / "grid_sizes.svg",
        "Larger grids",
        "The distance from a line down to the dashed one is the gap.",
        f"RandGrid-v0, worst treasure; {sweep_runs(sweep)}. From 6 x 6 on the dashed line is a "
        "lower bound of the game value.",
    )


def _grid_by_m(sweep: Json, folder: Path) -> Picture:
    figure, axes = panels(1, 1, 3.5)
    axis = axes[0][0]
    color = COLORS["adv-seeded"]
    styles: dict[str, Json] = {"average": {"marker": "o"}, "worst": {"marker": "s", "ls": "--"}}
    for name, style in styles.items():
        family(axis, sweep, "seeded", partial(estimate, name), style)
    papers(axis, GRID_BY_M, color, "o")
    entries: list[tuple[str, Json]] = [
        ("average", {"color": color} | styles["average"]),
        ("worst treasure", {"color": color} | styles["worst"]),
        ("paper, average", {"color": color, "marker": "o"} | PAPER_STYLE),
    ]
    first = sweep["points"][0]
    if first["ground_truth"]["value"] is not None:
        axis.axhline(first["ground_truth"]["value"], color=INK, linestyle=":", linewidth=1)
        entries.append((value_words(first), {"linestyle": ":", "linewidth": 1}))
    axis.set_xticks([point["x"] for point in sweep["points"]])
    axis.set_xlabel("seeds a generation, m")
    axis.set_ylabel("steps")
    axis.set_ylim(0, None)
    legend(figure, entries)
    return save(
        figure,
        folder / "grid_m.svg",
        "More seeds a generation",
        "The lower a line, the fewer steps: does training with more seeds at a time find more?",
        f"RandGrid-v0, adv-seeded, trained by PEPG; {sweep_runs(sweep)}. {NOTE}",
    )
