"""Agents in the shape of Stable-Baselines3: learn, predict, save, load, resume, callbacks."""

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback, CheckpointCallback, EvalCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure

from rand_agents import (
    PEPG,
    PSRO,
    ObjectiveConfig,
    PEPGConfig,
    PSROConfig,
    QNorm,
    QNormConfig,
    SearchConfig,
    SeedSpec,
    TransformerConfig,
    evaluate,
)
from rand_agents.agents.agent import Agent
from rand_envs import ColoringTask, GridTask, RecallTask, Sweep
from rand_envs.core.arrays import Array
from rand_envs.core.task import rules_of

QNORM = QNormConfig(ObjectiveConfig(q=8.0, q_start=2.0), m=3, batch_size=8, learning_rate=1e-2)
SEARCH = SearchConfig(population=8, std=0.4, final_learning_rate=1e-3)
SHORT_PSRO = PSROConfig(rounds=2, paths=4, distillation=0.45)
GRID = GridTask((2, 2), horizon=4)


def grid_policy(task: GridTask) -> TransformerConfig:
    return TransformerConfig(
        task.rows + task.columns + 1,
        4,
        3,
        seed_placement="first",
        num_heads=2,
        key_size=4,
        value_size=4,
        model_size=8,
        attention="softmax",
        embedding="linear",
        layer_norm=True,
        max_length=1 + task.max_steps,
        scale=True,
    )


AGENTS: dict[str, Callable[..., Agent[Any]]] = {
    "QNorm recall": lambda **k: QNorm("SeedTransformer", RecallTask(2, 2), QNORM, **k),
    "QNorm colouring": lambda **k: QNorm("SeedTransformer", ColoringTask(5), QNORM, **k),
    "PEPG grid": lambda **k: PEPG(grid_policy(GRID), GRID, PEPGConfig(search=SEARCH, m=2), **k),
    "PSRO grid, in a round": lambda **k: PSRO(grid_policy(GRID), GRID, SHORT_PSRO, **k),
    "PSRO grid, distilling": lambda **k: PSRO(
        grid_policy(GRID), GRID, dataclasses.replace(SHORT_PSRO, distillation=0.7), **k
    ),
    "PEPG clipup": lambda **k: PEPG(
        "SeedTransformer",
        RecallTask(2, 1),
        PEPGConfig(
            ObjectiveConfig(q=3.0),
            dataclasses.replace(SEARCH, optimizer="clipup"),
            m=2,
            batch_size=5,
        ),
        **k,
    ),
}
every_agent = pytest.mark.parametrize("make", AGENTS.values(), ids=AGENTS)


def weights_of(agent: Agent[Any]) -> dict[str, torch.Tensor]:
    return {name: w.detach().clone() for name, w in agent.model.named_weights().items()}


def assert_same_weights(one: Agent[Any], two: Agent[Any]) -> None:
    first, second = weights_of(one), weights_of(two)
    assert all(torch.equal(first[name], second[name]) for name in first)


def some_observations(agent: Agent[Any], n: int = 6) -> Array:
    task = rules_of(agent.task)
    return task.observe(task.initial(task.layout_space.sample(np.random.default_rng(0), n)))


# Learning.


@every_agent
def test_run(make: Callable[..., Agent[Any]]) -> None:
    agent = make(rng_seed=1)
    before = weights_of(agent)
    assert agent.learn(4) is agent
    assert agent.num_timesteps == agent.total_timesteps == 4
    assert agent.env_steps > 0
    after = weights_of(agent)
    assert all(torch.isfinite(w).all() for w in after.values())
    assert any(not torch.equal(after[name], before[name]) for name in after)
    agent.learn(2, reset_num_timesteps=False)
    assert agent.num_timesteps == agent.total_timesteps == 6
    agent.learn(2)
    assert agent.num_timesteps == agent.total_timesteps == 2


@every_agent
def test_the_same_rng_seed_gives_the_same_agent(make: Callable[..., Agent[Any]]) -> None:
    one = make(rng_seed=3).learn(4)
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    assert_same_weights(one, make(rng_seed=3).learn(4))
    first, other = weights_of(one), weights_of(make(rng_seed=4).learn(4))
    assert not torch.equal(first["read_out"], other["read_out"])


