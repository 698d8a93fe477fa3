"""The speed benchmark: its plain reference computes the same loss, its memory is a row's own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from rich.table import Table

from benchmarks.suite.timing.plain import PlainColoring, PlainRecall, coloring_losses, recall_losses
from benchmarks.suite.timing.rollouts import add_rows, quick_agent, random_candidates
from benchmarks.suite.timing.seeds import _measure_apart, peak
from rand_agents import QNorm
from rand_envs import ColoringTask, RecallTask


def test_the_plain_step_of_recall_has_the_same_losses() -> None:
    agent = QNorm("SeedTransformer", RecallTask(6, 3), rng_seed=2)
    layouts = agent.task.layout_space.sample(np.random.default_rng(0), 20)
    seeds = torch.from_numpy(agent.draw_seeds(np.random.default_rng(1), 4))
    values, query = (torch.from_numpy(layouts[name].copy()) for name in ("values", "query"))
    plain = recall_losses(
        PlainRecall(agent.model.named_weights()), values.float(), query.long(), seeds
    )
    ours = agent.game.costs(agent.model, layouts, seeds)
    assert plain.shape == (20, 4)
    torch.testing.assert_close(plain, ours, rtol=1e-5, atol=1e-6)


def test_the_plain_step_of_coloring_has_the_same_losses() -> None:
    agent = QNorm("SeedTransformer", ColoringTask(6), rng_seed=2)
    layouts = agent.task.layout_space.sample(np.random.default_rng(0), 40)
    seeds = torch.from_numpy(agent.draw_seeds(np.random.default_rng(1), 4))
    cycles = torch.from_numpy(layouts["cycle"].copy())
    plain = coloring_losses(PlainColoring(agent.model.named_weights()), cycles, seeds)
    ours = agent.game.costs(agent.model, layouts, seeds)
    assert plain.shape == (40, 4)
    torch.testing.assert_close(plain, ours, rtol=1e-5, atol=1e-6)


def test_a_generation_is_played_alike_in_all_three_ways() -> None:
    table = Table(*"abcdef")
    with torch.no_grad():
        add_rows(table, "few", random_candidates(quick_agent(), 4, 0.3), 0.5, 1)
    names, *_, equal = (list(column.cells) for column in table.columns)
    assert names == ["few, compiled", "few, torch", "few, plain"]
    assert equal == ["100.000 %"] * 3


def test_the_peak_of_a_process_is_not_that_of_the_one_that_started_it() -> None:
    program = "from benchmarks.suite.timing.seeds import peak; print(peak())"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    held = np.ones(2**27)
    assert peak() > held.nbytes / 2**20
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert 10 < float(found.stdout) < held.nbytes / 2**20


def test_a_row_of_seeds_is_measured_in_a_process_of_its_own() -> None:
    cost = _measure_apart("coloring", 2, 1, 1)
    assert cost.milliseconds > 0.0
    assert 0.0 < cost.before <= cost.peak
