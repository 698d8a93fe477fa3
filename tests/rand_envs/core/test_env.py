import pickle
import sys
import types
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3.common.env_checker as sb3
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import RecordEpisodeStatistics
from stable_baselines3 import PPO

import rand_envs
from rand_envs import GridLayout, RandomSeedObservation, RecallLayout, TaskEnv, TaskVectorEnv
from rand_envs.core.register import make_env, make_vector_env
from tests.rand_envs.core.games import Hunt, Throw

Case = tuple[str, dict[str, Any]]


def made(case: Case, **more: Any) -> TaskEnv[Any]:
    env = gym.make(case[0], **case[1], **more).unwrapped
    assert isinstance(env, TaskEnv)
    return env


def rollout(env: gym.Env[Any, Any], steps: int, rng_seed: int = 0) -> list[Any]:
    """Everything the environment says in so many steps of a seeded player."""
    env.action_space.seed(rng_seed)
    said: list[Any] = [env.reset(seed=rng_seed)]
    for _ in range(steps):
        said.append(env.step(env.action_space.sample()))
        if said[-1][2]:
            said.append(env.reset())
    return [(told[0].tolist(), *told[1:]) for told in said]


def test_gymnasium_accepts_it(case: Case) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made(case), skip_render_check=True)


def test_stable_baselines_accepts_it(case: Case) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sb3.check_env(made(case))


def test_stable_baselines_trains_in_it() -> None:
    for env_id in ("RandRecall-v0", "RandColoring-v0", "RandGrid-v0"):
        agent = PPO(
            "MlpPolicy", RandomSeedObservation(gym.make(env_id), 2), n_steps=64, device="cpu"
        )
        agent.learn(128)
        assert agent.ep_info_buffer


def test_gymnasium_keeps_statistics_of_it() -> None:
    env = RecordEpisodeStatistics(gym.make("RandGrid-v0", size=2, layouts=GridLayout((0, 1))))
    env.reset()
    assert "episode" not in env.step(0)[4]
    assert env.step(0)[4]["episode"]["l"] == 2


def test_spaces_contain_what_is_seen(case: Case) -> None:
    env = gym.make(case[0], **case[1])
    env.action_space.seed(0)
    observation, _ = env.reset(seed=0)
    for _ in range(60):
        assert observation in env.observation_space
        assert observation.dtype == env.observation_space.dtype
        observation, _, terminated, _, _ = env.step(env.action_space.sample())
        if terminated:
            assert observation in env.observation_space
            observation, _ = env.reset()


def test_twin_rollouts_are_equal(case: Case) -> None:
    said = rollout(made(case), 80)
    assert said == rollout(made(case), 80)
    # With sizes this small some seeds agree by chance: one of several must differ.
    assert any(said != rollout(made(case), 80, rng_seed) for rng_seed in range(1, 6))


def test_a_pickled_environment_goes_on_where_it_was(case: Case) -> None:
    env = made(case)
    env.action_space.seed(0)
    env.reset(seed=0)
    if env.task.max_steps > 1:
        env.step(env.action_space.sample())
    twin = pickle.loads(pickle.dumps(env))
    assert twin.layout == env.layout
    for _ in range(60):
        action = env.action_space.sample()
        ours, theirs = env.step(action), twin.step(action)
        assert ours[0].tolist() == theirs[0].tolist()
        assert ours[1:] == theirs[1:]
        if ours[2]:
            assert env.reset()[0].tolist() == twin.reset()[0].tolist()


def test_environments_of_one_task_sample_on_their_own(case: Case) -> None:
    task = made(case).task
    env, other = TaskEnv(task), TaskEnv(task)
    twin = made(case)
    for space, same in (
        (env.action_space, twin.action_space),
        (env.observation_space, twin.observation_space),
    ):
        space.seed(0)
        same.seed(0)
        other.action_space.seed(1)
        other.observation_space.seed(1)
        assert np.array_equal([space.sample() for _ in range(9)], [same.sample() for _ in range(9)])


