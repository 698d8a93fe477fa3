"""Processes of a group that do the same, for tests: started from a server that has imported all."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from rand_agents import ObjectiveConfig, QNorm, QNormConfig
from rand_agents.training.agent import Agent
from rand_agents.training.entropy import ScoreConfig
from rand_envs import ColoringTask, GridTask, PatrolTask, RecallTask

# Not clipped: what is left at the weights after an update is the gradient.
WHOLE = float("inf")
MAKE: dict[str, Callable[[], Agent[Any]]] = {
    "recall": lambda: QNorm(
        "SeedTransformer", RecallTask(4, 2), QNormConfig(m=3, batch_size=16, max_grad_norm=WHOLE)
    ),
    "recall, seeds in parts, CVaR": lambda: QNorm(
        "SeedTransformer",
        RecallTask(4, 2),
        QNormConfig(
            ObjectiveConfig("cvar", alpha=0.3),
            m=5,
            batch_size=16,
            seeds_at_once=2,
            stratified=True,
            max_grad_norm=WHOLE,
        ),
    ),
    "colouring, saturated": lambda: QNorm(
        "SeedTransformer",
        ColoringTask(7),
        QNormConfig(
            ObjectiveConfig(q=8.0, saturation=0.5),
            m=4,
            batch_size=32,
            weight_decay=0.1,
            max_grad_norm=WHOLE,
        ),
    ),
    "grid, sampled": lambda: QNorm(
        "SeedTransformer",
        GridTask(3, horizon=9),
        QNormConfig(
            ObjectiveConfig(q=4.0),
            m=4,
            batch_size=None,
            max_grad_norm=WHOLE,
            score=ScoreConfig(paths=3, branches=2, entropy=0.5),
        ),
    ),
    "patrol, sampled": lambda: QNorm(
        "SeedTransformer",
        PatrolTask(("cycle", 4), horizon=3, attack_duration=2),
        QNormConfig(ObjectiveConfig(q=4.0), m=2, batch_size=3, max_grad_norm=WHOLE),
    ),
}


def gradient(agent: Agent[Any]) -> torch.Tensor:
    parts = [w.grad for w in agent.model.parameters() if w.grad is not None]
    return torch.cat([part.reshape(-1) for part in parts])


def weights(agent: Agent[Any]) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(agent.model.parameters()).detach()


def _begin(work: Callable[[int, Path], None], rank: int, count: int, folder: Path) -> None:
    torch.set_num_threads(1)
    store = dist.FileStore(str(folder / f"store-{count}"), count)
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
