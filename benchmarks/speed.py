"""Measure speed, each figure as a ratio to a reference of the same run.

    python benchmarks/speed.py [--section environments|coloring|training|seeds|rollouts]

A section is a function that measures and returns a table.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import SyncVectorEnv, VectorEnv
from rich.console import Console
from rich.table import Table
from suite.timing.rollouts import rollouts
from suite.timing.seeds import seeds
from suite.timing.training import training

from rand_agents import QNorm
from rand_envs.core.register import TASKS

NUM_ENVS = 1024
THEIRS = ("FrozenLake-v1", "CartPole-v1")


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


def step_rate(envs: VectorEnv[Any, Any, Any], steps: int, repeats: int = 5) -> Timing:
    """Steps of all sub-environments per second, autoreset included, actions drawn before."""
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(64)]
    envs.reset(seed=0)
    return timing(lambda k: envs.step(actions[k % 64]), steps, repeats, envs.num_envs)


def environments() -> Table:
    """Native vector environments, SyncVectorEnv of the same, and two of gymnasium's own."""
    table = Table("environment", "native steps/s (range)", "SyncVectorEnv steps/s", "ratio")
    table.title = f"{NUM_ENVS} sub-environments, random actions, autoreset included, one core"
    for env_id in (*TASKS, *THEIRS):
        # Bare sub-environments: gym.make's wrappers would only make the reference slower.
        sync = SyncVectorEnv([lambda: gym.make(env_id).unwrapped] * NUM_ENVS)  # noqa: B023
        reference = step_rate(sync, steps=4)
        if env_id == "FrozenLake-v1":  # it has no native vector environment
            table.add_row(env_id, "-", str(reference), "-")
            continue
        native = gym.make_vec(env_id, num_envs=NUM_ENVS, vectorization_mode="vector_entry_point")
        rate = step_rate(native, steps=300)
        ratio = rate.median / reference.median
        table.add_row(env_id, str(rate), str(reference), f"{ratio:.1f} x")
    return table


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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--section", choices=SECTIONS, help="only this one; default all")
    chosen = parser.parse_args().section
    console = Console()
    console.print(f"{platform.processor() or platform.machine()}, numpy {np.__version__}")
    for name, section in SECTIONS.items():
        if chosen in (None, name):
            console.print(section())


if __name__ == "__main__":
    main()
