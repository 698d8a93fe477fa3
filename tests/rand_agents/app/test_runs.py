"""`train --runs`: each file is what `train` alone makes with its rng_seed, whatever happens."""

import os
import shlex
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rand_agents import QNorm, load_agent
from rand_agents.__main__ import main
from rand_agents.app import runs
from tests.rand_agents.app.runs import TINY, run, same_state


class Here:
    """Does works in this process, as they come."""

    count = 1

    def __init__(self) -> None:
        self.done: list[float] = []

    def submit(self, place: int, work: Any, out: Path) -> Future[dict[str, Any]]:
        future: Future[dict[str, Any]] = Future()
        future.set_result(work.run(out, lambda _: None))
        self.done.append(1.0)
        return future

    def fractions(self) -> list[float]:
        return self.done

    def news(self) -> list[str]:
        return []


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No processes, which take seconds to start."""

    @contextmanager
    def local(processes: int, works: int) -> Iterator[Here]:
        yield Here()

    monkeypatch.setattr(runs, "local", local)


@pytest.fixture(scope="module")
def alone(agents: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What `train` makes of three rng_seeds, one after the other."""
    folder = tmp_path_factory.mktemp("alone")
    others = [folder / f"{rng_seed}.safetensors" for rng_seed in (1, 2)]
    for rng_seed, path in enumerate(others, 1):
        assert run("recall", path, "--rng-seed", str(rng_seed)) == 0
    return [agents["recall"], *others]


def broken(
    monkeypatch: pytest.MonkeyPatch, rng_seed: int, after: int, what: Callable[[], Any]
) -> None:
    """Something happens in one of the runs after so many updates."""
    update = QNorm._update

    def other(agent: QNorm, progress: float) -> dict[str, float]:
        if (agent.rng_seed, agent.num_timesteps) == (rng_seed, after):
            what()
        return update(agent, progress)

    monkeypatch.setattr(QNorm, "_update", other)


def test_processes_train_what_one_does_and_a_table_shows_each_run(
    tmp_path: Path, alone: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--runs", "2", "--rng-seed", "1", "--processes", "1"]
    assert run("recall", tmp_path / "agent", *options) == 0
    files = [tmp_path / f"agent-{rng_seed}.safetensors" for rng_seed in (1, 2)]
    assert all(map(same_state, files, alone[1:]))
    assert sorted(tmp_path.iterdir()) == files
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert "2 runs, of rng_seeds 1 to 2, 1 at a time." in lines
    for rng_seed, file in enumerate(files, 1):
        [row] = [line.split() for line in lines if f" {file.name} " in line]
        assert row[:3] == [str(rng_seed), file.name, "6"]
        assert 0.0 < float(row[3]) < 2.0
        assert f"{file.name}: 6 updates, objective {row[3]}" in said.err
    assert lines[-1] == f"  python -m rand_agents evaluate {shlex.join(map(str, files))}"


def test_what_was_stopped_goes_on_and_what_is_done_stays(
    here: None,
    tmp_path: Path,
    alone: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [tmp_path / f"agent-{rng_seed}.safetensors" for rng_seed in range(3)]
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patch:
        broken(patch, 1, 3, lambda: signal.raise_signal(signal.SIGINT))
        assert run("recall", tmp_path / "agent", "--runs", "3", "--overwrite") == 130
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert load_agent(files[1]).num_timesteps == 2, "the last checkpoint"
    assert not files[2].exists()
    [command] = [line for line in capsys.readouterr().out.splitlines() if "--resume" in line]
    written = files[0].stat().st_mtime_ns
    assert main(shlex.split(command)[3:]) == 0
    assert all(map(same_state, files, alone))
    assert files[0].stat().st_mtime_ns == written
    said = capsys.readouterr().out
    assert "3 runs, of rng_seeds 0 to 2 (1 already trained)" in said
    assert main(shlex.split(command)[3:]) == 0
    assert capsys.readouterr().out.count("already trained") == 4
    longer = ["--resume", "--runs", "2", "--updates", "8"]
    assert main([*TINY["recall"], "--out", str(tmp_path / "agent"), *longer]) == 0
    assert "2 finished runs go on to 8 updates. Schedules stretch" in capsys.readouterr().out
    assert [load_agent(file).num_timesteps for file in files] == [8, 8, 6]


def test_a_worker_that_is_asked_to_end_saves_first(
    here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: list[Path]
) -> None:
    def ended(process: int, number: int) -> None:
        assert (process, number) == (os.getpid(), signal.SIGTERM)
        raise KeyboardInterrupt

    options = ["--runs", "1", "--checkpoint-every", "100"]
    with monkeypatch.context() as patch:
        broken(patch, 0, 3, lambda: signal.raise_signal(signal.SIGTERM))
        patch.setattr("rand_agents.app.runs.os.kill", ended)
        assert run("recall", tmp_path / "agent", *options) == 130
    file = tmp_path / "agent-0.safetensors"
    # It is waited for, unless the machine is so busy that an update takes long.
    assert load_agent(file).num_timesteps in (3, 4)
    assert run("recall", tmp_path / "agent", *options, "--resume") == 0
    assert same_state(file, alone[0])


def test_one_that_fails_is_named_and_the_others_are_trained(
    here: None,
    tmp_path: Path,
    alone: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    failing: Callable[[list[str]], str],
) -> None:
    def fail() -> None:
        raise FloatingPointError("losses became NaN")

    broken(monkeypatch, 1, 4, fail)
    words = [*TINY["recall"], "--updates", "6", "--out", str(tmp_path / "agent"), "--runs", "3"]
    said = failing(words)
    assert said.endswith("error: agent-1.safetensors: losses became NaN")
    assert "agent-1.safetensors failed after 4 updates" in said
    for rng_seed in (0, 2):
        assert same_state(tmp_path / f"agent-{rng_seed}.safetensors", alone[rng_seed])


REFUSED = {
    "--runs 0": "--runs must be an integer of at least 1",
    "--processes 2": "--processes spreads several runs: say with --runs how many",
    "--runs 2 --processes 0": "--processes must be an integer of at least 1",
    "--ray": "--ray spreads several runs: say with --runs how many",
    "--ray a:1 b:2 --runs 2": "--ray takes one address at most, got a:1 b:2",
    "--ray --runs 2 --device cuda": "--ray spreads runs over processors, not over --device cuda",
    f"--runs 2 --rng-seed {2**64 - 1}": "--rng-seed of the last run must be an integer from 0 to",
    "--runs 3": "agent-2.safetensors exists: add --resume to go on with its run, or --overwrite",
    "--runs 3 --resume --updates 3": "agent-2.safetensors has --updates 6, not 3",
    "--runs 3 --resume --overwrite": "choose one",
}


@pytest.mark.parametrize("options", list(REFUSED))
def test_what_cannot_be_is_refused_before_anything_is_trained(
    options: str,
    here: None,
    tmp_path: Path,
    alone: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    failing: Callable[[list[str]], str],
) -> None:
    last = tmp_path / "agent-2.safetensors"
    last.write_bytes(alone[2].read_bytes())
    monkeypatch.setattr(QNorm, "_update", lambda *_: pytest.fail("it trained"))
    words = [*TINY["recall"], "--updates", "6", "--out", str(tmp_path / "agent")]
    assert REFUSED[options] in failing([*words, *options.split()])
    assert [*tmp_path.iterdir()] == [last]
    assert same_state(last, alone[2])


def test_torchrun_divides_one_run_and_not_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: Callable[[list[str]], str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    words = [*TINY["recall"], "--runs", "2", "--out", str(tmp_path / "agent")]
    assert "torchrun one in several" in failing(words)
