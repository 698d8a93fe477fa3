"""Agent files: one safetensors file with JSON in its header. Nothing is ever unpickled."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from rand_agents.games.registry import Environment, task_of
from rand_envs.core.arrays import Json
from rand_envs.core.task import Setting
from rand_envs.core.writing import write_atomically

SCHEMA = 1


@dataclass(frozen=True)
class Contents:
    """Tensors by name, and the facts beside them."""

    tensors: dict[str, Tensor]
    facts: Json

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors named `prefix.*`, without that prefix."""
        start = f"{prefix}."
        return {k.removeprefix(start): t for k, t in self.tensors.items() if k.startswith(start)}


def write_agent(path: str | Path, contents: Contents) -> Path:
    """Write an agent file; adds the suffix .safetensors where there is none."""
    target = Path(path)
    if not target.suffix:
        target = target.with_suffix(".safetensors")
    tensors = {name: t.detach().cpu().contiguous() for name, t in contents.tensors.items()}
    facts = json.dumps({"schema": SCHEMA, **contents.facts})
    write_atomically(target, safetensors.torch.save(tensors, {"rand_agents": facts}))
    return target


def read_agent(path: str | Path) -> Contents:
    """Read an agent file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is corrupt, truncated, or not an agent file.
    """
    source = Path(path)
    if not source.exists() and not source.suffix:
        source = source.with_suffix(".safetensors")
    if not source.is_file():
        raise FileNotFoundError(f"there is no agent file {source}")
    try:
        with safetensors.safe_open(source, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        hint = ""
        if source.read_bytes()[:2] == b"PK":
            hint = ": a model of Stable-Baselines3 is played by --player sb3:FILE.zip"
        raise ValueError(f"{source} is corrupt or not an agent file{hint}: {error}") from None
    if "rand_agents" not in metadata:
        raise ValueError(f"{source} is a safetensors file, but not one that an agent saved")
    try:
        facts = dict(json.loads(metadata["rand_agents"]))
    except (ValueError, TypeError):
        raise ValueError(f"{source} is corrupt: its header is not JSON") from None
    schema = facts.pop("schema", None)
    if schema != SCHEMA:
        raise ValueError(f"{source} must be of schema {SCHEMA} to be read here, got {schema}")
    return Contents(tensors, facts)


def task_in_file(path: str | Path, facts: Json, env: Environment | None) -> Setting[Any]:
    """The setting that a file names; ValueError if it is not that of the environment given."""
    given = None if env is None else task_of(env)
    # Files from before there was a choice name registered ones.
    if facts.get("is_registered", True):
        stored = task_of(facts["env_id"], facts["task"])
        named = (stored.env_id, stored.config)
    elif given is None:
        raise ValueError(
            f"{path} holds an agent for an environment that gym.make does not give, "
            f"{facts['env_id']}: load it with env=, an environment like the one it was trained in"
        )
    else:
        stored, named = given, (facts["env_id"], facts["task"])
    if given is not None and (given.env_id, given.config) != named:
        raise ValueError(
            f"{path} holds an agent for {named[0]} with {named[1]}, "
            f"not for {given.env_id} with {given.config}"
        )
    return stored
