"""The commands of the benchmarks."""

import io
import os
import runpy
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_every_command_writes_to_streams_of_any_encoding(
    script: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held = io.BytesIO()
    stream = io.TextIOWrapper(held, "ascii", "strict")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    # They look for `benchmarks` above them, and some set their threads.
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code in (0, None)
    stream.write("≤ ▁▂█")
    stream.flush()
    shown = held.getvalue()
    assert b"usage" in shown.lower()
    assert shown.endswith(b"<= _.#")
