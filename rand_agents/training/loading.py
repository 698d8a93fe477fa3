"""The trainers by name, and agents from files of either."""

from pathlib import Path
from typing import Any

import torch

from rand_agents.agents.agent import Agent
from rand_agents.agents.files import Contents, read_agent
from rand_agents.games.registry import Environment
from rand_agents.training.pepg import PEPG
from rand_agents.training.psro import PSRO
from rand_agents.training.qnorm import QNorm

ALGORITHMS: dict[str, type[Agent[Any]]] = {kind.__name__: kind for kind in (QNorm, PSRO, PEPG)}


def load_agent(
    path: str | Path, device: str | torch.device = "cpu", env: Environment | None = None
) -> Agent[Any]:
    """Read an agent that any trainer's `save` wrote; the file says which.

    Args:
        path: The file.
        device: Where the policy computes.
        env: As in `Agent.load`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is corrupt, of an unknown algorithm, or of another game.
    """
    return agent_of(path, read_agent(path), device, env)


def agent_of(
    path: str | Path,
    contents: Contents,
    device: str | torch.device = "cpu",
    env: Environment | None = None,
) -> Agent[Any]:
    """The agent in a file whose contents were read; otherwise as `load_agent`."""
    name = contents.facts.get("algorithm")
    if not isinstance(name, str) or name not in ALGORITHMS:
        raise ValueError(f"{path} must hold a {' or '.join(ALGORITHMS)} agent, got {name!r}")
    return ALGORITHMS[name].from_contents(path, contents, env, device)
