"""Damaged and crafted agent files: whatever is in them, they are refused in a sentence."""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from rand_agents import PEPG, PSRO, PEPGConfig, PSROConfig, QNorm, QNormConfig, SearchConfig
from rand_agents.agents.agent import Agent
from rand_agents.agents.files import Contents, read_agent, write_agent
from rand_agents.policies.mlp import MLPConfig
from rand_agents.policies.transformer import TransformerConfig
from rand_agents.training.loading import load_agent
from rand_agents.zoo import FOLDER
from rand_envs import GridTask, RecallTask
from rand_envs.adversaries import FoundConfig, Hedge


def recall() -> Agent[Any]:
    task = RecallTask(1, 2)
    source = FoundConfig(size=3, num_seeds=2).source(task.layout_space, 0)
    config = QNormConfig(m=2, batch_size=4, seeds_kept=2)
    return QNorm("SeedTransformer", task, config, layouts=source).learn(3)


def grid() -> Agent[Any]:
    task = GridTask(2, horizon=3)
    config = PEPGConfig(search=SearchConfig(population=4), m=2)
    return PEPG("SeedTransformer", task, config, layouts=Hedge(task.layout_space, 0.1)).learn(3)


def matrix(updates: int) -> Agent[Any]:
    def enough(_: Any, __: Any) -> bool:
        nonlocal updates
        updates -= 1
        return updates > 0

    config = PSROConfig(rounds=2, paths=4, distillation=0.45)
    policy = TransformerConfig(
        5, 4, 4, seed_placement="first", num_blocks=1, model_size=8, embedding="linear"
    )
    return PSRO(policy, GridTask(2, horizon=3), config).learn(160, callback=enough)


def cartpole() -> Agent[Any]:
    config = PEPGConfig(search=SearchConfig(population=2), m=1, batch_size=1)
    return PEPG(MLPConfig(4, 2, 4, [3]), "CartPole-v1", config).learn(1)


