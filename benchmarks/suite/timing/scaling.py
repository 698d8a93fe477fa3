"""Time and memory of one step against one size at a time, and where each curve bends.

Every point is measured in a process of its own, since a process never gives its peak back.
"""

import math
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import torch

from rand_agents import PEPG, PEPGConfig, QNorm, QNormConfig, SearchConfig
from rand_agents.games import task_of

from .environments import native
from .seeds import peak

Step = Callable[[], object]
REPEATS = 5
BENT = 1.5
"""A size has begun to cost where twice of it takes at least so many times as long."""


def recall_step(num_pairs: int = 20, width: int | None = None, **options: Any) -> Step:
    """An update of `QNorm` on recall, of the paper's size but for what is given."""
    task = task_of("RandRecall-v0", {"num_pairs": num_pairs})
    config = replace(QNormConfig(), **options)
    agent = QNorm("SeedTransformer", task, config)
    if width is not None:
        shape = replace(agent.model.config, key_size=width, value_size=width)
        agent = QNorm(shape, task, config)
    return lambda: agent.learn(1)


def grid_step(size: int = 4, population: int = 100, width: int | None = None) -> Step:
    """A generation of `PEPG` on the grid, all treasures under 10 seeds."""
    config = PEPGConfig(search=SearchConfig(population))
    task = task_of("RandGrid-v0", {"size": size, "horizon": size * size})
    agent = PEPG("SeedTransformer", task, config)
    if width is not None:
        agent = PEPG(replace(agent.model.config, model_size=width), task, config)
    return lambda: agent.learn(1)


def environment_step(num_envs: int = 1024, size: int = 5) -> Step:
    """A hundred steps of the grid's vector environment."""
    envs = native("RandGrid-v0", num_envs, size=size)
    actions = [envs.action_space.sample() for _ in range(10)]
    return lambda: [envs.step(action) for _ in range(10) for action in actions]


STEPS: dict[str, Callable[..., Step]] = {
    "recall": recall_step,
    "grid": grid_step,
    "environment": environment_step,
}


@dataclass(frozen=True)
class Curve:
    """What is measured: a kind of step, the size that changes, and its values."""

    title: str
    kind: str
    size: str
    values: tuple[int, ...]


CURVES = (
    Curve("QNorm, recall: seeds m", "recall", "m", (1, 4, 16, 64, 256)),
    Curve("QNorm, recall: layouts a batch", "recall", "batch_size", (8, 32, 128, 512, 2048)),
    Curve("QNorm, recall: pairs N", "recall", "num_pairs", (5, 10, 20, 40, 80)),
    Curve("QNorm, recall: key and value width", "recall", "width", (4, 8, 16, 32, 64)),
    Curve("PEPG, grid: side", "grid", "size", (3, 4, 5, 7)),
    Curve("PEPG, 4 x 4 grid: population", "grid", "population", (10, 30, 100, 300)),
    Curve("PEPG, 4 x 4 grid: model width", "grid", "width", (4, 8, 16, 32, 64)),
    Curve("grid environments side by side", "environment", "num_envs", (1, 16, 256, 4096, 65536)),
    Curve("1,024 grid environments: side", "environment", "size", (5, 10, 20, 40)),
)


@dataclass(frozen=True)
class Point:
    """Processor time of a step in milliseconds, and memory of making and taking it in MiB."""

    milliseconds: float
    memory: float


def measure(kind: str, size: str, value: int) -> Point:
    """A point, in this process."""
    torch.set_num_threads(1)
    before = peak()
    step = STEPS[kind](**{size: value})
    taken = []
    for _ in range(REPEATS + 1):
        begin = time.process_time()
        step()
        taken.append(1000 * (time.process_time() - begin))
    return Point(statistics.median(taken[1:]), peak() - before)


def measure_all(curves: Iterable[Curve]) -> Iterator[list[Point]]:
    """The points of each curve, a process each, of which a server has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
        for curve in curves:
            arguments = [(curve.kind, curve.size, value) for value in curve.values]
            yield [pool.submit(measure, *point).result() for point in arguments]


def doublings(values: tuple[int, ...], costs: list[float]) -> list[float]:
    """How many times as much twice the size costs, between neighbouring points."""
    return [
        2 ** (math.log(max(b, 1e-9) / max(a, 1e-9)) / math.log(y / x))
        for x, y, a, b in zip(values, values[1:], costs, costs[1:], strict=False)
    ]


def bend(values: tuple[int, ...], costs: list[float]) -> str:
    """Where the size begins to cost, and how fast costs grow at the end of the curve."""
    growth = doublings(values, costs)
    places = [k for k, times in enumerate(growth) if times >= BENT]
    if not places:
        return f"flat: twice the size costs {growth[-1]:.1f} times as much at the end"
    end = f"twice the size costs {growth[-1]:.1f} times as much at the end"
    return f"grows from {values[places[0]]:,} on; {end}"


def rows(curve: Curve, points: list[Point]) -> list[str]:
    """The lines of the table, in Markdown."""
    lines = []
    for k, (value, point) in enumerate(zip(curve.values, points, strict=True)):
        title = curve.title if k == 0 else ""
        note = bend(curve.values, [p.milliseconds for p in points]) if k == 0 else ""
        digits = ".3g" if point.milliseconds < 100 else ",.0f"
        taken = format(point.milliseconds, digits)
        lines.append(f"| {title} | {value:,} | {taken} | {point.memory:,.0f} | {note} |")
    return lines
