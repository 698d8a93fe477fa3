"""`predict`, step by step in Gymnasium's environments, does what `play` does on batches."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from rand_agents import QNorm, SeedSpec, TransformerConfig
from rand_agents.agents.agent import Agent
from rand_agents.games.registry import game_for, task_of
from rand_envs.core.arrays import Array
from rand_envs.core.streams import Stream, generator
from tests.rand_agents.games.strangers import ACTIONS, OBSERVATIONS
from tests.rand_agents.games.test_rollout import shaken

TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "patrol": ("RandPatrol-v0", {"graph": ("star", 4), "horizon": 4, "attack_duration": 2}),
    "paging": ("RandPaging-v0", {"num_pages": 4, "num_requests": 5}),
    "recall": ("RandRecall-v0", {"num_pairs": 3, "value_bits": 2}),
    "grid": ("RandGrid-v0", {"size": (2, 3), "start": (0, 1), "horizon": 4, "num_episodes": 3}),
    "one shot": ("test/Penalty-v0", {}),
    **{
        f"{seen} to {asked}": ("test/Automaton-v0", {"seen": seen, "asked": asked, "max_steps": 6})
        for seen in OBSERVATIONS
        for asked in ACTIONS
    },
}
NUM = 12
"""How many (layout, seed) pairs are played."""


def random_agent(name: str, policy: Any) -> Agent[Any]:
    env_id, config = TASKS[name]
    task = task_of(env_id, config)
    shape = policy
    if policy in ("every", "first"):
        game = game_for(task)
        shape = TransformerConfig(
            game.token_dim, game.output_dim, 3, seed_placement=policy, attention="softmax"
        )
        if policy == "every" and name == "grid":
            pytest.skip("the grid takes its seed as the first token")
    return shaken(QNorm(shape, task, seeds=SeedSpec(3, "gaussian")), 1, 1.0)


def layouts_and_seeds(agent: Agent[Any]) -> tuple[Array, Array]:
    layouts = agent.task.layout_space.sample(np.random.default_rng(0), NUM)
    return layouts, agent.draw_seeds(np.random.default_rng(5), NUM)


@pytest.mark.parametrize("policy", ["every", "first", "MlpPolicy"])
@pytest.mark.parametrize("name", TASKS)
def test_one_environment_after_the_other_is_what_play_says(name: str, policy: str) -> None:
    agent = random_agent(name, policy)
    layouts, seeds = layouts_and_seeds(agent)
    played = agent.play(layouts, seeds).outcome.diagonal()
    env_id, config = TASKS[name]
    env = gym.make(env_id, **config)
    given = iter(seeds)
    agent.draw_seeds = lambda rng, m: next(given)[None]  # type: ignore[method-assign]
    for layout, expected in zip(agent.task.layout_space.unpack(layouts), played, strict=True):
        observation, _ = env.reset(options={"layout": layout})
        state, ended = None, False
        while not ended:
            action, state = agent.predict(observation, state, deterministic=True)
            assert env.action_space.contains(action), action
            observation, _, ended, _, _ = env.step(action)
        assert env.get_wrapper_attr("outcome") == expected
    assert name == "one shot" or len(np.unique(played)) > 1


@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
@pytest.mark.parametrize("policy", ["every", "first", "MlpPolicy"])
@pytest.mark.parametrize("name", TASKS)
def test_environments_side_by_side_begin_again_where_each_ends(
    name: str, policy: str, mode: str
) -> None:
    agent = random_agent(name, policy)
    layouts, _ = layouts_and_seeds(agent)
    env_id, config = TASKS[name]
    values = agent.task.layout_space.unpack(layouts)
    envs: Any = gym.make_vec(
        env_id,
        NUM,
        vectorization_mode="vector_entry_point",
        **config,
        autoreset_mode=mode,
        layouts=values,
    )
    agent.set_random_seed(5)
    # All draw their first seeds together, and new ones where they begin again.
    again = generator(Stream.ACTING, 5)
    seeds = agent.draw_seeds(again, NUM)
    observations, _ = envs.reset()
    state, starts, ended_before = None, np.ones(NUM, bool), np.zeros(NUM, bool)
    total, length, episode = np.zeros(NUM), np.zeros(NUM, int), np.zeros(NUM, int)
    for _ in range(3 * agent.task.max_steps):
        if episode.any() and starts.any():
            drawn = agent.draw_seeds(again, int(starts.sum()))
            seeds = seeds.copy()
            seeds[starts] = drawn
        actions, state = agent.predict(observations, state, starts, deterministic=True)
        observations, rewards, ended, _, _ = envs.step(actions)
        counts = ~ended_before if mode == "NextStep" else np.ones(NUM, bool)
        total, length = total + rewards * counts, length + counts
        played = agent.play(layouts, seeds).outcome.diagonal()
        np.testing.assert_allclose(outcome_of(agent, total, length)[ended], played[ended])
        episode += ended
        total[ended], length[ended] = 0.0, 0
        # In the mode "NextStep" the last observation is shown, too; the answer to it is not used.
        starts = ended | ended_before if mode == "NextStep" else ended
        ended_before = ended
    assert episode.min() >= 2 if mode == "SameStep" else episode.min() >= 1


def outcome_of(agent: Agent[Any], total: Array, length: Array) -> Array:
    """What episodes with these returns and lengths reached."""
    if agent.task.unit == "steps":
        return length
    return total if agent.task.higher_is_better else -total


def test_an_episode_longer_than_the_longest_is_an_error_that_names_episode_start() -> None:
    agent = random_agent("patrol", "first")
    observation, state = np.array([4, 0]), None
    for _ in range(4):
        _, state = agent.predict(observation, state)
    with pytest.raises(ValueError, match="at most 4 tokens: pass episode_start=True"):
        agent.predict(observation, state)
    agent.predict(observation, state, np.array([True]))


def test_by_default_it_plays_as_it_is_evaluated() -> None:
    agent, observations = random_agent("patrol", "first"), np.array([[4, 0]] * 500)
    with torch.no_grad():
        agent.model.weights["read_out"].mul_(0.01)
    seeds = agent.draw_seeds(np.random.default_rng(0), 500)
    argmax, _ = agent.predict(observations, deterministic=True, seeds=seeds)
    default, _ = agent.predict(observations, seeds=seeds)
    sampled, _ = agent.predict(observations, deterministic=False, seeds=seeds)
    np.testing.assert_array_equal(default, argmax)
    assert (sampled != argmax).any()


def test_seeds_may_come_from_outside() -> None:
    agent, observation = random_agent("patrol", "first"), np.array([[4, 0]] * 3)
    dim = agent.seeds.dim
    seeds = np.random.default_rng(1).normal(size=(3, dim)).astype(np.float32)
    _, state = agent.predict(observation, seeds=seeds)
    np.testing.assert_array_equal(state.seeds, seeds)
    # Those of episodes that go on stay what they are.
    _, later = agent.predict(observation, state, np.array([False, True, False]), seeds=2 * seeds)
    np.testing.assert_array_equal(later.seeds, np.stack([seeds[0], 2 * seeds[1], seeds[2]]))
    _, one = agent.predict(observation, seeds=seeds[0])
    np.testing.assert_array_equal(one.seeds, np.stack([seeds[0]] * 3))
    before = agent._rngs["acting"].bit_generator.state
    agent.predict(observation, seeds=seeds)
    assert agent._rngs["acting"].bit_generator.state == before
    for wrong in (seeds[:2], seeds[:, 1:], seeds * np.nan):
        with pytest.raises(ValueError, match="seeds must be finite numbers of shape"):
            agent.predict(observation, seeds=wrong)
