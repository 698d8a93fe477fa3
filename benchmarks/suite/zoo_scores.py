"""The trained agents that come with the package, evaluated beside what a benchmark trains."""

from typing import Any

from rich.console import Console

from rand_agents import load_zoo, zoo_names
from rand_agents.zoo import zoo_card

from .job import TASKS, EvaluationSize
from .pool import workers
from .summary import ground_truth, is_better_higher, summarise_model

Json = dict[str, Any]

# Small, but for the search, which is that of `python -m rand_agents evaluate`: a number that our
# own command refutes must not stand in our own report.
SIZES = {
    "recall": EvaluationSize(1000, 50, 500, (30,)),
    "coloring": EvaluationSize(num_seeds=20, num_fresh_seeds=50, votes=(30,)),
    "grid": EvaluationSize(num_seeds=100, num_fresh_seeds=500),
}


def score_agent(name: str) -> Json:
    """A report on an agent of the zoo, with other draws than those of its card."""
    agent, card = load_zoo(name), zoo_card(name)
    report = SIZES[_task_of(agent.task.env_id)].evaluate(agent, card["rng_seed"] + 900)
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
