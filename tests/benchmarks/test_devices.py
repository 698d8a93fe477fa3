"""`speed.py --device`: updates there beside the CPU's."""

import runpy
import sys
from pathlib import Path

import pytest
import torch
from rich.console import Console

from benchmarks.suite.timing.devices import CASES, POLICY, Cases, devices
from rand_agents import PEPG, PEPGConfig, QNorm, QNormConfig, SearchConfig
from rand_envs import GridTask, RecallTask
from tests.elsewhere import DEVICE, Elsewhere

SMALL = PEPGConfig(search=SearchConfig(population=2), m=1, batch_size=2)
TINY: Cases = {
    "recall": lambda device: QNorm(
        POLICY, RecallTask(2, 1), QNormConfig(m=2, batch_size=4), device=device
    ),
    "grid": lambda device: PEPG(POLICY, GridTask(2, horizon=3), SMALL, device=device),
}


def test_updates_are_timed_on_both(capsys: pytest.CaptureFixture[str]) -> None:
    with Elsewhere():
        table = devices(DEVICE, TINY, repeats=1)
    Console(width=150).print(table)
    said = capsys.readouterr().out
    assert "meta, ms" in said
    rows = [line for line in said.splitlines() if line.startswith("│")]
    assert len(rows) == len(TINY)
    for row in rows:
        here, there, ratio = (float(cell.strip(" x")) for cell in row.split("│")[3:6])
        assert here > 0
        assert there > 0
        assert ratio > 0


def test_the_large_policy_is_a_hundred_times_as_large() -> None:
    makes = list(CASES.values())
    few, many = (
        sum(weight.numel() for weight in make(torch.device("cpu")).model.parameters())
        for make in makes[:2]
    )
    assert 50 < many / few < 200


def test_a_device_that_is_not_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "speed.py"
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "argv", ["speed.py", "--device", "abacus"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(script), run_name="__main__")
    assert stop.value.code == 2
    assert "the device 'abacus' cannot be used here: there is cpu" in capsys.readouterr().err
