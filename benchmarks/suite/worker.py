"""One job: train, save the agent, evaluate, write the result. Interrupted, it goes on later."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rand_agents.evaluation.intervals import percentile95
from rand_agents.training.agent import Agent
from rand_agents.training.loading import load_agent
from rand_envs.core.writing import write_atomically

from .job import Job
from .summary import machine

Json = dict[str, Any]

CHECKPOINT_SECONDS = 20.0
HISTORY_POINTS = 30
"""How often an agent is played while it trains."""
PROBED_LAYOUTS = 64
PROBED_SEEDS = 64
PROBED_SEEDS_OF_FEW = 512
"""The same where the layouts are few and all are played: the worst of them is then less noisy."""
SCORED_LAYOUTS = 1000
VISIT_SEEDS = 500

Progress = Callable[[float], None]


def result_path(out: Path, job: Job) -> Path:
    return out / "runs" / f"{job.name}.json"


def agent_path(out: Path, job: Job) -> Path:
    return out / "agents" / f"{job.name}.safetensors"


def _read_json(path: Path) -> Json:
    try:
        found: Json = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        return {}
    return found


def read_result(out: Path, job: Job) -> Json | None:
    """The finished result of exactly this job, if there is one."""
    result = _read_json(result_path(out, job))
    finished = result.get("fingerprint") == job.fingerprint and agent_path(out, job).is_file()
    return result if finished else None


@dataclass
class Training:
    """What is known of a training run beside the agent.

    Attributes:
        seconds: Spent so far.
        machine: What it ran on.
        history: (update, average, 95th percentile, worst) over layouts of the mean outcome.
        starts: How many starts were tried so far; the agent is the best of them.
    """

    seconds: float = 0.0
    machine: Json = field(default_factory=machine)
    history: list[list[float]] = field(default_factory=list)
    starts: int = 0


class _Checkpoint:
    """An agent and the record of its training, in a pair of files."""

    def __init__(self, agent_file: Path, fingerprint: str) -> None:
        self.agent_file = agent_file
        self.record_file = agent_file.with_suffix(".json")
        self.fingerprint = fingerprint

    def load(self) -> tuple[Agent[Any], Training] | None:
        record = _read_json(self.record_file)
        if record.get("fingerprint") != self.fingerprint or not self.agent_file.is_file():
            return None
        del record["fingerprint"]
        return load_agent(self.agent_file), Training(**record)

    def save(self, agent: Agent[Any], training: Training) -> None:
        agent.save(self.agent_file)
        record = {"fingerprint": self.fingerprint, **vars(training)}
        write_atomically(self.record_file, json.dumps(record).encode())

    def remove(self) -> None:
        self.agent_file.unlink(missing_ok=True)
        self.record_file.unlink(missing_ok=True)


def _is_due(update: int, total: int) -> bool:
    """Whether the agent is played after this update, for its history."""
    return update * HISTORY_POINTS // total > (update - 1) * HISTORY_POINTS // total


class _Probe:
    """Plays the agent now and then during training, with draws that training does not see."""

    def __init__(self, agent: Agent[Any], rng_seed: int) -> None:
        self.rng_seed = rng_seed
        space = agent.task.layout_space
        few = space.size is not None and space.size <= PROBED_LAYOUTS
        rng = np.random.default_rng(rng_seed)
        self.layouts = space.enumerate() if few else space.sample(rng, PROBED_LAYOUTS)
        self.num_seeds = PROBED_SEEDS_OF_FEW if few else PROBED_SEEDS

    def scores(self, agent: Agent[Any]) -> list[float]:
        """Average, 95th percentile and worst over layouts of the mean over seeds."""
        rng = np.random.default_rng([self.rng_seed, agent.num_timesteps])
        seeds = agent.draw_seeds(rng, 1 if agent.seeds.is_fixed else self.num_seeds)
        means = agent.play(self.layouts, seeds).outcome.mean(1)
        higher = agent.task.higher_is_better
        worst = means.min() if higher else means.max()
        scores = (means.mean(), percentile95(means, higher), worst)
        return [round(float(score), 4) for score in scores]


def objective_of(agent: Agent[Any], rng_seed: int) -> float:
    """The objective at its end, of layouts and seeds that training does not see."""
    rng = np.random.default_rng(rng_seed)
    layouts = agent.task.layout_space.sample(rng, SCORED_LAYOUTS)
    seeds = agent.draw_seeds(rng, 1 if agent.seeds.is_fixed else PROBED_SEEDS)
    return float(agent.config.objective.at(1.0)(torch.from_numpy(agent.losses(layouts, seeds))))


class _Run:
    """The training of one job, which goes on from its last checkpoint if there is one.

    Which solution training finds depends on the initial weights. Where a recipe has several
    starts, each is trained for a trial, and the one that is best by then to the end.
    """

    def __init__(self, job: Job, out: Path, report: Progress) -> None:
        partial = f"{job.name}-{job.training_fingerprint}.safetensors"
        self.job, self.report = job, report
        self.checkpoint = _Checkpoint(out / "partial" / partial, job.training_fingerprint)
        self.agent: Agent[Any] | None = None
        self.training = Training()
        found = self.checkpoint.load()
        if found is not None:
            self.agent, self.training = found
        self.begun = time.monotonic() - self.training.seconds
        self.saved = time.monotonic()

    def finish(self) -> tuple[Agent[Any], Training]:
        """Train to the end."""
        recipe = self.job.recipe
        if recipe.starts == 1:
            agent = self.agent or self.job.agent()
        else:
            while self.training.starts < recipe.starts:
                self._try_start()
            assert self.agent is not None
            agent = self.agent

        def after_update(_locals: dict[str, Any], _globals: dict[str, Any]) -> bool:
            self._observe(agent, self.training.history)
            if time.monotonic() - self.saved > CHECKPOINT_SECONDS:
                self._save(agent)
            return True

        if agent.num_timesteps:
            agent.resume(callback=after_update)
        else:
            agent.learn(recipe.updates, callback=after_update)
        self.training.seconds = round(time.monotonic() - self.begun, 1)
        return agent, self.training

    def _try_start(self) -> None:
        """Train one more start for the trial; keep the better one of it and those before."""
        recipe, history = self.job.recipe, list[list[float]]()
        agent = self.job.agent(self.training.starts + 1)

        def after_update(_locals: dict[str, Any], _globals: dict[str, Any]) -> bool:
            self._observe(agent, history)
            return agent.num_timesteps < recipe.trial

        agent.learn(recipe.updates, callback=after_update)
        rng_seed = self.job.rng_seed + 800
        if self.agent is None or objective_of(agent, rng_seed) < objective_of(self.agent, rng_seed):
            self.agent, self.training.history = agent, history
        self.training.starts += 1
        self._save(self.agent)

    def _observe(self, agent: Agent[Any], history: list[list[float]]) -> None:
        if agent.has_begun and _is_due(agent.num_timesteps, agent.total_timesteps):
            # Another stream than training's, so that nothing is scored on what it was trained on.
            probe = _Probe(agent, self.job.rng_seed + 700)
            history.append([agent.num_timesteps, *probe.scores(agent)])
        trials = min(self.training.starts, self.job.recipe.starts - 1) * self.job.recipe.trial
        self.report((trials + agent.num_timesteps) / self.job.updates)

    def _save(self, agent: Agent[Any]) -> None:
        self.training.seconds = time.monotonic() - self.begun
        self.checkpoint.save(agent, self.training)
        self.saved = time.monotonic()


def train(job: Job, out: Path, report: Progress) -> tuple[Agent[Any], Training]:
    """Train the job's agent, or take the trained one, or go on from its checkpoint."""
    finished = _Checkpoint(agent_path(out, job), job.training_fingerprint)
    found = finished.load()
    if found is not None:
        return found
    run = _Run(job, out, report)
    agent, training = run.finish()
    finished.save(agent, training)
    run.checkpoint.remove()
    return agent, training


def details_of(agent: Agent[Any], rng_seed: int) -> Json | None:
    """What the game adds to a report, see `Game.details`; exact where all seeds can be played."""
    seeds = agent.seeds.every()
    if seeds is None:
        seeds = agent.draw_seeds(np.random.default_rng(rng_seed), VISIT_SEEDS)
    return agent.game.details(agent.model, torch.from_numpy(seeds))


def run_job(job: Job, out: Path, report: Progress) -> Json:
    """Train and evaluate one job and write its result; returns the result."""
    agent, training = train(job, out, report)
    report(1.0)
    begun = time.monotonic()
    found = job.recipe.evaluation.evaluate(agent, job.rng_seed + 500)
    result = {
        "fingerprint": job.fingerprint,
        "rng_seed": job.rng_seed,
        "train_seconds": training.seconds,
        "machine": training.machine,
        "env_steps": agent.env_steps,
        "history": training.history,
        "cells": details_of(agent, job.rng_seed + 600),
        "report": found.to_json(),
        "evaluate_seconds": round(time.monotonic() - begun, 1),
    }
    write_atomically(result_path(out, job), json.dumps(result, indent=1).encode())
    return result
