"""Figures of a benchmark run, each as a PNG file with a caption."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from experiments import MODELS, TASKS, Job
from PIL import Image
from worker import agent_path

from rand_agents import PEPG
from rand_agents.rollout import GridGame
from rand_agents.watch import draw_frames, play_out
from rand_envs.grid import GridTask

Json = dict[str, Any]

# Okabe and Ito's palette, which colour-blind readers can tell apart.
COLORS = {
    "erm-fixed": "#999999",
    "adv-fixed": "#E69F00",
    "erm-seeded": "#56B4E9",
    "adv-seeded": "#009E73",
}


@dataclass(frozen=True)
class Picture:
    """A PNG file and what it shows."""

    path: Path
    caption: str


def _save(figure: Any, path: Path, caption: str) -> Picture:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)
    return Picture(path, caption)


def draw_figures(jobs: list[Job], results: Json, summary: Json, out: Path) -> list[Picture]:
    """All figures of the tasks whose runs are there."""
    pictures = [_worst_cases(summary, out)]
    for name in dict.fromkeys(job.task for job in jobs):
        own = [job for job in jobs if job.task == name and job.name in results]
        if own:
            pictures.append(_histograms(name, own, results, out))
    trained = [job for job in jobs if job.task == "grid" and job.name in results]
    first_runs = [job for job in trained if job.run == 0]
    if first_runs:
        pictures.append(_visit_maps(first_runs, out))
        seeded = [job for job in first_runs if job.model == "adv-seeded"]
        pictures += [_trajectories(job, results[job.name], out) for job in seeded]
    return pictures


def _worst_cases(summary: Json, out: Path) -> Picture:
    tasks = summary["tasks"]
    figure, axes = plt.subplots(1, len(tasks), figsize=(4.2 * len(tasks), 3.4), squeeze=False)
    for axis, (env_id, task) in zip(axes[0], tasks.items(), strict=True):
        percent = 100.0 if task["unit"] == "success" else 1.0
        for place, (name, model) in enumerate(task["models"].items()):
            worst = model["worst"]
            low, high = (percent * end for end in worst["ci95"])
            middle = percent * worst["estimate"]
            color = COLORS[name]
            axis.plot([place, place], [low, high], color=color, linewidth=3, solid_capstyle="butt")
            axis.plot(place, middle, "o", color=color, markersize=9)
            runs = [percent * value for value in worst["runs"]]
            axis.plot([place + 0.18] * len(runs), runs, "_", color="black", markersize=8)
        value = task["ground_truth"]["value"]
        if value is not None:
            axis.axhline(percent * value, color="black", linestyle="--", linewidth=1)
            axis.text(-0.4, percent * value, "game value", va="bottom", fontsize=8)
        axis.set_xticks(range(len(task["models"])), list(task["models"]), rotation=20)
        axis.set_xlim(-0.5, len(task["models"]) - 0.5)
        axis.set_ylim(0, 100 if percent == 100.0 else None)
        good = "success, %  (up is better)" if percent == 100.0 else "steps  (down is better)"
        axis.set_ylabel(good)
        axis.set_title(env_id)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    return _save(
        figure,
        out / "figures" / "worst_case.png",
        "Worst case: the layout that is worst for each trained policy, scored on seeds that did "
        "not select it. Dot and bar: mean over training runs and its 95 % interval; ticks: runs.",
    )


def _histograms(name: str, jobs: list[Job], results: Json, out: Path) -> Picture:
    models = [model for model in MODELS if any(job.model == model for job in jobs)]
    figure, axes = plt.subplots(1, len(models), figsize=(3.1 * len(models), 2.6), sharey=True)
    unit = "success"
    for axis, model in zip(np.atleast_1d(axes), models, strict=True):
        reports = [results[job.name]["report"] for job in jobs if job.model == model]
        unit = reports[0]["unit"]
        edges = np.array(reports[0]["bin_edges"])
        share = np.mean([np.array(r["histogram"]) / r["num_layouts"] for r in reports], 0)
        axis.bar(edges[:-1], 100 * share, np.diff(edges), align="edge", color=COLORS[model])
        axis.set_title(model, fontsize=10)
        axis.set_xlabel("success rate over seeds" if unit == "success" else "mean steps over seeds")
        axis.spines[["top", "right"]].set_visible(False)
    np.atleast_1d(axes)[0].set_ylabel("layouts, %")
    figure.suptitle(TASKS[name], fontsize=11)
    figure.tight_layout()
    shape = (
        "Spikes at 0 and 1: for some layouts every seed fails. One hump away from 0: no layout "
        "is safe to pick for the adversary."
        if unit == "success"
        else "A long tail to the right is what the adversary picks from."
    )
    return _save(
        figure,
        out / "figures" / f"{name}_histograms.png",
        f"{TASKS[name]}: how the layouts spread over their mean result. {shape}",
    )


def _grid_agent(job: Job, out: Path) -> tuple[PEPG, GridGame, GridTask]:
    agent = PEPG.load(agent_path(out, job))
    game, task = agent.game, agent.task
    if not (isinstance(game, GridGame) and isinstance(task, GridTask)):
        raise TypeError(f"{job.name} is not an agent for the grid")
    return agent, game, task


def _visit_maps(jobs: list[Job], out: Path, num_seeds: int = 500) -> Picture:
    figure, axes = plt.subplots(1, len(jobs), figsize=(2.9 * len(jobs), 3.0))
    image = None
    for axis, job in zip(np.atleast_1d(axes), jobs, strict=True):
        agent, game, task = _grid_agent(job, out)
        seeds = torch.from_numpy(agent.draw_seeds(np.random.default_rng(job.rng_seed), num_seeds))
        visits = game.first_visits(agent.model, task.layout_space.enumerate(), seeds)
        means = visits.clip(max=task.horizon).mean(0).reshape(task.rows, task.columns)
        means[task.start] = 0.0
        image = axis.imshow(means, origin="lower", vmin=0, vmax=task.horizon, cmap="cividis_r")
        for (row, column), mean in np.ndenumerate(means):
            dark = mean > 0.55 * task.horizon
            axis.text(
                column, row, f"{mean:.1f}", ha="center", va="center", color="w" if dark else "k"
            )
        axis.set_title(job.model, fontsize=10)
        axis.set_xticks([])
        axis.set_yticks([])
    figure.colorbar(image, ax=axes, shrink=0.7, label="mean first visit, step")
    return _save(
        figure,
        out / "figures" / "grid_first_visits.png",
        "RandGrid-v0: mean step of the first visit to each cell in the first episode, over "
        "seeds, capped at the horizon (first training run of each model).",
    )


def _trajectories(job: Job, result: Json, out: Path, count: int = 4) -> Picture:
    agent, _, task = _grid_agent(job, out)
    layout = task.layout_space.pack([result["report"]["worst"]["layout"]])
    histories = play_out(agent, layout, count, sample=False)
    path = out / "figures" / "grid_trajectories.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_frames(agent, histories)[-1]).save(path)
    return Picture(
        path,
        f"RandGrid-v0: one adv-seeded policy on the layout that is worst for it, under {count} "
        "seeds: the first episode searches, the second goes to the treasure.",
    )
