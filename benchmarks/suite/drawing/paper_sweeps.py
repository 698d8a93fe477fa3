"""Figures of recall and colouring against size, q and m, beside the paper's."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .paper_numbers import (
    COLORING_BY_Q,
    COLORING_MAJORITY,
    LOSS_BY_M,
    LOSS_BY_Q,
    RECALL_SIZES,
    SOURCE,
    VARIANCE_ONSET_Q,
)
from .pictures import (
    COLORS,
    MUTED,
    PAPER_STYLE,
    Json,
    Picture,
    draw_histogram,
    legend,
    log_axis,
    outcome_of,
    panels,
    percent,
    save,
    sweep_runs,
)

NOTE = f"Hollow marks: the paper, {SOURCE}."
KIND_STYLES = {
    "argmax": {"linestyle": "-", "marker": "o"},
    "sampled": {"linestyle": ":", "marker": "v"},
    "majority of 30": {"linestyle": "-.", "marker": "^"},
}
FIGURE_NAMES = {"average": "average", "p95": "95th percentile"}
HOLLOW: Json = {"color": MUTED, "marker": "o"} | PAPER_STYLE


def _line(axis: Any, sweep: Json, models: tuple[str, ...], kind: str, figure: str) -> bool:
    """Success or steps along the sweep's axis for whichever of the models each point has."""
    found = [
        (point["x"], value["estimate"] * percent(point["unit"]))
        for point in sweep["points"]
        for model in models
        if model in point["models"]
        if (value := outcome_of(point["models"][model], kind, figure)) is not None
    ]
    if found:
        axis.plot(*zip(*found, strict=True), color=COLORS[models[0]], **KIND_STYLES[kind])
    return bool(found)


def papers(axis: Any, values: dict[Any, float], color: str, marker: str) -> None:
    """The paper's numbers by their place on the axis."""
    if values:
        x, y = list(values), list(values.values())
        axis.plot(x, y, marker, color=color, clip_on=False, **PAPER_STYLE)


def estimate(name: str, model: Json) -> float:
    """What a model's average or worst case is."""
    found: float = model[name]["estimate"]
    return found


def family(axis: Any, sweep: Json, kind: str, read: Callable[[Json], float], style: Json) -> None:
    """One number of the seeded or of the fixed models against q or m."""
    found = [
        (point["x"], read(model))
        for point in sweep["points"]
        for name, model in point["models"].items()
        if name.endswith(kind)
    ]
    if found:
        axis.plot(*zip(*found, strict=True), color=COLORS[f"adv-{kind}"], markersize=5, **style)


def success_by_size(sweep: Json, folder: Path) -> Picture:
    """A row for each objective, a column for each figure."""
    figure, axes = panels(2, 2, 5.0, sharex=True, sharey=True)
    entries: list[tuple[str, Json]] = []
    for row, aim in enumerate(("erm", "adv")):
        for kind in ("fixed", "seeded"):
            model = f"{aim}-{kind}"
            for way in ("argmax",) if kind == "fixed" else ("argmax", "majority of 30"):
                drawn = False
                for axis, name in zip(axes[row], FIGURE_NAMES, strict=True):
                    drawn = _line(axis, sweep, (model,), way, name) or drawn
                    known = RECALL_SIZES.get((model, way, name), {})
                    papers(axis, known, COLORS[model], KIND_STYLES[way]["marker"])
                if drawn:
                    label = model if way == "argmax" else f"{model}, vote of 30"
                    entries.append((label, {"color": COLORS[model]} | KIND_STYLES[way]))
        axes[row][0].set_ylabel("success, %")
        for axis, name in zip(axes[row], FIGURE_NAMES.values(), strict=True):
            axis.set_title(f"{aim}: {name}")
            axis.set_ylim(-3, 103)
    for axis in axes[1]:
        axis.set_xlabel("pairs N")
        axis.set_xticks([point["x"] for point in sweep["points"]])
    legend(figure, [*entries, ("paper", HOLLOW)])
    return save(
        figure,
        folder / "recall_sizes.svg",
        "More pairs than fit into the memory",
        "In the last panel a line that stays above 0 % is of a policy that an adversary cannot "
        "beat at will; its votes show what its seeds know together.",
        f"RandRecall-v0. erm: trained on the mean, adv: on the q-norm; {sweep_runs(sweep)}, at "
        f"N = 20 as long as the headline's, else shorter. 95th percentile: what 95 % of the "
        f"layouts reach. {NOTE}",
    )


LOSS_STYLES: dict[str, Json] = {
    "average": {"linestyle": "-", "marker": "o"},
    "p95": {"linestyle": "--", "marker": "s"},
}


def _loss(name: str, model: Json) -> float:
    return estimate(name, model["loss"])


def _losses(
    axis: Any, sweep: Json, known: dict[str, dict[float, tuple[float, float]]]
) -> list[tuple[str, Json]]:
    """Mean and 95th percentile of the loss along q or m, and the paper's; the legend."""
    entries: list[tuple[str, Json]] = []
    for kind, numbers in known.items():
        color = COLORS[f"adv-{kind}"]
        for place, (name, style) in enumerate(LOSS_STYLES.items()):
            family(axis, sweep, kind, partial(_loss, name), style)
            theirs = {x: pair[place] for x, pair in numbers.items()}
            papers(axis, theirs, color, style["marker"])
            entries.append((f"{kind}, {FIGURE_NAMES[name]}", {"color": color} | style))
    axis.set_ylabel("loss, nats a bit")
    axis.set_ylim(0, None)
    return [*entries, ("paper", HOLLOW)]


