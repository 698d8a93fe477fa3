"""Who survives the worst pole: SB3's PPO, or a policy trained on the q-norm over poles?

python benchmarks/robust_cartpole.py

An adversary picks pole, cart and first push of CartPole-v1 (benchmarks/suite/pushed_pole.py).
PPO trains on uniformly drawn ones; PEPG on the q-norm over those of each generation. Both are
scored alike: the worst layout is searched for, and played again on fresh starts.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from stable_baselines3 import PPO

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.suite.pushed_pole import pushed_pole
from rand_agents import PEPG, ObjectiveConfig, PEPGConfig, SearchConfig, evaluate
from rand_envs import LayoutWrapper
from rand_envs.core.plain import plain_where_needed


@dataclass(frozen=True)
class Options:
    """How long both train, and how hard the adversary searches.

    Attributes:
        ppo_steps: Environment steps of PPO.
        generations: Generations of PEPG.
        q: Exponent of the norm over layouts; 1 is the mean.
        layouts: Layouts drawn to score a policy; the search starts from the worst of them.
        search_rounds: Rounds of the search.
        rng_seed: Determines both trainings.
    """

    ppo_steps: int = 100_000
    generations: int = 40
    q: float = 8.0
    layouts: int = 100
    search_rounds: int = 10
    rng_seed: int = 0


def main() -> None:
    plain_where_needed()
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)
    env = pushed_pole()
    start = time.perf_counter()
    ppo = PPO("MlpPolicy", env, seed=options.rng_seed, device="cpu").learn(options.ppo_steps)
    say("PPO, mean", ppo, env, options, time.perf_counter() - start)
    search = SearchConfig(population=64, learning_rate=0.1, std=0.3, std_learning_rate=0.1)
    config = PEPGConfig(ObjectiveConfig(q=options.q), search, m=1, batch_size=16)
    start = time.perf_counter()
    pepg = PEPG("MlpPolicy", env, config, rng_seed=options.rng_seed).learn(options.generations)
    say(f"PEPG, {options.q:g}-norm", pepg, env, options, time.perf_counter() - start)


def say(name: str, policy: Any, env: LayoutWrapper, options: Options, seconds: float) -> None:
    report = evaluate(
        policy,
        env if isinstance(policy, PPO) else None,
        layouts=options.layouts,
        num_seeds=8,
        num_fresh_seeds=64,
        votes=(),
        search_rounds=options.search_rounds,
        rng_seed=10_000 + options.rng_seed,
    )
    low, high = report.worst.ci95
    print(
        f"{name}: return {report.average.estimate:.0f} on average, {report.worst.estimate:.0f} "
        f"[{low:.0f}, {high:.0f}] on the worst layout found, after {seconds:.0f} s\n"
        f"  {report.worst.layout}",
        flush=True,
    )


if __name__ == "__main__":
    main()
