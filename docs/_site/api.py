"""Pages of the API: what the packages export, each with its docstring."""

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

from rand_envs.core.register import TASKS

PACKAGES = {
    "rand_envs": "The games, what they are made of, and who picks the layouts.",
    "rand_envs.minimax": "Exact values, bounds and certificates.",
    "rand_envs.adversaries": "The search for bad layouts.",
    "rand_envs.rendering": "Pictures and texts of instances.",
    "rand_agents": "Agents, trainers, evaluation and the zoo.",
    "rand_agents.cluster": "Training on a Ray cluster.",
}


def pages() -> Iterator[tuple[str, str]]:
    """The name and the text of a page for every package."""
    seen: set[Any] = set(TASKS.values())
    for name, what in PACKAGES.items():
        package = importlib.import_module(name)
        text = f"# {name}\n\n{what}\n"
        for each in sorted(package.__all__, key=str.lower):
            found = getattr(package, each)
            if (inspect.isclass(found) or inspect.isfunction(found)) and found not in seen:
                seen.add(found)
                text += f"\n::: {found.__module__}.{found.__qualname__}\n"
        yield name, text
