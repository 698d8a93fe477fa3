"""Anybody's policy under `evaluate`: functions, Stable-Baselines3 models, wrapped environments."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import InvalidAction
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import FlattenObservation, TimeLimit, TransformObservation
from stable_baselines3 import PPO
from stable_baselines3.common.monitor import Monitor
from torch.distributions import Categorical

from rand_agents import QNorm, QNormConfig, evaluate
from rand_agents.evaluation.players import as_player
from rand_agents.games.registry import task_of
from rand_envs import GridTask, RandomSeedObservation
from rand_envs.core.arrays import Array
from rand_envs.games.patrol import PatrolTask
from tests.rand_agents.games.strangers import Automaton, Corridor, Penalty
from tests.rand_envs.core.games import Hunt

FEW: dict[str, Any] = {"num_seeds": 10, "num_fresh_seeds": 20, "votes": ()}
GRID: dict[str, Any] = {"size": 2, "horizon": 4}


def ppo(env: Any) -> PPO:
    return PPO("MlpPolicy", env, n_steps=32, batch_size=16, n_epochs=1, seed=1).learn(64)


def by_hand(env: Any, policy: Any, layout: Any, seed: int) -> float:
    """The outcome of a task's episode that is stepped in an environment, wrapped or not."""
    observation, _ = env.reset(seed=seed, options={"layout": layout})
    ended = False
    while not ended:
        observation, _, terminated, truncated, _ = env.step(policy(observation))
        ended = terminated or truncated
    return float(env.unwrapped.outcome)


# Functions.


def test_a_function_that_always_says_the_same_is_right_a_third_of_the_time() -> None:
    report = evaluate(lambda seen: 2, "test/Penalty-v0", **FEW)
    assert (report.num_seeds, report.num_layouts, report.exhaustive) == (1, 3, True)
    assert report.average.estimate == pytest.approx(1 / 3)
    assert report.worst.estimate == 0.0
    assert report.worst.layout in ({"keeper": 0}, {"keeper": 1})
    assert report.game_value == pytest.approx(1 / 3)
    assert report.game_value_kind == "exact"
    assert report.gap is not None
    assert report.gap.estimate == pytest.approx(1 / 3)


def test_a_function_of_a_generator_is_as_random_as_that() -> None:
    report = evaluate(lambda seen, rng: int(rng.integers(3)), Penalty(), num_fresh_seeds=4000)
    assert report.num_seeds == 100
    assert report.worst.ci95[0] <= 1 / 3 <= report.worst.ci95[1]
    assert abs(report.worst.estimate - 1 / 3) < 0.04
    assert report.gap is not None
    assert abs(report.gap.estimate) < 0.04
    # One seed is one guess for every layout, so that one of the three keepers is beaten.
    player = as_player(lambda seen, rng: int(rng.integers(3)), Penalty())
    layouts, seeds = (
        Penalty().layout_space.enumerate(),
        player.draw_seeds(np.random.default_rng(0), 50),
    )
    np.testing.assert_array_equal(player.play(layouts, seeds).outcome.sum(0), np.ones(50))