@every_agent
def test_evaluating_in_between_changes_no_training(make: Callable[..., Agent[Any]]) -> None:
    def play(locals_: dict[str, Any], globals_: dict[str, Any]) -> bool:
        agent = locals_["self"]
        agent.predict(some_observations(agent))
        evaluate(agent, num_seeds=3, num_fresh_seeds=3, votes=(3,), rng_seed=1)
        return True

    assert_same_weights(make().learn(3), make().learn(3, callback=play))


@every_agent
def test_a_killed_and_resumed_run_equals_an_uninterrupted_one(
    make: Callable[..., Agent[Any]], tmp_path: Path
) -> None:
    whole = make(rng_seed=2).learn(7)
    killed = make(rng_seed=2)

    def save_at_three(locals_: dict[str, Any], globals_: dict[str, Any]) -> bool:
        if killed.num_timesteps == 3:
            killed.save(tmp_path / "agent")
        return killed.num_timesteps < 5  # goes on after the save, and is then killed

    killed.learn(7, callback=save_at_three)
    assert killed.num_timesteps == 5
    resumed = type(killed).load(tmp_path / "agent")
    assert resumed.num_timesteps == 3
    assert resumed.total_timesteps == 7
    resumed.resume()
    assert_same_weights(whole, resumed)
    assert resumed.env_steps == whole.env_steps
    assert any((weights_of(whole)[name] != w).any() for name, w in weights_of(killed).items())
    # And so do all later draws.
    ends = [agent.learn(2) for agent in (whole, resumed)]
    assert_same_weights(*ends)


@every_agent
def test_save_and_load(make: Callable[..., Agent[Any]], tmp_path: Path) -> None:
    agent = make(rng_seed=5).learn(3)
    agent.predict(some_observations(agent))
    loaded = type(agent).load(agent.save(tmp_path / "agent"), agent.task)
    assert loaded.config == agent.config
    assert loaded.seeds == agent.seeds
    assert loaded.model.config == agent.model.config
    assert loaded.task.config == agent.task.config
    assert (loaded.num_timesteps, loaded.rng_seed) == (3, 5)
    assert_same_weights(agent, loaded)
    observations = some_observations(agent)
    for deterministic in (True, False):
        for _ in range(3):
            ours, _ = agent.predict(observations, deterministic=deterministic)
            theirs, _ = loaded.predict(observations, deterministic=deterministic)
            np.testing.assert_array_equal(ours, theirs)
    assert_same_weights(agent.learn(2), loaded.learn(2))


@pytest.mark.parametrize("total", [0, -1])
def test_fewer_than_one_update_is_an_error(total: int) -> None:
    with pytest.raises(ValueError, match=f"must be an integer from 1 to .*, got {total}"):
        AGENTS["QNorm recall"]().learn(total)


@every_agent
def test_losses_are_what_training_makes_small(make: Callable[..., Agent[Any]]) -> None:
    agent = make()
    layouts = agent.task.layout_space.enumerate()[:5]
    seeds = agent.draw_seeds(np.random.default_rng(0), 3)
    with torch.no_grad():
        costs = agent.game.costs(agent.model, layouts, torch.from_numpy(seeds)).numpy()
    np.testing.assert_allclose(agent.losses(layouts, seeds), costs, rtol=1e-5)


# Predicting.


@every_agent
def test_one_observation_is_a_batch_of_one(make: Callable[..., Agent[Any]]) -> None:
    agent, twin = make(), make()
    observations = some_observations(agent, 1)
    action, state = agent.predict(observations[0], deterministic=True)
    batch, twin_state = twin.predict(observations, deterministic=True)
    assert action.shape == agent.task.action_space.shape
    np.testing.assert_array_equal(batch, action[None])
    assert torch.equal(state.seeds, twin_state.seeds)
    single = action if action.shape else int(action)
    assert agent.task.action_space.contains(single) or agent.task.action_space.contains(
        np.asarray(single, agent.task.action_space.dtype)
    )


