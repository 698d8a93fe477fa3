"""Processes of one group for tests, and agents that they train together."""

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rand_agents import ObjectiveConfig, QNorm, QNormConfig
from rand_agents.agents.agent import Agent
from rand_agents.training.entropy import ScoreConfig
from rand_envs import ColoringTask, GridTask, PatrolTask, RecallTask


def _agent(task: Any, objective: ObjectiveConfig, **options: Any) -> Agent[Any]:
    # Nothing is clipped, so that what is left after an update is the gradient.
    config = QNormConfig(objective, warmup=0.0, max_grad_norm=float("inf"), **options)
    return QNorm("SeedTransformer", task, config)


PATROL = PatrolTask(("cycle", 4), horizon=3, attack_duration=2)
MAKE: dict[str, Callable[[], Agent[Any]]] = {
    "recall": lambda: _agent(RecallTask(4, 2), ObjectiveConfig(), m=3, batch_size=16),
    "recall in parts": lambda: _agent(
        RecallTask(4, 2),
        ObjectiveConfig("cvar", alpha=0.3),
        m=5,
        batch_size=16,
        seeds_at_once=2,
        stratified=True,
    ),
    "colouring": lambda: _agent(
        ColoringTask(7),
        ObjectiveConfig(q=8.0, saturation=0.5),
        m=4,
        batch_size=32,
        weight_decay=0.1,
    ),
    "grid": lambda: _agent(
        GridTask(3, horizon=9),
        ObjectiveConfig(q=4.0),
        m=4,
        batch_size=None,
        score=ScoreConfig(paths=3, branches=2, entropy=0.5),
    ),
    # One history, which leaves the second process without any.
    "patrol": lambda: _agent(
        PATROL, ObjectiveConfig(q=4.0), m=1, batch_size=1, score=ScoreConfig(paths=1)
    ),
}


@dataclass(frozen=True)
class Trained:
    """The gradient of a first update, and weights, the objective and draws after three."""

    gradient: Tensor
    weights: Tensor
    objective: float
    calls: int


def train(name: str) -> Trained:
    """One update, then two more."""
    agent = MAKE[name]()
    calls: list[bool] = []

    def callback(goes_on: bool) -> Callable[..., bool]:
        def called(*_: Any) -> bool:
            calls.append(goes_on)
            return goes_on

        return called

    agent.learn(3, callback(False))
    slopes = [w.grad.reshape(-1) for w in agent.model.parameters() if w.grad is not None]
    gradient = torch.cat(slopes)
    assert agent.num_timesteps == 1
    agent.resume(callback(True))
    weights = torch.nn.utils.parameters_to_vector(agent.model.parameters()).detach()
    return Trained(gradient, weights, float(agent._logs["train/objective"]), len(calls))


def _begin(work: Callable[[int, Path], None], rank: int, count: int, folder: Path) -> None:
    torch.set_num_threads(1)
    file = str(folder / f"store of {count}")
    store = dist.FileStore(file, count)  # type: ignore[attr-defined]
    dist.init_process_group("gloo", store=store, rank=rank, world_size=count)
    work(rank, folder)
    dist.destroy_process_group()


def run(work: Callable[[int, Path], None], count: int, folder: Path) -> None:
    """Do the same work, a function of a module, in `count` processes; all of them must succeed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    processes = [
        context.Process(target=_begin, args=(work, rank, count, folder)) for rank in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * count
