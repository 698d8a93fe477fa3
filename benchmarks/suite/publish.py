"""Make what is committed of a benchmark: results/PRESET, from the runs that a benchmark left.

python benchmarks/publish.py --preset quick [--runs out/quick]

results.json keeps what it says of runs by the same recipe that were made elsewhere.
"""

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from rand_envs.core.plain import plain_where_needed
from rand_envs.core.sealed import read_json

from .benchmark import write_outputs
from .experiments import PRESETS, Preset
from .main import default_out

PROVENANCE = ("machine", "code", "command")
"""Of the benchmark, not of making its files again."""


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
    plain_where_needed()
    arguments = tyro.cli(Arguments, description=__doc__)
    runs = arguments.runs or default_out(arguments.preset)
    console = Console(width=200, markup=False)
    try:
        made = read_json(runs / "results.json")
        write_outputs(
            PRESETS[arguments.preset],
            arguments.to or Path("results") / arguments.preset,
            console,
            preset=arguments.preset,
            rng_seed=arguments.rng_seed,
            seconds=made["seconds"],
            zoo=made["zoo"],
            runs=runs,
            provenance={name: made.get(name) for name in PROVENANCE},
        )
    except (ValueError, OSError) as error:
        console.print(f"error: {error}", soft_wrap=True)
        return 2
    return 0
