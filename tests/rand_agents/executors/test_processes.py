"""Works in processes: each is done, begun again where its process is lost, and ended with all."""

import io
import os
import signal
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rand_agents.executors import processes
from rand_agents.executors.following import run_all
from rand_agents.executors.work import Phase, Report


@dataclass(frozen=True)
class Fragile:
    """A work whose process is killed so many times; it notes each time that it is begun."""

    name: str
    deaths: int = 0
    error: str = ""
    seconds: float = 0.0
    kind: str = "fragile"
    phases: tuple[Phase, ...] = (Phase("training", 1.0, 1.0),)

    def run(self, out: Path, report: Report) -> dict[str, Any]:
        begun = out / self.name
        with begun.open("a") as file:
            file.write("begun\n")
        times = len(begun.read_text().splitlines())
        if times <= self.deaths:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.error:
            raise ValueError(self.error)
        time.sleep(self.seconds)
        report(1.0)
        return {"times": times}

    def line(self, result: dict[str, Any]) -> str:
        return f"{self.name} is done"


def run(works: list[Fragile], out: Path, count: int) -> tuple[dict[str, Any], str]:
    console = Console(file=io.StringIO(), width=200)
    found = run_all(works, out, partial(processes.local, count), console)
    assert isinstance(console.file, io.StringIO)
    return found, console.file.getvalue()


def test_a_work_that_loses_its_process_is_begun_again_and_no_other(tmp_path: Path) -> None:
    found, printed = run([Fragile("one", deaths=1), Fragile("two")], tmp_path, 1)
    assert found == {"one": {"times": 2}, "two": {"times": 1}}
    assert printed.count("one lost its worker and goes on from its last checkpoint") == 1
    assert "two lost" not in printed
    assert all(f"{name} is done" in printed for name in found)


def test_the_last_loss_ends_all_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "MAX_LOSSES", 1)
    with pytest.raises(ChildProcessError, match="the worker of one was lost 3 times: it was"):
        run([Fragile("one", deaths=10), Fragile("two", seconds=60.0)], tmp_path, 1)
    assert (tmp_path / "one").read_text() == "begun\n"


def test_an_error_ends_what_runs_and_what_waits(tmp_path: Path) -> None:
    slow = [Fragile(str(number), seconds=60.0) for number in range(3)]
    with pytest.raises(ValueError, match="no such thing"):
        run([Fragile("wrong", error="no such thing"), *slow], tmp_path, 1)
    assert {path.name for path in tmp_path.iterdir()} <= {"wrong", "0"}
