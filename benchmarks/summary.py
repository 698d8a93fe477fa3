"""From the results of single runs to results.json: means over training runs with intervals."""

import dataclasses
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from experiments import MODELS, TASKS, Job

from rand_agents.evaluation import gap_to
from rand_agents.games import task_of
from rand_agents.intervals import Figure
from rand_envs.minimax import game_value

Json = dict[str, Any]

RESAMPLES = 10_000


def machine() -> Json:
    """What the figures were made on."""
    name = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    return {
        "cpu": name,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def over_runs(figures: list[Json]) -> Json:
    """Mean of one figure over training runs.

    The 95 % interval covers both the percentile bootstrap over the runs (Agarwal et al., 2021;
    with three runs this is their whole range) and the mean of the runs' own intervals, so that
    neither a lucky agreement of few runs nor one run alone narrows it.
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


def ground_truth(job: Job) -> Json:
    """The best worst case that any randomised strategy can reach, where it is known."""
    return dataclasses.asdict(game_value(task_of(TASKS[job.task], job.recipe.task)))


def summarise_model(results: list[Json], truth: Json) -> Json:
    """One entry of results.json: a model of a game over its training runs."""
    reports = [result["report"] for result in results]
    unit = reports[0]["unit"]
    better = max if unit == "steps" else min
    worst = over_runs([report["worst"] for report in reports])
    hardest = better(reports, key=lambda report: report["worst"]["estimate"])["worst"]
    gap = None
    if truth["value"] is not None:
        found = Figure(worst["estimate"], (worst["ci95"][0], worst["ci95"][1]))
        gap = dataclasses.asdict(gap_to(truth["value"], found, unit == "success"))
        gap["kind"] = truth["kind"]
    majority = None
    if reports[0]["majority"]:
        ballots = [report["majority"][-1] for report in reports]
        majority = {"votes": ballots[0]["votes"]} | {
            name: over_runs([ballot[name] for ballot in ballots]) for name in ("average", "p95")
        }
    sampled = {
        name: over_runs([report["sampled"][name] for report in reports])
        for name in ("average", "p95")
    }
    return {
        "average": over_runs([report["average"] for report in reports]),
        "p95": over_runs([report["p95"] for report in reports]),
        "worst": worst | {"kind": hardest["kind"], "layout": hardest["layout"]},
        "gap": gap,
        "certificates": [report["certificate"] for report in reports],
        "majority": majority,
        "sampled": sampled,
        "seed_variance": float(np.mean([report["seed_variance"] for report in reports])),
        "training_runs": len(results),
        "train_seconds": float(np.mean([result["train_seconds"] for result in results])),
        "rng_seeds": [result["rng_seed"] for result in results],
    }


def summarise(
    jobs: list[Job], results: dict[str, Json], *, preset: str, rng_seed: int, seconds: float
) -> Json:
    """The whole of results.json, for the tasks and models whose runs are all there."""
    tasks: Json = {}
    for name in dict.fromkeys(job.task for job in jobs):
        own = [job for job in jobs if job.task == name]
        models = {}
        truth = ground_truth(own[0])
        for model in MODELS:
            runs = [results[job.name] for job in own if job.model == model and job.name in results]
            if runs:
                models[model] = summarise_model(runs, truth)
        if models:
            report = next(results[job.name]["report"] for job in own if job.name in results)
            tasks[TASKS[name]] = {
                "config": report["config"],
                "unit": report["unit"],
                "higher_is_better": report["unit"] == "success",
                "ground_truth": truth,
                "recipe": dataclasses.asdict(own[0].recipe),
                "models": models,
            }
    return {
        "schema": 1,
        "preset": preset,
        "rng_seed": rng_seed,
        "machine": machine(),
        "seconds": round(seconds, 1),
        "tasks": tasks,
    }
