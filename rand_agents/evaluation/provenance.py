"""Which code, command and machine a results file is from."""

import functools
import hashlib
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

from rand_envs.core.arrays import Json

LIBRARIES = ("torch", "numpy", "scipy", "numba", "gymnasium", "stable-baselines3", "safetensors")
"""What a result's last digits may depend on."""

_ROOT = Path(__file__).parents[2]
_FOLDERS = ("rand_envs", "rand_agents", "benchmarks")


@functools.cache
def code_version() -> Json:
    """Version of the package, its revision in Git, and a digest of the code that is there.

    The revision is None where the code is not in a repository. The digest, of all Python files of
    the packages and of the benchmarks beside them, tells changes that were never committed.
    """
    digest = hashlib.sha256()
    for path in sorted(path for name in _FOLDERS for path in (_ROOT / name).rglob("*.py")):
        digest.update(f"{path.relative_to(_ROOT).as_posix()}\n".encode() + path.read_bytes())
    return {
        "version": _version("rand-envs"),
        "revision": _revision(),
        "digest": digest.hexdigest()[:16],
    }


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _revision() -> str | None:
    """Of the repository that this very file is in, not of one that an environment lies in."""
    own = str(Path(__file__).relative_to(_ROOT))
    commands = (["ls-files", "--error-unmatch", own], ["rev-parse", "HEAD"])
    try:
        answers = [
            subprocess.run(
                ["git", "-C", str(_ROOT), *command], capture_output=True, text=True, check=True
            ).stdout.strip()
            for command in commands
        ]
    except (OSError, subprocess.CalledProcessError):
        return None
    return answers[-1]


def machine() -> Json:
    """Processor, system, Python, and the libraries that numbers depend on."""
    name = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    return {
        "cpu": name,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{library: _version(library) for library in LIBRARIES},
    }


def provenance(seconds: float | None) -> Json:
    """What a results file says of how it was made.

    Args:
        seconds: How long that took.
    """
    return {
        "code": code_version(),
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "machine": machine(),
        "seconds": None if seconds is None else round(seconds, 1),
    }