@pytest.mark.parametrize("seen", ["discrete", "box", "multidiscrete", "multibinary"])
@pytest.mark.parametrize("wrap", ["id", "task", "env", "monitor", "copied"])
def test_a_function_plays_by_the_rules_however_the_game_is_given(wrap: str, seen: str) -> None:
    task = Automaton(seen, "multidiscrete", rng_seed=5)
    made = gym.make("test/Automaton-v0", seen=seen, asked="multidiscrete", rng_seed=5)

    def policy(observation: Any) -> Array:
        assert made.observation_space.contains(observation), observation
        total = int(np.abs(np.asarray(observation, float)).sum() * 10)
        return np.array([total % 2, total // 2 % 2])

    wraps: dict[str, Callable[[], Any]] = {
        "task": lambda: task,
        "env": lambda: made,
        "monitor": lambda: Monitor(made),
        "copied": lambda: TransformObservation(made, lambda x: x, made.observation_space),
        "id": lambda: task,
    }
    env = wraps[wrap]()
    if wrap == "copied":
        copied: Any = as_player(policy, env)
        assert copied.stage.env is env
    layouts = task.layout_space.enumerate()
    player = as_player(policy, env)
    outcome = player.play(layouts, player.draw_seeds(np.random.default_rng(0), 2)).outcome
    for layout, row in zip(task.layout_space.unpack(layouts), outcome, strict=True):
        assert row.tolist() == [by_hand(made, policy, layout, 0)] * 2


@pytest.mark.parametrize(
    ("action", "message"),
    [(3, "must be"), (-1, "must be"), (0.5, "must be"), ([0, 0], "must be"), (None, "must be")],
)
def test_an_illegal_action_is_an_error_and_no_index_from_the_end(action: Any, message: str) -> None:
    with pytest.raises(InvalidAction, match=message):
        evaluate(lambda seen: action, Penalty(), **FEW)


def test_a_function_without_a_signature_takes_the_observation_alone() -> None:
    """The largest of how often one guessed and whether it was found: every place in its turn."""
    report = evaluate(max, Hunt(), **FEW)
    assert (report.average.estimate, report.worst.estimate) == (2.5, 4.0)
    assert report.worst.layout == {"place": 3}


def test_an_environment_with_layouts_of_its_own_is_an_error() -> None:
    env = gym.make("RandGrid-v0", size=2, layouts={"treasure": [1, 1]})
    with pytest.raises(ValueError, match="give an environment without layouts of its own"):
        evaluate(lambda seen: 0, env, **FEW)


def test_what_is_no_policy_is_an_error() -> None:
    with pytest.raises(ValueError, match="must be given with the env that it plays in"):
        evaluate(lambda seen: 0)
    with pytest.raises(ValueError, match=r"a policy must be a player, .* got 'PPO'"):
        evaluate("PPO", "CartPole-v1")


def test_a_player_is_taken_for_its_own_game_only() -> None:
    agent = QNorm("MlpPolicy", Penalty(), QNormConfig(batch_size=3))
    assert as_player(agent) is agent
    assert as_player(agent, "test/Penalty-v0") is agent
    with pytest.raises(ValueError, match=r"QNorm plays test/Penalty-v0 with \{\}, not CartPole-v1"):
        evaluate(agent, "CartPole-v1")

    class Other(Penalty):
        env_id = "test/Other-v0"

    with pytest.raises(ValueError, match=r"plays test/Penalty-v0 .*, not test/Other-v0"):
        as_player(agent, Other())


# Stable-Baselines3.


def test_a_deterministic_model_is_stepped_through_every_layout() -> None:
    env = gym.make("RandGrid-v0", **GRID)
    model = ppo(env)
    report = evaluate(model, env, **FEW)
    outcomes = [
        by_hand(env, lambda seen: model.predict(seen, deterministic=True)[0], layout, 0)
        for layout in GridTask(**GRID).layout_space.unpack(
            GridTask(**GRID).layout_space.enumerate()
        )
    ]
    assert (report.exhaustive, report.num_seeds, report.unit) == (True, 1, "steps")
    assert report.average.estimate == pytest.approx(np.mean(outcomes))
    assert report.worst.estimate == max(outcomes)
    assert report.game_value_kind == "exact"


def test_a_sampled_model_draws_its_actions() -> None:
    env = gym.make("test/Penalty-v0")
    model = PPO("MlpPolicy", env, n_steps=8, batch_size=8, seed=1)
    chances = model.policy.get_distribution(model.policy.obs_to_tensor(np.array(0))[0])
    assert isinstance(chances.distribution, Categorical)
    p = chances.distribution.probs[0].detach().numpy()
    report = evaluate(model, env, deterministic=False, num_seeds=50, num_fresh_seeds=2000)
    assert report.worst.ci95[0] - 0.02 <= p.min() <= report.worst.ci95[1] + 0.02
    assert report.average.estimate == pytest.approx(1 / 3, abs=0.1)
    again = evaluate(model, env, deterministic=False, num_seeds=50, num_fresh_seeds=2000)
    assert report.to_json() == again.to_json()
    assert evaluate(model, env, **FEW).worst.estimate == 0.0


class Remembering:
    """A model with a memory, as recurrent ones of Stable-Baselines3: it counts its steps."""

    def predict(
        self, observation: Array, state: Any, episode_start: Array, deterministic: bool
    ) -> tuple[Array, Any]:
        count = np.zeros(len(observation), int) if state is None else state[0].copy()
        count[episode_start] = 0
        return (count + observation) % 3, (count + 1,)


def test_a_model_that_remembers_keeps_every_row_apart() -> None:
    task = Automaton(rng_seed=1, max_steps=6, ends=0.3, alike=0.3)
    player = as_player(Remembering(), task)
    layouts = np.concatenate([task.layout_space.enumerate()] * 2)
    outcome = player.play(layouts, np.zeros((2, 1), int)).outcome
    lengths = set()
    for layout, row in zip(layouts, outcome, strict=True):
        state, ended, count = task.initial(layout[None]), False, 0
        while not ended:
            state, _, over = task.step(state, (count + task.observe(state)) % 3)
            ended, count = bool(over[0]), count + 1
        lengths.add(count)
        assert row.tolist() == [float(task.outcome(state)[0])] * 2
    assert len(lengths) > 1


def test_the_vector_of_a_seed_wrapper_is_the_seed() -> None:
    env: Any = RandomSeedObservation(gym.make("RandGrid-v0", **GRID), 3)
    model = ppo(env)
    player: Any = as_player(model, env)
    layouts = player.task.layout_space.enumerate()
    shown = []
    for k in range(6):
        env.reset(seed=k)
        shown.append(env._seed.copy())
    outcome = player.play(layouts, np.array(shown)).outcome
    drawn = player.draw_seeds(np.random.default_rng(0), 500)
    assert (drawn.shape, drawn.dtype) == ((500, 3), np.float32)
    assert abs(drawn.std() - 1) < 0.1
    for i, layout in enumerate(player.task.layout_space.unpack(layouts)):
        for k in range(6):
            by = by_hand(env, lambda seen: model.predict(seen, deterministic=True)[0], layout, k)
            assert outcome[i, k] == by
    report = evaluate(model, env, **FEW)
    assert report.num_seeds == 10
    assert report.game_value_kind == "exact"


def test_a_function_sees_the_seed_that_the_wrapper_shows() -> None:
    env = RandomSeedObservation(gym.make("test/Penalty-v0"), 1, "uniform")
    # One observation, one-hot, then the seed.
    report = evaluate(lambda seen: int(3 * seen[1]), env, num_fresh_seeds=4000)
    assert abs(report.worst.estimate - 1 / 3) < 0.04
    assert report.constant_seed_variance == 0.0


def test_the_copied_path_gives_what_the_batched_path_gives() -> None:
    plain = gym.make("RandGrid-v0", **GRID)

    def flat_policy(seen: Any) -> int:
        # MultiDiscrete([2, 2, 2]) flattened: two places for each number.
        row, column, found = seen[1], seen[3], seen[5]
        return int((row + 2 * column + 3 * found + 2) % 4)

    flat = FlattenObservation(plain)
    whole = evaluate(
        lambda seen: flat_policy(gym.spaces.flatten(plain.observation_space, seen)), plain, **FEW
    )
    copied = evaluate(flat_policy, flat, **FEW)
    assert (copied.unit, copied.env_id) == ("steps", "RandGrid-v0")
    assert copied.average.estimate == whole.average.estimate
    assert copied.worst.estimate == whole.worst.estimate
    assert copied.regret is not None
    assert whole.regret is not None
    assert copied.regret.worst.estimate == whole.regret.worst.estimate
    seeded = evaluate(flat_policy, FlattenObservation(RandomSeedObservation(plain, 2)), **FEW)
    assert seeded.average.estimate == whole.average.estimate


def test_a_model_on_a_flattened_task_is_stepped_in_copies() -> None:
    env = FlattenObservation(
        gym.make("RandPatrol-v0", graph=["cycle", 3], horizon=2, attack_duration=1)
    )
    model = ppo(env)
    player: Any = as_player(model, env)
    layouts = player.task.layout_space.enumerate()
    outcome = player.play(layouts, player.draw_seeds(np.random.default_rng(0), 2)).outcome
    for layout, row in zip(player.task.layout_space.unpack(layouts), outcome, strict=True):
        by = by_hand(env, lambda seen: model.predict(seen, deterministic=True)[0], layout, 0)
        assert row.tolist() == [by] * 2


def test_more_rows_than_copies_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = FlattenObservation(gym.make("RandGrid-v0", **GRID))
    whole = evaluate(lambda seen, rng: int(rng.integers(4)), flat, **FEW)
    monkeypatch.setattr("rand_agents.evaluation.players.COPIES", 7)
    parts = evaluate(lambda seen, rng: int(rng.integers(4)), flat, **FEW)
    assert parts.average.estimate == whole.average.estimate
    assert parts.worst.estimate == whole.worst.estimate


def test_somebody_elses_environment_is_played_reset_by_reset() -> None:
    env = gym.make("CartPole-v1", max_episode_steps=30)
    model = PPO("MlpPolicy", env, n_steps=32, batch_size=16, seed=1)
    report = evaluate(model, env, layouts=30, search_rounds=0, **FEW)
    assert (report.unit, report.num_seeds, report.num_layouts) == ("return", 1, 30)
    player: Any = as_player(model, env)
    resets = player.task.layout_space.sample(np.random.default_rng(0), 5)
    outcome = player.play(resets, player.draw_seeds(np.random.default_rng(0), 1)).outcome
    for reset, (value,) in zip(resets["reset_seed"].tolist(), outcome, strict=True):
        observation, _ = env.reset(seed=reset)
        total, ended = 0.0, False
        while not ended:
            action = model.predict(observation, deterministic=True)[0]
            observation, reward, terminated, truncated, _ = env.step(action)
            total, ended = total + float(reward), terminated or truncated
        assert value == total
    by_id = evaluate(
        lambda seen: int(seen[2] + seen[3] > 0), "CartPole-v1", layouts=5, search_rounds=0, **FEW
    )
    assert by_id.average.estimate > 50


def steps_to_the_right(door: int, place: int = 2, left: int = 6) -> float:
    """Expected steps to a door of one who always goes right and slips with probability 1/4."""
    if place == door or left == 0:
        return 0.0
    ahead, back = min(place + 1, 4), max(place - 1, 0)
    return (
        1.0
        + 0.75 * steps_to_the_right(door, ahead, left - 1)
        + 0.25 * steps_to_the_right(door, back, left - 1)
    )


def test_layouts_and_chance_of_a_strangers_environment() -> None:
    env = TimeLimit(Corridor(slip=0.25), 6)
    report = evaluate(lambda place: 1, env, num_seeds=400, num_fresh_seeds=2000, votes=())
    # The door at the start, 2, is not seen before one comes back to it.
    expected = [steps_to_the_right(door) for door in (0, 1, 3, 4)]
    back = 1 + 0.75 * steps_to_the_right(2, 3, 5) + 0.25 * steps_to_the_right(2, 1, 5)
    assert report.exhaustive
    assert report.num_seeds == 400
    assert report.average.estimate == pytest.approx(-(sum(expected) + back) / 5, abs=0.1)
    assert report.worst.layout == {"door": 0}
    assert report.worst.ci95[0] <= -max(expected) <= report.worst.ci95[1]


# Spaces that do not fit.


@pytest.mark.parametrize(
    ("trained", "played", "message"),
    [
        ("RandPatrol-v0", "CartPole-v1", "the model's observations are of MultiDiscrete"),
        ("CartPole-v1", "Acrobot-v1", r"observations are of Box\(.*\), but those of Acrobot-v1"),
    ],
)
def test_a_model_of_another_environment_is_an_error(
    trained: str, played: str, message: str
) -> None:
    model = PPO("MlpPolicy", gym.make(trained), n_steps=8, batch_size=8)
    with pytest.raises(ValueError, match=message):
        evaluate(model, played)


def test_a_model_of_another_size_is_an_error() -> None:
    model = PPO("MlpPolicy", gym.make("RandPaging-v0"), n_steps=8, batch_size=8)
    with pytest.raises(ValueError, match="the model's observations are of MultiDiscrete"):
        evaluate(model, gym.make("RandPaging-v0", num_pages=4))
    model = PPO("MlpPolicy", TimeLimit(Corridor(), 6), n_steps=8, batch_size=8)

    class Wider(Corridor):
        action_space = Discrete(3)

    with pytest.raises(ValueError, match=r"actions are of Discrete\(2\), but those of .*\(3\)"):
        evaluate(model, TimeLimit(Wider(), 6))


def test_a_model_of_a_wrapped_environment_is_told_so() -> None:
    env = gym.make("RandGrid-v0", **GRID)
    model = PPO("MlpPolicy", FlattenObservation(env), n_steps=8, batch_size=8)
    with pytest.raises(ValueError, match="wrap the env as in training"):
        evaluate(model, env)


# Agents.


def test_an_agent_of_any_task_is_evaluated_as_it_is_played() -> None:
    task = PatrolTask(("cycle", 4), horizon=3, attack_duration=2)
    agent = QNorm("MlpPolicy", task, QNormConfig(batch_size=4), rng_seed=1)
    report = evaluate(agent, num_seeds=40, num_fresh_seeds=200)
    assert report.exhaustive
    assert (report.game_value, report.game_value_kind) == (0.5, "exact")
    assert report.sampled is not None
    assert report.loss is not None
    # The cost is what success lacks of 1.
    assert report.loss["average"].estimate == pytest.approx(1 - report.average.estimate)
    assert evaluate(agent, task, num_seeds=40, num_fresh_seeds=200).to_json() == report.to_json()


def test_task_of_an_env_keeps_the_task_under_plain_wrappers_only() -> None:
    env = gym.make("RandGrid-v0", **GRID)
    assert task_of(Monitor(env)) is env.get_wrapper_attr("task")
    assert isinstance(FlattenObservation(env).observation_space, Box)
    assert task_of(FlattenObservation(env)).unit == "return"
