"""Make what is committed of a benchmark: results/PRESET, from the runs that a benchmark left.

python benchmarks/publish.py --preset quick [--runs out/quick]

results.json keeps what it says of runs by the same recipe that were made elsewhere.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from .experiments import PRESETS, Preset
from .main import default_out, write_outputs


@dataclass(frozen=True)
class Arguments:
    """Make results/PRESET, which is committed, from the runs that a benchmark left.

    Attributes:
        preset: Of the benchmark.
        runs: Its folder; out/PRESET by default.
        to: Where to; results/PRESET by default.
        rng_seed: What it was run with.
    """

    preset: Preset = "quick"
    runs: Path | None = None
    to: Path | None = None
    rng_seed: int = 0


def main() -> int:
    arguments = tyro.cli(Arguments, description=__doc__)
    runs = arguments.runs or default_out(arguments.preset)
    console = Console(width=200)
    try:
        made = json.loads((runs / "results.json").read_text())
    except OSError:
        console.print(f"error: there is no {runs / 'results.json'}: run the benchmark first")
        return 2
    write_outputs(
        PRESETS[arguments.preset],
        arguments.to or Path("results") / arguments.preset,
        console,
        preset=arguments.preset,
        rng_seed=arguments.rng_seed,
        seconds=made["seconds"],
        zoo=made["zoo"],
        runs=runs,
    )
    return 0
