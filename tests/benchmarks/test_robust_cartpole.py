"""The example that ships: whose policy survives the worst pole?"""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.suite.pushed_pole import LONGEST, POLES, pushed_pole
from rand_agents import evaluate

ROOT = Path(__file__).parents[2]


def test_both_policies_are_scored_on_the_worst_layout_found() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "robust_cartpole.py")]
    sizes = ["--ppo-steps", "64", "--generations", "1", "--layouts", "4", "--search-rounds", "1"]
    said = subprocess.run([*command, *sizes], check=True, capture_output=True, text=True).stdout
    scores = re.findall(r"return (\d+) on average, (\d+) \[(\d+), (\d+)\] on the worst", said)
    assert len(scores) == 2
    for average, worst, low, high in (map(int, found) for found in scores):
        assert 0 < low <= worst <= high <= LONGEST
        assert worst <= average + 20
    assert said.count("'length'") == 2


def test_the_adversary_finds_what_a_policy_cannot_hold() -> None:
    """Pushing towards the side that the pole leans to holds a plain pole, but not every one."""

    def lean(observation: np.ndarray) -> int:
        return int(observation[2] + 0.3 * observation[3] + 0.05 * observation[1] > 0)

    report = evaluate(
        lean,
        pushed_pole(),
        layouts=20,
        num_seeds=2,
        num_fresh_seeds=8,
        votes=(),
        search_rounds=1,
        search_starts=1,
    )
    assert report.average.estimate > 100
    assert report.worst.estimate < report.average.estimate / 2
    assert POLES.validate(report.worst.layout)
    plain = {"length": 0.5, "mass": 0.1, "cart": 1.0, "push": 0.0}
    env = pushed_pole(layouts=plain)
    env.reset(seed=0)
    assert env.get_wrapper_attr("total_mass") == pytest.approx(1.1)
