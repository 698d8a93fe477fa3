"""Gymnasium environments with layouts: these, chance and the policy's seeds are three things."""

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import FlattenObservation, TimeLimit

from rand_agents import (
    PEPG,
    ObjectiveConfig,
    PEPGConfig,
    QNorm,
    QNormConfig,
    SearchConfig,
    SeedSpec,
    evaluate,
    load_agent,
)
from rand_agents.games.registry import environment_of, game_for, is_registered, task_of
from rand_envs import Layouts, LayoutWrapper
from rand_envs.core.arrays import Array
from tests.rand_agents.games.strangers import Corridor, Penalty

MEAN = QNormConfig(ObjectiveConfig(q=1.0), m=4, batch_size=None)
SMALL = PEPGConfig(
    ObjectiveConfig(q=1.0), SearchConfig(population=6, std=0.5), m=3, batch_size=None
)


def corridor(**config: Any) -> gym.Env[Any, Any]:
    return gym.make("test/Corridor-v0", **config)


def stepped(agent: Any, env: gym.Env[Any, Any], door: int, chance: int, seed: Array) -> float:
    """The return of an episode, played by hand."""
    observation, _ = env.reset(seed=chance, options={"layout": {"door": door}})
    ended, total, state = False, 0.0, None
    agent.draw_seeds = lambda rng, m: np.tile(seed, (m, 1))
    while not ended:
        action, state = agent.predict(observation, state, deterministic=True)
        observation, reward, terminated, truncated, _ = env.step(action)
        total, ended = total + float(reward), terminated or truncated
    del agent.draw_seeds
    return total


# Layouts and chance.


@pytest.mark.parametrize("policy", ["SeedTransformer", "MlpPolicy"])
def test_play_is_stepping_with_the_layout_and_the_chance_of_the_seed(policy: str) -> None:
    agent = PEPG(policy, corridor(), SMALL, rng_seed=4)
    layouts = agent.task.layout_space.enumerate()
    seeds = agent.draw_seeds(np.random.default_rng(0), 4)
    assert seeds.shape == (4, agent.seeds.dim + 1)
    outcome = agent.play(layouts, seeds).outcome
    env = corridor()
    for i in range(5):
        for j, seed in enumerate(seeds):
            chance = int(seed[-1] * 2**24)
            assert outcome[i, j] == stepped(agent, env, i, chance, seed)
    assert len(np.unique(outcome)) > 2


def test_chance_is_common_to_layouts_and_candidates_and_not_to_seeds() -> None:
    agent = PEPG("MlpPolicy", corridor(), SMALL)
    seen: list[tuple[int, Any]] = []

    class Noted(Corridor):
        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            seen.append((seed, options["layout"]["door"]))
            return super().reset(seed=seed, options=options)

    game: Any = agent.game
    game._envs = [TimeLimit(Noted(), 6) for _ in range(2 * 5 * 3)]
    agent.costs(np.tile(agent.search.center, (2, 1)))
    chances = [seed for seed, _ in seen]
    assert [door for _, door in seen] == 2 * [d for d in range(5) for _ in range(3)]
    assert chances == chances[:3] * 10
    assert len(set(chances)) == 3


def test_an_agent_whose_seed_is_fixed_still_averages_over_chance() -> None:
    fixed = SeedSpec(2, draw="fixed")
    agent = PEPG("MlpPolicy", corridor(), SMALL, seeds=fixed)
    assert not agent.is_deterministic
    assert agent.costs(agent.search.center[None]).shape == (1, 5, 3)
    seeds = agent.draw_seeds(np.random.default_rng(0), 200)
    assert len(np.unique(seeds[:, :-1], axis=0)) == 1
    assert len(np.unique(seeds[:, -1])) == 200
    outcome = agent.play(agent.task.layout_space.enumerate(), seeds).outcome
    assert outcome.std(1).max() > 0
    learner = QNorm("MlpPolicy", corridor(), MEAN, seeds=fixed)
    assert learner._update(0.5)["train/gradient_norm"] > 0
    assert learner._m == 4


