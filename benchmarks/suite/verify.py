"""Which numbers of a results.json still hold: agents are scored again, and sums done again.

An agent's weights are looked for beside the results and in the zoo. What holds is as recorded, or
within the interval of the new score: another kind of processor rounds otherwise.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from rand_agents import load_agent, load_zoo, zoo_names
from rand_agents.agents.agent import Agent
from rand_agents.executors.processes import workers
from rand_agents.zoo import zoo_card
from rand_envs.core.sealed import read_json, without_infinities

from .experiments import PRESETS
from .job import TASKS, EvaluationSize, Point
from .summary import ground_truth
from .zoo_scores import score_agent

Json = dict[str, Any]

FIGURES = ("average", "p95", "worst")
DIGITS = 2e-5
"""Numbers are recorded to six digits."""


@dataclass(frozen=True)
class Source:
    """Where an agent's weights are, and how it is to be scored.

    Attributes:
        path: The agent file; None for an agent of the zoo.
        name: Of the agent.
        size: How much is played; None for as much as a benchmark plays agents of the zoo.
        rng_seed: Of the training run.
    """

    path: Path | None
    name: str
    size: EvaluationSize | None
    rng_seed: int

    def score(self) -> Json:
        """Its report, as when it was recorded."""
        if self.size is None:
            report: Json = score_agent(self.name)["report"]
            return report
        agent = self.load()
        return self.size.evaluate(agent, self.rng_seed).to_json()

    def load(self) -> Agent[Any]:
        return load_zoo(self.name) if self.path is None else load_agent(self.path)


@dataclass
class Row:
    """One model of one point, or one agent of the zoo.

    Attributes:
        where: The environment or the sweep, and the place on its axis.
        name: The model, or the agent.
        model: What results.json says of it.
        truth: The game value as recorded.
        sources: Of its training runs, by number; those without weights lack.
        wrong: What does not hold.
    """

    where: str
    name: str
    model: Json
    truth: Json
    sources: dict[int, Source] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def compare(self, run: int, report: Json) -> None:
        """Note what a new score of a run contradicts."""
        for figure in FIGURES:
            then, now = self.model[figure]["runs"][run], report[figure]
            low, high = now["ci95"]
            if not (_same(then, now["estimate"]) or low <= then <= high):
                seed = self.sources[run].rng_seed
                self.wrong.append(
                    f"{figure} of the run of rng_seed {seed}: recorded {then:g}, "
                    f"now {now['estimate']:g} [{low:g}, {high:g}]"
                )

    def check_sums(self, task: str, config: Json) -> None:
        """Note where means over runs, game value or gap are not what follows from the rest."""
        for figure in FIGURES:
            found = self.model[figure]
            if not _same(found["estimate"], float(np.mean(found["runs"]))):
                self.wrong.append(f"{figure} is not the mean of its runs")
        value = self.truth["value"]
        if value != (now := ground_truth(task, config)["value"]) and not _same(value, now):
            self.wrong.append(f"the game value is {now}, not {value}")
        gap = self.model.get("gap")
        worst = self.model["worst"]["estimate"]
        # Of two numbers that were rounded.
        if gap and not _same(value + gap["estimate"], max(worst, 2 * value - worst)):
            self.wrong.append("the gap is not the distance of the worst case from the game value")


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=DIGITS, abs_tol=DIGITS)


def rows_of(results: Json, folder: Path) -> Iterator[Row]:
    """All models of a results.json, with the weights that there are and sums checked."""
    for env_id, task in results["tasks"].items():
        yield from _rows_of_point(results, env_id, task | {"x": None}, task["recipe"], folder)
    for name, sweep in results["sweeps"].items():
        for point in sweep["points"]:
            recipe = _changed(sweep["recipe"], point["recipe_changes"])
            yield from _rows_of_point(results, name, point, recipe, folder)
    for game in results["zoo"].values():
        for name, model in game["models"].items():
            row = Row("zoo", name, model, game["ground_truth"])
            if name in zoo_names() and model["rng_seeds"] == [zoo_card(name)["rng_seed"]]:
                row.sources[0] = Source(None, name, None, model["rng_seeds"][0])
            row.check_sums(_task_of(game["env_id"]), game["config"])
            yield row


def _changed(base: Json, changes: Json) -> Json:
    """A recipe, from the first of its sweep and what is different."""
    found = dict(base)
    for name, value in changes.items():
        inner = base.get(name)
        if isinstance(value, dict) and isinstance(inner, dict):
            value = _changed(inner, value)
        found[name] = value
    return found


def _rows_of_point(
    results: Json, group: str, point: Json, recipe: Json, folder: Path
) -> Iterator[Row]:
    where = group if point["x"] is None else f"{group} {point['x']:g}"
    label, rng_seed = point["label"], results["rng_seed"]
    size = EvaluationSize(**recipe["evaluation"] | {"votes": tuple(recipe["evaluation"]["votes"])})
    for name, model in point["models"].items():
        row = Row(where, name, model, point["ground_truth"])
        for run, seed in enumerate(_rng_seeds(results, group, label, model)):
            path = folder / "agents" / f"{label}-{name}-{seed - 1000 * rng_seed}.safetensors"
            zoo = f"{label}-{name}"
            if path.is_file():
                row.sources[run] = Source(path, path.stem, size, seed)
            elif zoo in zoo_names() and _is_of(zoo_card(zoo), seed, recipe):
                row.sources[run] = Source(None, zoo, size, seed)
        row.check_sums(_task_of_config(results, group), point["config"])
        yield row


def _is_of(card: Json, rng_seed: int, recipe: Json) -> bool:
    """Whether an agent of the zoo is this run of this recipe."""
    known = without_infinities(card["recipe"]) | {"evaluation": {}}
    return card["rng_seed"] == rng_seed and _agree(known, without_infinities(recipe))


def _agree(one: Any, other: Any) -> bool:
    """Whether what both say is the same: a younger recipe has fields that had no other value."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_agree(one[name], other[name]) for name in one.keys() & other.keys())
    return bool(one == other)


