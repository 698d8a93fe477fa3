"""Measure speed, each figure as a ratio to a reference of the same run.

    python benchmarks/speed.py [--section environments|coloring|training|seeds|rollouts]
    python benchmarks/speed.py --device cuda

A section is a function that measures and returns a table. With a device there is one, of updates
there and on the CPU.
"""

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.suite.timing.devices import devices
from benchmarks.suite.timing.environments import environments
from benchmarks.suite.timing.rollouts import rollouts
from benchmarks.suite.timing.seeds import seeds
from benchmarks.suite.timing.training import training
from rand_agents import QNorm
from rand_agents.agents.device import usable_device
from rand_envs.core.plain import plain_where_needed


@dataclass(frozen=True)
class Timing:
    """Calls per second of repeated measurements."""

    rates: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.rates)

    def __str__(self) -> str:
        return f"{self.median:,.0f} ({min(self.rates):,.0f} to {max(self.rates):,.0f})"


def timing(call: Callable[[int], Any], calls: int, repeats: int, units: int = 1) -> Timing:
    """Time `call(0)`, ..., `call(calls - 1)`, after a warm-up of the same; units per second."""
    rates = []
    for repeat in range(repeats + 1):
        begin = time.perf_counter()
        for k in range(calls):
            call(k)
        seconds = time.perf_counter() - begin
        if repeat > 0:
            rates.append(units * calls / seconds)
    return Timing(rates)


def coloring(num_seeds: int = 100, direct_cycles: int = 1000, direct_seeds: int = 10) -> Table:
    """All 181,440 cycles by windows, against playing cycles one by one."""
    agent = QNorm("SeedTransformer", "RandColoring-v0")
    cycles = agent.task.layout_space.enumerate()
    some = np.random.default_rng(0).choice(cycles, direct_cycles, replace=False)
    drawn = agent.draw_seeds(np.random.default_rng(1), num_seeds)
    agent.play_all(drawn[:1])  # lists the cycles and their windows, once for all
    by_windows = timing(lambda _: agent.play_all(drawn), 1, 3, len(cycles) * num_seeds)
    units = direct_cycles * direct_seeds
    direct = timing(lambda _: agent.play(some, drawn[:direct_seeds]), 1, 3, units)
    whole = len(cycles) * num_seeds
    table = Table("evaluation", "cycles x seeds per second (range)", "all of them", "ratio")
    table.title = (
        f"{len(cycles):,} cycles x {num_seeds} seeds, default policy, {torch.get_num_threads()} "
        f"threads; direct timed on {direct_cycles:,} cycles x {direct_seeds} seeds"
    )
    for name, rate in (("windows", by_windows), ("direct", direct)):
        ratio = f"{rate.median / direct.median:.1f} x"
        table.add_row(name, str(rate), f"{whole / rate.median:.1f} s", ratio)
    return table


SECTIONS: dict[str, Callable[[], Table]] = {
    "environments": environments,
    "coloring": coloring,
    "training": training,
    "seeds": seeds,
    "rollouts": rollouts,
}


def main() -> None:
    plain_where_needed()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--section", choices=SECTIONS, help="only this one; default all")
    only.add_argument("--device", help="only updates there, beside those of the CPU")
    options = parser.parse_args()
    chosen = options.section
    console = Console()
    console.print(f"{platform.processor() or platform.machine()}, numpy {np.__version__}")
    if options.device is not None:
        try:
            console.print(devices(usable_device(options.device)))
        except ValueError as error:
            parser.error(str(error))
        return
    for name, section in SECTIONS.items():
        if chosen in (None, name):
            console.print(section())


if __name__ == "__main__":
    main()