def recall_by_q(sweep: Json, folder: Path) -> Picture:
    """Loss, and how much the seed matters, against q."""
    figure, axes = panels(2, 1, 5.6, sharex=True)
    loss, variance = axes[:, 0]
    entries = _losses(loss, sweep, LOSS_BY_Q)
    for kind in ("seeded", "fixed"):
        family(variance, sweep, kind, lambda m: m["seed_variance"], LOSS_STYLES["average"])
    variance.axvline(VARIANCE_ONSET_Q, color=MUTED, linestyle="--", linewidth=1)
    variance.text(VARIANCE_ONSET_Q, 0.5, " in the paper it\n sets in near here", va="center",
                  transform=variance.get_xaxis_transform())  # fmt: skip
    variance.set_ylabel("variance over seeds")
    log_axis(variance, sweep, "q")
    legend(figure, entries)
    return save(
        figure,
        folder / "recall_q.svg",
        "From the mean to the worst case",
        "Above, the two lines of the seeded models come together as q grows: no layout is much "
        "worse than the average. Below, their answers begin to depend on the seed.",
        f"RandRecall-v0, N = 15; variance of the predicted probabilities; {sweep_runs(sweep)}. "
        f"{NOTE}",
    )


def loss_by_m(sweep: Json, folder: Path) -> Picture:
    """Loss against the number of seeds."""
    figure, axes = panels(1, 1, 3.4)
    entries = _losses(axes[0][0], sweep, {"seeded": LOSS_BY_M})
    axes[0][0].set_xlabel("seeds an update, m")
    legend(figure, entries)
    return save(
        figure,
        folder / "recall_m.svg",
        "More seeds an update",
        "The lower, the better: the first few seeds an update matter most, further ones help less "
        "and less.",
        f"RandRecall-v0, N = 15, largest q of the recipe; {sweep_runs(sweep)}. {NOTE}",
    )


def histograms_by_q(sweep: Json, folder: Path) -> Picture:
    """A row for each q: how the layouts spread, without and with seeds."""
    points = sweep["points"]
    figure, axes = panels(len(points), 2, 0.7 + 0.8 * len(points), sharex=True, sharey=True)
    for row, point in zip(axes, points, strict=True):
        for axis, kind in zip(row, ("fixed", "seeded"), strict=True):
            for name, model in point["models"].items():
                if name.endswith(kind):
                    draw_histogram(axis, model, COLORS[name], 100.0)
                    axis.set_title(f"q = {point['x']:g}, {name}", loc="left", pad=2, fontsize=10)
            axis.set_ylim(0, 105)
    figure.supylabel("layouts, %", fontsize=11)
    figure.supxlabel("success over seeds, %", fontsize=11)
    game = "recall" if "Recall" in sweep["env_id"] else "coloring"
    return save(
        figure,
        folder / f"{game}_histograms_q.svg",
        "How the layouts spread, by q",
        "Two spikes at 0 and 100 % are a policy that an adversary beats at will; one hump away "
        "from 0 is one that it cannot beat.",
        f"{sweep['env_id']}; {sweep_runs(sweep)}. The figure is the paper's ({SOURCE}).",
    )


def coloring_by_q(sweep: Json, folder: Path) -> Picture:
    """Success of fixed and seeded models against q."""
    figure, axes = panels(2, 1, 5.2, sharex=True, sharey=True)
    column = axes[:, 0]
    entries: list[tuple[str, Json]] = []
    for kind in ("seeded", "fixed"):
        color = COLORS[f"adv-{kind}"]
        models = (f"adv-{kind}", f"erm-{kind}")
        for way in ("argmax", "sampled") if kind == "fixed" else ("argmax", "majority of 30"):
            pairs = zip(column, FIGURE_NAMES, strict=True)
            drawn = [_line(axis, sweep, models, way, name) for axis, name in pairs]
            if any(drawn):
                label = {"argmax": kind}.get(way, f"{kind}, {way}".replace("majority", "vote"))
                entries.append((label, {"color": color} | KIND_STYLES[way]))
        for place, axis in enumerate(column):
            known = {q: pair[place] for q, pair in COLORING_BY_Q[kind].items()}
            papers(axis, known, color, KIND_STYLES["argmax"]["marker"])
    for axis, name in zip(column, FIGURE_NAMES.values(), strict=True):
        marker = KIND_STYLES["majority of 30"]["marker"]
        papers(axis, COLORING_MAJORITY, COLORS["adv-seeded"], marker)
        axis.set_title(name, loc="left")
        axis.set_ylim(-3, 103)
        axis.set_ylabel("success, %")
    log_axis(column[1], sweep, "q (1: trained on the mean)")
    legend(figure, [*entries, ("paper", HOLLOW)])
    return save(
        figure,
        folder / "coloring_q.svg",
        "From the mean to the worst case",
        "Filled marks above hollow ones of the same shape and colour are better than the paper's; "
        "the further apart the two panels, the more an adversary can take.",
        f"RandColoring-v0, all cycles; {sweep_runs(sweep)}. sampled: colours drawn instead of the "
        f"likeliest. {NOTE}",
    )
