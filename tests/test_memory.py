"""Resets, pictures and training leave no memory behind."""

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from rand_agents import PEPG, PSRO, PEPGConfig, PSROConfig, QNorm, QNormConfig, SearchConfig
from rand_agents.agents.agent import Agent
from rand_envs import ColoringTask, GridTask, PatrolTask, RecallTask
from rand_envs.core.register import TASKS

STATUS = Path("/proc/self/statm")
pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="memory is read as Linux tells it")
slow = pytest.mark.slow

ALLOWED = 20 * 2**20
"""Bytes that resident memory may grow by."""
IDS = sorted(name for name, kind in TASKS.items() if kind.__module__.startswith("rand_envs."))
TRAINING_SECONDS = 15 * 60
"""Of each of the four trainers: an hour in all."""


def resident() -> int:
    gc.collect()
    return int(STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(act: Callable[[], Any], warm_up: int, times: int) -> int:
    for _ in range(warm_up):
        act()
    before = resident()
    for _ in range(times):
        act()
    return resident() - before


@pytest.mark.parametrize("times", [30, pytest.param(10_000, marks=slow)])
@pytest.mark.parametrize("env_id", IDS)
def test_resets_and_pictures(env_id: str, times: int) -> None:
    env = gym.make(env_id, render_mode="rgb_array")

    def draw() -> None:
        env.reset()
        env.step(env.action_space.sample())
        env.render()

    # A picture is a megabyte: thirty that stay are noticed.
    assert growth(draw, 8, times) < ALLOWED


EXACT = QNormConfig(m=4, batch_size=8)
PEPG_CONFIG = PEPGConfig(search=SearchConfig(population=8), m=2)
AGENTS: dict[str, Callable[[], Agent[Any]]] = {
    "exact gradients": lambda: QNorm("SeedTransformer", RecallTask(3, 2), EXACT),
    "sampled gradients": lambda: QNorm("SeedTransformer", PatrolTask(horizon=3), EXACT),
    "evolution": lambda: PEPG("SeedTransformer", ColoringTask(5), PEPG_CONFIG),
    "best responses": lambda: PSRO(
        "SeedTransformer", GridTask((2, 2), horizon=3), PSROConfig(rounds=1, paths=4)
    ),
}


@pytest.mark.parametrize("name", AGENTS)
def test_training(name: str) -> None:
    agent = AGENTS[name]()
    assert growth(lambda: agent.learn(4, reset_num_timesteps=False), 2, 5) < ALLOWED


@slow
@pytest.mark.parametrize("name", AGENTS)
def test_an_hour_of_training(name: str) -> None:
    agent = AGENTS[name]()
    growth(lambda: agent.learn(100), 2, 0)
    before, begun = resident(), time.monotonic()
    while time.monotonic() - begun < TRAINING_SECONDS:
        agent.learn(100)
    assert resident() - before < ALLOWED
