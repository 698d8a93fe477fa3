"""What results.json shows, game by game: what was trained, and the zoo's agents."""

import inspect
import math
import re
from dataclasses import dataclass
from typing import Any

from rand_agents.evaluation.report import gap_sign
from rand_agents.games import task_of

from ..job import MODELS

Json = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A game and its models.

    Attributes:
        name: Of its files and its place in the page.
        title: Game and size.
        task: Its entry of results.json with `env_id` and, as `models`, the four by their names.
        is_zoo: Whether they were trained before, and are only evaluated.
    """

    name: str
    title: str
    task: Json
    is_zoo: bool = False


def entries_of(summary: Json) -> list[Entry]:
    """First what was trained, then the zoo, each in the order of results.json."""
    found = []
    for env_id, task in summary["tasks"].items():
        entry = task | {"env_id": env_id}
        found.append(Entry(task["label"], title(env_id, task["config"]), entry))
    for label, task in summary["zoo"].items():
        named = {f"{label}-{model}": model for model in MODELS}
        models = {named[n]: task["models"][n] for n in named if n in task["models"]}
        heading = title(task["env_id"], task["config"])
        found.append(Entry(label, heading, task | {"models": models}, is_zoo=True))
    return found


NAMES = {
    "RandRecall-v0": "Recall, {num_pairs} pairs of {value_bits} bits",
    "RandColoring-v0": "Colouring, {num_vertices} vertices",
    "RandGrid-v0": "Grid, {size[0]} × {size[1]} from {place}",
    "RandPatrol-v0": "Patrol, attacks of {attack_duration} of {horizon} steps",
    "RandPaging-v0": "Paging, {num_requests} requests",
}


def title(env_id: str, config: Json) -> str:
    """Game and size in words; the id alone of a game that has none here."""
    start = tuple(config.get("start") or ())
    corner, centre = (0, 0), tuple(side // 2 for side in config.get("size") or ())
    place = {corner: "the corner", centre: "the centre"}.get(start, f"cell {start}")
    return NAMES[env_id].format(**config, place=place) if env_id in NAMES else env_id


def arguments(config: Json) -> str:
    """The arguments of the environment that are not left out."""
    return ", ".join(f"{name}={value!r}" for name, value in config.items() if value is not None)


def description(entry: Entry) -> tuple[str, str]:
    """What the game asks, from its own documentation: a sentence, and a paragraph."""
    task = task_of(entry.task["env_id"], entry.task["config"])
    text = inspect.cleandoc(type(task).__doc__ or entry.task["env_id"])
    first = text.split("\n\n")[0].replace("\n", " ")
    found = re.search(r"## Description\n(.*?)(?:\n\n|\Z)", text, re.S)
    return first, " ".join(found[1].split()) if found else ""


def figure(value: float, unit: str) -> str:
    """Success in per cent, everything else as it is; nothing is minus zero."""
    places, scaled = (1, 100 * value) if unit == "success" else (2, value)
    return f"{round(scaled, places) + 0.0:.{places}f}"


def estimate(found: Json, unit: str) -> str:
    """An estimate alone."""
    return figure(found["estimate"], unit)


def interval(found: Json, unit: str) -> str:
    """Its interval alone."""
    low, high = (figure(end, unit) for end in found["ci95"])
    return f"[{low}, {high}]"


def shown(found: Json, unit: str) -> str:
    """An estimate with its interval."""
    return f"{estimate(found, unit)} {interval(found, unit)}"


def gap_mark(gap: Json, worst_kind: str) -> str:
    """What stands before a gap where game value or worst case are bounds themselves."""
    sign = gap_sign(gap["kind"], worst_kind)
    return f"{sign} " if sign else ""


def bound_word(task: Json) -> str:
    """What stands before a game value that is only bounded; nothing where it is exact."""
    if task["ground_truth"]["kind"] == "exact":
        return ""
    # A point of a sweep says no more than its unit.
    higher = task.get("higher_is_better", task["unit"] == "success")
    return "at most " if higher else "at least "


def unit_words(task: Json) -> str:
    """What the numbers of a game are, and which are better."""
    if task["unit"] == "success":
        return "success in %, more is better"
    return f"{task['unit']}, {'more' if task['higher_is_better'] else 'fewer'} is better"


def game_of(entry: "Entry") -> str:
    """The game without its size."""
    return entry.title.split(",")[0]


def best_model(task: Json) -> str:
    """The model with the best worst case."""
    better = max if task["higher_is_better"] else min
    models: Json = task["models"]
    return str(better(models, key=lambda name: models[name]["worst"]["estimate"]))


def trainer_of(recipe: Json) -> str:
    """The trainer that a recipe's options belong to."""
    options = recipe["trainer"]
    return "PSRO" if "rounds" in options else "PEPG" if "search" in options else "QNorm"


def minutes(seconds: float) -> str:
    """A time as one says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min" if seconds < 600 else f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def times_of(model: Json) -> list[float]:
    """Seconds of its training runs; of older ones only the mean is known."""
    return list(model.get("train_seconds_of_runs") or [model["train_seconds"]])


def spread(seconds: list[float]) -> str:
    """Shortest to longest."""
    low, high = min(seconds), max(seconds)
    if math.isclose(low, high, rel_tol=0.02):
        return minutes(float(sum(seconds)) / len(seconds))
    return f"{minutes(low)} to {minutes(high)}"


def spread_of_times(model: Json) -> str:
    """How long its training runs took."""
    return spread(times_of(model))
