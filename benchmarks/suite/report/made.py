"""The end of report.html: what was run, for how long, and how to run it again."""

import html
import shlex
from typing import Any

from rand_agents.zoo import zoo_card, zoo_names

from ..experiments import PRESETS
from ..job import TASKS
from .entries import Entry, minutes, spread, times_of, trainer_of

Json = dict[str, Any]


def commands(entry: Entry, summary: Json) -> str:
    """What makes each row of a game again."""
    lines = [_command(entry, model, summary) for model in entry.task["models"]]
    what = "evaluates a row again" if entry.is_zoo else "trains a row again"
    heading = f"What {what}{', and what trained it' if entry.is_zoo else ''}"
    return f"<h3>{heading}</h3><pre>{html.escape(chr(10).join(lines))}</pre>"


def _command(entry: Entry, model: str, summary: Json) -> str:
    if entry.is_zoo:
        name = f"{entry.name}-{model}"
        card = zoo_card(name) if name in zoo_names() else {}
        trained = f"\n{card['command']}" if "command" in card else ""
        return f"python -m rand_agents evaluate {name}{trained}"
    experiment = next(
        found.name
        for found in PRESETS[summary["preset"]]
        if found.axis is None and TASKS[found.task] == entry.task["env_id"]
    )
    options = ["--preset", summary["preset"], "--experiments", experiment, "--models", model]
    options += ["--rng-seed", str(summary["rng_seed"])] if summary["rng_seed"] else []
    return f"python benchmarks/run.py {shlex.join(options)}"


def how_made(summary: Json, entries: list[Entry]) -> str:
    """What was run for how long, and on what."""
    rows = [
        _row(entry.name, name, entry.task.get("recipe"), [model])
        for entry in entries
        for name, model in entry.task["models"].items()
    ]
    rows += [
        _row(name, f"{len(sweep['points'])} points", sweep["recipe"], _models_of(sweep))
        for name, sweep in summary["sweeps"].items()
    ]
    machine = ", ".join(f"{name} {value}" for name, value in summary["machine"].items())
    command = f"python benchmarks/run.py --preset {summary['preset']}"
    command += f" --rng-seed {summary['rng_seed']}"
    return (
        '<section id="made"><h2>How it was made</h2>'
        f"<p>By one command, which goes on from where it was interrupted:</p>"
        f"<pre>{html.escape(command)}</pre>"
        f"<p>{_seconds(summary)} On: {html.escape(machine)}.{_code(summary)}</p>"
        '<table class="runs"><thead><tr><th scope=col>model</th><th scope=col>training</th>'
        "<th scope=col>runs</th><th scope=col>time of a run</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
        f"{_sweeps_again(summary)}"
        "<p>Times are of one core that other runs and other programs may have shared. Recipes, "
        "single runs and all other numbers are in <code>results.json</code> beside this file.</p>"
        "</section>"
    )


def _sweeps_again(summary: Json) -> str:
    if not summary["sweeps"]:
        return ""
    command = f"python benchmarks/run.py --preset {summary['preset']} --experiments"
    return f"<p>A sweep of the table again, by its name:</p><pre>{command} NAME</pre>"


def _models_of(sweep: Json) -> list[Json]:
    return [model for point in sweep["points"] for model in point["models"].values()]


def _row(name: str, which: str, recipe: Json | None, models: list[Json]) -> str:
    """How one model, or those of a sweep, were trained, how often, and for how long."""
    how = f"{recipe['updates']:,} updates, {trainer_of(recipe)}" if recipe else "before"
    times = [time for model in models for time in times_of(model)]
    cells = (how, str(sum(model["training_runs"] for model in models)), spread(times))
    inner = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
    return f"<tr><th scope=row>{name} <small>{which}</small></th>{inner}</tr>"


def _code(summary: Json) -> str:
    """The revision that was run, where it is known."""
    revision = (summary.get("code") or {}).get("revision")
    return f" By revision <code>{html.escape(revision[:12])}</code>." if revision else ""


def _seconds(summary: Json) -> str:
    models = [model for task in summary["tasks"].values() for model in task["models"].values()]

    def all_of(name: str) -> float:
        return float(sum(model["training_runs"] * model.get(name, 0.0) for model in models))

    said = f"The training runs of the tables took {minutes(all_of('train_seconds'))} of one core"
    if all_of("evaluate_seconds"):
        said += f", their evaluation {minutes(all_of('evaluate_seconds'))}"
    if summary["seconds"] < 1:
        return f"{said}."
    return f"{said}. The last call of the command took {minutes(summary['seconds'])}."