def test_infos_of_an_instance() -> None:
    recall = gym.make("RandRecall-v0", num_pairs=1, layouts=RecallLayout(((1, 0, 0, 1, 1),), 0))
    assert recall.reset()[1] == {"is_success": False}
    assert recall.step(np.zeros(5, np.int8))[4] == {"is_success": False}
    _, reward, terminated, truncated, info = recall.step(np.array([1, 0, 0, 1, 1]))
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info == {"is_success": True}

    coloring = gym.make("RandColoring-v0", num_vertices=4, layouts={"cycle": [0, 1, 2, 3]})
    assert coloring.reset()[1] == {"is_success": False, "conflicts": -1}
    assert coloring.step([0, 0, 1, 2])[4] == {"is_success": False, "conflicts": 1}

    grid = gym.make("RandGrid-v0", size=2, layouts=GridLayout((0, 1)))
    assert grid.reset()[1] == {"episode_index": 0, "steps": 0, "is_success": False}
    assert grid.step(2)[4] == {"episode_index": 0, "steps": 1, "is_success": False}
    assert grid.step(3)[4] == {"episode_index": 0, "steps": 2, "is_success": False}
    assert grid.step(0)[4] == {"episode_index": 1, "steps": 3, "is_success": False}
    assert grid.step(0)[4] == {"episode_index": 1, "steps": 4, "is_success": True}


def test_infos_have_the_same_keys_and_types_at_every_step(case: Case) -> None:
    """As recorders of episodes want them; a success is told at the end only."""
    env = made(case)
    env.action_space.seed(0)
    for rng_seed in range(5):
        first = info = env.reset(seed=rng_seed)[1]
        ended = False
        while not ended:
            assert not info["is_success"]
            ended, info = env.step(env.action_space.sample())[2::2]
            assert {key: type(value) for key, value in info.items()} == {
                key: type(value) for key, value in first.items()
            }
        assert info["is_success"] == bool(env.task.success(env._state)[0])  # type: ignore[arg-type]


def test_a_given_layout_stays(case: Case) -> None:
    layout = made(case).task.layout_space.unpack(
        made(case).task.layout_space.sample(np.random.default_rng(7), 1)
    )[0]
    for given in (layout, layout.to_json()):
        env = made(case, layouts=given)
        for rng_seed in (0, None, 3, None):
            env.reset(seed=rng_seed)
            assert env.layout == layout


def test_a_layout_among_the_options_lasts_one_instance(case: Case) -> None:
    space = made(case).task.layout_space
    given, override = space.unpack(space.sample(np.random.default_rng(1), 2))
    env = made(case, layouts=given)
    options = {"layout": override}
    env.reset(options=options)
    assert env.layout == override
    assert options == {"layout": override}
    env.reset()
    assert env.layout == given
    env.reset(options={"layout": override.to_json()})
    assert env.layout == override


def test_an_override_leaves_the_random_stream_alone() -> None:
    env, twin = made(("RandGrid-v0", {})), made(("RandGrid-v0", {}))
    env.reset(seed=5)
    twin.reset(seed=5)
    env.reset(options={"layout": GridLayout((4, 4))})
    for _ in range(5):
        env.reset()
        twin.reset()
        assert env.layout == twin.layout


@pytest.mark.parametrize("env_id", ["RandRecall-v0", "RandColoring-v0", "RandGrid-v0"])
def test_layouts_are_oblivious_of_actions(env_id: str) -> None:
    sequences = []
    for rng_seed in (1, 2, 3):
        env = made((env_id, {}))
        player = np.random.default_rng(rng_seed)
        env.action_space.seed(rng_seed)
        env.reset(seed=0)
        layouts = [env.layout]
        played = []
        for _ in range(4):
            terminated = False
            while not terminated:
                if player.random() < 0.1 and env_id == "RandGrid-v0":
                    break
                action = env.action_space.sample()
                played.append(np.asarray(action).tolist())
                terminated = env.step(action)[2]
            env.reset()
            layouts.append(env.layout)
        sequences.append((layouts, played))
    assert sequences[0][0] == sequences[1][0] == sequences[2][0]
    assert sequences[0][1] != sequences[1][1] != sequences[2][1]
    assert len(set(sequences[0][0])) > 1


