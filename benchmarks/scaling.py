"""Measure how costs grow, and write docs/scaling.md.

    python benchmarks/scaling.py [--out FILE]

A few minutes on one core.
"""

import argparse
import os
import platform
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

from rich.progress import track  # noqa: E402

from benchmarks.suite.timing.scaling import CURVES, measure_all, rows  # noqa: E402
from rand_envs.core.plain import plain_where_needed  # noqa: E402

PAGE = """# Costs as work grows

Made by `python benchmarks/scaling.py` on one core of {machine}: processor time of one step, and
the memory that the step and what it is taken by add to a process that has imported everything, a
process for each row. Each curve changes one size and keeps the others: recall 20 pairs of 5 bits,
m = 30, 512 layouts, as in the paper; the grid 4 x 4, all treasures, 100 candidates, 10 seeds. A
step of environments is a hundred steps of 1,024 grids of 5 x 5 side by side, random actions,
resets included.

A curve bends where its size begins to cost: below, a step pays for calls whatever the size; from
there on it pays for the work. Work in proportion costs 2.0 times as much at twice the size.

| what grows | to | ms a step | MiB | where it bends |
|---|---|---|---|---|
{table}

- **Seeds and layouts** are the rows of one batch. With more seeds than `seeds_at_once` a step takes
  them in parts: a second pass, and memory that no longer grows with m.
- **Pairs** lengthen the sequence, whose attention is linear, and each token by the key's one-hot.
- **The side of a grid** counts several times: in treasures, in the horizon, and in what a policy
  must remember.
- **Width of a policy** costs most: products of matrices grow with its square at least.
- **Memory** starts high, as machine code and what loads it counts; what grows beyond the first rows
  is the work's own.
- **Environments** side by side share the price of the calls until there are hundreds of them;
  then each costs the same until their states no longer fit in the cache.
"""


def main() -> None:
    plain_where_needed()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = HERE.parent / "docs" / "scaling.md"
    parser.add_argument("--out", type=Path, default=default, help="default docs/scaling.md")
    out = parser.parse_args().out
    table: list[str] = []
    for curve, points in zip(track(CURVES, "curves"), measure_all(CURVES), strict=True):
        table += rows(curve, points)
    machine = platform.processor() or platform.machine()
    page = PAGE.format(machine=machine, table="\n".join(table))
    out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
