"""One job: train, save the agent, evaluate, write the result. Interrupted, it goes on later."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rand_agents.agents.agent import Agent
from rand_agents.evaluation.intervals import percentile95
from rand_agents.executors.work import Phase, Report
from rand_envs.core.sealed import read_json, write_json

from .checkpoint import Checkpoint, Training
from .job import Job

Json = dict[str, Any]

CHECKPOINT_SECONDS = 20.0
"""How often a run is saved while it trains: a killed one does no more than that twice."""
HISTORY_POINTS = 30
"""How often an agent is played while it trains."""
PROBED_LAYOUTS = 64
PROBED_SEEDS = 64
PROBED_SEEDS_OF_FEW = 512
"""The same where the layouts are few and all are played: the worst of them is then less noisy."""
SCORED_LAYOUTS = 1000
VISIT_SEEDS = 500

_LOG = logging.getLogger(__name__)


def result_path(out: Path, job: Job) -> Path:
    return out / "runs" / f"{job.name}.json"


def agent_path(out: Path, job: Job) -> Path:
    return out / "agents" / f"{job.name}.safetensors"


def read_result(out: Path, job: Job) -> Json | None:
    """The finished result of exactly this job, if there is one and it is whole."""
    try:
        result = read_json(result_path(out, job))
    except FileNotFoundError:
        return None
    except ValueError as error:
        _LOG.warning("note: %s, so it is made again", error)
        return None
    finished = result.get("fingerprint") == job.fingerprint and agent_path(out, job).is_file()
    return result if finished else None


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


def partial_path(out: Path, job: Job, start: int = 0) -> Path:
    """The file of a run while it trains; of one of its starts, from 1, if there are several."""
    which = f"-start-{start}" if start else ""
    return out / "partial" / f"{job.name}-{job.training_fingerprint}{which}.safetensors"


class _Start:
    """One of a run's initial weights, and its training, from wherever its last checkpoint is."""

    def __init__(self, job: Job, out: Path, number: int) -> None:
        self.job = job
        self.checkpoint = Checkpoint(partial_path(out, job, number), job.training_fingerprint)
        self.agent: Agent[Any]
        self.agent, self.training = self.checkpoint.load() or (job.agent(number), Training())

    def train(self, until: int, report: Callable[[int], None]) -> None:
        """Train up to an update, with checkpoints on the way; `report` gets each update."""
        agent = self.agent
        if agent.num_timesteps >= until:
            return
        begun = saved = time.monotonic()
        before = self.training.seconds

        def after_update(_locals: dict[str, Any], _globals: dict[str, Any]) -> bool:
            nonlocal saved
            self._observe()
            report(agent.num_timesteps)
            self.training.seconds = round(before + time.monotonic() - begun, 1)
            goes_on = agent.num_timesteps < until
            if goes_on and time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.checkpoint.save(agent, self.training)
                saved = time.monotonic()
            return goes_on

        updates = self.job.recipe.updates
        learn = agent.resume if agent.num_timesteps else partial(agent.learn, updates)
        learn(callback=after_update)

    def _observe(self) -> None:
        agent = self.agent
        if agent.has_begun and _is_due(agent.num_timesteps, agent.total_timesteps):
            # Another stream than training's, so that nothing is scored on what it was trained on.
            probe = _Probe(agent, self.job.rng_seed + 700)
            self.training.history.append([agent.num_timesteps, *probe.scores(agent)])

    def score(self, rung: int) -> float:
        """The objective at the end of a rung, from 0; measured once."""
        scores = self.training.scores
        if len(scores) == rung:
            scores.append(objective_of(self.agent, self.job.rng_seed + 800))
            self.checkpoint.save(self.agent, self.training)
        return scores[rung]


def _trained(job: Job, out: Path, report: Report) -> tuple[Agent[Any], Training]:
    """Train all starts of a job, the best of them to the end, from where they were."""
    several = job.recipe.starts > 1
    starts = [_Start(job, out, number + several) for number in range(job.recipe.starts)]
    left, done, before = starts, 0, 0
    for rung, (count, until) in enumerate(job.recipe.rungs):
        left = sorted(left, key=lambda start: start.score(rung - 1))[:count] if rung else left
        for start in left:

            def told(update: int, done: int = done - before) -> None:
                report((done + update) / job.updates)

            start.train(until, told)
            if len(left) > 1:
                start.score(rung)
            done += until - before
        before = until
    best = min(left, key=lambda start: start.score(rung)) if len(left) > 1 else left[0]
    seconds = sum(start.training.seconds for start in starts)
    return best.agent, replace(best.training, seconds=round(seconds, 1))


def train(job: Job, out: Path, report: Report) -> tuple[Agent[Any], Training]:
    """Train the job's agent, or take the trained one, or go on from its checkpoint."""
    finished = Checkpoint(agent_path(out, job), job.training_fingerprint)
    found = finished.load()
    if found is None:
        found = _trained(job, out, report)
        finished.save(*found)
    last = partial_path(out, job)
    for path in last.parent.glob(f"{last.stem}*"):
        path.unlink(missing_ok=True)
    return found


def details_of(agent: Agent[Any], rng_seed: int) -> Json | None:
    """What the game adds to a report, see `Game.details`; exact where all seeds can be played."""
    seeds = agent.seeds.every()
    if seeds is None:
        seeds = agent.draw_seeds(np.random.default_rng(rng_seed), VISIT_SEEDS)
    return agent.game.details(agent.model, torch.from_numpy(seeds))


def run_job(job: Job, out: Path, report: Report) -> Json:
    """Train and evaluate one job and write its result; returns the result."""
    agent, training = train(job, out, report)
    report(1.0)
    begun = time.monotonic()
    found = job.recipe.evaluation.evaluate(agent, job.rng_seed)
    result = {
        "fingerprint": job.fingerprint,
        "rng_seed": job.rng_seed,
        "train_seconds": training.seconds,
        "machine": training.machine,
        "code": training.code,
        "env_steps": agent.env_steps,
        "history": training.history,
        "cells": details_of(agent, job.rng_seed + 600),
        "report": found.to_json(),
        "evaluate_seconds": round(time.monotonic() - begun, 1),
    }
    write_json(result_path(out, job), result, indent=1)
    return result


@dataclass(frozen=True)
class TrainingRun:
    """A job as a work for an executor."""

    job: Job

    @property
    def name(self) -> str:
        """The job's."""
        return self.job.name

    @property
    def kind(self) -> str:
        """Runs of one model differ in nothing but their draws."""
        return f"{self.job.label}-{self.job.model}"

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Of training, and evaluation."""
        return self.job.phases

    def run(self, out: Path, report: Report) -> Json:
        """Train and evaluate."""
        return run_job(self.job, out, report)

    def line(self, result: Json) -> str:
        """Its main numbers."""
        found = result["report"]
        return (
            f"{self.job.label:14} {self.job.model:11} run {self.job.run + 1}: "
            f"average {found['average']['estimate']:6.3f}  "
            f"worst {found['worst']['estimate']:6.3f} {found['unit']}  "
            f"({result['train_seconds']:.0f} s training)"
        )
