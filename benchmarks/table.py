"""The printed results: one table a game, one row a model."""

from typing import Any

from rich.table import Table

Json = dict[str, Any]

COLUMNS = (
    "model",
    "average",
    "95th pct",
    "worst case",
    "gap",
    "majority",
    "sampled: worst 5 %",
    "seed variance",
    "runs x s",
)


def shown(figure: Json | None, unit: str) -> str:
    """An estimate with its interval: success in per cent, steps as they are."""
    if figure is None:
        return "-"
    numbers = [figure["estimate"], *figure["ci95"]]
    value, low, high = (100 * x for x in numbers) if unit == "success" else numbers
    digits = 1 if unit == "success" else 2
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def gap(model: Json, task: Json) -> Json | None:
    """How far the worst case stands from the game value, positive where it is worse."""
    value = task["ground_truth"]["value"]
    if value is None:
        return None
    sign = -1.0 if task["higher_is_better"] else 1.0
    ends = sorted(sign * (end - value) for end in model["worst"]["ci95"])
    return {"estimate": sign * (model["worst"]["estimate"] - value), "ci95": ends}


def row(name: str, model: Json, task: Json) -> list[str]:
    """The cells of one model, in the order of COLUMNS."""
    unit = task["unit"]
    majority = model["majority"]
    worst = shown(model["worst"], unit)
    return [
        name,
        shown(model["average"], unit),
        shown(model["p95"], unit),
        worst if model["worst"]["kind"] == "exact" else f"{worst} or worse",
        shown(gap(model, task), unit),
        shown(majority["average"], "success") if majority else "-",
        shown(model["sampled"]["p95"], unit) if model["sampled"] else "-",
        f"{model['seed_variance']:.4f}",
        f"{model['training_runs']} x {model['train_seconds']:.0f}",
    ]


def title(env_id: str, task: Json) -> str:
    """One line that says what the numbers are."""
    arguments = ", ".join(f"{k}={v}" for k, v in task["config"].items() if k in SHOWN_ARGUMENTS)
    unit = "success in %, more is better" if task["unit"] == "success" else "steps, fewer is better"
    value = task["ground_truth"]["value"]
    known = "" if value is None else f"; game value {value:.4g} ({task['ground_truth']['kind']})"
    return f"{env_id} ({arguments}): {unit}{known}"


SHOWN_ARGUMENTS = ("num_pairs", "value_bits", "num_vertices", "num_colors", "size", "horizon")


def results_table(summary: Json) -> list[Table]:
    """One rich table a game."""
    tables = []
    for env_id, task in summary["tasks"].items():
        table = Table(title=title(env_id, task), title_justify="left")
        for column in COLUMNS:
            table.add_column(column, justify="left" if column == "model" else "right")
        for name, model in task["models"].items():
            table.add_row(*row(name, model, task))
        tables.append(table)
    return tables