def test_stepping_needs_an_instance_that_goes_on(case: Case) -> None:
    env = made(case)
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step(env.action_space.sample())
    with pytest.raises(ResetNeeded, match="call reset"):
        _ = env.layout
    env.reset(seed=0)
    while not env.step(env.action_space.sample())[2]:
        pass
    with pytest.raises(ResetNeeded, match="has ended"):
        env.step(env.action_space.sample())
    env.reset()
    env.step(env.action_space.sample())


@pytest.mark.parametrize(
    ("env_id", "action", "message"),
    [
        ("RandGrid-v0", 4, r"must be Discrete\(4\), got \[4\]"),
        ("RandGrid-v0", -1, r"must be Discrete\(4\), got \[-1\]"),
        ("RandGrid-v0", 1.0, "type float64"),
        ("RandGrid-v0", True, "type bool"),
        ("RandGrid-v0", "up", "type <U2"),
        ("RandGrid-v0", [1], r"shape \(1, 1\)"),
        ("RandRecall-v0", [0, 1, 0, 1], r"shape \(1, 4\)"),
        ("RandRecall-v0", [0, 1, 0, 1, 2], r"must be MultiBinary\(5\)"),
        ("RandRecall-v0", np.full(5, 0.5), r"must be MultiBinary\(5\), got \[\[0.5"),
        ("RandRecall-v0", np.full(5, np.nan), r"must be MultiBinary\(5\), got \[\[nan"),
        ("RandColoring-v0", [3] * 10, "must be MultiDiscrete"),
        ("RandColoring-v0", [-1] * 10, "must be MultiDiscrete"),
        ("RandColoring-v0", None, "type object"),
    ],
)
def test_actions_outside_the_space_are_refused(env_id: str, action: Any, message: str) -> None:
    env = made((env_id, {}))
    env.reset(seed=0)
    with pytest.raises(InvalidAction, match=message):
        env.step(action)
    env.step(env.action_space.sample())


@pytest.mark.parametrize("dtype", [bool, np.float32, np.uint8])
def test_bits_may_have_any_type(dtype: Any) -> None:
    env = made(("RandRecall-v0", {"num_pairs": 1, "layouts": RecallLayout(((1, 0, 0, 1, 1),), 0)}))
    env.reset()
    env.step(np.zeros(5, dtype))
    assert env.step(np.array([1, 0, 0, 1, 1], dtype))[1] == 1.0


def test_actions_may_be_real_numbers() -> None:
    env = TaskEnv(Throw(), layouts={"wall": 0.5})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env, skip_render_check=True)
    for action in (np.array([0.25], np.float32), [0.25], np.array([0.25])):
        env.reset()
        assert env.step(action)[1] == -0.25
    env.reset()
    illegal: tuple[Any, ...] = ([1.5], [np.nan], 0.5, ["far"])
    for action in illegal:
        with pytest.raises(InvalidAction, match=r"must be Box\(0.0, 1.0, \(1,\), float32\)"):
            env.step(action)


