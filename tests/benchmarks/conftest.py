"""What several tests of the benchmark look at, made once."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.suite.benchmark import write_outputs
from benchmarks.suite.job import jobs

from .tiny import TINY_PAPER, finish


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, str]:
    """Folder, results and printed tables of all the paper's experiments at tiny sizes."""
    out = tmp_path_factory.mktemp("paper")
    finish(jobs(TINY_PAPER, 0), out)
    console = Console(record=True, width=140, file=(out / "printed.txt").open("w"))
    write_outputs(TINY_PAPER, out, console, preset="paper", rng_seed=0, seconds=1.0)
    return out, json.loads((out / "results.json").read_text()), console.export_text()
