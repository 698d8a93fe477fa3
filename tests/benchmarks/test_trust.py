"""Results are traced, damage to them is told, and what is committed can be scored again."""

import io
import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.suite import main as command
from benchmarks.suite import verify, worker
from benchmarks.suite.benchmark import write_outputs
from benchmarks.suite.checkpoint import RECORD, Checkpoint, Training
from benchmarks.suite.earlier import Earlier
from benchmarks.suite.experiments import PRESETS, select
from benchmarks.suite.job import jobs
from benchmarks.suite.summary import write_json
from rand_agents.agents.files import Contents, read_agent, write_agent
from rand_agents.executors import processes
from rand_envs.core.sealed import read_json
from rand_envs.core.writing import only_writer
from tests.fault_kinds.subjects import determined, job_of_benchmark, tiny_job
from tests.fault_kinds.trial import Child

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one training run of the smoke preset and its results."""
    out = tmp_path_factory.mktemp("finished")
    (job,) = jobs(select("smoke", ("recall",)), 0, ("adv-seeded",))
    worker.run_job(job, out, lambda _: None)
    printed = Console(file=io.StringIO())
    write_outputs(PRESETS["smoke"], out, printed, preset="smoke", rng_seed=0, seconds=1.0)
    return out


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Run the command, which must be refused, and give what it said."""

    def run(*words: str) -> str:
        printed = io.StringIO()
        monkeypatch.setattr("sys.argv", ["run.py", *words])
        with monkeypatch.context() as patched:
            patched.setattr(
                command, "Console", lambda **_: Console(file=printed, width=130, markup=False)
            )
            assert command.main() == 2
        (line,) = printed.getvalue().splitlines()
        assert line.startswith("error: ")
        return line

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)


# Files.


