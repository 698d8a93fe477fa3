"""What all figures share: colours, axes, files."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from PIL import Image

from rand_envs.core.writing import write_atomically

Json = dict[str, Any]

# Okabe and Ito's palette, which colour-blind readers can tell apart.
COLORS = {
    "erm-fixed": "#999999",
    "adv-fixed": "#E69F00",
    "erm-seeded": "#56B4E9",
    "adv-seeded": "#009E73",
}
PAPER_STYLE = {
    "linestyle": "none",
    "markerfacecolor": "none",
    "markersize": 10,
    "markeredgewidth": 1.5,
}
"""The paper's numbers are hollow marks, in colour and shape those they are compared with."""


@dataclass(frozen=True)
class Picture:
    """A PNG file and what it shows."""

    path: Path
    caption: str


def save(figure: Any, path: Path, caption: str) -> Picture:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    with Image.open(drawn) as image:
        # A few colours are enough, and make files that may be kept beside the code.
        write_png(image.convert("RGB").quantize(128, dither=Image.Dither.NONE), path)
    return Picture(path, caption)


def write_png(image: Image.Image, path: Path) -> None:
    """Write a picture; the file is complete or not there."""
    data = io.BytesIO()
    image.save(data, "PNG", optimize=True)
    write_atomically(path, data.getvalue())


def panels(rows: int, columns: int, width: float, height: float, **kwargs: Any) -> tuple[Any, Any]:
    """A figure and a 2-D array of axes without frames at top and right."""
    size = (width * columns, height * rows)
    figure, axes = plt.subplots(
        rows, columns, figsize=size, squeeze=False, layout="constrained", **kwargs
    )
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def outcome_of(model: Json, kind: str, figure: str) -> Json | None:
    """A figure of a summarised model: kind is "argmax", "sampled" or "majority of N"."""
    if kind == "argmax":
        found: Json = model[figure]
        return found
    if kind == "sampled":
        return model["sampled"][figure] if model["sampled"] else None
    majority = model["majority"]
    votes = [majority, *majority["fewer"]] if majority else []
    return next((v[figure] for v in votes if kind == f"majority of {v['votes']}"), None)


def draw_histogram(axis: Any, model: Json, color: str) -> None:
    """Share of the layouts, in per cent, by their mean outcome over seeds."""
    low, high = model["histogram"]["range"]
    share = model["histogram"]["share"]
    width = (high - low) / len(share)
    starts = [low + place * width for place in range(len(share))]
    axis.bar(starts, [100 * part for part in share], width, align="edge", color=color)


def sweep_runs(sweep: Json) -> str:
    """How many training runs stand behind each model of a sweep."""
    counts = {model["training_runs"] for p in sweep["points"] for model in p["models"].values()}
    few, many = min(counts), max(counts)
    if few == many:
        return f"{few} training run{'s' if few > 1 else ''} each"
    return f"{few} to {many} training runs each"


def log_axis(axis: Any, sweep: Json, name: str) -> None:
    """A logarithmic axis with ticks at the sweep's points alone."""
    values = [point["x"] for point in sweep["points"]]
    axis.set_xscale("log")
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.set_xticks([], minor=True)
    axis.set_xlabel(name)
