"""Whatever a stream's encoding, text reaches it, and no command ends in an encode error."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rand_envs.core.plain import NAME, PLAIN, UNREAD, plain_where_needed


def written(encoding: str, text: str, monkeypatch: pytest.MonkeyPatch, errors: str) -> bytes:
    held = io.BytesIO()
    stream = io.TextIOWrapper(held, encoding, errors)
    monkeypatch.setattr(sys, "stdout", stream)
    plain_where_needed()
    stream.write(text)
    stream.flush()
    return held.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "utf-8"])
def test_every_encoding_gets_text(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "≤ 38.1 % ▁▂█ … ╭─╮│ 日本 é"
    seen = written(encoding, text, monkeypatch, "strict").decode(encoding)
    assert "38.1 %" in seen
    if encoding == "utf-8":
        assert seen == text
    if encoding == "ascii":
        assert seen == "<= 38.1 % _.# ... +-+| ?? e"
    if encoding == "cp1252":
        assert seen == "<= 38.1 % _.# … +-+| ?? é"


def test_bytes_of_a_file_name_stay_and_wishes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    name = b"f\xff".decode("ascii", "surrogateescape")
    assert written("ascii", f"{name} ≤", monkeypatch, "surrogateescape") == b"f\xff <="
    assert written("ascii", "≤", monkeypatch, "ignore") == b""


def test_what_cannot_be_read_is_no_matter_of_output() -> None:
    plain_where_needed()
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", NAME)


def test_what_stands_in_is_plain() -> None:
    assert all(text.isascii() for text in PLAIN.values())


@pytest.mark.parametrize(
    "command", ["-m rand_agents", "-m rand_envs.minimax", "benchmarks/run.py --help"]
)
def test_a_reader_who_leaves_is_told_nothing(command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, *command.split()],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (UNREAD, "")