@pytest.mark.parametrize("shape", [(7,), (2, 7), (1, 2, 5), ()])
def test_observations_of_another_shape_are_an_error(shape: tuple[int, ...]) -> None:
    agent = AGENTS["QNorm recall"]()
    with pytest.raises(ValueError, match=r"observations of RandRecall-v0 have shape \(5,\), got"):
        agent.predict(np.zeros(shape, np.int8))


def test_a_seed_lasts_for_an_episode() -> None:
    agent = AGENTS["PEPG grid"]()
    observations = np.zeros((3, 3), np.int64)
    _, first = agent.predict(observations)
    assert len(first.seeds.unique(dim=0)) == 3
    _, second = agent.predict(observations, first, np.zeros(3, bool))
    assert torch.equal(first.seeds, second.seeds)
    assert first.seen.tolist() == [1, 1, 1]
    assert second.seen.tolist() == [2, 2, 2]
    _, third = agent.predict(observations, second, np.array([False, True, False]))
    assert (third.seeds == second.seeds).all(1).tolist() == [True, False, True]
    assert third.seen.tolist() == [3, 1, 3]
    _, again = agent.predict(observations)
    assert (again.seeds != first.seeds).any(1).all()


def test_what_an_episode_saw_before_is_forgotten_at_the_next_start() -> None:
    agent = AGENTS["PEPG grid"](seeds=SeedSpec(3, draw="fixed"))
    with torch.no_grad():
        agent.model.weights["positions"] *= 30
    generator = np.random.default_rng(0)
    walk = np.concatenate([generator.integers(0, 2, (6, 2, 2)), np.zeros((6, 2, 1), int)], -1)
    _, long = agent.predict(walk[0])
    for observation in walk[1:5]:
        _, long = agent.predict(observation, long, deterministic=True)
    ours, state = agent.predict(walk[5], long, np.array([True, False]), deterministic=True)
    fresh, _ = agent.predict(walk[5], deterministic=True)
    assert ours[0] == fresh[0]
    with torch.no_grad():
        tokens = agent.game.observed(walk.reshape(-1, 3)).reshape(6, 2, -1)
        outputs = agent.model(tokens[:, 1], state.seeds[1])
    assert ours[1] == outputs[-1].argmax()


def test_deterministic_means_argmax_and_never_a_fixed_seed() -> None:
    agent = AGENTS["QNorm recall"](rng_seed=1)
    observation = some_observations(agent, 1)[0]
    states = []
    for _ in range(20):
        action, state = agent.predict(observation, deterministic=True)
        with torch.no_grad():
            output = agent.model(state.tokens, state.seeds)[0, -1]
        np.testing.assert_array_equal(action, output > 0)
        states.append(tuple(state.seeds[0].tolist()))
    assert len(set(states)) > 10
    state.seen[:] = 0
    sampled = {tuple(agent.predict(observation, state, deterministic=False)[0]) for _ in range(60)}
    assert len(sampled) > 1


def test_a_fixed_seed_is_the_same_in_every_episode() -> None:
    agent = AGENTS["QNorm recall"](seeds=SeedSpec(10, "bits", "fixed"))
    seeds = [agent.predict(some_observations(agent, 2))[1].seeds for _ in range(3)]
    assert torch.equal(seeds[0], seeds[1])
    assert torch.equal(seeds[0], seeds[2])
    assert torch.equal(seeds[0][0], seeds[0][1])


def test_predict_leaves_the_state_it_was_given() -> None:
    agent = AGENTS["PEPG grid"]()
    _, state = agent.predict(np.zeros((2, 3), np.int64))
    kept = dataclasses.replace(
        state, seeds=state.seeds.clone(), tokens=state.tokens.clone(), seen=state.seen.clone()
    )
    agent.predict(np.ones((2, 3), np.int64), state, np.array([True, False]))
    for name in ("seeds", "tokens", "seen"):
        assert torch.equal(getattr(state, name), getattr(kept, name))


def test_a_state_or_a_start_of_another_size_is_an_error() -> None:
    agent = AGENTS["PEPG grid"]()
    _, state = agent.predict(np.zeros((2, 3), np.int64))
    with pytest.raises(ValueError, match="the state is of 2 episodes, got 3 observations"):
        agent.predict(np.zeros((3, 3), np.int64), state)
    with pytest.raises(ValueError, match=r"episode_start must have shape \(2,\), got \(3,\)"):
        agent.predict(np.zeros((2, 3), np.int64), state, np.ones(3, bool))


