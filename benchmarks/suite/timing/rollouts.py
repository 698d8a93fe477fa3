"""Speed of one PEPG generation on the grid: compiled, in torch, and as first written."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from rich.table import Table
from torch import Tensor

from rand_agents import PEPG, PEPGConfig
from rand_agents.games.accelerated.grid_rollout import GridRollout
from rand_agents.policies.transformer import Weights
from rand_envs import GridTask

from ..experiments import QUICK
from ..job import Job
from .plain_rollout import plain_steps

M = 10


@dataclass(frozen=True)
class Generation:
    """Candidates and what they play: all layouts under M seeds."""

    agent: PEPG
    weights: Weights
    seeds: Tensor

    @property
    def task(self) -> GridTask:
        assert isinstance(self.agent.task, GridTask)
        return self.agent.task

    def rollout(self) -> GridRollout:
        layouts = self.task.layout_space.enumerate()
        return GridRollout(self.task, self.agent.model, self.weights, layouts, self.seeds)

    def part(self, which: Any) -> "Generation":
        chosen = {name: weight[which] for name, weight in self.weights.items()}
        return Generation(self.agent, chosen, self.seeds)

    @property
    def candidates(self) -> int:
        return len(self.weights["read_out"])

    @property
    def coverage(self) -> float:
        """Share of cells visited in the first episode, mean over candidates and seeds."""
        parts = [self.part(slice(i, i + 50)) for i in range(0, self.candidates, 50)]
        visited = [part.rollout().first_visits() for part in parts]
        return float((torch.cat(visited) <= self.task.horizon).float().mean())


def random_candidates(agent: PEPG, count: int, std: float, rng_seed: int = 0) -> Generation:
    """Candidates around the agent's initial weights."""
    center = torch.nn.utils.parameters_to_vector(agent.model.parameters())
    noise = torch.randn(count, len(center), generator=torch.Generator().manual_seed(rng_seed))
    seeds = torch.from_numpy(agent.seeds.sample(np.random.default_rng(0), M))
    return Generation(agent, agent.unflatten(center + std * noise), seeds)


def quick_agent() -> PEPG:
    """The game and the policy of the quick preset, where another trainer trains it."""
    agent = Job("grid", "grid", "adv-seeded", 0, 0, QUICK["grid"]).agent()
    return PEPG(agent.model.config, agent.task, PEPGConfig(), seeds=agent.seeds)


def half_trained() -> Generation:
    """A stand-in for a half-trained population of the paper's size.

    Random policies with a strong sense of time wander instead of staying in a border. Of each
    hundred of these, the 25 that need the fewest steps are taken.
    """
    agent = PEPG("SeedTransformer", "RandGrid-v0", PEPGConfig())
    parts = []
    for rng_seed in range(12):
        some = random_candidates(agent, 100, 0.03, rng_seed)
        some = Generation(
            agent, {**some.weights, "positions": 80 * some.weights["positions"]}, some.seeds
        )
        found, after = some.rollout().steps()
        best = (found + after).mean((1, 2)).argsort()[:25]
        parts.append(some.part(best).weights)
    weights = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return Generation(agent, weights, seeds=some.seeds)


def seconds(call: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median time of a call after one that does not count, and what it returned."""
    result, taken = call(), []
    for _ in range(repeats):
        begin = time.perf_counter()
        result = call()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken), result


def add_rows(
    table: Table, name: str, generation: Generation, plain_share: float, repeats: int
) -> None:
    """Time a generation in three ways, plainly only some of its candidates."""
    agent = generation.agent
    layouts = agent.task.layout_space.enumerate()
    few = generation.part(slice(0, max(1, round(plain_share * generation.candidates))))

    def measured(way: str) -> tuple[int, Tensor]:
        rollout = generation.rollout()
        found, after = rollout.compiled_steps() if way == "compiled" else rollout.torch_steps()
        return rollout.token_evaluations, found + after

    def plainly() -> tuple[int, Tensor]:
        steps, tokens = plain_steps(agent.game, agent.model, few.weights, layouts, few.seeds)
        return tokens, steps

    times = {way: seconds(partial(measured, way), repeats) for way in ("compiled", "torch")}
    spent, (tokens, steps) = seconds(plainly, repeats)
    scale = generation.candidates / few.candidates
    times["plain"] = (spent * scale, (round(tokens * scale), steps))
    for way, (taken, (tokens, steps)) in times.items():
        played = times["compiled"][1][1].sum().item()
        same = (steps == times["compiled"][1][1][: len(steps)]).float().mean().item()
        table.add_row(
            f"{name}, {way}",
            f"{taken:.3g} s",
            f"{times['plain'][0] / taken:.1f} x",
            f"{played / taken:,.0f}",
            f"{times['plain'][1][0] / tokens:.1f} x",
            f"{100 * same:.3f} %",
        )


def rollouts() -> Table:
    """One generation at the paper's size and one of the quick preset."""
    table = Table(
        "generation",
        "median",
        "against plain",
        "candidates x layouts x seeds x steps /s",
        "fewer tokens evaluated",
        "equal to compiled",
    )
    with torch.no_grad():
        paper = half_trained()
        quick = random_candidates(quick_agent(), 100, 0.3)
        table.title = (
            f"{torch.get_num_threads()} threads; paper: 300 candidates, 24 treasures, m = {M}, "
            f"random policies that visit {100 * paper.coverage:.0f} % of the cells in the first "
            "episode, plain timed on 3 candidates; quick: 100 random candidates, plain on 10"
        )
        add_rows(table, "paper", paper, 0.01, 3)
        add_rows(table, "quick", quick, 0.1, 5)
    return table
