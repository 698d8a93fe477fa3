"""The example that ships: whose policy survives the worst pole?"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.suite.pushed_pole import LONGEST, POLES, pushed_pole
from rand_agents import Report, evaluate
from rand_agents.evaluation.players import as_player
from rand_envs.adversaries.search import badness, climb

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

    def score(layouts: Any) -> Report:
        few: Any = {"num_seeds": 2, "num_fresh_seeds": 8, "votes": (), "search_rounds": 0}
        return evaluate(lean, pushed_pole(), layouts=layouts, **few)

    player, rng = as_player(lean, pushed_pole()), np.random.default_rng(0)
    plain = POLES.pack([{"length": 0.5, "mass": 0.1, "cart": 1.0, "push": 0.0}])
    seeds = player.draw_seeds(rng, 2)
    scores = badness(player, plain, seeds)
    assert scores == -LONGEST
    found = climb(player, plain, scores, rng, seeds=seeds, rounds=10, beam=4, children=4)
    average, report = score(20).average.estimate, score(found.layouts[:1])
    assert average > 100
    assert report.worst.estimate < average / 2
    assert POLES.validate(report.worst.layout)


def test_a_layout_is_what_the_cart_gets() -> None:
    env = pushed_pole(layouts={"length": 0.5, "mass": 0.1, "cart": 1.0, "push": 0.0})
    env.reset(seed=0)
    assert env.get_wrapper_attr("total_mass") == pytest.approx(1.1)
