"""`evaluate` on the command line: several players, any stream, and the file before the output."""

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from rand_agents import QNorm, evaluate, load_agent
from rand_agents.__main__ import main
from rand_agents.evaluation.evaluate import worst_layout
from rand_envs import PatrolTask, RecallTask
from rand_envs.minimax import solve_task

FEW = ["--num-seeds", "10", "--num-fresh-seeds", "20"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three untrained agents; the last plays a smaller game."""
    folder = tmp_path_factory.mktemp("agents")
    tasks = (RecallTask(2, 2), RecallTask(2, 2), RecallTask(2, 1))
    agents = [QNorm("SeedTransformer", task, rng_seed=k) for k, task in enumerate(tasks)]
    return [str(agent.save(folder / f"agent{k}")) for k, agent in enumerate(agents)]


def test_several_players_stand_in_one_table(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "both.json"
    assert main(["evaluate", *files[:2], *FEW, "--json", str(report)]) == 0
    printed = capsys.readouterr().out
    assert "RandRecall-v0: success (more is better)" in printed
    facts = json.loads(report.read_text())["players"]
    assert list(facts) == files[:2]
    for name in files[:2]:
        alone = evaluate(load_agent(name), num_seeds=10, num_fresh_seeds=20)
        assert facts[name] == json.loads(json.dumps(alone.to_json()))
        assert f"{100 * alone.worst.estimate:.1f} %" in printed
    assert main(["evaluate", files[0], files[2], *FEW]) == 0
    assert "Of several games" in capsys.readouterr().out


def test_without_a_player_or_with_too_many_it_says_so(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for words, reason in (
        ([], "evaluate takes an agent, or several, got 0 names"),
        (["--player", "random", "recall", "grid"], "takes one game with --player, got 2 names"),
    ):
        assert main(["evaluate", *words]) == 2
        assert reason in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_any_stream_gets_the_report(
    encoding: str, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = io.BytesIO()
    stream = io.TextIOWrapper(held, encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    report = tmp_path / "report.json"
    assert main(["evaluate", files[0], *FEW, "--json", str(report)]) == 0
    assert main(["evaluate", *files[:2], *FEW]) == 0
    assert main(["zoo"]) == 0
    assert main(["games"]) == 0
    stream.flush()
    printed = held.getvalue().decode(encoding)
    assert "worst layout" in printed
    assert "#" in printed, "the bars are plain"
    assert json.loads(report.read_text())["env_id"] == "RandRecall-v0"


def test_the_file_is_written_before_anything_is_printed(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError("the disk is full")

    monkeypatch.setattr("rand_agents.app.cli._CONSOLE", Console(file=Closed()))
    report, picture = tmp_path / "report.json", tmp_path / "end.png"
    main(["evaluate", files[0], *FEW, "--json", str(report)])
    main(["watch", files[0], "--record", str(picture)])
    assert json.loads(report.read_text())["env_id"] == "RandRecall-v0"
    assert picture.is_file()


def test_watch_and_evaluate_name_the_same_worst_layout(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = load_agent(files[0])
    report = evaluate(agent, rng_seed=3, votes=())
    _, worst = worst_layout(agent, 3)
    assert worst.layout == report.worst.layout
    assert worst.estimate == report.worst.estimate
    picture = str(tmp_path / "end.png")
    assert (
        main(["watch", files[0], "--layout", "worst", "--rng-seed", "3", "--record", picture]) == 0
    )
    printed = capsys.readouterr().out
    assert json.dumps(worst.layout) in printed
    assert f"{100 * worst.estimate:.1f} %" in printed


def test_a_solution_file_plays_the_optimal_mix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "patrol.json"
    solve_task(PatrolTask()).save(file)
    assert main(["evaluate", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "RandPatrol-v0: success" in printed
    worst = next(line for line in printed.splitlines() if line.startswith(" worst layout"))
    low, high = re.findall(r"([\d.]+) to ([\d.]+) %", worst)[0]
    assert float(low) <= 60.0 <= float(high)


def test_devices_are_of_agents_and_there(
    agents: dict[str, Path], failing: Callable[[list[str]], str]
) -> None:
    for name in ("abacus", "meta"):
        said = failing(["evaluate", str(agents["recall"]), "--device", name])
        assert said == f"error: the device '{name}' cannot be used here: there is cpu"
    said = failing(["evaluate", "grid", "--player", "random", "--device", "cuda"])
    assert said == "error: --device is for agents and models: random needs no more than a CPU"
