"""Put the first run of each model of the paper preset's headlines into the package's zoo.

python benchmarks/make_zoo.py [--out out/paper]

It is the run of the first rng_seed, not the best one, so that the zoo shows what a recipe gives;
the paper's own trainer on the 5 x 5 grid has a place there, too. Only finished runs are taken; each
zoo agent that exists is replaced. A card has the scores that `python -m rand_agents evaluate NAME`
prints. With --rescore the agents stay as they are, and are only evaluated anew.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from rand_agents import evaluate, load_agent, load_zoo, zoo_names
from rand_agents.agents.agent import Agent
from rand_agents.zoo import add_to_zoo, replace_card, zoo_card
from rand_envs.core.plain import plain_where_needed

from .experiments import PRESETS
from .job import Experiment, Job, jobs
from .summary import Json
from .worker import agent_path, read_result

OF_SWEEPS = ("grid5-pepg",)
"""Points of sweeps whose models are in the zoo, too: what the paper's trainer gives."""
SCORES = (
    "unit",
    "num_layouts",
    "exhaustive",
    "num_seeds",
    "average",
    "p95",
    "worst",
    "search",
    "game_value",
    "game_value_kind",
    "gap",
    "majority",
    "sampled",
    "loss",
    "seed_variance",
    "certificate",
)


@dataclass(frozen=True)
class Arguments:
    """Put the first headline run of each model of the paper preset into the package's zoo.

    Attributes:
        out: The folder that the runs are in.
        rng_seed: What the benchmark was run with.
        rescore: Evaluate the agents that are in the zoo anew, and train nothing.
    """

    out: Path = Path("out/paper")
    rng_seed: int = 0
    rescore: bool = False


def scores_of(agent: Agent[Any]) -> Json:
    """What `evaluate` finds of an agent, as its card has it."""
    report = json.loads(json.dumps(evaluate(agent).to_json()))
    return {name: report[name] for name in SCORES}


def commands(experiment: str, job: Job, rng_seed: int) -> Json:
    """How to train one zoo agent again, and to compare the weights."""
    name = f"{job.label}-{job.model}"
    seed = f" --rng-seed {rng_seed}" if rng_seed else ""
    train = f"--preset paper --experiments {experiment} --models {job.model} --runs 1{seed}"
    again = agent_path(Path("results/again"), job)
    return {
        "command": f"python benchmarks/run.py {train} --out results/again",
        "check": f"python -m rand_agents zoo --compare {name} {again}",
    }


def publish(experiments: tuple[Experiment, ...], out: Path, rng_seed: int) -> list[str]:
    """Add the first run of each model, of a headline or `OF_SWEEPS`, that is finished.

    Returns:
        Their names.
    """
    names = []
    for experiment in experiments:
        for job in jobs((experiment,), rng_seed, max_runs=1):
            if experiment.axis is not None and job.label not in OF_SWEEPS:
                continue
            result = read_result(out, job)
            if result is None:
                continue
            agent = load_agent(agent_path(out, job))
            card = {
                "label": job.label,
                "model": job.model,
                "env_id": agent.task.env_id,
                **commands(experiment.name, job, rng_seed),
                "rng_seed": job.rng_seed,
                "train_seconds": result["train_seconds"],
                "updates": agent.num_timesteps,
                "env_steps": result["env_steps"],
                "machine": result["machine"],
                "code": result.get("code"),
                "recipe": dataclasses.asdict(job.recipe),
                "scores": scores_of(agent),
            }
            add_to_zoo(agent, f"{job.label}-{job.model}", json.loads(json.dumps(card)))
            names.append(f"{job.label}-{job.model}")
    return names


def main() -> None:
    plain_where_needed()
    arguments = tyro.cli(Arguments, description=__doc__)
    if arguments.rescore:
        for name in zoo_names():
            replace_card(name, zoo_card(name) | {"scores": scores_of(load_zoo(name))})
            print(f"scored {name}", flush=True)
        return
    added = publish(PRESETS["paper"], arguments.out, arguments.rng_seed)
    print(f"added {', '.join(added)}" if added else f"no finished headline run in {arguments.out}")
