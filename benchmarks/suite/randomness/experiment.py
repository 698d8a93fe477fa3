"""What input seeds give that other randomness does not: five games, five kinds, five runs each."""

import dataclasses
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from rand_agents import ObjectiveConfig, QNormConfig
from rand_agents.evaluation.provenance import machine, provenance
from rand_agents.evaluation.votes import majority_success
from rand_agents.training.entropy import ScoreConfig
from rand_envs.adversaries import MAX_EXHAUSTIVE
from rand_envs.core.player import Play, Player
from rand_envs.core.sealed import read_json, write_json

from ..experiments import QUICK
from ..job import Recipe
from ..summary import ground_truth, is_better_higher, over_runs
from .figure import draw
from .training import KINDS, Setting, trained

Json = dict[str, Any]
Floats = NDArray[np.float64]

RUNS = 5
FIRST = 20
"""Number of the first training run: those before were seen while this was built."""
LAYOUTS, SEEDS = 1000, 400
"""Layouts, where they are too many to play all, and seeds that score a player: half of the seeds
pick the worst layout, and the other half say how bad it is."""
VOTES, ELECTIONS = 31, 40

SCORE = QNormConfig(
    m=16,
    batch_size=None,
    learning_rate=1e-2,
    final_learning_rate=1e-3,
    score=ScoreConfig(paths=2, entropy=0.6),
)
RISING = ObjectiveConfig(q=40.0, q_start=4.0, q_rise=0.8)


def _by_score(task: str) -> Recipe:
    """The quick size of a game whose costs have no gradient, trained by QNorm."""
    quick = QUICK[task]
    return dataclasses.replace(quick, trainer=SCORE, adversarial=RISING)


def _updates(*numbers: int) -> dict[str, int]:
    return dict(zip(KINDS, numbers, strict=True))


RECIPES = {name: QUICK[name] for name in ("recall", "coloring")} | {
    name: _by_score(name) for name in ("grid", "patrol", "paging")
}
UPDATES: dict[str, dict[str, int]] = {
    "recall": _updates(2000, 2600, 1400, 2400, 1200),
    "coloring": _updates(2000, 3000, 2000, 3000, 2000),
    "grid": _updates(900, 900, 300, 900, 300),
    "patrol": _updates(1200, 1200, 240, 1000, 240),
    "paging": _updates(500, 500, 240, 500, 240),
}
"""Of each kind so many that they take about the same time, ten to thirty seconds of one core."""
SETTINGS = {name: Setting(name, RECIPES[name], UPDATES[name]) for name in RECIPES}

_queue: Any = None


