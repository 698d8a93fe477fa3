"""What comes of faults: python tests/faults.py [--short] [--rng-seed K]

Runs are killed at random moments and started again, disks are full at every write, folders are
read-only, two processes write to one place, and files of every kind are cut and have bits flipped.
Each outcome must be the result of an undisturbed run, to the bit, or a sentence that refuses; any
other is silently wrong, and makes the exit code 1. Linux. The long form takes about ten minutes of
an idle core, and --short, which a test runs, some seconds.
"""

import os

# One thread: processes are forked.
os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

if __name__ == "__main__":
    # Instead of the folder of tests, which has a `benchmarks` of its own.
    sys.path[0] = str(Path(__file__).parents[1])

from tests.fault_kinds import damage, kills, writes
from tests.fault_kinds.subjects import (
    COMMANDS,
    TRAINERS,
    job_of_benchmark,
    load_all,
    report_of_benchmark,
    trained_by_command,
    trained_in_library,
    whole_benchmark,
)
from tests.fault_kinds.trial import Tally


@dataclass(frozen=True)
class Arguments:
    """What comes of faults.

    Attributes:
        short: Some of each kind, without the whole benchmark.
        rng_seed: Determines the moments and the bits.
    """

    short: bool = False
    rng_seed: int = 0


def tallies(folder: Path, short: bool, rng: np.random.Generator) -> Iterator[Tally]:
    """Try every kind of fault."""
    job = job_of_benchmark()
    some = list(COMMANDS)[:1] if short else list(COMMANDS)
    counter = iter(range(10**6))

    def new() -> Path:
        return folder / str(next(counter))

    for name in some:
        yield kills.killed(trained_by_command(name), new(), 3 if short else 30, rng)
    for name in [] if short else list(TRAINERS):
        yield kills.killed(trained_in_library(name), new(), 15, rng)
    yield kills.killed(job, new(), 2 if short else 40, rng)
    for name in some:
        # Each of its writes is three calls.
        yield writes.disk_full(trained_by_command(name), new(), 30, 12 if short else 1)
    for kind, path, read in damage.kinds(folder, job.finished()):
        yield damage.damaged(kind, path, read, folder, 8 if short else 500, rng)
    if not short:
        command = trained_by_command(some[0])
        yield writes.file_size_limit(command, new(), [1000, 2000, 4000, 8000, 16_000])
        yield writes.read_only(command, new())
        yield writes.two_at_once(command, new(), 10)
        yield from _of_the_benchmark(new, rng)


def _of_the_benchmark(new: Callable[[], Path], rng: np.random.Generator) -> Iterator[Tally]:
    """With processes of its own, which take seconds to start."""
    whole = whole_benchmark()
    yield kills.killed(whole, new(), 10, rng)
    yield kills.lost_workers(whole, new(), 2)
    yield writes.two_at_once(whole, new(), 1)
    report = report_of_benchmark(whole.finished())
    yield writes.read_only(report, new())
    yield writes.disk_full(report, new(), 20)


def print_table(found: list[Tally], console: Console) -> None:
    """Print what came of each kind, and of all."""
    table = Table(box=None, pad_edge=False)
    table.add_column("kind", no_wrap=True)
    for column in ("tried", "equal", "refused", "silent wrong"):
        table.add_column(column, justify="right")
    for tally in found:
        counts = (tally.tried, tally.equal, tally.refused, len(tally.wrong))
        table.add_row(tally.kind, *map(str, counts))
    sums = [
        sum(each.tried for each in found),
        sum(each.equal for each in found),
        sum(each.refused for each in found),
        sum(len(each.wrong) for each in found),
    ]
    table.add_row("all", *map(str, sums), style="bold")
    console.print(table)


def main(arguments: Arguments) -> int:
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    load_all()
    console = Console(width=100, markup=False, highlight=False)
    start = time.monotonic()
    found: list[Tally] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        # Who owns nothing looks into it, too.
        folder.chmod(0o755)
        for tally in tallies(folder, arguments.short, np.random.default_rng(arguments.rng_seed)):
            found.append(tally)
            print(
                f"{tally.kind}: {tally.tried} tried, {time.monotonic() - start:.0f} s", flush=True
            )
            for why in dict.fromkeys(tally.wrong):
                console.print(f"  wrong: {why}", soft_wrap=True)
    print_table(found, console)
    return int(any(tally.wrong for tally in found))


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Arguments, description=__doc__)))
