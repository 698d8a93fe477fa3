"""Files of every kind, cut at each percent and with single bits flipped."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.suite.checkpoint import Checkpoint
from benchmarks.suite.earlier import Earlier
from rand_agents.training.loading import load_agent
from rand_agents.zoo import FOLDER
from rand_envs.core.sealed import read_json
from rand_envs.minimax import SearchGameSolution, TaskSolution, solve_task

from .subjects import GRID, TRAINERS, determined, tiny_job
from .trial import Tally

ROOT = Path(__file__).parents[2]

Reader = Callable[[Path], Any]
"""Reads a file into what can be compared; ValueError where it is refused."""


def _agent(path: Path) -> Any:
    contents = load_agent(path).contents()
    return {k: t.numpy().tobytes() for k, t in contents.tensors.items()}, contents.facts


def _checkpoint(path: Path) -> Any:
    found = Checkpoint(path, tiny_job().training_fingerprint).load()
    if found is None:
        raise AssertionError(f"{path} is silently taken for none")
    return found[0].contents().facts, determined(vars(found[1]))


def _earlier(path: Path) -> Any:
    return Earlier.read(path, "quick", 0).points


def kinds(folder: Path, finished_job: Path) -> Iterator[tuple[str, Path, Reader]]:
    """A file of each kind, and how it is read.

    Args:
        folder: Where they are written.
        finished_job: The folder of a job that has ended.
    """
    yield "agent", TRAINERS["QNorm, exact gradient"]().learn(3).save(folder / "agent"), _agent
    yield "zoo's agent", FOLDER / "recall20-adv-seeded.safetensors", _agent
    (checkpoint,) = (finished_job / "agents").glob("*.safetensors")
    yield "checkpoint of a benchmark", checkpoint, _checkpoint
    (run,) = (finished_job / "runs").glob("*.json")
    yield "result of a run", run, read_json
    yield "card", FOLDER / "grid5-adv-seeded.json", read_json
    yield "results.json", ROOT / "results" / "quick" / "results.json", _earlier
    solution = solve_task(GRID)
    solution.save(folder / "task.json")
    yield "solution", folder / "task.json", lambda path: TaskSolution.load(path).to_json()
    shipped = ROOT / "rand_envs" / "minimax" / "grid" / "solutions" / "3x3.json"
    SearchGameSolution.load(shipped).save(folder / "grid.json")
    yield "grid solution", folder / "grid.json", lambda p: SearchGameSolution.load(p).to_json()


def damaged(
    kind: str, path: Path, read: Reader, folder: Path, flips: int, rng: np.random.Generator
) -> Tally:
    """Cut a file at each percent, and flip so many of its bits, one at a time."""
    tally = Tally(f"damaged: {kind}")
    data, expected = path.read_bytes(), read(path)
    copy = folder / f"damaged{path.suffix}"
    for percent in range(100):
        copy.write_bytes(data[: len(data) * percent // 100])
        _judge(tally, f"cut at {percent} %", read, copy, expected)
    for bit in map(int, rng.integers(0, 8 * len(data), flips)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        copy.write_bytes(changed)
        _judge(tally, f"bit {bit} flipped", read, copy, expected)
    return tally


def _judge(tally: Tally, what: str, read: Reader, path: Path, expected: Any) -> None:
    try:
        found = read(path)
    except ValueError as error:
        lines = str(error).count("\n") + 1
        if path.name in str(error) or lines == 1:
            tally.refused += 1
        else:
            tally.wrong.append(f"{what}: {error}")
    except Exception as error:
        tally.wrong.append(f"{what}: {error!r}")
    else:
        tally.note(found == expected, f"{what}: read as something else")
