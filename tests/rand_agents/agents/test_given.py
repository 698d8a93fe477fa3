"""What an environment was given is trained on, or refused in a sentence."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.wrappers import TransformReward
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecNormalize

from rand_agents import PEPG, PSRO, PEPGConfig, QNorm, QNormConfig, SearchConfig, evaluate
from rand_envs import (
    Fixed,
    GridTask,
    Layouts,
    LayoutSource,
    LayoutWrapper,
    PatrolTask,
    RandomSeedObservation,
    Sweep,
    Uniform,
)

TREASURE = {"treasure": [2, 2], "walls": []}
CONFIG = PEPGConfig(search=SearchConfig(population=4), m=2, batch_size=3)
SPACE = GridTask(3).layout_space


def grid(**more: Any) -> gym.Env[Any, Any]:
    return gym.make("RandGrid-v0", size=3, **more)


def trained_on(agent: Any) -> list[Any]:
    """The layouts of two updates."""
    asked: list[Any] = []
    played = agent.game.costs

    def costs(model: Any, layouts: Any, *others: Any) -> Any:
        asked.append([each.to_json() for each in agent.task.layout_space.unpack(layouts)])
        return played(model, layouts, *others)

    agent.game.costs = costs
    # A log would play layouts of its own.
    agent.learn(2, log_interval=100)
    return asked


LIMITED: dict[str, Any] = {
    "as it is": lambda **k: grid(**k),
    "with a limit of steps": lambda **k: grid(max_episode_steps=3, **k),
    "with another reward": lambda **k: TransformReward(grid(**k), lambda r: 2 * float(r)),
    "with a seed": lambda **k: RandomSeedObservation(grid(**k), 2),
    "side by side": lambda **k: DummyVecEnv([lambda: grid(**k)] * 2),
}


@pytest.mark.parametrize("name", LIMITED)
def test_layouts_that_an_environment_was_given_are_trained_on(name: str) -> None:
    make = LIMITED[name]
    agent = PEPG("SeedTransformer", make(layouts=TREASURE), CONFIG)
    assert isinstance(agent.layouts, Fixed)
    assert trained_on(agent) == [[TREASURE] * 3] * 2
    agent = PEPG("SeedTransformer", make(layouts=Sweep(SPACE)), CONFIG)
    swept = [layout.to_json() for layout in SPACE.unpack(SPACE.enumerate())]
    assert trained_on(agent) == [swept[:3], swept[3:6]]
    for nothing in ({}, {"layouts": Uniform(SPACE)}):
        assert PEPG("SeedTransformer", make(**nothing), CONFIG).layouts is None


def test_layouts_under_a_wrapper_of_others_too() -> None:
    lengths = Layouts(length=Box(0.25, 1.0))
    env = LayoutWrapper(
        gym.make("CartPole-v1", max_episode_steps=5), lengths, layouts={"length": 0.5}
    )
    assert trained_on(PEPG("MlpPolicy", env, CONFIG)) == [[{"length": 0.5}] * 3] * 2


def test_layouts_are_given_once() -> None:
    source = Sweep(SPACE)
    assert PEPG("SeedTransformer", grid(layouts=source), CONFIG, layouts=source).layouts is source
    with pytest.raises(ValueError, match="layouts of its own, Fixed, and layouts= gives others, S"):
        PEPG("SeedTransformer", grid(layouts=TREASURE), CONFIG, layouts=source)
    with pytest.raises(ValueError, match=r"layouts must be a LayoutSource, .* got {'treasure'"):
        PEPG("SeedTransformer", grid(), CONFIG, layouts=TREASURE)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="PSRO plays every layout"):
        PSRO("SeedTransformer", grid(layouts=TREASURE))


def test_layouts_of_another_game_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"must be for the layouts of RandGrid-v0, .* is for others"
    ):
        PEPG("SeedTransformer", grid(), CONFIG, layouts=Sweep(GridTask(4).layout_space))


def test_a_class_that_needs_no_arguments_is_a_game() -> None:
    agent = PEPG("SeedTransformer", PatrolTask, CONFIG)
    assert (agent.task.env_id, agent.task.config) == (PatrolTask.env_id, PatrolTask().config)


def test_a_limit_a_reward_and_a_seed_are_what_is_played() -> None:
    """From a corner the treasure opposite is four steps away, at a reward of -0.1 each."""
    layouts = SPACE.pack([TREASURE])

    def outcome(env: Any) -> float:
        agent = PEPG("SeedTransformer", env, CONFIG)
        drawn = agent.draw_seeds(np.random.default_rng(0), 1)
        return float(agent.play(layouts, drawn).outcome[0, 0])

    assert outcome(grid(max_episode_steps=3)) == pytest.approx(-0.3)
    whole = outcome(grid(max_episode_steps=50))
    doubled = TransformReward(grid(max_episode_steps=50), lambda r: 2 * float(r))
    assert outcome(doubled) == 2 * whole
    seeded = PEPG("SeedTransformer", RandomSeedObservation(grid(), 2), CONFIG)
    assert seeded.game.observed(np.zeros((1, 10), np.float32)).shape == (1, 1, 10)
    assert seeded.task.observation_space.shape == (10,)


@pytest.mark.parametrize("num", [1, 3])
def test_environments_of_stable_baselines_are_trained_on(num: int, tmp_path: Path) -> None:
    envs = make_vec_env("CartPole-v1", num, env_kwargs={"max_episode_steps": 4})
    agent = PEPG("MlpPolicy", envs, CONFIG).learn(1)
    assert (agent.task.env_id, agent.task.max_steps) == ("CartPole-v1", 4)
    loaded = PEPG.load(agent.save(tmp_path / "agent"), env=envs)
    assert loaded.resume().num_timesteps == 1
    with pytest.raises(ValueError, match=r"holds an agent for CartPole-v1 .* not for Acrobot"):
        PEPG.load(tmp_path / "agent", env=make_vec_env("Acrobot-v1"))


def different() -> DummyVecEnv:
    return DummyVecEnv([lambda: grid(layouts=TREASURE), lambda: grid()])


REFUSED: list[tuple[Any, str]] = [
    (lambda: VecNormalize(make_vec_env("CartPole-v1")), "without wrappers .* got VecNormalize"),
    (
        lambda: make_vec_env("CartPole-v1", vec_env_cls=SubprocVecEnv),
        "got SubprocVecEnv: give one environment",
    ),
    (different, "side by side must all be made alike"),
    (lambda: DummyVecEnv([lambda: grid(), lambda: gym.make("CartPole-v1")]), "alike"),
    (
        lambda: gym.make_vec("CartPole-v1", vectorization_mode="sync"),
        "an environment must be a registered id, one of gym.make's, a DummyVecEnv",
    ),
    (lambda: gym.make_vec("RandGrid-v0"), "an environment must be a registered id"),
    (lambda: 5, "an environment must be a registered id.*, got 5"),
    (lambda: int, "an environment must be a registered id.*, got <class 'int'>"),
    (lambda: None, "an environment must be a registered id.*, got None"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_other_environments_are_refused(make: Any, message: str, tmp_path: Path) -> None:
    try:
        env = make()
    except AssertionError:
        pytest.skip("Stable-Baselines3 refuses it itself")
    with pytest.raises(ValueError, match=message):
        PEPG("MlpPolicy", env, CONFIG)
    if env is not None:
        file = PEPG("MlpPolicy", "CartPole-v1", CONFIG).save(tmp_path / "agent")
        with pytest.raises(ValueError, match=message):
            PEPG.load(file, env=env)
    if hasattr(env, "close"):
        env.close()


def test_an_evaluation_drops_no_layouts() -> None:
    agent = QNorm("SeedTransformer", GridTask(3), QNormConfig(m=1, batch_size=2))
    for policy in (agent, lambda seen: 0):
        with pytest.raises(ValueError, match=r"looks for the worst layout itself: .* layouts="):
            evaluate(policy, grid(layouts=TREASURE), num_seeds=2, num_fresh_seeds=2)
    with pytest.raises(ValueError, match=r"QNorm plays RandGrid-v0 with .*, not RandGrid-v0"):
        evaluate(agent, grid(max_episode_steps=3), num_seeds=2, num_fresh_seeds=2)
    doubled = TransformReward(grid(), lambda r: 2 * float(r))
    seeded = RandomSeedObservation(grid(), 2)
    with pytest.raises(ValueError, match="PEPG plays RandGrid-v0"):
        evaluate(PEPG("SeedTransformer", doubled, CONFIG), seeded)


def test_a_loaded_agent_goes_on_with_its_layouts_unless_it_is_given_others(tmp_path: Path) -> None:
    other = {"treasure": [0, 2], "walls": []}
    file = PEPG("SeedTransformer", grid(layouts=TREASURE), CONFIG).save(tmp_path / "fixed")
    for given, expected in ((None, TREASURE), (TREASURE, TREASURE), (other, other)):
        loaded = PEPG.load(file, env=grid(layouts=given))
        assert trained_on(loaded) == [[expected] * 3] * 2
    swept = [layout.to_json() for layout in SPACE.unpack(SPACE.enumerate())]
    assert trained_on(PEPG.load(file, env=grid(layouts=Sweep(SPACE))))[0] == swept[:3]
    agent = PEPG("SeedTransformer", grid(layouts=Sweep(SPACE)), CONFIG)
    file = agent.learn(1, log_interval=100).save(tmp_path / "swept")
    # Where its own sweep was, and not where a new one begins.
    assert trained_on(PEPG.load(file, env=grid(layouts=Sweep(SPACE))))[0] == swept[3:6]


class Corners(LayoutSource[Any]):
    """A source of somebody's own: the corners, one after the other."""

    def __init__(self) -> None:
        super().__init__(SPACE)
        self.turn = 0

    def draw(self, rngs: Any, env_ids: Any) -> Any:
        corners = SPACE.pack([TREASURE, {"treasure": [0, 2], "walls": []}])
        self.turn += len(rngs)
        return corners[(self.turn - len(rngs) + np.arange(len(rngs))) % 2]


def test_a_source_that_no_file_can_hold_is_asked_for(tmp_path: Path) -> None:
    agent = PEPG("SeedTransformer", grid(layouts=Corners()), CONFIG)
    file = agent.learn(3, lambda inner, _: inner["self"].num_timesteps < 2).save(tmp_path / "a")
    loaded = PEPG.load(file)
    again = PEPG.load(loaded.save(tmp_path / "b"))
    for lacking in (loaded, again):
        seeds = lacking.draw_seeds(np.random.default_rng(0), 2)
        assert lacking.play(SPACE.enumerate(), seeds).outcome.shape == (8, 2)
        for train in (lacking.resume, lambda lacking=lacking: lacking.learn(1)):
            with pytest.raises(ValueError, match=r"on layouts of Corners, .* load it with env="):
                train()
        assert lacking.num_timesteps == 2
    whole = PEPG.load(tmp_path / "b", env=grid(layouts=Corners()))
    assert whole.resume().num_timesteps == 3
