"""`train` as `torchrun` starts it, in several processes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from rand_agents import load_agent
from rand_agents.agents.ranks import Ranks
from rand_agents.app import cli
from rand_agents.app import train as train_module


@pytest.mark.parametrize("rank", [0, 1])
def test_the_command_refuses_before_anything_is_written(
    rank: int,
    tmp_path: Path,
    failing: Callable[[list[str]], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextmanager
    def joined() -> Iterator[Ranks]:
        yield Ranks(rank, 3)

    waits: list[float] = []
    monkeypatch.setattr(train_module, "joined", joined)
    monkeypatch.setattr("rand_agents.app.cli.time.sleep", waits.append)
    monkeypatch.setenv("LOCAL_RANK", str(rank))
    words = f"train recall --qnorm.batch-size 8 --out {tmp_path}/agent.safetensors"
    said = failing(words.split())
    assert said.startswith("error: 8 layouts an update cannot be divided between 3 processes")
    assert not list(tmp_path.iterdir())
    # `torchrun` ends those that wait when the first one has ended.
    assert waits == [cli.PATIENCE] * rank


def test_torchrun_trains_the_agent_of_one_process(tmp_path: Path, capsys: Any) -> None:
    files = {count: tmp_path / f"{count}.safetensors" for count in (1, 2)}
    words = "train recall --game.num-pairs 2 --game.value-bits 2 --qnorm.m 2 --qnorm.batch-size 8"
    shared = [*words.split(), "--updates", "3", "--checkpoint-every", "1", "--out"]
    assert cli.main([*shared, str(files[1])]) == 0
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "rand_agents", *shared, str(files[2])]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    alone = capsys.readouterr().out
    assert done.stdout == alone.replace(str(files[1]), str(files[2]))
    one, two = (load_agent(files[count]).model.named_weights() for count in (1, 2))
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, rtol=0, atol=1e-5)
    assert sorted(tmp_path.iterdir()) == [files[1], files[2]]
