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
    stream = io.TextIOWrapper(io.BytesIO(), "ascii", "strict")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    # They look for `suite` beside them, and one goes there and sets its threads.
    monkeypatch.syspath_prepend(script.parent)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    try:
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(script), run_name="__main__")
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "suite"]:
            del sys.modules[name]
    assert ended.value.code in (0, None)
    stream.write("≤ ▁▂█")
    stream.flush()
    shown = stream.buffer.getvalue()  # type: ignore[attr-defined]
    assert b"usage" in shown.lower()
    assert shown.endswith(b"<= _.#")