def _rng_seeds(results: Json, group: str, label: str, model: Json) -> list[int]:
    """Of a model's training runs; results from before they were recorded have them in order."""
    if "rng_seeds" in model:
        return list(model["rng_seeds"])
    first = _first(results["preset"], group, label)
    if first is None:
        return []
    return [1000 * results["rng_seed"] + first + run for run in range(model["training_runs"])]


def _first(preset: str, group: str, label: str) -> int | None:
    points: list[Point] = [
        point
        for experiment in PRESETS[preset]
        if experiment.name == group
        for point in experiment.points
    ]
    return next((point.first for point in points if point.label == label), None)


def _task_of(env_id: str) -> str:
    return next(name for name, known in TASKS.items() if known == env_id)


def _task_of_config(results: Json, group: str) -> str:
    sweep = results["sweeps"].get(group)
    return _task_of(sweep["env_id"] if sweep else group)


def _score(source: Source) -> Json:
    return source.score()


def verify(folder: Path, processes: int, console: Console) -> int:
    """Score again what can be; print what holds; 1 if something does not, or nothing could be.

    Raises:
        ValueError: results.json or an agent's file is damaged.
    """
    results = read_json(folder / "results.json")
    if results.get("preset") not in PRESETS:
        raise ValueError(f"{folder / 'results.json'} holds no results of a preset")
    rows = list(rows_of(results, folder))
    sources = list(dict.fromkeys(source for row in rows for source in row.sources.values()))
    with workers(max(1, min(processes, len(sources)))) as pool:
        scored = track(
            pool.map(_score, sources),
            f"scoring {len(sources)} agents",
            len(sources),
            console=console,
        )
        reports = dict(zip(sources, scored, strict=True))
    for row in rows:
        for run, source in row.sources.items():
            row.compare(run, reports[source])
    _print(rows, console)
    wrong = sum(bool(row.wrong) for row in rows)
    console.print(_conclusion(rows, wrong), soft_wrap=True)
    return 0 if sources and not wrong else 1


def _print(rows: list[Row], console: Console) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("results of", "model", "runs", "scored again", "numbers"):
        table.add_column(column, justify="right" if column in ("runs", "scored again") else "left")
    for row in rows:
        runs = row.model["training_runs"]
        verdict = "hold" if row.sources else "no weights here: only sums hold"
        if row.wrong:
            verdict = "; ".join(row.wrong)
        table.add_row(row.where, row.name, str(runs), str(len(row.sources)), verdict)
    console.print(table)


def _conclusion(rows: list[Row], wrong: int) -> str:
    runs = sum(row.model["training_runs"] for row in rows)
    scored = sum(len(row.sources) for row in rows)
    bare = sum(not row.sources for row in rows)
    holds = "all of their numbers hold" if not wrong else f"numbers of {wrong} rows do not hold"
    return (
        f"{scored} of {runs} training runs scored again: {holds}. {bare} of {len(rows)} rows have "
        "no weights here, so that only their means, game values and gaps could be checked."
    )
