"""Agent files: whole or not there, and nothing in them is ever executed."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch

from rand_agents import PEPG, QNorm, QNormConfig
from rand_agents.agents.files import Contents, read_agent, write_agent
from rand_agents.zoo import agent_file
from rand_envs import ColoringTask, RecallTask
from rand_envs.core.writing import write_atomically

TASK = RecallTask(2, 2)


def small_agent() -> QNorm:
    return QNorm("SeedTransformer", TASK, QNormConfig(m=2, batch_size=4))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return small_agent().learn(2).save(tmp_path / "agent")


def test_tensors_and_facts_come_back(tmp_path: Path) -> None:
    tensors = {"a.x": torch.arange(3.0), "a.y": torch.tensor(7), "b.x": torch.ones(2, 2)[:, 0]}
    facts = {"name": "é", "huge": 2**120, "infinite": float("inf"), "nested": {"list": [1, None]}}
    path = write_agent(tmp_path / "new" / "folder" / "agent", Contents(tensors, facts))
    assert path == tmp_path / "new" / "folder" / "agent.safetensors"
    contents = read_agent(path)
    assert contents.facts == facts
    assert contents.tensors.keys() == tensors.keys()
    assert all(torch.equal(contents.tensors[name], tensors[name]) for name in tensors)
    assert contents.under("a").keys() == {"x", "y"}


def test_a_suffix_of_ones_own_is_kept(tmp_path: Path) -> None:
    path = small_agent().save(tmp_path / "agent.zip")
    assert path.name == "agent.zip"
    assert QNorm.load(path).task.config == TASK.config


def test_weights_are_plain_safetensors(saved: Path) -> None:
    tensors = safetensors.torch.load_file(saved)
    own = QNorm.load(saved).model.named_weights()
    for name, weight in own.items():
        assert torch.equal(tensors[f"weights.{name}"], weight)
    with safetensors.safe_open(saved, "pt") as file:
        facts = json.loads(file.metadata()["rand_agents"])
    assert facts["algorithm"] == "QNorm"
    assert facts["env_id"] == "RandRecall-v0"


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file(
    saved: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise OSError("disk full")

    before = saved.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, failing, fail)
        with pytest.raises(OSError, match="disk full"):
            small_agent().save(saved)
        with pytest.raises(OSError, match="disk full"):
            write_atomically(saved.parent / "new.json", b"{}")
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_write_replaces_the_old_file(saved: Path) -> None:
    small_agent().learn(5).save(saved)
    assert QNorm.load(saved).num_timesteps == 5
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no agent file .*none\.safetensors"):
        QNorm.load(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="there is no agent file"):
        QNorm.load(tmp_path)


@pytest.mark.parametrize("size", [0, 4, 100, -1])
def test_a_truncated_file_is_an_error(saved: Path, size: int) -> None:
    saved.write_bytes(saved.read_bytes()[:size])
    with pytest.raises(ValueError, match="is corrupt or not an agent file"):
        QNorm.load(saved)


def test_a_pickle_is_an_error_and_stays_unread(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    path = tmp_path / "agent.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="is corrupt or not an agent file"):
        QNorm.load(path)
    torch.save({"weights": Trap()}, path)
    with pytest.raises(ValueError, match="is corrupt or not an agent file"):
        QNorm.load(path)
    assert not (tmp_path / "sprung").exists()


def rewritten(path: Path, metadata: dict[str, str] | None) -> Path:
    path.write_bytes(safetensors.torch.save(safetensors.torch.load_file(path), metadata))
    return path


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "is a safetensors file, but not one that an agent saved"),
        ({"format": "pt"}, "is a safetensors file, but not one that an agent saved"),
        ({"rand_agents": "{"}, "is corrupt: its header is not JSON"),
        ({"rand_agents": "[1]"}, "is corrupt: its header is not JSON"),
        ({"rand_agents": "{}"}, "must be of schema 1 to 2 to be read here, got None"),
        ({"rand_agents": '{"schema": 3}'}, "must be of schema 1 to 2 to be read here, got 3"),
        ({"rand_agents": '{"schema": 2}'}, "is damaged: its checksum is of other data"),
        ({"rand_agents": "[" * 100_000}, "is corrupt: its header is not JSON"),
        ({"rand_agents": '{"schema": 1}'}, "must hold a QNorm agent, got a None one"),
        (
            {"rand_agents": '{"schema": 1, "algorithm": "QNorm"}'},
            "does not describe a whole agent: there is no total_timesteps",
        ),
    ],
)
def test_a_foreign_file_is_an_error(
    saved: Path, metadata: dict[str, str] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        QNorm.load(rewritten(saved, metadata))


def test_an_agent_of_another_algorithm_is_an_error(saved: Path) -> None:
    with pytest.raises(ValueError, match="must hold a PEPG agent, got a QNorm one"):
        PEPG.load(saved)


@pytest.mark.parametrize("env", ["RandColoring-v0", RecallTask(3, 2), ColoringTask(4)])
def test_an_agent_for_another_game_is_an_error(saved: Path, env: Any) -> None:
    with pytest.raises(ValueError, match=r"holds an agent for RandRecall-v0 .*, not for"):
        QNorm.load(saved, env)
    assert QNorm.load(saved, RecallTask(2, 2)).num_timesteps == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy": {"token_dim": 4}}, "policy lacks 'output_dim', 'seed_dim'"),
        ({"config": {"unknown": 1}}, "config does not know 'unknown'"),
        ({"env_id": "RandMaze-v0", "task": {}}, "environment must be a registered one"),
        ({"env_id": "antigravity:Maze-v0", "task": {}}, "an id must not name a module"),
    ],
)
def test_facts_that_do_not_fit_are_errors(
    saved: Path, change: dict[str, Any], message: str
) -> None:
    contents = read_agent(saved)
    write_agent(saved, Contents(contents.tensors, contents.facts | change))
    with pytest.raises(ValueError, match=message):
        QNorm.load(saved)


def test_a_folder_of_the_same_name_is_no_obstacle(tmp_path: Path) -> None:
    agent = small_agent().learn(2)
    agent.save(tmp_path / "model")
    (tmp_path / "model").mkdir()
    assert QNorm.load(tmp_path / "model").num_timesteps == 2
    assert agent_file(str(tmp_path / "model")) == tmp_path / "model"
    agent.save(tmp_path / "model")
    with pytest.raises(FileNotFoundError, match="there is no agent file"):
        QNorm.load(tmp_path)