def test_more_observations_than_an_episode_has_are_an_error() -> None:
    agent = AGENTS["QNorm colouring"]()
    observation = some_observations(agent, 1)
    _, state = agent.predict(observation)
    with pytest.raises(ValueError, match="at most 5 tokens: pass episode_start=True"):
        agent.predict(observation, state)
    agent.predict(observation, state, np.array([True]))


# Stable-Baselines3's tools.


def lively_grid_agent(task: GridTask, draw: Any) -> PEPG:
    """An untrained agent that moves about, and does so by its seed."""
    config = PEPGConfig(search=SEARCH, m=1)
    agent = PEPG(grid_policy(task), task, config, seeds=SeedSpec(3, draw=draw), rng_seed=4)
    with torch.no_grad():
        agent.model.weights["positions"] *= 60
        agent.model.weights["first_seed"] *= 4
    return agent


def test_evaluate_policy_agrees_with_evaluate_exactly_for_a_fixed_seed() -> None:
    task = GridTask(3)
    agent = lively_grid_agent(task, "fixed")
    env = gym.make("RandGrid-v0", size=3, layouts=Sweep(task.layout_space))
    found: Any = evaluate_policy(
        agent, env, n_eval_episodes=8, deterministic=True, return_episode_rewards=True, warn=False
    )
    returns, lengths = found
    report = evaluate(agent)
    assert report.exhaustive
    assert report.num_seeds == 1
    assert report.average.estimate == np.mean(lengths)
    assert set(report.average.ci95) == {np.mean(lengths)}
    assert report.worst.estimate == max(lengths)
    played = agent.play(task.layout_space.enumerate(), agent.draw_seeds(np.random.default_rng(), 1))
    np.testing.assert_array_equal(played.outcome[:, 0], lengths)
    finds = (np.array(returns) + 0.1 * np.array(lengths)).round(6)
    assert set(finds) <= {0.0, 1.0, 2.0}
    assert len(set(lengths)) > 2


def test_evaluate_policy_agrees_with_evaluate_for_random_seeds() -> None:
    task = GridTask(2, horizon=6)
    agent = lively_grid_agent(task, "independent")
    env = gym.make("RandGrid-v0", size=2, horizon=6, layouts=Sweep(task.layout_space))
    _, lengths = evaluate_policy(
        agent, env, n_eval_episodes=90, deterministic=True, return_episode_rewards=True, warn=False
    )
    report = evaluate(agent, num_seeds=400)
    error = np.std(lengths) / 90**0.5
    assert error > 0
    assert abs(np.mean(lengths) - report.average.estimate) < 5 * error


@every_agent
def test_callbacks_evaluate_and_keep_checkpoints(
    make: Callable[..., Agent[Any]], tmp_path: Path
) -> None:
    agent = make()
    env = agent.get_env()
    callbacks: list[BaseCallback] = [
        CheckpointCallback(2, str(tmp_path), "agent"),
        EvalCallback(
            env, eval_freq=3, n_eval_episodes=2, best_model_save_path=str(tmp_path), verbose=0
        ),
    ]
    agent.learn(5, callback=callbacks)
    steps = [type(agent).load(tmp_path / f"agent_{k}_steps.zip").num_timesteps for k in (2, 4)]
    assert steps == [2, 4]
    assert type(agent).load(tmp_path / "best_model").num_timesteps == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "agent_2_steps.zip",
        "agent_4_steps.zip",
        "best_model.safetensors",
    ]


def test_a_callback_that_returns_false_ends_the_run() -> None:
    agent = AGENTS["QNorm recall"]()
    seen: list[int] = []

    def stop(locals_: dict[str, Any], globals_: dict[str, Any]) -> bool:
        seen.append(locals_["self"].num_timesteps)
        return len(seen) < 4

    agent.learn(10, callback=stop)
    assert seen == [1, 2, 3, 4]
    assert agent.num_timesteps == 4
    agent.resume()
    assert agent.num_timesteps == 10


