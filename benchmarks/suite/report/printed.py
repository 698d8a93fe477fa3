"""The printed results: one table a game, one row a model."""

from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table

from rand_agents.evaluation.tables import searched

from .entries import (
    Entry,
    bound_word,
    entries_of,
    estimate,
    figure,
    gap_mark,
    shown,
    spread_of_times,
    unit_words,
)

Json = dict[str, Any]

COLUMNS = (
    "model",
    "worst case",
    "gap",
    "average",
    "95th pct",
    "majority",
    "sampled",
    "seed var.",
    "training",
)
ZOO_TITLE = "Trained before, at full size, and evaluated now"


def shown_gap(gap: Json | None, worst_kind: str, unit: str) -> str:
    """The gap, marked where game value or worst case are bounds themselves."""
    return "-" if gap is None else gap_mark(gap, worst_kind) + shown(gap, unit)


def row(name: str, model: Json, task: Json) -> list[str]:
    """The cells of one model, in the order of COLUMNS."""
    unit = task["unit"]
    majority = model["majority"]
    worst = shown(model["worst"], unit)
    return [
        name,
        f"{worst} *" if model["worst"]["kind"] == "bound" else worst,
        shown_gap(model["gap"], model["worst"]["kind"], unit),
        estimate(model["average"], unit),
        estimate(model["p95"], unit),
        estimate(majority["average"], "success") if majority else "-",
        estimate(model["sampled"]["p95"], unit),
        f"{model['seed_variance']:.4f}",
        f"{model['training_runs']} x {spread_of_times(model)}",
    ]


def title(entry: Entry) -> str:
    """One line that says what the numbers are."""
    task = entry.task
    value = task["ground_truth"]["value"]
    known = ""
    if value is not None:
        number = f"{100 * value:.4g} %" if task["unit"] == "success" else f"{value:.4g}"
        known = f"; game value {bound_word(task)}{number}"
    heading = f"{task['env_id']}, {entry.title}: {unit_words(task)}{known}"
    return f"{ZOO_TITLE}. {heading}" if entry.is_zoo else heading


def found_by_search(task: Json) -> list[str]:
    """What is said of worst layouts that were searched for; nothing where all were played."""
    lines = []
    models = task["models"].values()
    if any(model["worst"]["kind"] == "bound" for model in models):
        lines.append("* the worst layout that was found: there may be worse ones")
        # A search that was not recorded is from before it was, and was less thorough.
        efforts = [model["search"] for model in models if model.get("search")]
        lines += sorted({f"search: {searched(e['rounds'], e['starts'])}" for e in efforts})
    return lines


def remarks(task: Json) -> list[str]:
    """What stands below the table of a game."""
    lines = found_by_search(task)
    regrets = {name: m["regret"] for name, m in task["models"].items() if m.get("regret")}
    if regrets:
        said = [
            f"{name} {figure(regret['worst']['estimate'], 'regret')}"
            + (f" (ratio {regret['ratio']['estimate']:.2f})" if "ratio" in regret else "")
            for name, regret in regrets.items()
        ]
        lines.append(
            f"worst regret in {task['unit']}, against one who knew the layout: {', '.join(said)}"
        )
    return lines


def results_table(summary: Json) -> list[Table]:
    """One rich table a game, first of what was trained, then of the zoo."""
    tables = []
    for entry in entries_of(summary):
        table = Table(title=title(entry), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for column in COLUMNS:
            justify: Literal["left", "right"] = "left" if column == "model" else "right"
            # Intervals may go to a second line in a narrow window, but nothing is cut.
            table.add_column(column, justify=justify, no_wrap=column == "model", overflow="fold")
        for name, model in entry.task["models"].items():
            table.add_row(*row(name, model, entry.task))
        table.caption = "\n".join(remarks(entry.task)) or None
        table.caption_justify = "left"
        tables.append(table)
    return tables
