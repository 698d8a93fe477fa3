"""Put the first headline run of each model of the paper preset into the package's zoo.

python benchmarks/make_zoo.py [--out results/paper]

It is the run of the first rng_seed, not the best one, so that the zoo shows what a recipe gives.
Only finished runs are taken; each zoo agent that exists is replaced.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import tyro

from rand_agents import load_agent
from rand_agents.zoo import add_to_zoo

from .experiments import PRESETS
from .job import Experiment, Job, jobs
from .summary import Json
from .worker import agent_path, read_result

SCORES = (
    "unit",
    "num_layouts",
    "exhaustive",
    "num_seeds",
    "average",
    "p95",
    "worst",
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
    """

    out: Path = Path("results/paper")
    rng_seed: int = 0


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
    """Add the first run of each headline model that is finished; returns the names."""
    names = []
    for experiment in (experiment for experiment in experiments if experiment.axis is None):
        for job in jobs((experiment,), rng_seed, max_runs=1):
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
                "scores": {name: result["report"][name] for name in SCORES},
            }
            add_to_zoo(agent, f"{job.label}-{job.model}", json.loads(json.dumps(card)))
            names.append(f"{job.label}-{job.model}")
    return names


def main() -> None:
    arguments = tyro.cli(Arguments, description=__doc__)
    added = publish(PRESETS["paper"], arguments.out, arguments.rng_seed)
    print(f"added {', '.join(added)}" if added else f"no finished headline run in {arguments.out}")
