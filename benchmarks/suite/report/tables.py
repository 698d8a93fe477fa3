"""The tables of report.html."""

import html
import re
from collections.abc import Callable
from typing import Any

from .entries import Entry, best_model, bound_word, estimate, gap_mark, interval, spread_of_times
from .printed import found_by_search

Json = dict[str, Any]


def main_table(entries: list[Entry]) -> str:
    """Every model of every game: worst case and gap with their intervals, and the average."""
    groups = "".join(map(_group, entries))
    heads = "".join(f"<th scope=col>{name}</th>" for name in ("model", "worst case", "gap"))
    return (
        f'<table class="main"><thead><tr>{heads}<th scope=col>average</th></tr></thead>'
        f"{groups}</table>"
    )


def _group(entry: Entry) -> str:
    task = entry.task
    unit, best = task["unit"], best_model(task)
    value = ""
    if task["ground_truth"]["value"] is not None:
        number = estimate({"estimate": task["ground_truth"]["value"]}, unit)
        value = f", game value {bound_word(task)}{number}"
    shown = "success in %" if unit == "success" else unit
    lines = [
        f'<tr class="game"><th scope=rowgroup colspan=4><a href="#{entry.name}">'
        f"{html.escape(entry.title)}</a> <small>{html.escape(shown + value)}</small></th></tr>"
    ]
    for name, model in task["models"].items():
        worst, gap = model["worst"], model["gap"]
        star = " *" if worst["kind"] == "bound" else ""
        sign = gap_mark(gap, worst["kind"]) if gap else ""
        cells = (
            _with_interval(worst, unit, after=star),
            _with_interval(gap, unit, before=sign) if gap else "–",
            _with_interval(model["average"], unit),
        )
        kind = ' class="best"' if name == best else ""
        inner = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f"<tr{kind}><th scope=row>{html.escape(name)}</th>{inner}</tr>")
    return f"<tbody>{''.join(lines)}</tbody>"


def _with_interval(found: Json, unit: str, before: str = "", after: str = "") -> str:
    return (
        f"<b>{before}{estimate(found, unit)}{after}</b> "
        f'<span class="ci">{interval(found, unit)}</span>'
    )


Read = Callable[[Json, str], str | None]


def details(task: Json) -> str:
    """What else is known of the models, a column each."""
    models, unit = task["models"], task["unit"]
    rows: tuple[tuple[str, str, Read], ...] = (
        ("95th percentile", "95 % of the layouts are at least as good", _p95),
        ("vote", f"the layouts on which most of {_votes(models)} seeds are right", _vote),
        ("sampled", "95th percentile where actions are drawn, not the likeliest", _sampled),
        ("regret", "the worst layout: how much more than one who knew it", _regret),
        ("seed variance", "how much the output depends on the seed", _variance),
        ("layouts", "how many were played", lambda model, _: f"{model['num_layouts']:,}"),
        ("trained", "runs, and how long one took", _trained),
    )
    lines = []
    for name, meaning, read in rows:
        cells = [read(model, unit) for model in models.values()]
        if any(cells):
            inner = "".join(f"<td>{html.escape(cell or '–')}</td>" for cell in cells)
            label = f"{name} <small>{html.escape(meaning)}</small>"
            lines.append(f"<tr><th scope=row>{label}</th>{inner}</tr>")
    heads = "".join(f"<th scope=col>{html.escape(name)}</th>" for name in models)
    below = "".join(f'<p class="note">{html.escape(line)}</p>' for line in found_by_search(task))
    return (
        f'<table class="details"><thead><tr><td></td>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>{below}"
    )


def _votes(models: Json) -> str:
    found = [model["majority"]["votes"] for model in models.values() if model["majority"]]
    return str(found[0]) if found else "the"


def _p95(model: Json, unit: str) -> str:
    return estimate(model["p95"], unit)


def _vote(model: Json, _unit: str) -> str | None:
    return estimate(model["majority"]["average"], "success") if model["majority"] else None


def _sampled(model: Json, unit: str) -> str | None:
    return estimate(model["sampled"]["p95"], unit) if model["sampled"] else None


def _regret(model: Json, unit: str) -> str | None:
    found = model.get("regret")
    return estimate(found["worst"], unit) if found else None


def _variance(model: Json, _unit: str) -> str:
    return f"{model['seed_variance']:.3f}"


def _trained(model: Json, _unit: str) -> str:
    # A number and its unit stay together.
    time = re.sub(r"(\d) ", "\\1\u00a0", spread_of_times(model))
    return f"{model['training_runs']}\u00a0× {time}"
