"""What the benchmark is asked for is checked before it trains anything."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.suite.main import Arguments

HEAVY = ("torch", "numba", "stable_baselines3", "scipy.stats", "matplotlib", "pygame")
ANSWERS = {
    "--help": (0, "--preset --tasks --experiments --runs --verify"),
    "--runs 0": (2, "--runs must be an integer of at least 1, got 0"),
    "--tasks gird": (2, "gird"),
    "--experiments recal": (2, "not recal"),
    "--tasks grid --experiments recall": (2, "none of recall is an experiment on grid"),
}
PROGRAM = f"""
import runpy, sys
sys.path.insert(0, "benchmarks")
try:
    runpy.run_path("benchmarks/run.py", run_name="__main__")
finally:
    print("HEAVY", *(name for name in {HEAVY!r} if name in sys.modules))
"""


@pytest.mark.parametrize("words", list(ANSWERS))
def test_an_answer_waits_for_nothing_heavy_and_fits_a_screen(words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words.split()],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    code, said = ANSWERS[words]
    assert done.returncode == code
    *lines, last = done.stdout.splitlines()
    assert last == "HEAVY"
    lines += done.stderr.splitlines()
    assert len(lines) <= 40
    flat = " ".join(" ".join(lines).replace("│", " ").split())
    assert said in flat if code else all(word in flat for word in said.split())


@pytest.mark.parametrize("option", [{"runs": 0}, {"processes": -1}, {"rng_seed": -1}])
def test_numbers_out_of_range_are_refused(option: dict[str, Any]) -> None:
    [name] = option
    with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} must be an integer"):
        Arguments(**option)


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text("precious")
    with pytest.raises(ValueError, match="is not a folder"):
        Arguments(out=file)
    assert Arguments(out=tmp_path / "new" / "folder").runs is None