def test_the_progress_bar_runs(capsys: pytest.CaptureFixture[str]) -> None:
    agent = AGENTS["QNorm recall"]().learn(4, progress_bar=True)
    assert agent.num_timesteps == 4
    printed = capsys.readouterr()
    assert "4/4" in printed.out + printed.err


def test_logs_go_where_the_logger_says(tmp_path: Path) -> None:
    agent = AGENTS["PEPG grid"]()
    with pytest.raises(RuntimeError, match="no logger before"):
        _ = agent.logger
    agent.set_logger(configure(str(tmp_path), ["csv"]))
    agent.learn(4, log_interval=2)
    with (tmp_path / "progress.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"train/objective_mean", "train/ties", "time/env_steps"} <= set(rows[0])
    assert [row["time/timesteps"] for row in rows] == ["2", "4"]
    for row in rows:
        worst = GRID.layout_space.validate(json.loads(row["train/worst_layout"]))
        assert worst in GRID.layout_space.unpack(GRID.layout_space.enumerate())
        assert 1 <= float(row["train/worst_cost"]) <= GRID.max_steps
    agent.set_logger(configure(str(tmp_path / "now"), ["csv"]))
    agent.dump_logs(3)
    with (tmp_path / "now" / "progress.csv").open() as file:
        [row] = csv.DictReader(file)
    assert (row["time/iterations"], row["time/timesteps"]) == ("3", "4")
    assert row["train/objective_mean"] == rows[-1]["train/objective_mean"]


@every_agent
def test_how_often_is_logged_changes_no_training(make: Callable[..., Agent[Any]]) -> None:
    assert_same_weights(make().learn(4, log_interval=1), make().learn(4))


def test_tensorboard_curves_are_written(tmp_path: Path) -> None:
    agent = AGENTS["QNorm recall"](tensorboard_log=str(tmp_path))
    agent.learn(2, log_interval=1, tb_log_name="mine")
    (curve,) = (tmp_path / "mine_1").glob("events.out.tfevents.*")
    assert b"train/objective" in curve.read_bytes()


def test_verbose_prints_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    AGENTS["QNorm recall"]().learn(2, log_interval=1)
    assert capsys.readouterr().out == ""
    AGENTS["QNorm recall"](verbose=1).learn(2, log_interval=1)
    assert "objective" in capsys.readouterr().out


# Building.


def test_an_id_an_environment_and_a_task_build_the_same_agent() -> None:
    task = RecallTask()
    config = QNormConfig(m=1, batch_size=2)
    envs: list[Any] = ["RandRecall-v0", gym.make("RandRecall-v0"), task]
    agents = [QNorm("SeedTransformer", env, config) for env in envs]
    assert [agent.task.config for agent in agents] == [task.config] * 3
    assert_same_weights(agents[0], agents[1])


def test_seeds_follow_the_policy_where_none_are_given() -> None:
    policy = TransformerConfig(4, 2, seed_dim=7)
    agent = QNorm(policy, RecallTask(2, 2), QNORM)
    assert agent.seeds == SeedSpec(7, "bits")
    agent = QNorm("SeedTransformer", RecallTask(2, 2), QNORM, seeds=SeedSpec(3, "uniform"))
    assert agent.model.config.seed_dim == 3


@pytest.mark.parametrize(
    ("policy", "env", "seeds", "message"),
    [
        ("CnnPolicy", "RandRecall-v0", None, "must be \"SeedTransformer\" .*got 'CnnPolicy'"),
        (TransformerConfig(25, 5, 4), "RandRecall-v0", SeedSpec(3), "dimension 4, but .* 3"),
        ("SeedTransformer", "RandColoring-v0", SeedSpec(3), "needs seed_dim 10, got 3"),
        ("SeedTransformer", "RandMaze-v0", None, "must be a registered one: .*RandMaze"),
        ("SeedTransformer", "MountainCarContinuous-v0", None, "must be Discrete, .*: use PEPG"),
    ],
)
def test_what_does_not_fit_is_an_error(
    policy: Any, env: str, seeds: SeedSpec | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        QNorm(policy, env, seeds=seeds)
