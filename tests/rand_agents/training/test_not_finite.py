"""Weights, losses and fitness that are no numbers stop every trainer, in a sentence."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3.common.callbacks import CheckpointCallback

from rand_agents import PEPG, PSRO, ObjectiveConfig, PEPGConfig, PSROConfig, QNorm, QNormConfig
from rand_agents.agents.agent import Agent
from rand_agents.training.evolution import SearchConfig
from rand_envs import GridTask, PatrolTask, RecallTask

HUGE = 1e39
"""Beyond the largest number of single precision."""
CONFIG = QNormConfig(ObjectiveConfig(q=4.0), m=2, batch_size=4, warmup=0.0)
SEARCH = SearchConfig(population=16, std=0.5)


def at(rate: float) -> dict[str, Callable[[], Agent[Any]]]:
    """The trainers at a learning rate."""
    exact = dataclasses.replace(CONFIG, learning_rate=rate)
    adam = dataclasses.replace(SEARCH, learning_rate=rate)
    clipup = dataclasses.replace(adam, optimizer="clipup")
    psro = PSROConfig(rounds=1, paths=4)
    response = dataclasses.replace(psro, learning_rate=rate)
    distilling = dataclasses.replace(psro, distillation_learning_rate=rate)
    grid = GridTask((2, 2), horizon=3)
    recall = RecallTask(2, 1)
    return {
        "QNorm": lambda: QNorm("SeedTransformer", recall, exact),
        "QNorm by score": lambda: QNorm("SeedTransformer", PatrolTask(horizon=3), exact),
        "PEPG": lambda: PEPG("SeedTransformer", recall, PEPGConfig(search=adam, m=1)),
        "PEPG clipup": lambda: PEPG("SeedTransformer", recall, PEPGConfig(search=clipup, m=1)),
        "PEPG grid": lambda: PEPG("SeedTransformer", grid, PEPGConfig(search=adam, m=1)),
        "PSRO, a response": lambda: PSRO("SeedTransformer", grid, response),
        "PSRO, distilling": lambda: PSRO("SeedTransformer", grid, distilling),
    }


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", at(HUGE))
def test_a_learning_rate_beyond_all_numbers_stops_the_run(name: str) -> None:
    agent = at(HUGE)[name]()
    with pytest.raises(
        FloatingPointError, match=r"became .*; a lower learning rate .* \(in update \d+ of 8"
    ):
        agent.learn(8)
    assert agent.num_timesteps < 8


@pytest.mark.parametrize("name", ["QNorm", "PEPG", "PEPG clipup"])
def test_even_in_the_very_last_update(name: str) -> None:
    agent = at(HUGE)[name]()
    with pytest.raises(FloatingPointError, match=r"a weight .*became .* \(in update 1 of 1\)"):
        agent.learn(1)
    assert agent.num_timesteps == 0
    if name != "QNorm":
        assert all(torch.isfinite(w).all() for w in agent.model.named_weights().values())


@pytest.mark.parametrize("name", ["QNorm", "PEPG"])
def test_losses_that_are_no_numbers_name_their_layout(name: str) -> None:
    agent = at(1e-2)[name]()

    def poisoned(played: Callable[..., Any]) -> Callable[..., Any]:
        def costs(*arguments: Any) -> Any:
            found = played(*arguments).clone()
            found[..., 2, :] = math.nan
            return found

        return costs

    agent.game.costs = poisoned(agent.game.costs)  # type: ignore[method-assign]
    twin = at(1e-2)[name]()
    aim: Any = twin._aim
    layouts = aim.layouts(twin._rngs["layouts"])
    third = twin.task.layout_space.unpack(layouts)[2].to_json()
    with pytest.raises(FloatingPointError, match="in update 1 of 3, on the layout ") as error:
        agent.learn(3)
    assert str(third).replace("'", '"') in str(error.value)


@pytest.mark.parametrize("name", ["QNorm", "PEPG"])
def test_the_last_good_checkpoint_stays(name: str, tmp_path: Path) -> None:
    agent = at(1e-2)[name]()

    def spoil(locals_: dict[str, Any], globals_: dict[str, Any]) -> bool:
        if agent.num_timesteps == 3:
            config = at(HUGE)[name]().config
            agent.config = config
            if isinstance(agent, QNorm):
                agent._step.config = config
            else:
                agent.search.config = config.search  # type: ignore[attr-defined]
        return True

    hooks: Any = [CheckpointCallback(1, str(tmp_path), "a"), spoil]
    with pytest.raises(FloatingPointError, match=r"\(in update 4 of 6"):
        agent.learn(6, hooks)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"a_{i}_steps.zip" for i in (1, 2, 3)
    ]
    kept = type(agent).load(tmp_path / "a_3_steps.zip")
    assert all(torch.isfinite(w).all() for w in kept.model.named_weights().values())
    assert kept.resume().num_timesteps == 6