AGENTS: dict[str, Callable[[], Agent[Any]]] = {
    "recall": recall,
    "grid": grid,
    "response": lambda: matrix(60),
    "distilling": lambda: matrix(100),
    "cartpole": cartpole,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("agents")
    return {name: make().save(folder / name) for name, make in AGENTS.items()}


@pytest.mark.parametrize("name", AGENTS)
def test_every_flipped_bit_and_every_cut_is_noticed(
    files: dict[str, Path], name: str, tmp_path: Path
) -> None:
    data, path = files[name].read_bytes(), tmp_path / "agent.safetensors"
    rng = np.random.default_rng(0)
    header = 8 * (8 + int.from_bytes(data[:8], "little"))
    places = [*rng.integers(0, header, 250), *rng.integers(header, 8 * len(data), 250)]
    for place in map(int, places):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match=r"corrupt|damaged|not one that|of schema"):
            load_agent(path)
    for percent in range(100):
        path.write_bytes(data[: len(data) * percent // 100])
        with pytest.raises(ValueError, match="is corrupt or not an agent file"):
            load_agent(path)


def test_a_file_without_a_checksum_loads_with_a_note(
    files: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    contents = read_agent(files["recall"])
    old = {"rand_agents": json.dumps({"schema": 1, **contents.facts})}
    path = tmp_path / "old.safetensors"
    path.write_bytes(safetensors.torch.save(contents.tensors, old))
    with caplog.at_level(logging.WARNING):
        assert load_agent(files["recall"]).num_timesteps == 3
        assert not caplog.records
        assert load_agent(path).num_timesteps == 3
    assert [record.getMessage() for record in caplog.records] == [
        f"note: {path} has no checksum, so damage to it may go unnoticed"
    ]


# Crafted files, whose checksum is right.


def refused(source: Path, path: Path, tensors: dict[str, Any], facts: dict[str, Any]) -> str:
    """Why a file with these changes is refused; a tensor or a fact of None is taken away."""
    contents = read_agent(source)
    changed = {k: t for k, t in (contents.tensors | tensors).items() if t is not None}
    described = {k: v for k, v in (contents.facts | facts).items() if v is not ...}
    write_agent(path, Contents(changed, described))
    with pytest.raises(ValueError, match=r".") as caught:
        load_agent(path)
    return str(caught.value)


FACTS: dict[str, list[Any]] = {
    "algorithm": [..., None, 1, ["QNorm"], {"a": 1}, "Agent"],
    "has_trainer_state": [1, "yes", None],
    "env_id": [..., 3, None, ["RandRecall-v0"], "os:system", "Nothing-v0"],
    "task": [..., None, [], "x", {"num_pairs": -1}, {"what": 1}, {"num_pairs": 10**12}],
    "is_registered": [0, None, False],
    "policy_kind": [..., 1, [], "Policy"][1:],
    "policy": [..., None, [], {}, "x"],
    "seeds": [..., None, {}, {"dim": 10**9}, {"dim": "3"}, {"dim": 3, "x": 1}],
    "config": [..., None, [], {"m": 2.5}, {"m": 10**9}, {"objective": 3}, {"m": "3"}],
    "rng_seed": [..., None, "0", -1, 1.5, 2**64, [0]],
    "num_timesteps": [..., None, -5, 1.5, "x", 4, True, 10**30],
    "total_timesteps": [..., None, 2, -1, "x", 1e9, 10**30],
    "env_steps": [..., None, -1, 0.5, "x"],
    "layouts": [1, [], {}, {"source": "Nobody"}, {"source": ["Found"]}, {"source": "Found"}],
    "rngs": [..., None, {}, [], {"layouts": 1}],
}


@pytest.mark.parametrize("name", FACTS)
def test_facts_of_any_other_kind_are_refused(
    files: dict[str, Path], name: str, tmp_path: Path
) -> None:
    for value in FACTS[name]:
        message = refused(files["recall"], tmp_path / "a.safetensors", {}, {name: value})
        assert "a.safetensors" in message


@pytest.mark.parametrize("nested", ["policy", "config", "seeds", "layouts"])
def test_no_nested_fact_may_be_of_any_other_kind(
    files: dict[str, Path], nested: str, tmp_path: Path
) -> None:
    whole = read_agent(files["recall"]).facts[nested]
    wrongs: tuple[Any, ...] = ("x", -1, 10**6 + 0.5, 2**40, [[]], float("nan"), {"a": 1})
    for name, value in whole.items():
        for wrong in wrongs:
            is_legal = type(wrong) is type(value) and wrong == wrong
            if not is_legal and not (isinstance(value, float) and isinstance(wrong, int)):
                change = {nested: whole | {name: wrong}}
                refused(files["recall"], tmp_path / "a.safetensors", {}, change)


def test_generators_are_in_a_state_that_they_can_have(
    files: dict[str, Path], tmp_path: Path
) -> None:
    facts = read_agent(files["grid"]).facts
    states = facts["rngs"]
    good = states["seeds"]
    wrongs: tuple[Any, ...] = (
        None,
        {},
        [],
        good | {"state": {"state": -1, "inc": 1}},
        good | {"state": {"state": 2**128, "inc": 1}},
        good | {"state": {"state": 1, "inc": 2}},
        good | {"state": {"state": "1", "inc": 1}},
        good | {"state": {"state": 1}},
        good | {"bit_generator": "MT19937"},
        good | {"has_uint32": 2},
        good | {"uinteger": 2**32},
        good | {"extra": 1},
    )
    for wrong in wrongs:
        change = {"rngs": states | {"seeds": wrong}}
        message = refused(files["grid"], tmp_path / "a.safetensors", {}, change)
        assert "state is malformed" in message
    for names in ({"seeds": good}, states | {"more": good}):
        refused(files["grid"], tmp_path / "a.safetensors", {}, {"rngs": names})
    found = read_agent(files["recall"]).facts["layouts"]
    change = {"layouts": found | {"rng": good | {"state": {"state": -1, "inc": 1}}}}
    assert "malformed" in refused(files["recall"], tmp_path / "a.safetensors", {}, change)


@pytest.mark.parametrize("name", AGENTS)
def test_every_tensor_is_there_finite_and_of_its_kind(
    files: dict[str, Path], name: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    for number, (key, tensor) in enumerate(read_agent(files[name]).tensors.items()):
        wrongs = [
            tensor.flatten()[:0],
            torch.cat([tensor.flatten(), tensor.flatten()]),
            tensor.unsqueeze(0),
            tensor.to(torch.int8),
            tensor.bool(),
            tensor.double() if tensor.dtype != torch.float64 else tensor.float(),
        ]
        if tensor.is_floating_point():
            wrongs += [torch.full_like(tensor, x) for x in (float("nan"), float("inf"))]
        # Seeds yet to be drawn are none; and some wrongs of each tensor are enough.
        for wrong in wrongs[key == "trainer.seeds" :][number % 3 :: 3]:
            message = refused(files[name], path, {key: wrong}, {})
            assert message.startswith(f"{path} cannot be loaded: "), message
            assert "the file" in message
        # Early files without a schedule of the entropy have none.
        if not key.endswith("thermostat") or name == "response":
            refused(files[name], path, {key: None}, {})
    for extra in ("weights.more", "trainer.more", "trainer.0.more", "trainer.step.more"):
        refused(files[name], path, {extra: torch.zeros(3)}, {})


@pytest.mark.parametrize("name", ["recall", "grid", "response", "distilling"])
def test_a_trainer_without_its_state_is_no_fresh_one(
    files: dict[str, Path], name: str, tmp_path: Path
) -> None:
    tensors = read_agent(files[name]).tensors
    gone = {key: None for key in tensors if key.startswith("trainer.")}
    refused(files[name], tmp_path / "a.safetensors", gone, {})


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("recall", "trainer.0.step", -1.0),
        ("recall", "trainer.0.step", 1.5),
        ("recall", "trainer.1.exp_avg_sq", -1.0),
        ("recall", "trainer.thermostat", -1.0),
        ("grid", "trainer.std", -1.0),
        ("grid", "trainer.square", -1.0),
        ("grid", "trainer.steps", -1),
        ("distilling", "trainer.chosen", 10**6),
        ("distilling", "trainer.chosen", -1),
        ("response", "trainer.mixture.sizes", 0),
        ("response", "trainer.mixture.lengths", 10**12),
        ("response", "trainer.mixture.parents", 10**6),
        ("response", "trainer.mixture.codes", -1),
    ],
)
def test_states_that_no_trainer_has_are_refused(
    files: dict[str, Path], name: str, key: str, value: float, tmp_path: Path
) -> None:
    tensor = torch.full_like(read_agent(files[name]).tensors[key], value)
    refused(files[name], tmp_path / "a.safetensors", {key: tensor}, {})


@pytest.mark.parametrize("name", ["num_blocks", "num_heads", "key_size", "model_size", "seed_dim"])
def test_a_policy_is_no_larger_than_its_weights(
    files: dict[str, Path], name: str, tmp_path: Path
) -> None:
    policy = read_agent(files["recall"]).facts["policy"]
    for size in (policy[name] + 1, 1000, 10**6, 10**12):
        change = {"policy": policy | {name: size}}
        refused(files["recall"], tmp_path / "a.safetensors", {}, change)
    mlp = read_agent(files["cartpole"]).facts["policy"]
    for hidden in ([], [3, 3], [10**6], [1] * 10**5, 3, "3"):
        change = {"policy": mlp | {"hidden": hidden}}
        refused(files["cartpole"], tmp_path / "a.safetensors", {}, change)


@pytest.mark.parametrize(
    "task",
    [{"render_mode": "human"}, {"xml_file": "/etc/passwd"}, {"a": [{"b": "..\\x"}]}, {"what": 1}],
)
def test_a_file_opens_no_window_and_gives_no_path(
    files: dict[str, Path], task: dict[str, Any], tmp_path: Path
) -> None:
    refused(files["cartpole"], tmp_path / "a.safetensors", {}, {"task": task})


@pytest.mark.parametrize(
    "task",
    [
        {"size": 300, "walls": 20000},
        {"size": 10**6},
        {"size": [3, 10**9]},
        {"size": 5},
        {"horizon": 10**12},
        {"num_episodes": 10**9},
        {"walls": [[0, 1]] * 10**5},
    ],
)
def test_a_game_is_no_larger_than_its_policy_plays(
    files: dict[str, Path], task: dict[str, Any], tmp_path: Path
) -> None:
    whole = read_agent(files["grid"]).facts["task"]
    refused(files["grid"], tmp_path / "a.safetensors", {}, {"task": whole | task})


def test_a_population_fits_into_memory(files: dict[str, Path], tmp_path: Path) -> None:
    config = read_agent(files["grid"]).facts["config"]
    for population in (10**6, 10**9, 3, 0):
        search = config["search"] | {"population": population}
        change = {"config": config | {"search": search}}
        refused(files["grid"], tmp_path / "a.safetensors", {}, change)


# Reading.


def test_what_is_written_meanwhile_changes_nothing_that_was_read(tmp_path: Path) -> None:
    agent = recall()
    path = agent.save(tmp_path / "agent")
    loaded = load_agent(path)
    before = {name: t.clone() for name, t in loaded._trainer_tensors().items()}
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
        file.flush()
        os.truncate(path, 10)
    assert all(t.equal(before[name]) for name, t in loaded._trainer_tensors().items())


def test_header_and_tensors_are_of_one_version(tmp_path: Path) -> None:
    contents, path = read_agent(recall().save(tmp_path / "first")), tmp_path / "agent"
    stop = threading.Event()

    def write() -> None:
        for number in range(10**6):
            tensors = {"weights.x": torch.full((50,), float(number))}
            write_agent(path, Contents(tensors, contents.facts | {"number": number}))
            if stop.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not path.with_suffix(".safetensors").exists():
            time.sleep(0.01)
        for _ in range(300):
            read = read_agent(path)
            assert (read.tensors["weights.x"] == read.facts["number"]).all()
    finally:
        stop.set()
        writer.join()


def test_the_agents_that_are_shipped_have_checksums_or_are_read_with_a_note(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for path in FOLDER.glob("*.safetensors"):
        caplog.clear()
        facts = read_agent(path).facts
        assert facts["algorithm"] in ("QNorm", "PEPG", "PSRO")
        assert len(caplog.records) <= 1
