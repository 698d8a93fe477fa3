"""Data that say whether they are still what was written: a checksum of all their bytes in them.

It stands in the data as `"sha256": "..."`, and is of the data with zeros in its place.
"""

import hashlib
import json
import logging
import math
import re
from pathlib import Path
from typing import Any

from rand_envs.core.arrays import Json
from rand_envs.core.writing import write_atomically

UNSEALED = "0" * 64
"""What stands for the checksum while it is computed."""

MAX_DEPTH = 50
"""JSON may be nested so deeply: more is not made by us, and more than functions can call."""

# The quotes have backslashes where the JSON is a string of another JSON, as in agent files.
_SEAL = re.compile(rb'"sha256\\?": ?\\?"([0-9a-f]{64})\\?"')
_HEX = re.compile("[0-9a-f]{64}")
_LOG = logging.getLogger(__name__)


def seal(data: bytes) -> bytes:
    """Put the SHA-256 checksum of all of the data where they say `"sha256": UNSEALED`."""
    found = _SEAL.search(data)
    if found is None or found[1] != UNSEALED.encode():
        raise ValueError("there is no place for a checksum in these data")
    return _with_checksum(data, found, hashlib.sha256(data).hexdigest())


def is_whole(data: bytes) -> bool:
    """Whether data have the checksum that `seal` gave them; False if they have none."""
    found = _SEAL.search(data)
    if found is None:
        return False
    unsealed = _with_checksum(data, found, UNSEALED)
    return hashlib.sha256(unsealed).hexdigest().encode() == found[1]


def _with_checksum(data: bytes, found: re.Match[bytes], checksum: str) -> bytes:
    return data[: found.start(1)] + checksum.encode() + data[found.end(1) :]


def note_unsealed(path: Path) -> None:
    """Log that a file is older than checksums."""
    _LOG.warning("note: %s has no checksum, so damage to it may go unnoticed", path)


def without_infinities(value: Any) -> Any:
    """JSON-ready data with infinities as the strings "inf" and "-inf": JSON has no such numbers."""
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    if isinstance(value, dict):
        return {name: without_infinities(entry) for name, entry in value.items()}
    return (
        [without_infinities(each) for each in value] if isinstance(value, list | tuple) else value
    )


def write_json(path: str | Path, facts: Json, indent: int | None = None) -> None:
    """Write JSON with a checksum, infinities as strings; the file is complete or not there.

    Raises:
        ValueError: A number is NaN.
    """
    separators = (",", ":") if indent is None else None
    sealed = without_infinities({"sha256": UNSEALED, **facts})
    try:
        text = json.dumps(sealed, indent=indent, separators=separators, allow_nan=False)
    except ValueError:
        raise ValueError(f"{path} cannot be written: JSON has no NaN") from None
    write_atomically(path, seal(f"{text}\n".encode()))


def parsed_json(text: str | bytes) -> Any:
    """The data of a JSON text; ValueError if it is none, or nested as nothing sensible is."""
    try:
        data = json.loads(text)
    except RecursionError:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels") from None
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return data
    raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")


def read_json(path: str | Path) -> Json:
    """Read what `write_json` wrote; a file from before there were checksums with a note.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no JSON object, or not what was written.
    """
    source = Path(path)
    data = source.read_bytes()
    try:
        facts = parsed_json(data)
    except ValueError as error:
        raise ValueError(f"{source} is not a JSON file: {error}") from None
    if not isinstance(facts, dict):
        raise ValueError(f"{source} must hold a JSON object")
    # A checksum under another name is one whose name was damaged.
    checksums = [each for each in facts.values() if isinstance(each, str) and _HEX.fullmatch(each)]
    if "sha256" not in facts and not checksums:
        note_unsealed(source)
    elif not is_whole(data):
        raise ValueError(f"{source} is damaged: its checksum is of other data")
    facts.pop("sha256", None)
    return facts
