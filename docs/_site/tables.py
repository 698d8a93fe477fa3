"""Tables of results, in the README and on pages, from what the benchmark wrote.

A page marks the place by `<!-- table: NAME -->` and `<!-- end -->`. `python docs/_site/tables.py`
fills in all of them; a test says when one is not up to date.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # for `benchmarks`, which is not installed

from benchmarks.suite.drawing.paper_numbers import GRID_BRACKETS, HEADLINES
from rand_envs.minimax import load_solution

Json = dict[str, Any]
Rows = Iterable[Iterable[str]]

PLACE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

NAMES = {
    "recall": "recall",
    "coloring": "colouring",
    "grid": "grid",
    "patrol": "patrol",
    "paging": "paging",
}
WHAT = {"success": "success", "steps": "steps", "faults": "faults"}


def results(preset: str) -> Json:
    """What the benchmark of a preset found, as committed."""
    found: Json = json.loads((ROOT / "results" / preset / "results.json").read_text())
    return found


def table(head: Iterable[str], rows: Rows) -> str:
    """A table in Markdown."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def plain(value: float, unit: str) -> str:
    """A number as people read it: success in per cent, everything else as it is."""
    if unit == "success":
        return f"{round(100 * value, 1) + 0.0:.1f} %"
    return f"{round(value, 2) + 0.0:.2f}"


def shown(figure: Json, unit: str) -> str:
    """An estimate, and its 95 % interval where it has a width."""
    low, high = (plain(end, unit) for end in figure["ci95"])
    middle = plain(figure["estimate"], unit)
    return middle if low == high == middle else f"{middle} [{low.removesuffix(' %')} to {high}]"


def gap(model: Json) -> str:
    """The gap to the game value; a bound where value or worst case are bounds."""
    found, searched = model["gap"], model["worst"]["kind"] == "bound"
    sign = {(False, False): "", (True, False): "≤ ", (False, True): "≥ ", (True, True): "≈ "}
    return sign[found["kind"] == "bound", searched] + shown(found, _unit(model))


def value(task: Json) -> str:
    """The game value, or the bound that is known of it."""
    truth = task["ground_truth"]
    return ("" if truth["kind"] == "exact" else "≤ ") + plain(truth["value"], task["unit"])


def _unit(model: Json) -> str:
    unit: str = model["unit"]
    return unit


def size(task: Json) -> str:
    """The size of a game in a few words."""
    config = task["config"]
    if "num_pairs" in config:
        return f"{config['num_pairs']} pairs of {config['value_bits']} bits"
    if "num_vertices" in config:
        return f"{config['num_vertices']} vertices"
    if "size" in config:
        rows, columns = config["size"]
        corner = config["start"] == [0, 0]
        return f"{rows} × {columns}{'' if corner else ' from the centre'}"
    if "graph" in config:
        return f"{config['graph'][0]} of {config['graph'][1]}"
    return f"{config['num_requests']} requests"


def _tasks(preset: str) -> list[tuple[str, Json]]:
    """Tasks by a name and size, with the unit beside every model's figures."""
    found = []
    for task in results(preset)["tasks"].values():
        for model in task["models"].values():
            model["unit"] = task["unit"]
        name = NAMES.get(task["label"].rstrip("0123456789"), task["label"])
        found.append((f"{name}, {size(task)}, {WHAT.get(task['unit'], task['unit'])}", task))
    return found


def quick() -> str:
    """Five rows: what an adversary does to the ordinary policy and to the seeded one."""
    head = ("game", "ordinary policy", "seeded policy", "game value", "gap")
    return table(
        head,
        (
            (
                name,
                shown(task["models"]["erm-fixed"]["worst"], task["unit"]),
                f"**{shown(task['models']['adv-seeded']['worst'], task['unit'])}**",
                value(task),
                gap(task["models"]["adv-seeded"]),
            )
            for name, task in _tasks("quick")
        ),
    )


def quick_models() -> str:
    """Four rows a game: all models of the default benchmark."""
    head = ("game", "model", "average", "worst case", "gap", "majority of 31", "seed variance")
    rows = []
    for name, task in _tasks("quick"):
        for model, found in task["models"].items():
            vote, is_first = found["majority"], model == next(iter(task["models"]))
            rows.append(
                (
                    name if is_first else "",
                    f"`{model}`",
                    plain(found["average"]["estimate"], task["unit"]),
                    shown(found["worst"], task["unit"]),
                    gap(found),
                    plain(vote["average"]["estimate"], "success") if vote else "–",
                    f"{found['seed_variance']:.4f}",
                )
            )
    return table(head, rows)


def _beside(env_id: str, rows: Iterable[tuple[str, str, str, Json]]) -> str:
    """Figures of `adv-seeded` beside the paper's: name, kind and figure there, and what is here."""
    unit = "steps" if env_id == "RandGrid-v0" else "success"
    head = ("figure", "the paper", "here, mean of runs", "runs")
    return table(
        head,
        (
            (name, paper(env_id, kind, key), plain(found["estimate"], unit), _runs(found, unit))
            for name, kind, key, found in rows
        ),
    )


