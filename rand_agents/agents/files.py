"""Agent files: one safetensors file with JSON in its header. Nothing is ever unpickled."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rand_envs.core.arrays import Json, shown
from rand_envs.core.sealed import UNSEALED, is_whole, note_unsealed, parsed_json, seal
from rand_envs.core.writing import write_atomically

if TYPE_CHECKING:
    # What is imported with PyTorch a path alone should not wait for.
    from torch import Tensor

SCHEMA = 2
"""Version of the facts; files of version 1 have no checksum."""


@dataclass(frozen=True)
class Contents:
    """Tensors by name, and the facts beside them."""

    tensors: "dict[str, Tensor]"
    facts: Json

    def under(self, prefix: str) -> "dict[str, Tensor]":
        """The tensors named `prefix.*`, without that prefix."""
        start = f"{prefix}."
        return {k.removeprefix(start): t for k, t in self.tensors.items() if k.startswith(start)}


def agent_path(path: str | Path) -> Path:
    """The file that a path without a suffix may mean, even where a folder has its name."""
    source = Path(path)
    return source if source.suffix or source.is_file() else source.with_suffix(".safetensors")


def agent_data(contents: Contents) -> bytes:
    """All of an agent file."""
    import safetensors.torch

    tensors = {name: t.detach().cpu().contiguous() for name, t in contents.tensors.items()}
    facts = json.dumps({"schema": SCHEMA, "sha256": UNSEALED, **contents.facts})
    return seal(safetensors.torch.save(tensors, {"rand_agents": facts}))


def write_agent(path: str | Path, contents: Contents) -> Path:
    """Write an agent file; adds the suffix .safetensors where there is none."""
    target = Path(path)
    if not target.suffix:
        target = target.with_suffix(".safetensors")
    write_atomically(target, agent_data(contents))
    return target


def read_agent(path: str | Path) -> Contents:
    """Read an agent file, at once: what another process writes meanwhile changes nothing.

    A file from before there were checksums is read with a note.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is corrupt, truncated, changed, or not an agent file.
    """
    import safetensors.torch

    source = agent_path(path)
    if not source.is_file():
        raise FileNotFoundError(f"there is no agent file {source}")
    data = source.read_bytes()
    try:
        tensors = safetensors.torch.load(data)
        metadata = _header(data).get("__metadata__") or {}
    # Of the second kind are types that PyTorch does not have.
    except (safetensors.SafetensorError, KeyError, ValueError, RuntimeError) as error:
        hint = ""
        if data[:2] == b"PK":
            hint = ": a model of Stable-Baselines3 is played by --player sb3:FILE.zip"
        raise ValueError(f"{source} is corrupt or not an agent file{hint}: {error}") from None
    if "rand_agents" not in metadata:
        raise ValueError(f"{source} is a safetensors file, but not one that an agent saved")
    try:
        facts = dict(parsed_json(metadata["rand_agents"]))
    except (ValueError, TypeError):
        raise ValueError(f"{source} is corrupt: its header is not JSON") from None
    _check_version(source, data, facts.pop("schema", None), facts.pop("sha256", None))
    return Contents(tensors, facts)


def _header(data: bytes) -> Json:
    """The header of a safetensors file that is known to have one."""
    length = int.from_bytes(data[:8], "little")
    header: Json = json.loads(data[8 : 8 + length])
    return header


def _check_version(source: Path, data: bytes, schema: Any, checksum: Any) -> None:
    if type(schema) is not int or not 1 <= schema <= SCHEMA:
        raise ValueError(
            f"{source} must be of schema 1 to {SCHEMA} to be read here, got {shown(schema)}"
        )
    if schema == 1 and checksum is None:
        note_unsealed(source)
    elif not is_whole(data):
        raise ValueError(f"{source} is damaged: its checksum is of other data")
