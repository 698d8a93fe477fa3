"""Gymnasium environments in general: every space, known best policies, one policy's whole life."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor

from rand_agents import PEPG, ObjectiveConfig, PEPGConfig, QNorm, SearchConfig, SeedSpec, evaluate
from rand_agents.games.gym_task import GymTask
from rand_agents.games.path.spaces import ActionCode, ObservationCode
from rand_agents.policies.mlp import MLPConfig, SeedMLP

COUNT, STEPS = 3, 4

OBSERVATIONS: dict[str, tuple[gym.Space[Any], Any]] = {
    "box": (Box(-1.0, 1.0, (1, COUNT)), lambda k: np.eye(COUNT, dtype=np.float32)[k : k + 1]),
    "discrete": (Discrete(COUNT, start=-1), lambda k: k - 1),
    "multidiscrete": (MultiDiscrete([2, COUNT]), lambda k: np.array([1, k])),
    "multibinary": (MultiBinary(COUNT), lambda k: np.eye(COUNT, dtype=np.int8)[k]),
}
ACTIONS: dict[str, tuple[gym.Space[Any], Any]] = {
    "box": (Box(-3.0, 1.0, (2,)), lambda k: np.array([1.0, -3.0]) if k else np.array([-1, -1])),
    "discrete": (Discrete(COUNT, start=5), lambda k: k + 5),
    "multidiscrete": (MultiDiscrete([COUNT, 2]), lambda k: np.array([k, int(k > 0)])),
    "multibinary": (MultiBinary(2), lambda k: np.array([k == 1, k > 0], np.int8)),
}


class Echo(gym.Env[Any, Any]):
    """Shows one of three numbers; the reward is minus the distance to the action it calls for."""

    def __init__(self, seen: str = "discrete", asked: str = "discrete") -> None:
        self.observation_space, self._show = OBSERVATIONS[seen]
        self.action_space, self._right = ACTIONS[asked]

    def _observe(self) -> Any:
        self._number = int(self.np_random.integers(COUNT))
        return self._show(self._number)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        reward = -float(np.abs(action - self._right(self._number)).sum())
        return self._observe(), reward, False, False, {}


class Odd(Echo):
    """A space that no policy here can take."""

    def __init__(self, part: str, space: str) -> None:
        super().__init__()
        inner: dict[str, gym.Space[Any]] = {"d": Discrete(2)}
        odd: dict[str, gym.Space[Any]] = {
            "Dict": Dict(inner),
            "Tuple": Tuple([Discrete(2)]),
            "Text": Text(3),
        }
        setattr(self, f"{part}_space", odd[space])


gym.register("test/Echo-v0", f"{__name__}:Echo", max_episode_steps=STEPS)
gym.register("test/Odd-v0", f"{__name__}:Odd", max_episode_steps=STEPS)
gym.register("test/Endless-v0", f"{__name__}:Echo")

SMALL = PEPGConfig(ObjectiveConfig(q=1.0), SearchConfig(population=10, std=0.3), m=2, batch_size=3)
policies = pytest.mark.parametrize("policy", ["MlpPolicy", "SeedTransformer"])


def pole(policy: str = "MlpPolicy", **changes: Any) -> PEPG:
    env = gym.make("CartPole-v1", max_episode_steps=30)
    return PEPG(policy, env, SMALL, **({"seeds": SeedSpec(2)} | changes))


# Spaces.


@pytest.mark.parametrize("asked", ACTIONS)
@pytest.mark.parametrize("seen", OBSERVATIONS)
def test_the_best_policy_earns_the_best_return(seen: str, asked: str) -> None:
    env = gym.make("test/Echo-v0", seen=seen, asked=asked)
    token = 2 + COUNT if seen == "multidiscrete" else COUNT
    output = {"box": 2, "discrete": COUNT, "multidiscrete": COUNT + 2, "multibinary": 2}[asked]
    agent = PEPG(MLPConfig(token, output, 1, hidden=()), env, SMALL)
    answers = {
        "box": np.array([[0.0, 0], [99, -99], [99, -99]]),  # tanh: the middle, or both ends
        "discrete": np.eye(COUNT),
        "multidiscrete": np.array([[1.0, 0, 0, 1, 0], [0, 1, 0, 0, 1], [0, 0, 1, 0, 1]]),
        "multibinary": np.array([[-1.0, -1], [1, 1], [-1, 1]]),
    }[asked]
    weight = np.zeros((token + 1, output), np.float32)
    weight[token - COUNT : token] = answers
    with torch.no_grad():
        agent.model.weights["read_out"].copy_(torch.from_numpy(weight))
    resets = agent.task.layout_space.sample(np.random.default_rng(0), 10)
    returns = agent.play(resets, np.zeros((1, 1), np.float32)).outcome
    np.testing.assert_allclose(returns, 0.0, atol=1e-5)
    mean, spread = evaluate_policy(agent, agent.get_env(), 10, deterministic=True, warn=False)
    assert (mean, spread) == pytest.approx((0.0, 0.0), abs=1e-5)


def test_boxes_are_scaled_where_they_have_bounds() -> None:
    space = Box(np.array([0, -np.inf, 2], np.float32), np.array([10, 3, 2], np.float32))
    code = ObservationCode(space, "X-v0")
    np.testing.assert_allclose(
        code.encode(np.array([[0, -7, 2], [5, 3, 2], [10, 0, 2]], np.float32)),
        [[-1, -7, 2], [0, 3, 2], [1, 0, 2]],
    )
    actions = ActionCode(space, "X-v0").decode(torch.tensor([[99.0, 9, 7], [0, -9, 0]]), None)
    np.testing.assert_allclose(actions, [[10, 3, 2], [5, -9, 2]])
    assert actions.dtype == np.float32
    pixels = ObservationCode(Box(0, 255, (2, 2), np.uint8), "X-v0")
    np.testing.assert_allclose(pixels.encode(np.full((1, 2, 2), 255, np.uint8)), np.ones((1, 4)))


def test_integers_are_one_hot_and_actions_the_likeliest_of_each_part() -> None:
    code = ObservationCode(MultiDiscrete([2, 3], start=[4, -1]), "X-v0")
    np.testing.assert_array_equal(
        code.encode(np.array([[4, 1], [5, -1]])), [[1, 0, 0, 0, 1], [0, 1, 1, 0, 0]]
    )
    act = ActionCode(MultiDiscrete([2, 3], start=[4, -1]), "X-v0")
    outputs = torch.tensor([[0.0, 1, 5, 2, 3]])
    np.testing.assert_array_equal(act.decode(outputs, None), [[5, -1]])
    drawn = act.decode(outputs.repeat(5000, 1), np.random.default_rng(0))
    assert (drawn[:, 0] == 5).mean() == pytest.approx(np.e / (1 + np.e), abs=0.03)


@pytest.mark.parametrize("space", ["Dict", "Tuple", "Text"])
@pytest.mark.parametrize("part", ["observation", "action"])
def test_other_spaces_are_errors(part: str, space: str) -> None:
    legal = "Box, Discrete, MultiDiscrete or MultiBinary"
    message = f"the {part}s of test/Odd-v0 must be {legal}, got {space}"
    with pytest.raises(ValueError, match=message):
        PEPG("MlpPolicy", gym.make("test/Odd-v0", part=part, space=space))


# Roll-outs.


@policies
def test_a_roll_out_is_what_stepping_the_environment_gives(policy: str) -> None:
    agent = pole(policy, rng_seed=3)
    resets = agent.task.layout_space.pack([{"reset_seed": 7}, {"reset_seed": 8}])
    seeds = agent.draw_seeds(np.random.default_rng(0), 2)
    returns = agent.play(resets, seeds).outcome
    env = gym.make("CartPole-v1", max_episode_steps=30)
    for i, reset in enumerate((7, 8)):
        for j in range(2):
            observation, _ = env.reset(seed=reset)
            ended, total, state = False, 0.0, None
            while not ended:
                action, state = agent.predict(observation, state, deterministic=True)
                if total == 0:  # the seed it drew gives way to the one of the roll-out
                    state.seeds = torch.from_numpy(seeds[j : j + 1])
                    action, state = agent.predict(observation, _emptied(state), deterministic=True)
                observation, reward, terminated, truncated, _ = env.step(action)
                total, ended = total + float(reward), terminated or truncated
            assert returns[i, j] == total
    assert len(np.unique(returns)) > 1


def _emptied(state: Any) -> Any:
    state.tokens, state.seen = state.tokens[:, :0], torch.zeros_like(state.seen)
    return state


@policies
def test_candidates_share_resets_and_seeds_and_keep_their_own_weights(policy: str) -> None:
    agent = pole(policy)
    center = agent.search.center
    vectors = np.stack([center, -center, center])
    costs = agent.costs(vectors)
    assert costs.shape == (3, 3, 2)
    assert torch.equal(costs[0], costs[2])
    assert not torch.equal(costs[0], costs[1])
    assert costs.max() < 0  # every step earns 1, and the cost is minus the return


def test_a_batch_of_observations_is_answered_as_one_by_one() -> None:
    agent = pole(seeds=SeedSpec(1, draw="fixed"))
    observations = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    together, _ = agent.predict(observations, deterministic=True)
    alone = [agent.predict(one, deterministic=True)[0] for one in observations]
    np.testing.assert_array_equal(together, alone)
    assert 0 < together.sum() < 20


# The agent.


def score(agent: PEPG) -> Any:
    agent.set_random_seed(0)
    agent.get_env().seed(0)
    return evaluate_policy(agent, agent.get_env(), 5, return_episode_rewards=True, warn=False)


@policies
def test_a_saved_agent_acts_the_same(policy: str, tmp_path: Path) -> None:
    agent = pole(policy).learn(2)
    loaded = PEPG.load(agent.save(tmp_path / "agent"))
    assert loaded.task.config == {"max_episode_steps": 30}
    assert loaded.model.config == agent.model.config
    resets = agent.task.layout_space.sample(np.random.default_rng(0), 5)
    seeds = agent.draw_seeds(np.random.default_rng(1), 2)
    np.testing.assert_array_equal(
        agent.play(resets, seeds).outcome, loaded.play(resets, seeds).outcome
    )
    assert score(agent) == score(loaded)
    with pytest.raises(ValueError, match=r"holds an agent for CartPole-v1 with .* 30"):
        PEPG.load(tmp_path / "agent", "CartPole-v1")


@policies
def test_a_resumed_run_equals_an_uninterrupted_one(policy: str, tmp_path: Path) -> None:
    whole = pole(policy).learn(4)
    killed = pole(policy)
    killed.learn(4, callback=lambda *_: killed.num_timesteps < 2)
    resumed = PEPG.load(killed.save(tmp_path / "agent")).resume()
    assert resumed.num_timesteps == 4
    np.testing.assert_array_equal(whole.search.center, resumed.search.center)
    np.testing.assert_array_equal(whole.search.std, resumed.search.std)


def test_defaults_learn_cartpole() -> None:
    env = gym.make("CartPole-v1", max_episode_steps=100)
    agent = PEPG("MlpPolicy", env, rng_seed=2)
    resets = agent.task.layout_space.sample(np.random.default_rng(0), 20)
    seeds = agent.draw_seeds(np.random.default_rng(0), 1)
    before = agent.play(resets, seeds).outcome.mean()
    agent.learn(7)
    assert before < 60
    assert agent.play(resets, seeds).outcome.mean() > before + 60


def test_the_score_function_learns_cartpole_in_a_few_updates() -> None:
    env = gym.make("CartPole-v1", max_episode_steps=100)
    agent = QNorm("MlpPolicy", env, rng_seed=2)
    resets = agent.task.layout_space.sample(np.random.default_rng(0), 20)
    seeds = agent.draw_seeds(np.random.default_rng(0), 1)
    before = agent.play(resets, seeds).outcome.mean()
    agent.learn(12)
    after = agent.play(resets, seeds).outcome.mean()
    print(f"mean return {before:.0f}, then {after:.0f}")
    assert before < 60
    assert after > before + 60


@policies
def test_it_learns_an_action_of_real_numbers(policy: str) -> None:
    search = SearchConfig(population=40, learning_rate=0.1, std=0.3)
    env = gym.make("test/Echo-v0", asked="box")
    agent = PEPG(policy, env, PEPGConfig(ObjectiveConfig(q=1.0), search, m=1, batch_size=4))
    resets = agent.task.layout_space.sample(np.random.default_rng(0), 20)
    seeds = agent.draw_seeds(np.random.default_rng(0), 1)
    before = agent.losses(resets, seeds).mean()
    assert agent.learn(25).losses(resets, seeds).mean() < before / 2


def test_diagnostics_name_the_worst_reset() -> None:
    logs = pole()._diagnose()
    assert set(json.loads(str(logs["train/worst_layout"]))) == {"reset_seed"}
    assert -30 <= float(logs["train/worst_cost"]) < 0


@pytest.mark.parametrize("objective", [ObjectiveConfig(q=8.0), ObjectiveConfig(q=4.0, q_start=1.0)])
def test_a_q_norm_of_returns_is_an_error(objective: ObjectiveConfig) -> None:
    with pytest.raises(ValueError, match="q-norm needs costs of at least 0"):
        PEPG("MlpPolicy", "CartPole-v1", PEPGConfig(objective, batch_size=2))


@pytest.mark.parametrize(
    "objective",
    [ObjectiveConfig(q=1.0), ObjectiveConfig(q=np.inf), ObjectiveConfig("cvar", alpha=0.5)],
)
def test_mean_maximum_and_cvar_take_returns(objective: ObjectiveConfig) -> None:
    agent = PEPG("MlpPolicy", "test/Echo-v0", PEPGConfig(objective, SMALL.search, 1, 2))
    agent.learn(1)
    assert agent.num_timesteps == 1


# What does not fit.


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ("test/Nothing-v0", "must be a registered one: .*Nothing"),
        ("test/Endless-v0", "must have a longest length"),
        ("gymnasium:CartPole-v1", "must not name a module: import it first"),
        (Echo(), "must have a longest length"),
    ],
)
def test_environments_that_do_not_fit_are_errors(env: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PEPG("MlpPolicy", env)


def test_a_monitor_changes_nothing() -> None:
    env = Monitor(gym.make("CartPole-v1", max_episode_steps=30))
    agent = PEPG("MlpPolicy", env, SMALL)
    assert (agent.task.env_id, agent.task.config) == ("CartPole-v1", {"max_episode_steps": 30})


def test_arguments_that_are_no_json_are_errors() -> None:
    with pytest.raises(ValueError, match="arguments of test/Echo-v0 must be plain JSON"):
        GymTask("test/Echo-v0", seen={1, 2})


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("CnnPolicy", '"SeedTransformer" or "MlpPolicy", .*got \'CnnPolicy\''),
        (MLPConfig(3, 2, 1), "needs token_dim 4, got 3"),
        (MLPConfig(4, 3, 1), "needs output_dim 2, got 3"),
    ],
)
def test_policies_that_do_not_fit_are_errors(policy: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PEPG(policy, "CartPole-v1")


def test_evaluate_tells_the_mean_return_over_resets() -> None:
    agent = pole(seeds=SeedSpec(1, draw="fixed"))
    report = evaluate(agent, layouts=100, num_fresh_seeds=2, search_rounds=0)
    assert (report.env_id, report.unit, report.num_seeds) == ("CartPole-v1", "return", 1)
    agent.get_env().seed(0)
    found: Any = evaluate_policy(agent, agent.get_env(), 100, deterministic=True, warn=False)
    mean, spread = found
    half = report.average.ci95[1] - report.average.estimate
    assert abs(report.average.estimate - mean) < 2 * half
    assert half == pytest.approx(1.96 * spread / 100**0.5, rel=0.3)
    unknown = (report.game_value, report.gap, report.regret, report.certificate)
    assert unknown == (None,) * 4


def test_reset_seeds_are_layouts() -> None:
    space = GymTask("CartPole-v1").layout_space
    drawn = space.sample(np.random.default_rng(0), 1000)
    assert len(np.unique(drawn)) == 1000
    assert 0.45 < drawn["reset_seed"].mean() / space.size < 0.55
    assert np.array_equal(space.pack(space.unpack(drawn)), drawn)
    with pytest.raises(ValueError, match="reset_seed must be an integer from 0"):
        space.validate({"reset_seed": -1})
    with pytest.raises(ValueError, match="too many to list"):
        space.enumerate()


@pytest.mark.parametrize("hidden", [(), (5,), (5, 3)])
def test_an_mlp_answers_for_each_candidate_as_it_does_alone(hidden: tuple[int, ...]) -> None:
    config = MLPConfig(4, 2, 3, hidden)
    models = [SeedMLP(config, k) for k in range(2)]
    tokens, seeds = torch.randn(6, 5, 4), torch.randn(6, 3)
    stacked = {
        name: torch.stack([model.named_weights()[name] for model in models])
        for name in models[0].named_weights()
    }
    together = models[0](tokens, seeds, stacked)
    assert together.shape == (2, 6, 5, 2)
    for answer, model in zip(together, models, strict=True):
        torch.testing.assert_close(answer, model(tokens, seeds))
    moved = models[0](tokens, seeds + 1.0)
    assert not torch.allclose(moved, together[0])


@pytest.mark.parametrize("widths", [(0,), (4, 2.5)])
def test_widths_that_are_no_counts_are_errors(widths: Any) -> None:
    message = r"(each of hidden|a hidden layer's width) must be an integer"
    with pytest.raises(ValueError, match=message):
        MLPConfig(4, 2, 1, widths)
