"""The grid agents that come with the package: one policy, whichever way it is played."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.evaluation import evaluate_policy

from benchmarks.suite.job import MODELS
from rand_agents import evaluate, load_zoo
from rand_agents.agents.agent import Agent
from rand_agents.zoo import zoo_card
from rand_envs import Sweep
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play
from rand_envs.core.streams import Stream, generator
from rand_envs.core.task import Setting

ROUNDS = 3
"""How often every treasure is played, each time under another seed."""


@dataclass(frozen=True)
class WithSeeds:
    """An agent that evaluation can give no seeds but these."""

    agent: Agent[Any]
    drawn: Array

    @property
    def task(self) -> Setting[Any]:
        return self.agent.task

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        return np.resize(self.drawn, (m, *self.drawn.shape[1:]))

    def play(self, layouts: Array, seeds: Array) -> Play:
        return self.agent.play(layouts, seeds)


def vector_returns(agent: Agent[Any], layouts: Array, rng_seed: int) -> tuple[Array, Array]:
    """Returns and steps of playing each layout once in an environment of its own."""
    described = [layout.to_json() for layout in agent.task.layout_space.unpack(layouts)]
    env = gym.make_vec(
        "RandGrid-v0",
        num_envs=len(layouts),
        vectorization_mode="vector_entry_point",
        layouts=described,
        **agent.task.config,
    )
    agent.set_random_seed(rng_seed)
    observation, _ = env.reset(seed=0)
    state, alive = None, np.ones(len(layouts), bool)
    returns, steps = np.zeros(len(layouts)), np.zeros(len(layouts))
    for _ in range(agent.task.max_steps):
        actions, state = agent.predict(observation, state, None, deterministic=True)
        observation, reward, terminated, truncated, _ = env.step(actions)
        returns += reward * alive
        steps += alive
        alive &= ~(terminated | truncated)
        if not alive.any():
            return returns, steps
    raise AssertionError("an instance is longer than the game allows")


@pytest.mark.parametrize("model", ["adv-seeded", "erm-fixed"])
def test_every_way_to_play_gives_the_same_returns(model: str) -> None:
    agent = load_zoo(f"grid5-{model}")
    every = agent.task.layout_space.enumerate()
    layouts = np.tile(every, ROUNDS)
    env = gym.make("RandGrid-v0", layouts=Sweep(agent.task.layout_space))
    agent.set_random_seed(11)
    returns, lengths = evaluate_policy(
        agent,
        env,
        n_eval_episodes=len(layouts),
        deterministic=True,
        return_episode_rewards=True,
        warn=False,
    )
    stepped, steps = vector_returns(agent, layouts, 11)
    # Stable-Baselines3 adds the rewards up in float32.
    np.testing.assert_allclose(stepped, returns, atol=1e-6)
    np.testing.assert_array_equal(steps, lengths)

    seeds = agent.draw_seeds(generator(Stream.ACTING, 11), len(layouts))
    played = agent.play(every, seeds).outcome
    episode = np.arange(len(layouts))
    np.testing.assert_array_equal(played[episode % len(every), episode], lengths)

    report = evaluate(WithSeeds(agent, seeds), num_seeds=len(seeds), num_fresh_seeds=len(seeds))
    assert report.exhaustive
    assert report.average.estimate == pytest.approx(played.mean())
    assert report.worst.estimate == pytest.approx(played.mean(1).max())


@pytest.mark.parametrize("model", MODELS)
def test_a_shipped_agent_scores_what_its_card_says(model: str) -> None:
    agent, card = load_zoo(f"grid5-{model}"), zoo_card(f"grid5-{model}")
    assert agent.num_timesteps == card["updates"]
    # All the seeds that there are, so without any error; the card's figures are estimates.
    seeds = agent.seeds.every()
    assert seeds is not None
    steps = agent.play(agent.task.layout_space.enumerate(), seeds).outcome.mean(1)
    for exact, figure in ((steps.mean(), "average"), (steps.max(), "worst")):
        estimate, (low, high) = (card["scores"][figure][key] for key in ("estimate", "ci95"))
        assert exact == pytest.approx(estimate, abs=high - low + 1e-9)


def test_the_randomised_agent_is_the_safest_and_beats_the_paper() -> None:
    worst = {m: zoo_card(f"grid5-{m}")["scores"]["worst"]["estimate"] for m in MODELS}
    assert min(worst, key=worst.__getitem__) == "adv-seeded"
    # The paper's 95th percentile over cells; its worst cell is not given, and can only be worse.
    assert worst["adv-seeded"] < 27.5
    assert zoo_card("grid5-adv-seeded")["scores"]["average"]["estimate"] < 20.0
