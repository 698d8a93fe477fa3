"""Trained agents by name: they play as they did, and cannot pretend to be half-trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rand_agents import (
    PEPG,
    ObjectiveConfig,
    PEPGConfig,
    QNorm,
    QNormConfig,
    SearchConfig,
    load_agent,
    load_zoo,
)
from rand_agents import zoo as zoo_module
from rand_agents.__main__ import main
from rand_agents.agents.agent import Agent
from rand_agents.zoo import add_to_zoo, weight_differences, zoo_card, zoo_names
from rand_envs import GridTask, RecallTask

FIGURE = {"estimate": 0.4321, "ci95": [0.4, 0.5]}
VOTE = {"votes": 30, "average": FIGURE, "p95": FIGURE, "worst": FIGURE}
SCORES = {"average": FIGURE, "p95": FIGURE, "worst": FIGURE | {"kind": "exact"}}
CARD = {
    "env_id": "RandRecall-v0",
    "recipe": {"task": {"num_pairs": 20}},
    "train_seconds": 90.0,
    "scores": {"unit": "success", "majority": [VOTE], **SCORES},
}


def recall_agent(rng_seed: int = 0) -> QNorm:
    return QNorm("SeedTransformer", RecallTask(2, 2), QNormConfig(m=3), rng_seed=rng_seed)


def grid_agent() -> PEPG:
    # By the mean: the worst treasure costs the same, whatever a candidate does at first.
    config = PEPGConfig(ObjectiveConfig(q=1.0), search=SearchConfig(population=4), m=2)
    return PEPG("SeedTransformer", GridTask(2, horizon=4), config)


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty zoo."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    monkeypatch.setattr(zoo_module, "FOLDER", folder)
    return folder


@pytest.mark.parametrize("make", [recall_agent, grid_agent])
def test_a_zoo_agent_plays_as_the_trained_one(zoo: Path, make: Callable[[], Agent[Any]]) -> None:
    agent = make().learn(3)
    path = add_to_zoo(agent, "small", CARD)
    loaded = load_zoo("small")
    assert type(loaded) is type(agent)
    assert not weight_differences(agent, loaded)
    layouts = agent.task.layout_space.sample(np.random.default_rng(0), 5)
    seeds = agent.draw_seeds(np.random.default_rng(1), 4)
    assert (loaded.play(layouts, seeds).outcome == agent.play(layouts, seeds).outcome).all()
    assert path.stat().st_size < agent.save(zoo / "whole").stat().st_size
    assert zoo_card("small") == CARD


@pytest.mark.parametrize("make", [recall_agent, grid_agent])
def test_without_optimiser_state_there_is_no_resuming_but_a_fresh_start(
    zoo: Path, make: Callable[[], Agent[Any]]
) -> None:
    add_to_zoo(make().learn(3), "small", CARD)
    loaded = load_zoo("small")
    with pytest.raises(ValueError, match="weights alone: learn\\(\\) starts a fresh optimiser"):
        loaded.resume()
    again = load_agent(loaded.save(zoo / "copy"))
    with pytest.raises(ValueError, match="weights alone"):
        again.resume()
    loaded.learn(2)
    assert loaded.num_timesteps == 2
    assert weight_differences(loaded, load_zoo("small"))
    assert load_agent(loaded.save(zoo / "learnt")).resume().num_timesteps == 2


def test_evolution_goes_on_from_the_zoo_weights(zoo: Path) -> None:
    agent = grid_agent().learn(3)
    add_to_zoo(agent, "small", CARD)
    loaded = load_zoo("small")
    assert isinstance(loaded, PEPG)
    assert (loaded.search.center == agent.search.center).all()


def test_names_that_are_not_in_the_zoo_are_answered_with_those_that_are(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zoo_names() == []
    with pytest.raises(ValueError, match="no agent 'recall20' in the zoo: the zoo is empty"):
        load_zoo("recall20")
    add_to_zoo(recall_agent(), "small", CARD)
    with pytest.raises(ValueError, match="no agent 'recall20' in the zoo: the zoo has small"):
        load_zoo("recall20")
    assert zoo_names() == ["small"]
    assert main(["evaluate", "recall20"]) == 2
    assert "there is no agent file recall20, and the zoo has small" in capsys.readouterr().err


def test_commands_take_names_as_they_take_files(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["zoo"]) == 0
    assert "The zoo is empty." in capsys.readouterr().out
    add_to_zoo(recall_agent().learn(2), "small", CARD)
    assert main(["zoo"]) == 0
    listed = capsys.readouterr().out
    assert "small" in listed
    [row] = [line.split() for line in listed.splitlines() if "small" in line]
    assert row == [
        "small",
        "43.2",
        "%",
        "43.2",
        "40.0",
        "to",
        "50.0",
        "≤",
        "56.8",
        "50.0",
        "to",
        "60.0",
    ]
    assert main(["evaluate", "small", "--num-seeds", "10"]) == 0
    assert "32 layouts (all there are)" in capsys.readouterr().out
    picture = zoo.parent / "small.png"
    assert main(["watch", "small", "--record", str(picture)]) == 0
    assert picture.is_file()


def test_comparing_says_whether_a_retrained_agent_is_the_same(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_to_zoo(recall_agent().learn(4), "small", CARD)
    same = recall_agent().learn(4).save(zoo.parent / "same")
    assert main(["zoo", "--compare", "small", str(same)]) == 0
    assert "has the weights of small, to the last bit" in capsys.readouterr().out
    other = recall_agent().learn(5).save(zoo.parent / "other")
    assert main(["zoo", "--compare", "small", str(other)]) == 1
    assert "differs from small in" in capsys.readouterr().out
    wrong = grid_agent().save(zoo.parent / "wrong")
    assert main(["zoo", "--compare", "small", str(wrong)]) == 2
    assert "only be compared if they have the same shapes" in capsys.readouterr().err


def test_the_zoo_that_is_shipped_loads() -> None:
    for name in zoo_names():
        assert zoo_card(name)["scores"]["unit"] == load_zoo(name).task.unit
