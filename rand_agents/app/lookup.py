"""Games by the names that users give them, and the modules that make more games known."""

import difflib
import importlib
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import gymnasium as gym

import rand_envs  # noqa: F401 - registers our own games
from rand_envs.core.register import TASKS

BEFORE = frozenset(gym.registry)
"""What Gymnasium and this package registered, before any module of somebody's did."""


def import_modules(names: Sequence[str]) -> None:
    """Import modules that register games, from the current folder or wherever Python looks.

    Raises:
        ValueError: There is no such module, or importing it fails; the message says why.
    """
    here = str(Path.cwd())
    if names and not {here, ""} & set(sys.path):
        sys.path.insert(0, here)
    for name in names:
        if name.endswith(".py") or not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(
                f"--import takes the name of a module, such as my_games for my_games.py, got {name}"
            )
        try:
            importlib.import_module(name)
        # It is somebody else's code, which may raise anything.
        except Exception as error:
            raise ValueError(f"the module {name} cannot be imported: {_why(error)}") from error


def _why(error: Exception) -> str:
    at = traceback.extract_tb(error.__traceback__)[-1]
    place = "" if at.filename.startswith("<frozen") else f" ({at.filename}, line {at.lineno})"
    return f"{type(error).__name__}: {error}{place}"


def short_name(env_id: str) -> str | None:
    """The short name of one of our own ids, "grid" of "RandGrid-v0"; None of others."""
    named = re.fullmatch(r"Rand(\w+)-v\d+", env_id)
    return named[1].lower() if named else None


def wrapped_environments() -> list[str]:
    """Ids that modules registered with Gymnasium alone: environments that they made or wrapped."""
    return [env_id for env_id in gym.registry if env_id not in BEFORE and env_id not in TASKS]


def introduced(env_id: str) -> str:
    """What training on a game means, in a sentence or two."""
    task = TASKS.get(env_id)
    if task is not None:
        about = (task.__doc__ or "").strip().partition("\n")[0]
        return f"Train an agent on {env_id}. {about}".strip()
    return (
        f"Train an agent on {env_id}. Unless it has layouts for an adversary to pick, the policy "
        "is unseeded (its seed is fixed), and trained for the mean over resets."
    )


def known_games() -> list[str]:
    """The registered tasks by their short names, or by their ids."""
    return [short_name(env_id) or env_id for env_id in TASKS]


def game_id(name: str) -> str:
    """The id of a game that is given by it, or by the short name of one of ours.

    Raises:
        ValueError: There is none; the message lists those that are known.
    """
    if name in TASKS or name in gym.registry:
        return name
    ours = {short_name(env_id): env_id for env_id in TASKS}
    if name in ours:
        return ours[name]
    near = difflib.get_close_matches(name, [*known_games(), *TASKS, *gym.registry], n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise ValueError(
        f"there is no game {name!r}{meant}: known are {', '.join(known_games())} and the ids "
        "registered with Gymnasium; --import MODULE imports what registers another"
    )
