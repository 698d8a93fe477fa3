"""What `speed.py --device` shows: the same updates on the CPU and on another device."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from rich.table import Table

from rand_agents import PEPG, ObjectiveConfig, QNorm, QNormConfig
from rand_agents.agents.agent import Agent
from rand_agents.games.registry import as_game

from .training import milliseconds

Cases = dict[str, Callable[[torch.device], Agent[Any]]]
"""Agents by what an update of theirs is, made for a device."""

POLICY = "SeedTransformer"


def _recall(device: torch.device) -> Agent[Any]:
    return QNorm(POLICY, "RandRecall-v0", QNormConfig(), device=device)


def _large_recall(device: torch.device) -> Agent[Any]:
    """Sizes within the policy are ten times what they are by default."""
    own = as_game("RandRecall-v0").default_policy()
    sizes = {name: 10 * getattr(own, name) for name in ("key_size", "value_size", "model_size")}
    return QNorm(replace(own, **sizes), "RandRecall-v0", QNormConfig(), device=device)


def _coloring(device: torch.device) -> Agent[Any]:
    config = QNormConfig(ObjectiveConfig(q=10.0), m=10, batch_size=256, weight_decay=0.1)
    return QNorm(POLICY, "RandColoring-v0", config, device=device)


def _grid(device: torch.device) -> Agent[Any]:
    return PEPG(POLICY, "RandGrid-v0", device=device)


CASES: Cases = {
    "recall, a step of the paper's size": _recall,
    "recall, the same with a large policy": _large_recall,
    "colouring, a step of the paper's size": _coloring,
    "grid, a generation of the paper's size": _grid,
}


def devices(device: torch.device, cases: Cases = CASES, repeats: int = 5) -> Table:
    """Whole updates, drawing and the log included; the compiled loops are the CPU's alone."""
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    table = Table("update", "weights", "CPU, ms (median)", f"{device}, ms (median)", "ratio")
    table.title = f"an update on {card}, and on the CPU with {torch.get_num_threads()} threads"
    for name, make in cases.items():
        agents = [make(place) for place in (torch.device("cpu"), device)]
        here, there = (milliseconds(partial(a.learn, 1), repeats) for a in agents)
        count = sum(weight.numel() for weight in agents[0].model.named_weights().values())
        table.add_row(name, f"{count:,}", f"{here:.1f}", f"{there:.1f}", f"{here / there:.2f} x")
    return table
