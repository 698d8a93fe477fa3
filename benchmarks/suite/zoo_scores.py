"""The trained agents that come with the package, evaluated beside what a benchmark trains."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rand_agents import evaluate, load_zoo, zoo_names
from rand_agents.executors.work import Phase, Report
from rand_agents.zoo import zoo_card

from .job import TASKS
from .summary import ground_truth, is_better_higher, summarise_model
from .worker import details_of

Json = dict[str, Any]

SECONDS = {"recall": 60.0, "coloring": 30.0, "grid": 10.0, "patrol": 2.0, "paging": 5.0}
"""About how long one takes on a core."""


def score_agent(name: str) -> Json:
    """A result of an agent of the zoo, which is that of its card where nothing has changed."""
    agent, card = load_zoo(name), zoo_card(name)
    # As `python -m rand_agents evaluate NAME`, and as the card: one number for one agent.
    report = evaluate(agent).to_json()
    known = {key: card[key] for key in ("rng_seed", "train_seconds")}
    return known | {"cells": details_of(agent, card["rng_seed"] + 900), "report": report}


@dataclass(frozen=True)
class ZooPlay:
    """The evaluation of one agent of the zoo."""

    name: str

    @property
    def kind(self) -> str:
        """Agents of one model of one game."""
        return self.name

    @property
    def phases(self) -> tuple[Phase, ...]:
        """There is nothing but evaluation."""
        seconds = SECONDS[_task_of(zoo_card(self.name)["env_id"])]
        return (Phase("evaluation", math.inf, seconds),)

    def run(self, _out: Path, _report: Report) -> Json:
        """Play it."""
        return score_agent(self.name)

    def line(self, result: Json) -> str:
        """Its main numbers."""
        found = result["report"]
        return (
            f"{self.name:26} of the zoo: average {found['average']['estimate']:6.3f}  "
            f"worst {found['worst']['estimate']:6.3f} {found['unit']}"
        )


def _task_of(env_id: str) -> str:
    return next(name for name, known in TASKS.items() if known == env_id)


def zoo_plays(tasks: tuple[str, ...]) -> list[ZooPlay]:
    """The zoo's agents for some games."""
    names = [name for name in zoo_names() if _task_of(zoo_card(name)["env_id"]) in tasks]
    return [ZooPlay(name) for name in names]


def zoo_scores(results: dict[str, Json]) -> Json:
    """One entry a game, as in results.json's `tasks`, of what the plays gave by their names.

    Agents of one game but different sizes have entries of their own, named by the size too.
    """
    games: Json = {}
    for name, result in results.items():
        report = result["report"]
        truth = ground_truth(_task_of(report["env_id"]), report["config"])
        game = games.setdefault(
            zoo_card(name)["label"],
            {
                "env_id": report["env_id"],
                "config": report["config"],
                "unit": report["unit"],
                "higher_is_better": is_better_higher(report["unit"]),
                "ground_truth": truth,
                "models": {},
            },
        )
        game["models"][name] = summarise_model([result], truth)
    return games
