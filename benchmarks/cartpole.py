"""PEPG on an ordinary Gymnasium environment: train, then score with Stable-Baselines3.

python benchmarks/cartpole.py
python benchmarks/cartpole.py --policy SeedTransformer --generations 60
"""

import time
from dataclasses import dataclass
from typing import Literal

import gymnasium as gym
import torch
import tyro
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor

from rand_agents import PEPG
from rand_envs.core.plain import plain_where_needed


@dataclass(frozen=True)
class Options:
    """PEPG with its default options, once for each rng seed.

    Attributes:
        env: A registered id.
        policy: "MlpPolicy", or "SeedTransformer", which sees the whole episode.
        generations: Generations of a run.
        runs: Runs, with rng seeds 0, 1, ...
        episodes: Episodes that score a run, other than those it was trained on.
    """

    env: str = "CartPole-v1"
    policy: Literal["MlpPolicy", "SeedTransformer"] = "MlpPolicy"
    generations: int = 30
    runs: int = 3
    episodes: int = 100


def main() -> None:
    plain_where_needed()
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)
    for rng_seed in range(options.runs):
        start = time.perf_counter()
        agent = PEPG(options.policy, options.env, rng_seed=rng_seed).learn(options.generations)
        seconds = time.perf_counter() - start
        env = Monitor(gym.make(options.env))
        env.reset(seed=10_000 + rng_seed)
        mean, spread = evaluate_policy(agent, env, options.episodes, deterministic=True)
        print(
            f"{options.policy} on {options.env}, rng seed {rng_seed}: return {mean:.1f} "
            f"+- {spread:.1f} over {options.episodes} episodes after "
            f"{options.generations} generations in {seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
