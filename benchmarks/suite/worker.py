"""One job: train, save the agent, evaluate, write the result. Interrupted, it goes on later."""

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rand_agents.evaluation.intervals import percentile95
from rand_agents.training.agent import Agent
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

Progress = Callable[[float], None]

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


def partial_path(out: Path, job: Job, start: int | None = None) -> Path:
    """The file of a run, or of the trial of one of its starts, while it trains."""
    trial = "" if start is None else f"-start-{start}"
    return out / "partial" / f"{job.name}-{job.training_fingerprint}{trial}.safetensors"


class _Run:
    """The training of one job, which goes on from its last checkpoint if there is one.

    Which solution training finds depends on the initial weights. Where a recipe has several
    starts, each is trained for a trial, and the one that is best by then to the end.
    """

    def __init__(self, job: Job, out: Path, report: Progress) -> None:
        self.job, self.out, self.report = job, out, report
        self.checkpoint = Checkpoint(partial_path(out, job), job.training_fingerprint)
        self.agent: Agent[Any] | None
        self.agent, self.training = self.checkpoint.load() or (None, Training())
        self.begun = time.monotonic() - self.training.seconds
        self.saved = time.monotonic()

    def finish(self) -> tuple[Agent[Any], Training]:
        """Train to the end."""
        recipe = self.job.recipe
        while recipe.starts > 1 and self.training.starts < recipe.starts:
            self._try_start()
        agent = self.agent or self.job.agent()
        self._train(agent, self.training, self.checkpoint, recipe.updates)
        self._note_time(self.training)
        self.training.seconds = round(self.training.seconds, 1)
        return agent, self.training

    def _try_start(self) -> None:
        """Train one more start for the trial; keep the better one of it and those before."""
        number = self.training.starts + 1
        path = partial_path(self.out, self.job, number)
        checkpoint = Checkpoint(path, self.job.training_fingerprint)
        agent, trial = checkpoint.load() or (self.job.agent(number), Training())
        self.begun = min(self.begun, time.monotonic() - trial.seconds)
        self._train(agent, trial, checkpoint, self.job.recipe.trial)
        rng_seed = self.job.rng_seed + 800
        if self.agent is None or objective_of(agent, rng_seed) < objective_of(self.agent, rng_seed):
            self.agent, self.training.history = agent, trial.history
        self.training.starts += 1
        self._save(self.checkpoint, self.agent, self.training)

    def _train(
        self, agent: Agent[Any], training: Training, checkpoint: Checkpoint, until: int
    ) -> None:
        """Train up to an update, from wherever the agent is, with checkpoints on the way."""

        def after_update(_locals: dict[str, Any], _globals: dict[str, Any]) -> bool:
            self._observe(agent, training.history)
            goes_on = agent.num_timesteps < until
            if goes_on and time.monotonic() - self.saved > CHECKPOINT_SECONDS:
                self._save(checkpoint, agent, training)
            return goes_on

        updates = self.job.recipe.updates
        learn = agent.resume if agent.num_timesteps else partial(agent.learn, updates)
        learn(callback=after_update)

    def _observe(self, agent: Agent[Any], history: list[list[float]]) -> None:
        if agent.has_begun and _is_due(agent.num_timesteps, agent.total_timesteps):
            # Another stream than training's, so that nothing is scored on what it was trained on.
            probe = _Probe(agent, self.job.rng_seed + 700)
            history.append([agent.num_timesteps, *probe.scores(agent)])
        trials = min(self.training.starts, self.job.recipe.starts - 1) * self.job.recipe.trial
        self.report((trials + agent.num_timesteps) / self.job.updates)

    def _note_time(self, training: Training) -> None:
        training.seconds = time.monotonic() - self.begun

    def _save(self, checkpoint: Checkpoint, agent: Agent[Any], training: Training) -> None:
        self._note_time(training)
        checkpoint.save(agent, training)
        self.saved = time.monotonic()


def train(job: Job, out: Path, report: Progress) -> tuple[Agent[Any], Training]:
    """Train the job's agent, or take the trained one, or go on from its checkpoint."""
    finished = Checkpoint(agent_path(out, job), job.training_fingerprint)
    found = finished.load()
    if found is None:
        found = _Run(job, out, report).finish()
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
        "code": training.code,
        "env_steps": agent.env_steps,
        "history": training.history,
        "cells": details_of(agent, job.rng_seed + 600),
        "report": found.to_json(),
        "evaluate_seconds": round(time.monotonic() - begun, 1),
    }
    write_json(result_path(out, job), result, indent=1)
    return result
