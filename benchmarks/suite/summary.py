"""From the results of single runs to results.json: means over training runs with intervals."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from rand_agents.evaluation.evaluate import gap_to
from rand_agents.evaluation.intervals import Figure
from rand_agents.evaluation.provenance import provenance
from rand_agents.games.registry import task_of
from rand_envs.core.sealed import UNSEALED, seal, without_infinities
from rand_envs.core.writing import write_atomically
from rand_envs.minimax import game_value

from .earlier import Earlier, differences
from .job import MODELS, TASKS, Experiment, Job, Point

Json = dict[str, Any]

RESAMPLES = 10_000
LINE = 100
"""Values that fit into so many characters stand on one line of a JSON file."""
HEADLINE_ONLY = ("certificates", "gap", "history")
"""Facts of a model that a sweep leaves out."""


def over_runs(figures: list[Json]) -> Json:
    """Mean of one figure over training runs.

    The interval covers both the percentile bootstrap over the runs (Agarwal et al., 2021; with
    three runs this is their whole range, which holds the mean of further runs far less often than
    in 95 %) and the mean of the runs' own 95 % intervals, so that neither a lucky agreement of few
    runs nor one run alone narrows it.
    """
    values = np.array([figure["estimate"] for figure in figures])
    own = np.array([figure["ci95"] for figure in figures]).mean(0)
    drawn = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(1), [0.025, 0.975])
    return {
        "estimate": float(values.mean()),
        "ci95": [float(min(own[0], low)), float(max(own[1], high))],
        "runs": values.tolist(),
    }


def is_better_higher(unit: str) -> bool:
    """Whether more of a unit is better: all others are of costs."""
    return unit in ("success", "return")


def ground_truth(task: str, config: Json) -> Json:
    """The best worst case that any randomised strategy can reach, where it is known."""
    found = game_value(task_of(TASKS[task], config))
    return {"value": found.value, "kind": found.kind}


def _majority(reports: list[Json]) -> Json | None:
    """The vote of most seeds, and in `fewer` those of fewer."""
    if not reports[0]["majority"]:
        return None
    votes = [
        {"votes": same[0]["votes"]}
        | {name: over_runs([vote[name] for vote in same]) for name in ("average", "p95", "worst")}
        for same in zip(*(report["majority"] for report in reports), strict=True)
    ]
    return votes[-1] | {"fewer": votes[:-1]}


def _regret(reports: list[Json]) -> Json | None:
    """Regret against one who knew the layout, where the game tells it."""
    if not reports[0]["regret"]:
        return None
    names = [name for name in ("average", "worst", "ratio") if reports[0]["regret"][name]]
    return {n: over_runs([report["regret"][n] for report in reports]) for n in names}


def _pair(reports: list[Json], key: str) -> Json | None:
    if not reports[0][key]:
        return None
    return {n: over_runs([report[key][n] for report in reports]) for n in ("average", "p95")}


def _histogram(reports: list[Json]) -> Json:
    """Shares of the layouts in equal bins of their mean outcome, mean over runs."""
    shares = [np.array(report["histogram"]) / report["num_layouts"] for report in reports]
    edges = reports[0]["bin_edges"]
    return {"range": [edges[0], edges[-1]], "share": np.mean(shares, 0).tolist()}


def _cells(results: list[Json]) -> Json | None:
    """What the first run does on each cell: a mean over runs would be no policy's.

    `direct` is a mean over runs, and `worst_runs` has the worst cell of each.
    """
    known = [result for result in results if result.get("cells")]
    if not known:
        return None
    cells: list[Json] = [result["cells"] for result in known]
    direct = [found["direct"] for found in cells if found["direct"] is not None]
    return cells[0] | {
        "rng_seed": known[0]["rng_seed"],
        "direct": float(np.mean(direct)) if direct else None,
        "worst_runs": [float(np.max(found["steps"])) for found in cells],
    }


def summarise_model(results: list[Json], truth: Json) -> Json:
    """One entry of results.json: a model of a game over its training runs."""
    reports = [result["report"] for result in results]
    unit = reports[0]["unit"]
    better = min if is_better_higher(unit) else max
    worst = over_runs([report["worst"] for report in reports])
    hardest = better(reports, key=lambda report: report["worst"]["estimate"])["worst"]
    gap = None
    if truth["value"] is not None:
        found = Figure(worst["estimate"], (worst["ci95"][0], worst["ci95"][1]))
        gap = dataclasses.asdict(gap_to(truth["value"], found, is_better_higher(unit)))
        gap["kind"] = truth["kind"]
    return {
        "average": over_runs([report["average"] for report in reports]),
        "p95": over_runs([report["p95"] for report in reports]),
        "worst": worst | {"kind": hardest["kind"], "layout": hardest["layout"]},
        "search": reports[0]["search"],
        "gap": gap,
        "regret": _regret(reports),
        "certificates": [report["certificate"] for report in reports],
        "majority": _majority(reports),
        "sampled": _pair(reports, "sampled"),
        "loss": _pair(reports, "loss"),
        "seed_variance": float(np.mean([report["seed_variance"] for report in reports])),
        "num_layouts": reports[0]["num_layouts"],
        "histogram": _histogram(reports),
        "cells": _cells(results),
        "history": results[0].get("history"),
        "training_runs": len(results),
        "train_seconds": float(np.mean([result["train_seconds"] for result in results])),
        "evaluate_seconds": float(np.mean([r.get("evaluate_seconds", 0.0) for r in results])),
        "train_seconds_of_runs": [result["train_seconds"] for result in results],
        "rng_seeds": [result["rng_seed"] for result in results],
        "code": _distinct([result.get("code") for result in results]),
    }


def _distinct(versions: list[Json | None]) -> list[Json | None]:
    """Each version of the code once, in order."""
    return [code for i, code in enumerate(versions) if code not in versions[:i]]


def summarise_point(
    group: str,
    task: str,
    point: Point,
    planned: list[Job],
    results: dict[str, Json],
    earlier: Earlier,
) -> Json | None:
    """The models of one point over those of its runs that are there; None if none is.

    Where an earlier summary has more runs of a model by the same recipe, it is kept.
    """
    recipe = dataclasses.asdict(point.recipe)
    truth = ground_truth(task, point.recipe.task)
    kept = earlier.point(group, point.x, point.label, recipe)
    known = kept["models"] if kept else {}
    models, report = {}, kept
    for model in (model for model in MODELS if model in point.models):
        own = [job for job in planned if (job.label, job.model) == (point.label, model)]
        runs = [results[job.name] for job in own[: point.runs] if job.name in results]
        if model in known and known[model]["training_runs"] > len(runs):
            models[model] = known[model]
        elif runs:
            models[model] = summarise_model(runs, truth)
            report = runs[0]["report"]
    if report is None or not models:
        return None
    return {
        "label": point.label,
        "config": report["config"],
        "unit": report["unit"],
        "higher_is_better": is_better_higher(report["unit"]),
        "ground_truth": truth,
        "recipe": recipe,
        "models": models,
    }


def summarise_sweep(
    experiment: Experiment, planned: list[Job], results: dict[str, Json], earlier: Earlier
) -> Json | None:
    """The points of a sweep in order; each says what it changes in the recipe of the first."""
    points: list[Json] = []
    base: Json = {}
    for point in experiment.points:
        found = summarise_point(experiment.name, experiment.task, point, planned, results, earlier)
        if found is None:
            continue
        models = {
            name: {key: value for key, value in model.items() if key not in HEADLINE_ONLY}
            for name, model in found["models"].items()
        }
        recipe = found["recipe"]
        base = base or recipe
        kept = {key: found[key] for key in ("label", "config", "unit", "ground_truth")}
        changed = differences(recipe, base)
        points.append({"x": point.x, **kept, "recipe_changes": changed, "models": models})
    if not points:
        return None
    env_id = TASKS[experiment.task]
    return {"env_id": env_id, "axis": experiment.axis, "recipe": base, "points": points}


def summarise(
    experiments: tuple[Experiment, ...],
    planned: list[Job],
    results: dict[str, Json],
    *,
    preset: str,
    rng_seed: int,
    seconds: float,
    earlier: Earlier,
) -> Json:
    """The whole of results.json: the headline of each game, and the sweeps, as far as run."""
    tasks: Json = {}
    sweeps: Json = {}
    for experiment in experiments:
        if experiment.axis is None:
            env_id, point = TASKS[experiment.task], experiment.points[0]
            found = summarise_point(env_id, experiment.task, point, planned, results, earlier)
            tasks |= {env_id: found} if found else {}
        else:
            sweep = summarise_sweep(experiment, planned, results, earlier)
            sweeps |= {experiment.name: sweep} if sweep else {}
    return {
        "schema": 1,
        "preset": preset,
        "rng_seed": rng_seed,
        **provenance(seconds),
        "tasks": tasks,
        "sweeps": sweeps,
    }


def training_runs(summary: Json) -> dict[tuple[str, str], int]:
    """How many training runs a summary shows, by label and model."""
    points = list(summary["tasks"].values())
    points += [point for sweep in summary["sweeps"].values() for point in sweep["points"]]
    return {
        (point["label"], name): model["training_runs"]
        for point in points
        for name, model in point["models"].items()
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    return [_rounded(entry) for entry in value] if isinstance(value, list | tuple) else value


def readable_json(value: Any, indent: int = 0) -> str:
    """JSON for diffs: what fits on a line stands on one."""
    line = json.dumps(value, allow_nan=False)
    pad = " " * (indent + 1)
    if indent + len(line) <= LINE or not isinstance(value, dict | list):
        return line
    if isinstance(value, dict):
        inner = [f"{json.dumps(k)}: {readable_json(v, indent + 1)}" for k, v in value.items()]
        opening, closing = "{", "}"
    else:
        inner = [readable_json(entry, indent + 1) for entry in value]
        opening, closing = "[", "]"
        if all(isinstance(entry, int | float) for entry in value):
            return f"{opening}{', '.join(inner)}{closing}"
    lines = f",\n{pad}".join(inner)
    return f"{opening}\n{pad}{lines}\n{' ' * indent}{closing}"


def write_json(path: Path, value: Any) -> None:
    """Write a summary with a checksum, its numbers to six digits."""
    plain = without_infinities({"sha256": UNSEALED, **_rounded(value)})
    write_atomically(path, seal(f"{readable_json(plain)}\n".encode()))
