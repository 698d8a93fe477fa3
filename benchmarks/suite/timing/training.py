"""Section "training" of speed.py: a q-norm step of each game against plain PyTorch."""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from rich.table import Table

from rand_agents import ObjectiveConfig, QNorm, QNormConfig
from rand_agents.games import task_of

from .plain import PlainColoring, PlainRecall, coloring_losses, descend, recall_losses

Steps = dict[str, Callable[[], object]]
"""Training steps by name, the reference first."""


def milliseconds(step: Callable[[], object], repeats: int) -> float:
    """Median time of a step after one that does not count."""
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times[1:])


def _layouts(config: QNormConfig) -> int:
    assert config.batch_size is not None
    return config.batch_size


def recall_steps(num_pairs: int = 20, value_bits: int = 5) -> Steps:
    """The paper's size: m = 30 seeds, 512 layouts, q = 100, 4.9k parameters."""
    config = QNormConfig()
    task = task_of("RandRecall-v0", {"num_pairs": num_pairs, "value_bits": value_bits})
    agent = QNorm("SeedTransformer", task, config)
    stratified = QNorm("SeedTransformer", task, replace(config, stratified=True))
    plain = PlainRecall(agent.model.named_weights())
    optimizer = torch.optim.Adam(plain.parameters(), config.learning_rate, (0.9, 0.95), 1e-5)
    layouts = _layouts(config)

    def plain_step() -> None:
        values = torch.bernoulli(torch.full((layouts, num_pairs, value_bits), 0.5))
        query = torch.randint(num_pairs, (layouts,))
        seeds = torch.bernoulli(torch.full((config.m, agent.seeds.dim), 0.5))
        losses = recall_losses(plain, values, query, seeds)
        descend(losses, plain, optimizer, config.objective.q)

    return {
        "plain PyTorch": plain_step,
        "QNorm": lambda: agent.learn(1),
        "QNorm, stratified layouts": lambda: stratified.learn(1),
    }


def coloring_steps(num_vertices: int = 10) -> Steps:
    """The paper's size: m = 10 seeds, 256 cycles, q = 10, AdamW, 2.3k parameters."""
    config = QNormConfig(ObjectiveConfig(q=10.0), m=10, batch_size=256, weight_decay=0.1)
    agent = QNorm(
        "SeedTransformer", task_of("RandColoring-v0", {"num_vertices": num_vertices}), config
    )
    plain = PlainColoring(agent.model.named_weights())
    optimizer = torch.optim.AdamW(
        plain.parameters(), config.learning_rate, (0.9, 0.95), 1e-5, config.weight_decay
    )

    layouts = _layouts(config)

    def plain_step() -> None:
        cycles = torch.rand(layouts, num_vertices).argsort(-1)
        losses = coloring_losses(plain, cycles, torch.rand(config.m, num_vertices))
        descend(losses, plain, optimizer, config.objective.q)

    return {"plain PyTorch": plain_step, "QNorm": lambda: agent.learn(1)}


def training() -> Table:
    """Whole updates at the paper's sizes, with one thread and with the machine's."""
    table = Table("game", "threads", "step", "ms (median)", "ratio")
    table.title = (
        "a training step, drawing and optimiser included: recall, 20 pairs of 5 bits, m = 30, "
        "512 layouts; colouring, 10 vertices, m = 10, 256 cycles"
    )
    games: dict[str, tuple[Callable[[], Steps], int, int]] = {
        "recall": (recall_steps, 3, 20),
        "coloring": (coloring_steps, 30, 100),
    }
    available = torch.get_num_threads()
    for name, (make, plain_repeats, repeats) in games.items():
        for threads in sorted({1, available}):
            torch.set_num_threads(threads)
            (reference, plain_step), *ours = make().items()
            slow = milliseconds(plain_step, plain_repeats)
            table.add_row(name, str(threads), reference, f"{slow:.1f}", "1.0 x")
            for step_name, step in ours:
                taken = milliseconds(step, repeats)
                table.add_row("", "", step_name, f"{taken:.1f}", f"{slow / taken:.1f} x")
    torch.set_num_threads(available)
    return table