def test_damaged_results_are_refused_before_anything_is_trained(
    tmp_path: Path, finished: Path, said: Callable[..., str]
) -> None:
    path, data = tmp_path / "results.json", (finished / "results.json").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    line = said("--preset", "smoke", "--out", str(tmp_path))
    assert "results.json is not a JSON file" in line
    assert "move it away" in line
    path.write_bytes(data.replace(b'"training_runs": 1', b'"training_runs": 3'))
    assert "results.json is damaged" in said("--preset", "smoke", "--out", str(tmp_path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


def test_results_of_another_preset_are_not_replaced(
    tmp_path: Path, finished: Path, said: Callable[..., str]
) -> None:
    shutil.copy(finished / "results.json", tmp_path)
    before = (tmp_path / "results.json").read_bytes()
    for words in (("--preset", "quick"), ("--preset", "smoke", "--rng-seed", "1")):
        assert "choose another --out" in said(*words, "--out", str(tmp_path))
    assert (tmp_path / "results.json").read_bytes() == before


def test_results_from_before_checksums_are_read(tmp_path: Path, finished: Path) -> None:
    path, facts = tmp_path / "results.json", read_json(finished / "results.json")
    path.write_text(json.dumps(facts | {"preset": "quick"}).replace('"inf"', "Infinity"))
    assert Earlier.read(path, "quick", 0).points.keys() == {("RandRecall-v0", None)}


def test_two_benchmarks_in_one_folder_are_refused(tmp_path: Path, said: Callable[..., str]) -> None:
    out = tmp_path / "we[/ird]"
    out.mkdir(parents=True)
    with only_writer(out):
        line = said("--preset", "smoke", "--out", str(out))
    assert f"{out} is being written by another process" in line


def test_a_damaged_result_is_made_again_with_a_note(
    tmp_path: Path, finished: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (job,) = jobs(select("smoke", ("recall",)), 0, ("adv-seeded",))
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    path = worker.result_path(tmp_path, job)
    whole = determined(read_json(path))
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.7"))
    assert worker.read_result(tmp_path, job) is None
    assert "is damaged" in caplog.text
    assert "is made again" in caplog.text
    worker.run_job(job, tmp_path, lambda _: None)
    assert determined(read_json(path)) == whole


# Checkpoints.


def test_a_checkpoint_is_one_file(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run.safetensors", "mine")
    assert checkpoint.load() is None
    agent, training = tiny_job().agent(), Training(3.5, history=[[1, 0.5, 0.5, 0.0]], scores=[0.5])
    checkpoint.save(agent, training)
    assert [path.name for path in tmp_path.iterdir()] == ["run.safetensors"]
    found = checkpoint.load()
    assert found is not None
    assert found[1] == training
    assert found[0].rng_seed == agent.rng_seed
    assert Checkpoint(checkpoint.path, "another").load() is None
    contents = read_agent(checkpoint.path)
    record = contents.facts[RECORD]
    write_agent(checkpoint.path, Contents(contents.tensors, contents.facts | {RECORD: {"a": 1}}))
    assert checkpoint.load() is None
    more = {RECORD: record | {"more": 1}}
    write_agent(checkpoint.path, Contents(contents.tensors, contents.facts | more))
    with pytest.raises(ValueError, match="its record of training is malformed"):
        checkpoint.load()


def test_an_agent_whose_record_is_a_file_of_its_own_is_found(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run.safetensors", "mine")
    tiny_job().agent().save(checkpoint.path)
    record = {"seconds": 1.0, "machine": {}, "history": [], "starts": 0}
    beside = checkpoint.path.with_suffix(".json")
    beside.write_text(json.dumps({"fingerprint": "mine", **record}))
    found = checkpoint.load()
    assert found is not None
    assert found[1] == Training(1.0, {}, None)


def test_trials_of_starts_go_on_from_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "CHECKPOINT_SECONDS", 0.0)
    subject, job = job_of_benchmark(), tiny_job()
    subject.run(tmp_path / "whole")
    seen: list[float] = []

    def stop(fraction: float) -> None:
        seen.append(fraction)
        if len(seen) % 7 == 0:
            raise KeyboardInterrupt

    for _ in range(20):
        try:
            worker.run_job(job, tmp_path / "parts", stop)
            break
        except KeyboardInterrupt:
            continue
    # Of each seven updates one was done twice.
    assert len(seen) <= job.updates * 7 / 6 + 1
    assert subject.ending(tmp_path / "parts") == subject.ending(tmp_path / "whole")


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    def parent() -> int:
        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        signal.pause()
        return 0

    def work() -> None:
        processes._start_worker()
        (tmp_path / "started").touch()
        time.sleep(600)

    child = Child(parent, tmp_path / "printed.txt")
    while not (tmp_path / "started").exists():
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert child.left_behind(60.0) == 0


# Scores.


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], tuple[int, str]]:
    @contextmanager
    def threads(processes: int) -> Iterator[Any]:
        with ThreadPoolExecutor(processes) as executor:
            yield executor

    monkeypatch.setattr(verify, "workers", threads)

    def run(folder: Path) -> tuple[int, str]:
        console = Console(file=io.StringIO(), width=200)
        code = verify.verify(folder, 1, console)
        assert isinstance(console.file, io.StringIO)
        # Long lines are broken.
        return code, " ".join(console.file.getvalue().split())

    return run


def test_agents_are_scored_again_and_numbers_that_do_not_hold_are_named(
    tmp_path: Path, finished: Path, verified: Callable[[Path], tuple[int, str]]
) -> None:
    code, printed = verified(finished)
    assert code == 0, printed
    assert "1 of 1 training runs scored again: all of their numbers hold" in printed
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    facts = read_json(finished / "results.json")
    model = facts["tasks"]["RandRecall-v0"]["models"]["adv-seeded"]
    model["average"] |= {"runs": [0.99], "estimate": 0.98}
    facts["tasks"]["RandRecall-v0"]["ground_truth"]["value"] = 0.9
    write_json(tmp_path / "results.json", facts)
    code, printed = verified(tmp_path)
    assert code == 1
    assert "average of the run of rng_seed 0: recorded 0.99, now" in printed
    for why in ("average is not the mean of its runs", "the game value is 1.0, not 0.9", "the gap"):
        assert why in printed


def test_rows_without_weights_are_said_to_have_none(
    tmp_path: Path, finished: Path, verified: Callable[[Path], tuple[int, str]]
) -> None:
    shutil.copy(finished / "results.json", tmp_path)
    code, printed = verified(tmp_path)
    assert code == 1
    assert "0 of 1 training runs scored again" in printed
    assert "1 of 1 rows have no weights here" in printed


def test_committed_results_find_the_agents_of_the_zoo() -> None:
    folder = ROOT / "results" / "paper"
    rows = list(verify.rows_of(read_json(folder / "results.json"), folder / "nothing"))
    assert not [row.wrong for row in rows if row.wrong]
    scored = {(row.where, row.name) for row in rows if row.sources}
    assert {
        ("RandRecall-v0", "adv-seeded"),
        ("RandColoring-v0", "adv-seeded"),
        ("RandGrid-v0", "adv-seeded"),
    } <= scored