def test_actions_may_start_elsewhere_than_at_zero() -> None:
    class Streets(Hunt):
        """The places have the numbers 1 to 4."""

        action_space = gym.spaces.Discrete(4, start=1)

        def step(self, state: Any, actions: Any) -> Any:
            assert (actions > 0).all()
            return super().step(state, actions - 1)

    envs = TaskVectorEnv(Streets(), 2, layouts=[{"place": 0}, {"place": 3}])
    envs.reset()
    assert envs.step([1, 1])[2].tolist() == [True, False]
    # The first begins anew and ignores its action, legal or not.
    assert envs.step([0, 4])[2].tolist() == [False, True]
    with pytest.raises(InvalidAction, match=r"must be 2 of Discrete\(4, start=1\)"):
        envs.step([0, 4])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"render_mode": "jpeg"}, "render_mode must be None or one of human, rgb_array, ansi"),
        ({"layouts": [GridLayout((1, 1))] * 2}, "one for each of the 1 environments, got 2"),
        ({"layouts": GridLayout((0, 0))}, "which is the start"),
        ({"layouts": 5}, "must be a layout or a sequence of layouts, got 5"),
        ({"layouts": "all"}, "must be a layout or a sequence of layouts, got 'all'"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_env("RandGrid-v0", **arguments)


def test_bad_options_are_refused() -> None:
    env = made(("RandGrid-v0", {}))
    with pytest.raises(ValueError, match="options must be among layout, got start"):
        env.reset(options={"start": (0, 0)})
    with pytest.raises(ValueError, match="treasure must be on a free cell"):
        env.reset(options={"layout": GridLayout((0, 0))})


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """Stands for `rand_envs.rendering`: its pictures are what it was asked to draw."""
    shown: list[Any] = []

    class Window:
        def __init__(self, title: str, fps: int) -> None:
            shown.append((title, fps))

        def show(self, frame: Any) -> None:
            shown.append(frame)

        def close(self) -> None:
            shown.append("closed")

    def draw(task: Any, states: list[Any], actions: list[Any]) -> tuple[Any, ...]:
        assert all(state.shape == (1,) for state in states)
        return [task.observe(state)[0].tolist() for state in states], np.array(actions).tolist()

    fake = types.SimpleNamespace(Window=Window, render_frame=draw, render_text=draw, shown=shown)
    monkeypatch.setitem(sys.modules, "rand_envs.rendering", fake)
    monkeypatch.setattr(rand_envs, "rendering", fake, raising=False)
    return fake


@pytest.mark.parametrize("mode", ["rgb_array", "ansi"])
def test_pictures_show_the_instance_since_its_reset(
    painter: types.SimpleNamespace, mode: str
) -> None:
    env = made(("RandGrid-v0", {"layouts": GridLayout((4, 4))}), render_mode=mode)
    with pytest.raises(ResetNeeded):
        env.render()
    env.reset()
    env.step(0)
    env.step(2)
    assert env.render() == ([[0, 0, 0], [0, 1, 0], [1, 1, 0]], [0, 2])
    env.reset()
    assert env.render() == ([[0, 0, 0]], [])


def test_human_mode_shows_every_step_by_itself(painter: types.SimpleNamespace) -> None:
    env = made(("RandGrid-v0", {"layouts": GridLayout((4, 4))}), render_mode="human")
    env.reset()
    env.step(0)
    assert env.render() is None
    env.close()
    env.close()
    after_step = ([[0, 0, 0], [0, 1, 0]], [0])
    expected = [("RandGrid-v0", 4), ([[0, 0, 0]], []), after_step, after_step, "closed"]
    assert painter.shown == expected


def test_vector_pictures_are_one_for_each(painter: types.SimpleNamespace) -> None:
    env = make_vector_env(
        "RandGrid-v0",
        2,
        size=2,
        layouts=[GridLayout((0, 1)), GridLayout((1, 1))],
        num_episodes=1,
        render_mode="ansi",
    )
    env.reset()
    env.step([0, 0])
    ended = ([[0, 0, 0], [0, 1, 1]], [0])
    assert env.render() == (ended, ([[0, 0, 0], [0, 1, 0]], [0]))
    env.step([0, 2])
    assert env.render() == (([[0, 0, 0]], []), ([[0, 0, 0], [0, 1, 0], [1, 1, 1]], [0, 2]))


def test_rendering_without_a_mode_warns() -> None:
    for env in (make_env("RandGrid-v0"), make_vector_env("RandGrid-v0", 2)):
        env.reset()
        with pytest.warns(UserWarning, match="needs a render_mode"):
            assert env.render() is None