def paper(env_id: str, kind: str, figure: str) -> str:
    """The paper's number of `adv-seeded`, or a dash where it has none."""
    key = ("adv-seeded", kind, figure)
    found = [n.value for n in HEADLINES[env_id] if (n.model, n.kind, n.figure) == key]
    return f"{found[0]:g}{'' if env_id == 'RandGrid-v0' else ' %'}" if found else "–"


def _headline(env_id: str) -> Json:
    found: Json = results("paper")["tasks"][env_id]["models"]["adv-seeded"]
    return found


def _runs(figure: Json, unit: str) -> str:
    low, high = plain(min(figure["runs"]), unit), plain(max(figure["runs"]), unit)
    return low if low == high else f"{low} to {high}"


def recall() -> str:
    """Recall at the paper's size, beside the paper."""
    found = _headline("RandRecall-v0")
    thirty, five = found["majority"], found["majority"]["fewer"][0]
    rows = (
        ("average", "argmax", "average", found["average"]),
        ("95th percentile", "argmax", "p95", found["p95"]),
        ("majority of 5, 95th percentile", "majority of 5", "p95", five["p95"]),
        ("majority of 30, 95th percentile", "majority of 30", "p95", thirty["p95"]),
        ("worst layout that a search found", "argmax", "worst", found["worst"]),
        ("majority of 30 there", "majority of 30", "worst", thirty["worst"]),
    )
    return _beside("RandRecall-v0", rows)


def coloring() -> str:
    """Colouring at the paper's size, beside the paper."""
    found = _headline("RandColoring-v0")
    rows = (
        ("average", "argmax", "average", found["average"]),
        ("95th percentile", "argmax", "p95", found["p95"]),
        ("worst of all 181,440 cycles", "argmax", "worst", found["worst"]),
    )
    return _beside("RandColoring-v0", rows)


BRACKETS = {size: f"{low:g} to {high:g}" for size, (low, high) in GRID_BRACKETS.items()}


def _grid_value(n: int) -> str:
    return BRACKETS.get(n) or f"{float(load_solution((n, n)).value):.2f}"


def grid() -> str:
    """The grid at the sizes that were trained, beside the paper and the game value."""
    head = ("grid", "steps", "game value", "the paper", "here, mean of runs", "runs")
    rows = []
    for point in results("paper")["sweeps"]["grid-sizes"]["points"]:
        n, found = point["x"], point["models"]["adv-seeded"]
        for key, name in (
            ("worst", "worst treasure"),
            ("p95", "95th pct."),
            ("average", "average"),
        ):
            rows.append(
                (
                    f"{n} × {n}",
                    name,
                    _grid_value(n) if key == "worst" else "–",
                    paper("RandGrid-v0", "argmax", key) if n == 5 else "–",
                    plain(found[key]["estimate"], "steps"),
                    _runs(found[key], "steps"),
                )
            )
    return table(head, rows)


def defaults() -> str:
    """Patrol and paging at their default sizes."""
    head = ("game", "game value", "worst case, mean of runs", "runs", "average")
    rows = []
    for env_id in ("RandPatrol-v0", "RandPaging-v0"):
        task, found = results("paper")["tasks"][env_id], _headline(env_id)
        unit = task["unit"]
        value, worst, average = (
            plain(number, unit)
            for number in (
                task["ground_truth"]["value"],
                found["worst"]["estimate"],
                found["average"]["estimate"],
            )
        )
        rows.append(
            (f"`{env_id}`, {WHAT[unit]}", value, worst, _runs(found["worst"], unit), average)
        )
    return table(head, rows)


def headline() -> str:
    """One sentence about the paper's sizes."""
    said = []
    for name, env_id in (
        ("recall", "RandRecall-v0"),
        ("colouring", "RandColoring-v0"),
        ("the grid", "RandGrid-v0"),
    ):
        unit = "steps" if env_id == "RandGrid-v0" else "success"
        ours = plain(_headline(env_id)["p95"]["estimate"], unit)
        theirs = paper(env_id, "argmax", "p95")
        said.append(f"{name} {ours}{' steps' * (unit == 'steps')} (the paper {theirs})")
    exact = float(load_solution((5, 5)).value)
    return (
        "At the paper's sizes 95 % of layouts are at least as good as: "
        f"{', '.join(said)}, where {exact:.2f} is the game value.\n"
    )


TABLES: dict[str, Callable[[], str]] = {
    "quick": quick,
    "quick-models": quick_models,
    "headline": headline,
    "recall": recall,
    "coloring": coloring,
    "grid": grid,
    "defaults": defaults,
}


def filled(text: str) -> str:
    """A page with every marked table as the results have it now."""
    return PLACE.sub(lambda place: place[1] + "\n" + TABLES[place[2]]() + "\n" + place[3], text)


def pages() -> list[Path]:
    """Everything that may hold a table."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


if __name__ == "__main__":
    for page in pages():
        page.write_text(filled(page.read_text()))
