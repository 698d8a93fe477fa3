"""The trained agents that come with the package, evaluated beside what a benchmark trains."""

from typing import Any

from rich.console import Console

from rand_agents import evaluate, load_zoo, zoo_names
from rand_agents.zoo import zoo_card

from .job import TASKS
from .pool import workers
from .summary import ground_truth, is_better_higher, summarise_model

Json = dict[str, Any]


def score_agent(name: str) -> Json:
    """A report on an agent of the zoo, which is that of its card where nothing has changed."""
    agent, card = load_zoo(name), zoo_card(name)
    # As `python -m rand_agents evaluate NAME`, and as the card: one number for one agent.
    report = evaluate(agent)
    return {key: card[key] for key in ("rng_seed", "train_seconds")} | {"report": report.to_json()}


def _task_of(env_id: str) -> str:
    return next(name for name, known in TASKS.items() if known == env_id)


def score_zoo(tasks: tuple[str, ...], processes: int, console: Console) -> Json:
    """Play the zoo's agents for some games; one entry a game, as in results.json's `tasks`.

    Agents of one game but different sizes have entries of their own, named by the size too.
    """
    names = [name for name in zoo_names() if _task_of(zoo_card(name)["env_id"]) in tasks]
    if not names:
        return {}
    with (
        console.status(f"playing {len(names)} agents of the zoo …"),
        workers(min(processes, len(names))) as pool,
    ):
        results = dict(zip(names, pool.map(score_agent, names), strict=True))
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
