"""Agents of every run, and what must fail."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rand_agents.__main__ import main
from tests.rand_agents.app.runs import TINY, run


@pytest.fixture(scope="session")
def agents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A trained agent file of every run."""
    folder = tmp_path_factory.mktemp("agents")
    files = {name: folder / f"{name}.safetensors" for name in TINY}
    for name, path in files.items():
        assert run(name, path) == 0
    return files


@pytest.fixture
def failing(capsys: pytest.CaptureFixture[str]) -> Callable[[list[str]], str]:
    """Runs a command that must fail, and returns its one sentence."""

    def fail(argv: list[str]) -> str:
        capsys.readouterr()
        try:
            code: Any = main(argv)
        except SystemExit as stop:
            code = stop.code
        assert code == 2
        said = capsys.readouterr().err
        assert "Traceback" not in said
        return " ".join(said.replace("│", " ").split())

    return fail
