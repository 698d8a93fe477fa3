"""Check and measure what runs on a Ray cluster.

    python benchmarks/cluster.py killed [--preset quick] [--out DIR]
    python benchmarks/cluster.py evolution

The first trains a preset by processes of this machine, then on a local Ray where a worker is killed
in the middle, and compares: the exit code is 1 where a result differs. The second measures
generations of PEPG by 1, 2 and 4 actors, and prints the table of docs/cluster.md.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import tyro  # noqa: E402
from rich.console import Console  # noqa: E402

from benchmarks.suite.experiments import Preset, select  # noqa: E402
from benchmarks.suite.job import TASKS, jobs  # noqa: E402
from benchmarks.suite.killed import compare  # noqa: E402
from benchmarks.suite.timing.actors import SIZES, measure_all, table  # noqa: E402
from rand_envs.core.plain import plain_where_needed  # noqa: E402


def killed(preset: Preset = "quick", out: Path = Path("out/killed"), processes: int = 2) -> int:
    """Train a preset twice, once with a worker killed, and compare.

    Args:
        preset: Which.
        out: A new folder for both results.
        processes: Training runs at a time.
    """
    try:
        equal = compare(jobs(select(preset, tuple(TASKS)), 0), out, processes, Console())
    except OSError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0 if equal else 1


def evolution() -> int:
    """Measure generations of PEPG by actors."""
    sys.stdout.write(table(SIZES, measure_all()))
    return 0


if __name__ == "__main__":
    plain_where_needed()
    commands = {"killed": killed, "evolution": evolution}
    sys.exit(tyro.extras.subcommand_cli_from_dict(commands, description=__doc__))
