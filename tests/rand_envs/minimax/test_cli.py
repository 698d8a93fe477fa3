import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace as Done
from typing import Any

import numpy as np
import pytest

from rand_envs import minimax
from rand_envs.minimax.__main__ import main

Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line here, as a shell sees it."""

    def in_this_process(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["rand_envs.minimax", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        if isinstance(code, str):  # which the interpreter prints, and returns 1
            return Done(returncode=1, stdout=said.out, stderr=said.err + code)
        return Done(returncode=code, stdout=said.out, stderr=said.err)

    return in_this_process


def test_the_grid_command_prints_value_bracket_and_treasure_and_writes_what_verifies(
    tmp_path: Path, run: Run
) -> None:
    file = tmp_path / "solution.json"
    done = run("grid", "--size", "4", "--out", str(file))
    assert done.returncode == 0
    assert "12.086957" in done.stdout
    assert "bracket" in done.stdout
    assert "0.3913" in done.stdout
    assert "start" in done.stdout
    assert "strategies" in done.stderr
    checked = run("verify", str(file))
    assert checked.returncode == 0
    assert "verified" in checked.stdout


def test_bad_input_is_one_sentence() -> None:
    command = [sys.executable, "-m", "rand_envs.minimax", "grid", "--size", "3"]
    command += ["--walls", "0,1", "1,0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("the walls cut off 6 of 7")
    assert "Traceback" not in done.stderr


def test_any_small_task_is_solved_and_its_file_verifies(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "line.json"
    graph = '{"graph": ["line", 4]}'
    done = run("task", "RandPatrol-v0", "--arguments", graph, "--out", str(file))
    assert done.returncode == 0
    assert "value 0.5 (success)" in done.stdout
    checked = run("verify", str(file))
    assert checked.returncode == 0
    assert "lower 0.5, upper 0.5" in checked.stdout
    changed = file.read_text().replace('"lower":0.5', '"lower":0.6')
    file.write_text(changed)
    damaged = run("verify", str(file))
    assert (damaged.returncode, "is damaged" in damaged.stderr) == (1, True)
    # A file from before there were checksums.
    older = json.loads(changed)
    del older["sha256"]
    file.write_text(json.dumps(older))
    rejected = run("verify", str(file))
    assert (rejected.returncode, "not verified" in rejected.stdout) == (1, True)


def test_the_least_regret_of_a_task_is_solved_too(run: Run) -> None:
    done = run("task", "RandPaging-v0", "--arguments", '{"num_requests": 4}', "--regret")
    assert "value 0.75 (regret)" in done.stdout


def test_what_cannot_be_solved_is_one_sentence(run: Run) -> None:
    for arguments, sentence in (
        (["RandRecall-v0"], "a game is solved exactly with at most 20000 layouts"),
        (["Nope-v0"], "the task must be one of RandColoring-v0, RandGrid-v0"),
        (["Nope-v0", "--import", "no_such"], "the module no_such cannot be imported"),
        (["RandPatrol-v0", "--arguments", "{"], "must be a JSON object of them"),
        (["RandPatrol-v0", "--arguments", '{"a": 1}'], "unexpected keyword argument 'a'"),
        (["RandPatrol-v0", "--arguments", "[1]"], "must be a JSON object of them"),
    ):
        done = run("task", *arguments)
        assert done.returncode == 1
        assert sentence in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr


def test_a_log_gets_a_few_lines_and_no_bar(run: Run) -> None:
    done = run("grid", "--size", "3")
    [line] = done.stderr.splitlines()
    assert "bracket 8.000000 to 8.000000" in line
    assert "\r" not in done.stderr


def test_the_command_alone_is_its_help() -> None:
    command = [sys.executable, "-m", "rand_envs.minimax"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("grid", "bracket", "task", "verify"))


def test_numbers_and_files_are_checked_before_anything_is_solved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    for solver in ("solve_search_game", "bracket_search_game", "solve_task"):
        monkeypatch.setattr(minimax, solver, lambda *_, **__: pytest.fail("it solved"))
    there = tmp_path / "there.json"
    there.write_text("precious")
    for command in ("grid --size 3", "bracket --size 3", "task RandPatrol-v0"):
        for out, sentence in (
            (there, "exists: add --overwrite to replace it"),
            (tmp_path, "is a folder"),
            ("/dev/null/file.json", "/dev/null is not a folder"),
        ):
            done = run(*command.split(), "--out", str(out))
            assert done.returncode == 1
            assert sentence in done.stderr
    for size in ("-1", "0", "1000"):
        assert "--size must be an integer from 1 to 100" in run("grid", "--size", size).stderr
        assert "--size must be" in run("bracket", "--size", "3", size).stderr
    assert there.read_text() == "precious"


def test_a_grid_too_large_for_the_solver_is_sent_to_the_command_that_takes_it(run: Run) -> None:
    assert "on the command line bracket instead of grid" in run("grid", "--size", "6").stderr


def test_a_bracket_is_printed_saved_and_verified(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bracket.json"
    monkeypatch.setattr("rand_envs.minimax.progress.PATIENCE", 0.0)
    done = run(
        "bracket", "--size", "2", "3", "--walls", "1,1", "--seconds", "60", "--out", str(file)
    )
    assert done.returncode == 0
    walls = np.zeros((2, 3), bool)
    walls[1, 1] = True
    found = json.loads(file.read_text())
    assert found["lower"] <= minimax.solve_search_game((2, 3), walls).value <= found["upper"]
    assert f"at most          │ {found['upper']:.6f} steps over 2 episodes" in done.stdout
    assert "│ start  │ " in done.stdout
    assert " │ wall   │ " in done.stdout
    assert "s left" in done.stderr
    assert f"written to {file}" in done.stdout
    checked = run("verify", str(file))
    assert "verified" in checked.stdout.splitlines()


def test_sizes_and_walls_are_checked(run: Run) -> None:
    for words, sentence in {
        "--size 1 2 3": "--size takes one or two numbers, got 3",
        "--size 3 --walls 1;1": "a wall must be written row,column, got '1;1'",
        "--size 3 --walls 1,1,1": "a wall must be written row,column, got '1,1,1'",
        "--size 2 3 --walls 1,3": "the wall 1,3 must be inside the 2 x 3 grid",
    }.items():
        done = run("bracket", *words.split())
        assert (done.returncode, done.stderr) == (1, f"error: {sentence}")


def test_who_interrupts_before_there_is_a_bracket_gets_no_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(minimax, "solve_task", interrupted)
    done = run("task", "RandPatrol-v0")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (130, "interrupted")


def test_a_folder_is_no_solution_file(tmp_path: Path, run: Run) -> None:
    done = run("verify", str(tmp_path))
    assert done.returncode == 1
    assert "is a folder: give a solution file in it" in done.stderr
    done = run("verify", str(tmp_path / "nothing.json"))
    assert (done.returncode, "there is no solution file" in done.stderr) == (1, True)
