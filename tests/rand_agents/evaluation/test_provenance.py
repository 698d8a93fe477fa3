"""What results say of their making, where there is a repository and where there is none."""

import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rand_agents.evaluation import provenance
from rand_agents.evaluation.provenance import code_version, machine

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no repository")
def test_the_revision_is_the_repositorys() -> None:
    told = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True)
    assert code_version()["revision"] == told.stdout.decode().strip()


def test_libraries_are_those_that_run() -> None:
    found = machine()
    assert (found["torch"], found["numpy"]) == (version("torch"), np.__version__)
    assert found["cpu"]


@pytest.mark.parametrize("error", [FileNotFoundError(), subprocess.CalledProcessError(128, "git")])
def test_without_git_there_is_no_revision(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert provenance._revision() is None


def test_what_is_not_installed_has_no_version() -> None:
    assert provenance._version("no-such-thing") is None
