"""A worker of a Ray cluster is killed in the middle of a run: the results must be the same."""

import os
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from rand_agents.agents.files import read_agent
from rand_agents.executors.following import run_all
from rand_agents.executors.processes import local
from rand_agents.executors.ray_tasks import on_ray
from rand_agents.executors.work import BEGUN, Phase, Report, Work
from rand_envs.core.sealed import read_json, write_json

from . import worker
from .job import Job
from .worker import TrainingRun

Json = dict[str, Any]

TIMES = ("train_seconds", "evaluate_seconds")
"""Of a result, what no two runs have in common."""


@dataclass(frozen=True)
class Killed:
    """A work whose worker is killed in the middle.

    Attributes:
        work: What is done.
        times: How often it is killed, each time when half is done or more.
    """

    work: Work
    times: int = 1

    @property
    def name(self) -> str:
        return self.work.name

    @property
    def kind(self) -> str:
        return self.work.kind

    @property
    def phases(self) -> tuple[Phase, ...]:
        return self.work.phases

    def line(self, result: Json) -> str:
        return self.work.line(result)

    def run(self, out: Path, report: Report) -> Json:
        """Do it, or die; what is known of both is written beside the results."""
        path = out / "killed.json"
        begun: list[float] = read_json(path)["begun_at"] if path.is_file() else []
        begun.append(BEGUN)
        dies = len(begun) <= self.times
        if dies:
            # Saved at every update: the run may be shorter than the time between two checkpoints.
            worker.CHECKPOINT_SECONDS = 0.0

        def dying(fraction: float) -> None:
            if begun[-1] == BEGUN:
                begun[-1] = fraction
                write_json(path, {"work": self.name, "begun_at": begun})
            if fraction >= 0.5 and dies:
                os.kill(os.getpid(), signal.SIGKILL)
            report(fraction)

        return self.work.run(out, dying)


def differences(planned: list[Job], one: Path, other: Path) -> list[str]:
    """Names of the runs whose results or trained weights differ between two folders."""
    return [job.name for job in planned if not _is_equal(job, one, other)]


def _is_equal(job: Job, one: Path, other: Path) -> bool:
    results = [worker.read_result(out, job) for out in (one, other)]
    agents = [read_agent(worker.agent_path(out, job)) for out in (one, other)]
    if None in results:
        return False
    first, second = ({k: v for k, v in (r or {}).items() if k not in TIMES} for r in results)
    tensors = agents[0].tensors
    same = all(torch.equal(tensors[name], t) for name, t in agents[1].tensors.items())
    return first == second and same and tensors.keys() == agents[1].tensors.keys()


def compare(planned: list[Job], out: Path, processes: int, console: Console) -> bool:
    """Train by processes of this machine, and on Ray with a worker killed; whether all is equal."""
    works: list[Work] = [*map(TrainingRun, planned)]
    one, other = out / "processes", out / "ray"
    for folder in (one, other):
        folder.mkdir(parents=True)
    console.print(f"{len(works)} training runs by {processes} processes:")
    run_all(works, one, partial(local, processes), console)
    console.print("The same on Ray, where a worker will be killed:")
    victim = Killed(works[0])
    run_all([victim, *works[1:]], other, partial(on_ray, None, processes, other), console)
    begun = read_json(other / "killed.json")["begun_at"]
    wrong = differences(planned, one, other)
    console.print(
        f"The worker of {victim.name} was killed when half was done, and another one went on "
        f"from {begun[1]:.0%}."
    )
    if wrong:
        console.print(f"Not equal: {', '.join(wrong)}.")
    else:
        console.print(f"All {len(planned)} results and agents are equal to the last bit.")
    return not wrong
