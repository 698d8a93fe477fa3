"""Figures of a benchmark run, each as a PNG file with a caption."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle
from PIL import Image

from rand_agents.app.watch import draw_frames, play_out
from rand_agents.games import task_of
from rand_agents.training.loading import load_agent
from rand_envs.games.grid.value import known_solution

from ..job import MODELS, Job
from ..worker import agent_path
from .paper_figures import draw_sweeps, headlines_beside_the_paper
from .pictures import COLORS, Json, Picture, draw_histogram, panels, save, write_png


def draw_figures(planned: list[Job], summary: Json, out: Path) -> list[Picture]:
    """All figures; only pictures of single games need more than the summary, the agents."""
    folder = out / "figures"
    tasks = summary["tasks"]
    pictures = [_worst_cases(tasks, folder), _training(tasks, folder)] if tasks else []
    pictures += [_histograms(env_id, task, folder) for env_id, task in tasks.items()]
    grid = tasks.get("RandGrid-v0")
    if grid:
        pictures.append(_first_visits(grid, folder))
        pictures.append(_steps_by_cell(grid, folder))
        some = (_weakest_treasure(grid, folder), _trajectories(planned, grid, out))
        pictures += [drawn for drawn in some if drawn]
    if summary["preset"] == "paper":
        pictures += [headlines_beside_the_paper(env_id, tasks[env_id], folder) for env_id in tasks]
        pictures += draw_sweeps(summary["sweeps"], folder)
    return pictures


def _worst_cases(tasks: Json, folder: Path) -> Picture:
    figure, axes = panels(1, len(tasks), 4.2, 3.4)
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
            exact = task["ground_truth"]["kind"] == "exact"
            axis.text(
                -0.4,
                percent * value,
                "game value" if exact else "bound of the game value",
                va="bottom",
                fontsize=8,
            )
        axis.set_xticks(range(len(task["models"])), list(task["models"]), rotation=20)
        axis.set_xlim(-0.5, len(task["models"]) - 0.5)
        axis.set_ylim(0, 100 if percent == 100.0 else None)
        good = "success, %  (up is better)"
        if percent != 100.0:
            better = "up" if task["higher_is_better"] else "down"
            good = f"{task['unit']}  ({better} is better)"
        axis.set_ylabel(good)
        axis.set_title(env_id)
    return save(
        figure,
        folder / "worst_case.png",
        "Worst case: the layout that is worst for each trained policy, scored on seeds that did "
        "not select it. Dot and bar: mean over training runs and its 95 % interval; ticks: runs.",
    )


def _training(tasks: Json, folder: Path) -> Picture:
    figure, axes = panels(1, len(tasks), 4.2, 3.2)
    for axis, (env_id, task) in zip(axes[0], tasks.items(), strict=True):
        percent = 100.0 if task["unit"] == "success" else 1.0
        for name, model in task["models"].items():
            update, average, _, worst = np.array(model["history"]).T
            axis.plot(update, percent * worst, color=COLORS[name], label=name)
            axis.plot(update, percent * average, ":", color=COLORS[name], linewidth=1)
        value = task["ground_truth"]["value"]
        if value is not None:
            axis.axhline(percent * value, color="black", linestyle="--", linewidth=1)
        axis.set_xlabel("updates")
        axis.set_ylabel("success, %" if percent == 100.0 else task["unit"])
        axis.set_ylim(0, None)
        axis.set_title(env_id)
    axes[0][-1].legend(frameon=False, fontsize=8)
    return save(
        figure,
        folder / "training.png",
        "During training, first run of each model: worst layout (solid) and average (dotted) of "
        "up to 64 layouts, means over 64 fresh seeds, or 512 where all layouts are played; dashed: "
        "game value. The worst of noisy means looks a little worse than it is.",
    )


def _histograms(env_id: str, task: Json, folder: Path) -> Picture:
    models = [model for model in MODELS if model in task["models"]]
    figure, axes = panels(1, len(models), 3.1, 2.6, sharey=True)
    is_success = task["unit"] == "success"
    for axis, model in zip(axes[0], models, strict=True):
        draw_histogram(axis, task["models"][model], COLORS[model])
        axis.set_title(model, fontsize=10)
        axis.set_xlabel(
            "success rate over seeds" if is_success else f"mean {task['unit']} over seeds"
        )
    axes[0][0].set_ylabel("layouts, %")
    figure.suptitle(env_id, fontsize=11)
    shape = (
        "Spikes at 0 and 1: for some layouts every seed fails. One hump away from 0: no layout "
        "is safe to pick for the adversary."
        if is_success
        else "A long tail to the right is what the adversary picks from."
    )
    return save(
        figure,
        folder / f"{_short(env_id)}_histograms.png",
        f"{env_id}: how the layouts spread over their mean result. {shape}",
    )


def _short(env_id: str) -> str:
    return env_id.removeprefix("Rand").removesuffix("-v0").lower()


def _heat_map(axis: Any, cells: Any, limit: float, style: str, colors: str) -> Any:
    """Numbers on a grid, row 0 at the bottom."""
    image = axis.imshow(cells, origin="lower", vmin=0, vmax=limit, cmap=colors)
    for (row, column), value in np.ndenumerate(cells):
        color = "w" if value > 0.55 * limit else "k"
        axis.text(column, row, format(value, style), ha="center", va="center", color=color)
    axis.set_xticks([])
    axis.set_yticks([])
    return image


def _first_visits(grid: Json, folder: Path) -> Picture:
    horizon = grid["config"]["horizon"]
    figure, axes = panels(1, len(grid["models"]), 2.9, 3.0)
    for axis, (name, model) in zip(axes[0], grid["models"].items(), strict=True):
        cells = np.array(model["cells"]["first_visit"])
        image = _heat_map(axis, cells, horizon, ".1f", "cividis_r")
        axis.set_title(name, fontsize=10)
    figure.colorbar(image, ax=axes, shrink=0.7, label="mean first visit, step")
    return save(
        figure,
        folder / "grid_first_visits.png",
        "RandGrid-v0: mean step of the first visit to each cell in the first episode, over "
        "seeds and training runs, capped at the horizon.",
    )


def _steps_by_cell(grid: Json, folder: Path) -> Picture:
    models = grid["models"]
    figure, axes = panels(1, len(models), 2.9, 3.0)
    limit = max(np.max(model["cells"]["steps"]) for model in models.values())
    for axis, (name, model) in zip(axes[0], models.items(), strict=True):
        image = _heat_map(axis, np.array(model["cells"]["steps"]), limit, ".1f", "cividis_r")
        axis.set_title(name, fontsize=10)
    figure.colorbar(image, ax=axes, shrink=0.7, label="mean steps, both episodes")
    return save(
        figure,
        folder / "grid_steps.png",
        "RandGrid-v0: mean steps with the treasure in each cell; the adversary who knows the "
        "policy always takes the darkest one.",
    )


def _weakest_treasure(grid: Json, folder: Path) -> Picture | None:
    """Where it hurts adv-seeded to have the treasure, and where no searcher can do better."""
    grid_task: Any = task_of("RandGrid-v0", grid["config"])
    model, solution = grid["models"].get("adv-seeded"), known_solution(grid_task)
    if model is None or solution is None:
        return None
    steps = np.array(model["cells"]["steps"])
    q = float(grid["recipe"]["adversarial"]["q"])
    # The gradient of the q-norm of the steps c is in proportion to c^(q - 1).
    weights = (steps / steps.max()) ** (q - 1.0)
    figure, axes = panels(1, 3, 3.0, 3.2)
    left, middle, right = axes[0]
    _heat_map(left, steps, steps.max(), ".1f", "cividis_r")
    for axis in (left, middle):
        row, column = np.unravel_index(steps.argmax(), steps.shape)
        corner = (column - 0.5, row - 0.5)
        axis.add_patch(Rectangle(corner, 1, 1, fill=False, color="#D55E00", linewidth=3))
    shares = (100 * weights / weights.sum(), 100 * solution.treasure_distribution)
    limit = max(share.max() for share in shares)
    for axis, share in zip((middle, right), shares, strict=True):
        _heat_map(axis, share, limit, ".1f", "Greys")
    left.set_title("adv-seeded: mean steps", fontsize=10)
    middle.set_title(f"weights of the q-norm, q = {q:g}, %", fontsize=10)
    right.set_title("optimal treasure, %", fontsize=10)
    return save(
        figure,
        folder / "grid_weakest.png",
        "RandGrid-v0: what the adversary does. Left: mean steps of adv-seeded by treasure, mean "
        "over training runs; framed, the cell that an adversary who knows the policy takes. "
        "Middle: how much each treasure counts in the objective. Right: the treasure "
        "distribution that no searcher can beat; where it is far from the middle one, the policy "
        "has something left to gain.",
    )


def _trajectories(planned: list[Job], grid: Json, out: Path, count: int = 4) -> Picture | None:
    label = grid["label"]
    job = next((j for j in planned if (j.label, j.model) == (label, "adv-seeded")), None)
    if job is None or not agent_path(out, job).is_file():
        return None
    agent = load_agent(agent_path(out, job))
    layout = agent.task.layout_space.pack([grid["models"]["adv-seeded"]["worst"]["layout"]])
    path = out / "figures" / "grid_trajectories.png"
    histories = play_out(agent, layout, count, sample=False)
    write_png(Image.fromarray(draw_frames(agent, histories)[-1]), path)
    return Picture(
        path,
        "RandGrid-v0: one adv-seeded policy on the layout that is worst for these policies, "
        f"under {count} seeds: the first episode searches, the second goes to the treasure.",
    )
