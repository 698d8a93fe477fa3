"""What all figures share: colours that have names, axes, files.

A figure is drawn in colours each of which stands for a name. In its file the names are CSS
variables, so that it is right on paper and on a dark screen. It is 360 units wide, as a phone is:
nothing in it has to be smaller there.
"""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from PIL import Image

from rand_envs.core.writing import write_atomically

from ..report.entries import bound_word

Json = dict[str, Any]

TONES = {
    "ink": ("#1c2127", "#e8ebee"),
    "muted": ("#59636e", "#a7b1bb"),
    "line": ("#d6dbe0", "#3b444e"),
    "mark": ("#c04a00", "#ff9257"),
    # After Okabe and Ito, whose colours colour-blind readers can tell apart, as dark or as light
    # as is seen on white or on black.
    "erm-fixed": ("#757b83", "#a9b0b8"),
    "adv-fixed": ("#b57400", "#e69f00"),
    "erm-seeded": ("#2a85c7", "#56b4e9"),
    "adv-seeded": ("#00825e", "#2ec49b"),
}
"""Each colour on a light and on a dark ground."""
INK, MUTED, LINE, MARK = (TONES[name][0] for name in ("ink", "muted", "line", "mark"))
COLORS = {name: TONES[name][0] for name in list(TONES)[4:]}
PAPER_STYLE: Json = {
    "linestyle": "none",
    "markerfacecolor": "none",
    "markersize": 9,
    "markeredgewidth": 1.5,
}
"""The paper's numbers are hollow marks, in colour and shape those they are compared with."""

WIDTH = 5.0
"""Of every figure, in inches of 72 units."""
STYLE: Any = {
    "svg.fonttype": "none",
    "figure.dpi": 72,
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "legend.fontsize": 10.5,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True)
class Picture:
    """Files that are one figure, and what a reader is told of it.

    Attributes:
        paths: SVG files, or frames of a game's own painter as PNG files.
        title: What it is of.
        see: One sentence that says what to see.
        note: How it was drawn.
    """

    paths: tuple[Path, ...]
    title: str
    see: str
    note: str = ""


def variables() -> str:
    """CSS: the colours by name, for a light and for a dark ground."""
    light, dark = (
        ";".join(f"--{name}:{tones[ground]}" for name, tones in TONES.items()) for ground in (0, 1)
    )
    dark_screen = f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return f":root{{{light}}}{dark_screen}"


def panels(rows: int, columns: int, height: float, **kwargs: Any) -> tuple[Any, Any]:
    """A figure of a height in inches, and a 2-D array of its axes."""
    with plt.rc_context(STYLE):
        return plt.subplots(
            rows, columns, figsize=(WIDTH, height), squeeze=False, layout="constrained", **kwargs
        )


def save(figure: Any, path: Path, title: str, see: str, note: str = "") -> Picture:
    """Write an SVG file."""
    data = io.StringIO()
    # The salt makes the names in it its own: several figures stand in one page.
    with plt.rc_context(STYLE | {"svg.hashsalt": path.stem}):
        figure.savefig(data, format="svg", transparent=True, metadata={"Date": None})
    plt.close(figure)
    write_atomically(path, _themed(data.getvalue()).encode())
    return Picture((path,), title, see, note)


def _themed(svg: str) -> str:
    """The drawing alone, smaller, its colours by name."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.S)
    svg = re.sub(r' id="[a-zA-Z]+[a-zA-Z0-9.]*_\d+"', "", svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font: \1px system-ui, sans-serif", svg)
    svg = re.sub(r"\n\s*", "\n", svg)
    # Of coordinates, which stand in tags, hundredths are enough.
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), svg)
    view = re.search(r'viewBox="[^"]*"', svg)
    assert view is not None
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{view[0]} stroke-linejoin="round">'
    )
    for name, (color, _) in TONES.items():
        svg = svg.replace(color, f"var(--{name})")
    return re.sub(r"<svg[^>]*>", f"{opening}<style>{variables()}</style>", svg, count=1)


def save_frame(frame: Any, path: Path) -> Path:
    """Write what a painter drew, uint8 (H, W, 3)."""
    data = io.BytesIO()
    # A few colours are enough, and make files that may be kept beside the code.
    image = Image.fromarray(np.asarray(frame)).quantize(64, dither=Image.Dither.NONE)
    image.save(data, "PNG", optimize=True)
    write_atomically(path, data.getvalue())
    return path


def legend(owner: Any, entries: Sequence[tuple[str, Json]], columns: int = 2) -> None:
    """Below a figure: what its marks and lines mean."""
    with plt.rc_context(STYLE):
        marks = [Line2D([], [], label=label, **{"color": INK, **style}) for label, style in entries]
        owner.legend(handles=marks, loc="outside lower center", ncols=columns)


def percent(unit: str) -> float:
    """What an outcome is multiplied by to be shown."""
    return 100.0 if unit == "success" else 1.0


def unit_of(task: Json) -> str:
    """What an axis of outcomes is called."""
    return "success, %" if task["unit"] == "success" else task["unit"]


def value_words(task: Json) -> str:
    """The game value as a figure calls it: a bound is called a bound."""
    number = f"{percent(task['unit']) * task['ground_truth']['value']:.4g}"
    return f"game value {bound_word(task)}{number}{' %' if task['unit'] == 'success' else ''}"


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


def draw_histogram(axis: Any, model: Json, color: str, scale: float = 1.0) -> None:
    """Share of the layouts, in per cent, by their mean outcome over seeds."""
    low, high = (scale * end for end in model["histogram"]["range"])
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
