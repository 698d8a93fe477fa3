"""Training and play on another device: the same numbers, of which the host reads few."""

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch

from rand_agents import (
    PEPG,
    PSRO,
    ObjectiveConfig,
    PEPGConfig,
    PSROConfig,
    QNorm,
    QNormConfig,
    SearchConfig,
    evaluate,
    load_agent,
)
from rand_agents.agents.agent import Agent
from rand_envs import ColoringTask, GridTask, PatrolTask, RecallTask
from tests.elsewhere import DEVICE, Elsewhere

RECALL, COLORING, GRID = RecallTask(3, 2), ColoringTask(6), GridTask(2, horizon=3)
PATROL = PatrolTask(("cycle", 4), horizon=3, attack_duration=2)
SEARCH = PEPGConfig(ObjectiveConfig(q=4.0), SearchConfig(population=4), m=2, batch_size=3)
POLICY = "SeedTransformer"
AGENTS: dict[str, Callable[[Any], Agent[Any]]] = {
    "recall": lambda device: QNorm(
        POLICY, RECALL, QNormConfig(m=3, batch_size=8, seeds_at_once=2), device=device
    ),
    "colouring": lambda device: QNorm(
        POLICY,
        COLORING,
        QNormConfig(ObjectiveConfig("cvar", saturation=0.5), m=3, batch_size=32),
        device=device,
    ),
    "patrol": lambda device: QNorm(POLICY, PATROL, device=device),
    "grid": lambda device: PEPG(POLICY, GRID, SEARCH, device=device),
    "recall, evolved": lambda device: PEPG(POLICY, RECALL, SEARCH, device=device),
    "grid, best responses": lambda device: PSRO(
        POLICY, GRID, PSROConfig(rounds=2, paths=2), device=device
    ),
}
COSTS_A_GRADIENT = ("recall", "colouring")


@pytest.fixture(params=[DEVICE.type, pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> Iterator[tuple[str, Elsewhere | None]]:
    """One that is always there, see `tests.elsewhere`, or a graphics card."""
    counted = Elsewhere() if request.param == DEVICE.type else None
    with counted or nullcontext():
        yield request.param, counted


@pytest.mark.parametrize("name", AGENTS)
def test_learns_and_plays_as_on_the_cpu(name: str, device: Any, tmp_path: Any) -> None:
    here, there = (AGENTS[name](place) for place in ("cpu", device[0]))
    layouts = here.task.layout_space.sample(np.random.default_rng(0), 4)
    seeds = here.draw_seeds(np.random.default_rng(1), 3)
    np.testing.assert_allclose(
        there.losses(layouts, seeds), here.losses(layouts, seeds), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(
        there.play(layouts, seeds).outcome, here.play(layouts, seeds).outcome
    )
    for agent in (here, there):
        agent.learn(2)
    logs, other = (dict(agent._logs) for agent in (here, there))
    for key in ("train/objective", "train/objective_mean", "train/mean_cost"):
        # Sampled play of the grid draws otherwise where it is not compiled.
        if key in logs and not isinstance(here, PSRO):
            assert other[key] == pytest.approx(logs[key], rel=1e-4), key
    assert all(math.isfinite(float(value)) for value in other.values())
    there.save(tmp_path / "agent")
    again = load_agent(tmp_path / "agent", device[0])
    assert again.model.weights["read_out"].device.type == device[0]
    assert again.snapshot() == there.snapshot()


def test_evaluates_as_on_the_cpu(device: Any) -> None:
    here, there = (
        evaluate(AGENTS["grid"](place), num_seeds=2, num_fresh_seeds=2)
        for place in ("cpu", device[0])
    )
    assert here.to_json() == there.to_json()


@pytest.mark.parametrize("name", COSTS_A_GRADIENT)
def test_the_host_reads_twice_an_update(
    name: str, device: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, counted = device
    if counted is None:
        pytest.skip("reads are counted elsewhere")
    agent = AGENTS[name](place)
    assert isinstance(agent, QNorm)
    step = agent._step.optimizer.step

    def unread() -> None:
        # On graphics cards it is one kernel, which asks for nothing.
        before = counted.reads
        step()
        counted.reads = before

    monkeypatch.setattr(agent._step.optimizer, "step", unread)
    before = counted.reads
    agent.learn(3)
    assert counted.reads - before == 2 * 3


def test_a_device_that_is_not_there_is_told_in_a_sentence() -> None:
    for name in ("abacus", "meta", *([] if torch.cuda.is_available() else ["cuda"])):
        with pytest.raises(ValueError, match=f"the device '{name}' cannot be used here: there is"):
            QNorm(POLICY, RECALL, device=name)


def test_what_a_graphics_card_refuses_is_refused_elsewhere() -> None:
    with Elsewhere() as counted:
        far = torch.ones(2, device=DEVICE)
        with pytest.raises(AssertionError, match="mixes devices"):
            far + torch.ones(2)
        with pytest.raises((TypeError, RuntimeError)):
            far.numpy()
        assert counted.reads == 0
        assert float((far + far).sum()) == 4.0
        assert counted.reads == 1
