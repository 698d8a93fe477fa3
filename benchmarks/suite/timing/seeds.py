"""Section "seeds" of speed.py: what more seeds a step cost in time and in memory.

Memory is measured in a process of its own for each row, since a process never gives its peak back.
"""

import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.table import Table

from rand_agents import ObjectiveConfig, QNorm, QNormConfig

from .training import milliseconds

WHOLE = 10_000
"""More seeds at once than any row has: the whole step in one part."""


@dataclass(frozen=True)
class Cost:
    """What a training step costs: milliseconds, and memory in MiB."""

    milliseconds: float
    before: float
    peak: float


def peak() -> float:
    """The most memory that this process has held so far, in MiB.

    On Linux a process's ru_maxrss begins at what the one that started it held, so that a row
    would show the memory of the sections before; VmHWM is the process's own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].removesuffix("kB")) / 1024
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / (1024**2 if sys.platform == "darwin" else 1024)


def measure(game: str, m: int, seeds_at_once: int, repeats: int) -> Cost:
    """Cost of a step of the paper's size with m seeds, in this process."""
    if game == "recall":
        config = QNormConfig(m=m, seeds_at_once=seeds_at_once)
        agent = QNorm("SeedTransformer", "RandRecall-v0", config)
    else:
        objective = ObjectiveConfig(q=10.0)
        config = QNormConfig(objective, m=m, batch_size=256, seeds_at_once=seeds_at_once)
        agent = QNorm("SeedTransformer", "RandColoring-v0", config)
    # One seed compiles and loads everything that a step needs, so that it does not count.
    warm = QNorm("SeedTransformer", agent.task, QNormConfig(m=1, batch_size=config.batch_size))
    warm.learn(1)
    before = peak()
    taken = milliseconds(lambda: agent.learn(1), repeats)
    return Cost(taken, before, peak())


def _measure_apart(game: str, m: int, seeds_at_once: int, repeats: int) -> Cost:
    arguments = json.dumps([game, m, seeds_at_once, repeats])
    # As a module, in the folder that its first package is in: it imports its neighbours.
    command = [sys.executable, "-m", __name__, arguments]
    root = Path(__file__).parents[__name__.count(".")]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root)
    return Cost(*json.loads(found.stdout))


def seeds() -> Table:
    """Time and peak memory against m, the seeds at once or `seeds_at_once` at a time."""
    default = QNormConfig().seeds_at_once
    table = Table(
        "game", "seeds m", "at once", "ms (median)", "process peak, MiB", "of it the step's, MiB",
        "peak against m = 30",
    )  # fmt: skip
    table.title = (
        "a training step at the paper's sizes (recall: 512 layouts; colouring: 256) by the number "
        "of seeds, one thread, a process each"
    )
    for game in ("recall", "coloring"):
        rows = [(m, default) for m in (1, 10, 30, 100, 300)] + [(300, WHOLE)]
        costs = [_measure_apart(game, m, at_once, 5) for m, at_once in rows]
        reference = costs[rows.index((30, default))]
        for (m, at_once), cost in zip(rows, costs, strict=True):
            table.add_row(
                game,
                str(m),
                str(min(m, at_once)),
                f"{cost.milliseconds:.1f}",
                f"{cost.peak:.0f}",
                f"{cost.peak - cost.before:.0f}",
                f"{cost.peak / reference.peak:.2f} x",
            )
    return table


if __name__ == "__main__":
    torch.set_num_threads(1)
    cost = measure(*json.loads(sys.argv[1]))
    print(json.dumps([cost.milliseconds, cost.before, cost.peak]))