def test_chance_does_not_depend_on_the_layouts() -> None:
    agent = PEPG("MlpPolicy", corridor(slip=0.5), SMALL)
    # A slip of one half makes the walk fair, whatever the policy does.
    seeds = agent.draw_seeds(np.random.default_rng(0), 600)
    outcome = agent.play(agent.task.layout_space.enumerate(), seeds).outcome
    left, right = outcome[1].mean(), outcome[3].mean()
    assert abs(left - right) < 5 * np.hypot(outcome[1].std(), outcome[3].std()) / 600**0.5


# Objectives.


def test_a_q_norm_needs_a_range_of_returns_and_takes_it() -> None:
    peaked = dataclasses.replace(MEAN, objective=ObjectiveConfig(q=8.0))
    with pytest.raises(ValueError, match=r"q-norm needs costs of at least 0, .*outcome_range"):
        QNorm("MlpPolicy", corridor(), peaked)
    ranged = QNorm("MlpPolicy", corridor(outcome_range=[-6, 0]), peaked)
    assert ranged.task.outcome_range == (-6.0, 0.0)
    layouts = ranged.task.layout_space.enumerate()
    seeds = ranged.draw_seeds(np.random.default_rng(0), 3)
    costs = ranged.losses(layouts, seeds)
    np.testing.assert_allclose(costs, -ranged.play(layouts, seeds).outcome)
    assert costs.min() >= 0
    assert QNorm("MlpPolicy", corridor(outcome_range=[-6, 0])).config.objective.q == 40.0
    assert QNorm("MlpPolicy", corridor()).config.objective.kind == "cvar"


class Ahead(Corridor):
    """All doors are ahead, at 3 and 4."""

    layout_space = Layouts(door=Discrete(2, start=3))


def steps_to_the_right(door: int, place: int = 2, left: int = 6) -> float:
    """Expected steps of one who always goes right and slips with probability 0.1."""
    if place == door or left == 0:
        return 0.0
    ahead, back = min(place + 1, 4), max(place - 1, 0)
    return (
        1.0
        + 0.9 * steps_to_the_right(door, ahead, left - 1)
        + 0.1 * steps_to_the_right(door, back, left - 1)
    )


def test_the_score_function_learns_through_chance() -> None:
    config = dataclasses.replace(MEAN, learning_rate=2e-2)
    agent = QNorm("MlpPolicy", TimeLimit(Ahead(slip=0.1), 6), config, rng_seed=1)
    layouts = agent.task.layout_space.enumerate()
    seeds = agent.draw_seeds(np.random.default_rng(0), 1000)
    before = agent.play(layouts, seeds).outcome.mean()
    outcome = agent.learn(60).play(layouts, seeds).outcome
    best = [-steps_to_the_right(3), -steps_to_the_right(4)]
    assert before < np.mean(best) - 1
    np.testing.assert_allclose(outcome.mean(1), best, atol=0.15)


# Copies and files.


def wrapped_pole() -> gym.Env[Any, Any]:
    env = gym.make("CartPole-v1", max_episode_steps=30)
    return LayoutWrapper(env, Layouts(length=Box(0.25, 1.0)), outcome_range=(0, 30))


