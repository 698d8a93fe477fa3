"""Section "training" of speed.py: a q-norm step of recall against plain PyTorch."""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from plain import PlainRecall, recall_step
from rich.table import Table

from rand_agents import QNorm, QNormConfig
from rand_envs import RecallTask


def _milliseconds(step: Callable[[], object], warm_up: int, repeats: int) -> float:
    times = []
    for repeat in range(warm_up + repeats):
        begin = time.perf_counter()
        step()
        if repeat >= warm_up:
            times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times)


def training(
    num_pairs: int = 20, value_bits: int = 5, plain_repeats: int = 3, repeats: int = 20
) -> Table:
    """Whole updates at the paper's size: m = 30 seeds, 512 layouts, q = 100, 4.9k parameters."""
    config = QNormConfig()
    task = RecallTask(num_pairs, value_bits)
    agent = QNorm("SeedTransformer", task, config)
    plain = PlainRecall(agent.model.named_weights())
    optimizer = torch.optim.Adam(plain.parameters(), config.learning_rate, (0.9, 0.95), 1e-5)
    bits = torch.distributions.Bernoulli(0.5)

    def plain_step() -> None:
        values = bits.sample((config.batch_size, num_pairs, value_bits))
        query = torch.randint(num_pairs, (config.batch_size,))
        seeds = bits.sample((config.m, agent.seeds.dim))
        recall_step(plain, optimizer, values, query, seeds, config.objective.q)

    reference = _milliseconds(plain_step, 1, plain_repeats)
    stratified = QNorm("SeedTransformer", task, replace(config, stratified=True))
    table = Table("step", "ms (median)", "ratio")
    table.title = (
        f"recall, {num_pairs} pairs of {value_bits} bits, m = {config.m}, {config.batch_size} "
        f"layouts, {torch.get_num_threads()} threads, drawing and optimiser included"
    )
    table.add_row("plain PyTorch", f"{reference:.0f}", "1.0 x")
    for name, ours in (("QNorm", agent), ("QNorm, stratified layouts", stratified)):
        taken = _milliseconds(lambda: ours.learn(1), 3, repeats)  # noqa: B023
        table.add_row(name, f"{taken:.1f}", f"{reference / taken:.1f} x")
    return table
