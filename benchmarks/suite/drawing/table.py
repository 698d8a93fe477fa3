"""The printed results: one table a game, one row a model."""

from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table

from rand_agents.evaluation.report import gap_sign
from rand_agents.evaluation.tables import searched

Json = dict[str, Any]

COLUMNS = (
    "model",
    "average",
    "95th pct",
    "worst case",
    "gap",
    "majority",
    "sampled",
    "seed var.",
    "training",
)


def _number(value: float, unit: str) -> str:
    return f"{100 * value:.1f}" if unit == "success" else f"{value:.2f}"


def estimate(figure: Json, unit: str) -> str:
    """An estimate alone: success in per cent, steps as they are."""
    return _number(figure["estimate"], unit)


def shown(figure: Json, unit: str) -> str:
    """An estimate with its interval."""
    low, high = (_number(end, unit) for end in figure["ci95"])
    return f"{estimate(figure, unit)} [{low}, {high}]"


def shown_gap(gap: Json | None, worst_kind: str, unit: str) -> str:
    """The gap, marked where game value or worst case are bounds themselves."""
    if gap is None:
        return "-"
    return f"{gap_sign(gap['kind'], worst_kind)} {shown(gap, unit)}".strip()


def row(name: str, model: Json, task: Json) -> list[str]:
    """The cells of one model, in the order of COLUMNS."""
    unit = task["unit"]
    majority = model["majority"]
    worst = shown(model["worst"], unit)
    return [
        name,
        estimate(model["average"], unit),
        estimate(model["p95"], unit),
        f"{worst} *" if model["worst"]["kind"] == "bound" else worst,
        shown_gap(model["gap"], model["worst"]["kind"], unit),
        estimate(majority["average"], "success") if majority else "-",
        estimate(model["sampled"]["p95"], unit),
        f"{model['seed_variance']:.4f}",
        f"{model['training_runs']} x {model['train_seconds']:.0f} s",
    ]


def title(env_id: str, task: Json) -> str:
    """One line that says what the numbers are."""
    arguments = ", ".join(f"{k}={v}" for k, v in task["config"].items() if k in SHOWN_ARGUMENTS)
    unit = "success in %, more is better"
    if task["unit"] != "success":
        unit = f"{task['unit']}, {'more' if task['higher_is_better'] else 'fewer'} is better"
    value = task["ground_truth"]["value"]
    known = ""
    if value is not None:
        exact = task["ground_truth"]["kind"] == "exact"
        number = f"{100 * value:.4g} %" if task["unit"] == "success" else f"{value:.4g}"
        bound = "at most " if task["higher_is_better"] else "at least "
        known = f"; game value {'' if exact else bound}{number}"
    return f"{env_id} ({arguments}): {unit}{known}"


SHOWN_ARGUMENTS = (
    "num_pairs",
    "value_bits",
    "num_vertices",
    "num_colors",
    "size",
    "horizon",
    "graph",
    "attack_duration",
    "num_pages",
    "cache_size",
    "num_requests",
)


ZOO_TITLE = "Trained before, at full size, and evaluated now"


def remarks(task: Json) -> list[str]:
    """What stands below the table of a game."""
    lines = []
    models = task["models"].values()
    if any(model["worst"]["kind"] == "bound" for model in models):
        lines.append("* the worst layout that was found: there may be worse ones")
        # A search that was not recorded is from before it was, and was less thorough.
        efforts = [model["search"] for model in models if model.get("search")]
        lines += sorted({f"search: {searched(e['rounds'], e['starts'])}" for e in efforts})
    regrets = {name: m["regret"] for name, m in task["models"].items() if m.get("regret")}
    if regrets:
        said = [
            f"{name} {_number(regret['worst']['estimate'], 'regret')}"
            + (f" (ratio {regret['ratio']['estimate']:.2f})" if "ratio" in regret else "")
            for name, regret in regrets.items()
        ]
        lines.append(
            f"worst regret in {task['unit']}, against one who knew the layout: {', '.join(said)}"
        )
    return lines


def results_table(summary: Json) -> list[Table]:
    """One rich table a game, first of what was trained, then of the zoo."""
    titled = [(title(env_id, task), task) for env_id, task in summary["tasks"].items()]
    for task in summary["zoo"].values():
        titled.append((f"{ZOO_TITLE}. {title(task['env_id'], task)}", task))
    tables = []
    for heading, task in titled:
        table = Table(title=heading, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for column in COLUMNS:
            justify: Literal["left", "right"] = "left" if column == "model" else "right"
            table.add_column(column, justify=justify, no_wrap=True)
        for name, model in task["models"].items():
            table.add_row(*row(name, model, task))
        table.caption = "\n".join(remarks(task)) or None
        table.caption_justify = "left"
        tables.append(table)
    return tables