OTHERS: dict[str, Any] = {
    "wrapped": wrapped_pole,
    "never registered": lambda: TimeLimit(Corridor(), 6),
    "arguments that are no JSON": lambda: gym.make(
        "test/Corridor-v0", slip=np.float64(0.25), outcome_range=np.array([-6, 0])
    ),
    "a wrapped task": lambda: FlattenObservation(gym.make("RandGrid-v0", size=2, horizon=3)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_gym_make_does_not_give_is_copied(name: str) -> None:
    env = OTHERS[name]()
    task: Any = task_of(env)
    assert not is_registered(task)
    assert task.has_layouts
    made = environment_of(task)
    assert made is not env
    assert made.observation_space == env.observation_space
    agent = PEPG("MlpPolicy", env, dataclasses.replace(SMALL, batch_size=3))
    layouts = task.layout_space.sample(np.random.default_rng(0), 3)
    played = agent.play(layouts, agent.draw_seeds(np.random.default_rng(0), 2)).outcome
    assert played.shape == (3, 2)
    observation, _ = env.reset(seed=1)
    agent.predict(observation)
    agent.get_env().reset()


@pytest.mark.parametrize("name", OTHERS)
def test_an_agent_of_another_environment_is_loaded_with_it(name: str, tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL, batch_size=3)
    agent = PEPG("MlpPolicy", OTHERS[name](), config).learn(1)
    path = agent.save(tmp_path / "agent")
    for load in (PEPG.load, load_agent):
        with pytest.raises(ValueError, match=r"that gym.make does not give, .*: load it with env="):
            load(path)
        loaded: Any = load(path, env=OTHERS[name]())
        layouts = agent.task.layout_space.sample(np.random.default_rng(0), 3)
        seeds = agent.draw_seeds(np.random.default_rng(1), 2)
        np.testing.assert_array_equal(
            agent.play(layouts, seeds).outcome, loaded.play(layouts, seeds).outcome
        )
    with pytest.raises(ValueError, match="holds an agent for"):
        PEPG.load(path, env="Acrobot-v1")


def test_a_run_in_another_environment_is_resumed_to_the_bit(tmp_path: Path) -> None:
    def fresh() -> QNorm:
        return QNorm("MlpPolicy", wrapped_pole(), dataclasses.replace(MEAN, m=2, batch_size=2))

    whole, killed = fresh().learn(4), fresh()
    killed.learn(4, callback=lambda *_: killed.num_timesteps < 2)
    resumed = QNorm.load(killed.save(tmp_path / "agent"), env=wrapped_pole()).resume()
    for ours, theirs in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_task_that_was_never_registered_is_loaded_with_it(tmp_path: Path) -> None:
    class Own(Penalty):
        env_id = "test/Own-v0"

    agent = QNorm("MlpPolicy", Own(), MEAN)
    path = agent.save(tmp_path / "agent")
    with pytest.raises(ValueError, match=r"gym.make does not give, test/Own-v0: load it with env="):
        QNorm.load(path)
    assert isinstance(QNorm.load(path, env=Own()).task, Own)
    agent.get_env().reset()


def test_a_registered_environment_with_layouts_needs_no_env(tmp_path: Path) -> None:
    agent = PEPG("MlpPolicy", corridor(slip=0.1), SMALL)
    loaded = PEPG.load(agent.save(tmp_path / "agent"))
    assert loaded.task.config == {"slip": 0.1, "max_episode_steps": 6}


def test_a_wrapped_task_is_not_the_task() -> None:
    plain = gym.make("RandGrid-v0", size=2, horizon=3)
    assert task_of(plain).unit == "steps"
    flat: Any = task_of(FlattenObservation(plain))
    assert (flat.unit, flat.max_steps, flat.layout_space.size) == ("return", 6, 3)
    assert game_for(flat).token_dim == 6


def test_evaluate_finds_the_worst_door() -> None:
    agent = PEPG("MlpPolicy", corridor(slip=0.0), SMALL)
    # To the right, whatever it sees: the doors behind are never found.
    with torch.no_grad():
        for weight in agent.model.parameters():
            weight.zero_()
        agent.model.weights["read_out_bias"][1] = 1.0
    report = evaluate(agent, num_seeds=4, num_fresh_seeds=8, votes=())
    assert report.exhaustive
    assert report.worst.estimate == -6.0
    assert report.worst.layout["door"] in (0, 1)
    assert report.average.estimate == pytest.approx((-6 - 6 - 6 - 1 - 2) / 5)