def scores(player: Player, rng_seed: int) -> Json:
    """Average, worst layout and the votes there, by what every kind of player can be asked."""
    layout_rng, seed_rng = (np.random.default_rng([rng_seed, number]) for number in range(2))
    space = player.task.layout_space
    is_all = space.size is not None and space.size <= MAX_EXHAUSTIVE
    layouts = space.enumerate() if is_all else space.sample(layout_rng, LAYOUTS)
    play = player.play(layouts, player.draw_seeds(seed_rng, SEEDS))
    sign = -1.0 if player.task.higher_is_better else 1.0
    worst = int((sign * play.outcome[:, : SEEDS // 2].mean(1)).argmax())
    fresh = play.outcome[worst, SEEDS // 2 :]
    vote = None
    if play.answer is not None:
        drawn = seed_rng.integers(SEEDS // 2, SEEDS, (ELECTIONS, VOTES))
        answer, outcome = play.answer[worst][drawn], play.outcome[worst][drawn]
        vote = float(majority_success(Play(outcome, answer, play.output[:0])).mean())
    return {
        "unit": player.task.unit,
        "all_layouts": is_all,
        "average": _figure(play.outcome.mean(0)),
        "worst": _figure(fresh),
        "vote": vote,
    }


def _figure(values: Floats) -> Json:
    half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5
    mean = float(values.mean())
    return {"estimate": mean, "ci95": [mean - half, mean + half]}


def _run(task: str, kind: str, number: int, rng_seed: int, path: Path) -> Json:
    """Train one player and score it."""
    torch.set_num_threads(1)
    setting, seed = SETTINGS[task], 1000 * rng_seed + number
    begun = time.process_time()
    player = trained(setting, kind, seed)
    result = {
        "task": task,
        "kind": kind,
        "rng_seed": seed,
        "updates": setting.updates[kind],
        "train_seconds": round(time.process_time() - begun, 1),
        "machine": machine(),
        "scores": scores(player, seed + 500),
    }
    write_json(path, result, 1)
    return result


def run(
    out: Path,
    tasks: tuple[str, ...],
    runs: int | None,
    rng_seed: int,
    processes: int,
    console: Console,
) -> Json:
    """Train what is not there yet, and write randomness.json.

    Args:
        out: Folder of the results; single runs lie in its folder `randomness`.
        tasks: Which games.
        runs: Of each kind; None for all five.
        rng_seed: Determines everything.
        processes: Training runs at a time.
        console: Where progress and the table are printed.
    """
    folder = out / "randomness"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [
        (task, kind, number)
        for task in tasks
        for kind in KINDS
        for number in range(FIRST, FIRST + (RUNS if runs is None else min(runs, RUNS)))
    ]
    paths = {job: folder / f"{job[0]}-{job[1]}-{job[2]}.json" for job in wanted}
    todo = [job for job in wanted if not _is_done(paths[job], job, rng_seed)]
    begun = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, max(len(todo), 1)), mp_context=context) as pool:
        futures = {pool.submit(_run, *job, rng_seed, paths[job]): job for job in todo}
        for done, future in enumerate(as_completed(futures), 1):
            future.result()
            left = (time.monotonic() - begun) / done * (len(todo) - done) / 60
            task, kind, number = futures[future]
            console.print(
                f"{done} of {len(todo)} runs: {task}, {kind}, run {number}; "
                f"about {left:.0f} min left",
                highlight=False,
            )
    summary = summarise([read_json(path) for path in paths.values()], tasks)
    write_json(out / "randomness.json", summary, 1)
    picture = draw(summary, out / "randomness.svg")
    console.print(table(summary))
    console.print(f"wrote {out / 'randomness.json'} and {picture.paths[0]}", soft_wrap=True)
    return summary


def _is_done(path: Path, job: tuple[str, str, int], rng_seed: int) -> bool:
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return False
    updates = SETTINGS[job[0]].updates[job[1]]
    return bool(found["rng_seed"] == 1000 * rng_seed + job[2] and found["updates"] == updates)


def summarise(results: list[Json], tasks: tuple[str, ...]) -> Json:
    """Means over runs with their spread, by game and kind."""
    found: Json = {}
    for task in tasks:
        rows = {}
        for kind in KINDS:
            same = [r for r in results if (r["task"], r["kind"]) == (task, kind)]
            reports = [result["scores"] for result in same]
            votes = [report["vote"] for report in reports]
            rows[kind] = {
                "average": over_runs([report["average"] for report in reports]),
                "worst": over_runs([report["worst"] for report in reports]),
                "vote": None if votes[0] is None else votes,
                "train_seconds": sum(result["train_seconds"] for result in same) / len(same),
                "updates": same[0]["updates"],
                "rng_seeds": [result["rng_seed"] for result in same],
            }
        unit = reports[0]["unit"]
        found[task] = {
            "unit": unit,
            "all_layouts": reports[0]["all_layouts"],
            "higher_is_better": is_better_higher(unit),
            "config": dict(RECIPES[task].task),
            "ground_truth": ground_truth(task, RECIPES[task].task),
            "kinds": rows,
        }
    known = provenance(None)
    return {"schema": 1} | known | {"machine": results[0]["machine"], "tasks": found}


def table(summary: Json) -> Table:
    """A row a game and kind: average, worst case, distance to the game value, votes."""
    names = ("game", "randomness", "average", "worst", "runs", "game value", "vote's worst", "s")
    shown = Table(*names)
    for task, found in summary["tasks"].items():
        scale, digits = (100, 1) if found["unit"] == "success" else (1, 2)
        value = found["ground_truth"]["value"]

        def number(x: float, scale: int = scale, digits: int = digits) -> str:
            return f"{scale * x:.{digits}f}"

        for kind, row in found["kinds"].items():
            runs = sorted(row["worst"]["runs"])
            vote = row["vote"]
            shown.add_row(
                task,
                kind,
                number(row["average"]["estimate"]),
                number(row["worst"]["estimate"]),
                f"{number(runs[0])} to {number(runs[-1])}",
                "-" if value is None else number(value),
                "-" if vote is None else f"{100 * sum(vote) / len(vote):.0f} %",
                f"{row['train_seconds']:.0f}",
            )
    return shown
