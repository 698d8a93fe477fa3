"""One job: train, save the agent, evaluate, write the result. Interrupted, it goes on later."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments import Job

from rand_agents import evaluate
from rand_agents.algorithm import Agent
from rand_agents.files import write_atomically

CHECKPOINT_SECONDS = 20.0

Progress = Callable[[float], None]


def result_path(out: Path, job: Job) -> Path:
    return out / "runs" / f"{job.name}.json"


def agent_path(out: Path, job: Job) -> Path:
    return out / "agents" / f"{job.name}.safetensors"


def read_result(out: Path, job: Job) -> dict[str, Any] | None:
    """The finished result of exactly this job, if there is one."""
    path = result_path(out, job)
    if not path.is_file() or not agent_path(out, job).is_file():
        return None
    try:
        result: dict[str, Any] = json.loads(path.read_text())
    except json.JSONDecodeError:
        return None
    return result if result["fingerprint"] == job.fingerprint else None


class _Checkpoint:
    """A half-trained agent and the seconds spent on it, in one pair of files."""

    def __init__(self, out: Path, job: Job) -> None:
        stem = out / "partial" / f"{job.name}-{job.fingerprint}"
        self.agent_file = stem.with_suffix(".safetensors")
        self.time_file = stem.with_suffix(".json")

    def load(self, fresh: Agent[Any]) -> tuple[Agent[Any], float]:
        if not (self.agent_file.is_file() and self.time_file.is_file()):
            return fresh, 0.0
        return type(fresh).load(self.agent_file), float(json.loads(self.time_file.read_text()))

    def save(self, agent: Agent[Any], seconds: float) -> None:
        agent.save(self.agent_file)
        write_atomically(self.time_file, json.dumps(seconds).encode())

    def remove(self) -> None:
        self.agent_file.unlink(missing_ok=True)
        self.time_file.unlink(missing_ok=True)


def train(job: Job, out: Path, report: Progress) -> tuple[Agent[Any], float]:
    """Train the job's agent, going on from its checkpoint; returns it with the seconds spent."""
    checkpoint = _Checkpoint(out, job)
    agent, before = checkpoint.load(job.agent())
    start = saved = time.monotonic()

    def after_update(_locals: dict[str, Any], _globals: dict[str, Any]) -> bool:
        nonlocal saved
        now = time.monotonic()
        if now - saved > CHECKPOINT_SECONDS:
            checkpoint.save(agent, before + now - start)
            saved = now
        report(agent.num_timesteps / agent.total_timesteps)
        return True

    if agent.num_timesteps:
        agent.resume(callback=after_update)
    else:
        agent.learn(job.recipe.updates, callback=after_update)
    seconds = before + time.monotonic() - start
    agent.save(agent_path(out, job))
    checkpoint.remove()
    return agent, seconds


def run_job(job: Job, out: Path, report: Progress) -> dict[str, Any]:
    """Train and evaluate one job and write its result; returns the result."""
    agent, seconds = train(job, out, report)
    size = job.recipe.evaluation
    found = evaluate(
        agent,
        layouts=size.layouts,
        num_seeds=size.num_seeds,
        num_fresh_seeds=size.num_fresh_seeds,
        votes=size.votes,
        search_rounds=size.search_rounds,
        # Another stream than training's, so that nothing is scored on what it was trained on.
        rng_seed=job.rng_seed + 500,
    )
    result = {
        "fingerprint": job.fingerprint,
        "rng_seed": job.rng_seed,
        "train_seconds": round(seconds, 1),
        "env_steps": agent.env_steps,
        "report": found.to_json(),
    }
    write_atomically(result_path(out, job), json.dumps(result, indent=1).encode())
    return result
