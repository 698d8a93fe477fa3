import pickle
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

from rand_envs import GridLayout, GridTask, Sweep, TaskEnv, TaskVectorEnv
from rand_envs.core.register import make_vector_env
from tests.rand_envs.core.games import Hunt

Case = tuple[str, dict[str, Any]]
NUM_ENVS = 5
STEPS = 70


def native(case: Case, mode: AutoresetMode, layouts: Any = None) -> TaskVectorEnv[Any]:
    envs = gym.make_vec(
        case[0],
        num_envs=NUM_ENVS,
        vectorization_mode="vector_entry_point",
        **case[1],
        layouts=layouts,
        autoreset_mode=mode,
    )
    assert isinstance(envs, TaskVectorEnv)
    return envs


def synchronous(case: Case, mode: AutoresetMode, layouts: Any = None) -> SyncVectorEnv:
    def sub_env(i: int) -> Callable[[], gym.Env[Any, Any]]:
        mine = layouts[i] if isinstance(layouts, list) else layouts
        return lambda: gym.make(case[0], **case[1], layouts=mine)

    return SyncVectorEnv([sub_env(i) for i in range(NUM_ENVS)], autoreset_mode=mode)


def assert_equal(ours: Any, theirs: Any) -> None:
    """Same types, dtypes, keys and values, however deep."""
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert_equal(ours[key], theirs[key])
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_equal(one, other)
    elif isinstance(ours, np.ndarray):
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        if ours.dtype == object:
            assert_equal(ours.tolist(), theirs.tolist())
        else:
            assert np.array_equal(ours, theirs)
    else:
        assert ours == theirs


def told(envs: Any, mode: AutoresetMode) -> list[Any]:
    """Everything a vector environment says in a seeded roll-out."""
    envs.action_space.seed(0)
    said: list[Any] = [envs.reset(seed=11)]
    for k in range(STEPS):
        said.append(envs.step(envs.action_space.sample()))
        ended = said[-1][2] | said[-1][3]
        if mode is AutoresetMode.DISABLED and ended.any():
            said.append(envs.reset(options={"reset_mask": ended.copy()}))
        if k == STEPS // 2:
            said.append(envs.reset(seed=[3, None, 4, 5, None]))
    return said


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("kind", ["uniform", "each", "sweep"])
def test_native_equals_synchronous(case: Case, mode: AutoresetMode, kind: str) -> None:
    def layouts() -> Any:
        space = gym.make(case[0], **case[1]).get_wrapper_attr("task").layout_space
        if kind == "each":
            return space.unpack(space.sample(np.random.default_rng(0), NUM_ENVS))
        return Sweep(space) if kind == "sweep" else None

    if kind == "sweep" and case[0] == "RandRecall-v0" and not case[1]:
        with pytest.raises(ValueError, match="can be listed"):
            layouts()
        return
    ours, theirs = native(case, mode, layouts()), synchronous(case, mode, layouts())
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata["autoreset_mode"] is theirs.metadata["autoreset_mode"] is mode
    said = told(ours, mode)
    assert_equal(said, told(theirs, mode))
    assert sum(answer[2].any() for answer in said if len(answer) == 5) > 0
    assert list(ours.layouts) == list(theirs.get_attr("layout"))
    assert_equal(ours.np_random_seed, theirs.np_random_seed)
    states = [rng.bit_generator.state for rng in ours.np_random]
    assert states == [rng.bit_generator.state for rng in theirs.np_random]


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_one_layout_for_all_and_overrides_equal_synchronous(case: Case, mode: Any) -> None:
    space = gym.make(case[0], **case[1]).get_wrapper_attr("task").layout_space
    given, override = space.unpack(space.sample(np.random.default_rng(0), 2))
    said: list[list[Any]] = []
    for envs in (native(case, mode, given), synchronous(case, mode, given)):
        envs.action_space.seed(0)
        said.append([envs.reset(seed=0), envs.reset(options={"layout": override})])
        if isinstance(envs, TaskVectorEnv):
            assert envs.layouts == [override] * NUM_ENVS
        ended = np.zeros(NUM_ENVS, bool)
        while not ended.any():
            said[-1].append(envs.step(envs.action_space.sample()))
            ended = said[-1][-1][2]
        if mode is AutoresetMode.DISABLED:
            said[-1].append(envs.reset(options={"reset_mask": ended}))
        else:
            said[-1].append(envs.step(envs.action_space.sample()))
        if isinstance(envs, TaskVectorEnv):
            expected = [given if over else override for over in ended]
            if mode is AutoresetMode.SAME_STEP:  # more may have ended with the last step
                assert all(layout in (given, override) for layout in envs.layouts)
                assert all(envs.layouts[i] == given for i in ended.nonzero()[0])
            else:
                assert envs.layouts == expected
    assert_equal(*said)


def test_each_sub_environment_may_get_its_own_override() -> None:
    layouts = [GridLayout((0, i)) for i in range(1, 5)]
    envs = make_vector_env("RandGrid-v0", 4, layouts=GridLayout((4, 4)))
    options = {"layout": layouts}
    envs.reset(options=options)
    assert envs.layouts == layouts
    assert options == {"layout": layouts}
    mask = np.array([True, False, True, False])
    envs.reset(options={"reset_mask": mask})
    assert envs.layouts == [GridLayout((4, 4)), layouts[1], GridLayout((4, 4)), layouts[3]]
    both = {"layout": layouts[::-1], "reset_mask": mask}
    _, infos = envs.reset(options=both)
    assert envs.layouts == [layouts[3], layouts[1], layouts[1], layouts[3]]
    assert infos["_steps"].tolist() == mask.tolist()
    assert list(both) == ["layout", "reset_mask"]


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_twins_and_pickles_agree(case: Case, mode: AutoresetMode) -> None:
    ours, twin = native(case, mode), native(case, mode)
    assert_equal(told(ours, mode), told(twin, mode))
    copy = pickle.loads(pickle.dumps(ours))
    copy.action_space.seed(0)
    ours.action_space.seed(0)
    for _ in range(20):
        ours_said = ours.step(ours.action_space.sample())
        assert_equal(ours_said, copy.step(copy.action_space.sample()))
        if mode is AutoresetMode.DISABLED and ours_said[2].any():
            options = {"reset_mask": ours_said[2]}
            assert_equal(ours.reset(options=options), copy.reset(options=options))


def test_layouts_are_oblivious_of_actions() -> None:
    def layouts_of(rng_seed: int) -> list[list[GridLayout]]:
        envs = make_vector_env("RandGrid-v0", 3, size=3, horizon=2, num_episodes=1)
        envs.reset(seed=0)
        envs.action_space.seed(rng_seed)
        seen: list[list[GridLayout]] = [[layout] for layout in envs.layouts]
        ended = np.zeros(3, bool)
        for _ in range(40):
            begun, ended = ended, envs.step(envs.action_space.sample())[2]
            for i in begun.nonzero()[0]:
                seen[i].append(envs.layouts[i])
        return [layouts[:10] for layouts in seen]

    first = layouts_of(1)
    assert first == layouts_of(2) == layouts_of(3)
    assert all(len(layouts) == 10 and len(set(layouts)) > 1 for layouts in first)


def test_a_sweep_goes_through_all_layouts_by_autoreset() -> None:
    task = GridTask(3, horizon=1, num_episodes=1)
    envs = TaskVectorEnv(task, 4, Sweep(task.layout_space), autoreset_mode="SameStep")
    envs.reset(seed=0)
    first = envs.layouts
    envs.step([0] * 4)
    every = task.layout_space.unpack(task.layout_space.enumerate())
    assert first + envs.layouts == every
    envs.step([0] * 4)
    assert envs.layouts == first


def test_what_is_returned_is_not_changed_later(case: Case) -> None:
    envs = native(case, AutoresetMode.NEXT_STEP)
    envs.action_space.seed(0)
    said: list[Any] = [envs.reset(seed=0)]
    kept = pickle.dumps(said)
    for _ in range(30):
        said.append(envs.step(envs.action_space.sample()))
        assert_equal(said[:-1], pickle.loads(kept))
        kept = pickle.dumps(said)


def test_the_action_of_the_reset_step_is_ignored() -> None:
    envs = make_vector_env(
        "RandGrid-v0", 2, size=2, num_episodes=1, layouts=[GridLayout((0, 1)), GridLayout((1, 1))]
    )
    envs.reset()
    assert envs.step([0, 0])[2].tolist() == [True, False]
    actions = np.array([99, 1])
    observations, rewards, terminations, _, infos = envs.step(actions)
    assert actions.tolist() == [99, 1]
    assert observations.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert rewards.tolist() == [0.0, -0.1]
    assert terminations.tolist() == [False, False]
    assert infos["steps"].tolist() == [0, 2]
    with pytest.raises(InvalidAction, match="got \\[99, 1\\]"):
        envs.step(actions)


def test_stepping_needs_instances_that_go_on() -> None:
    envs = make_vector_env(
        "RandGrid-v0",
        2,
        size=2,
        num_episodes=1,
        autoreset_mode="Disabled",
        layouts=[GridLayout((0, 1)), GridLayout((1, 1))],
    )
    with pytest.raises(ResetNeeded, match="call reset"):
        envs.step([0, 0])
    with pytest.raises(ResetNeeded, match="call reset"):
        _ = envs.layouts
    with pytest.raises(ResetNeeded, match="first reset"):
        envs.reset(options={"reset_mask": np.array([True, False])})
    envs.reset()
    envs.step([0, 0])
    with pytest.raises(ResetNeeded, match=r"instances \[0\] have ended"):
        envs.step([0, 0])
    envs.reset(options={"reset_mask": np.array([True, False])})
    assert envs.step([0, 2])[2].tolist() == [True, True]


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([0, 0], r"of shape \(3,\) in all, got shape \(2,\)"),
        ([0, 0, 4], r"must be 3 of Discrete\(4\), got \[0, 0, 4\]"),
        ([0, 0, -1], r"must be 3 of Discrete\(4\)"),
        ([0.0, 0.0, 0.0], "type float64"),
        ([[0], [0], [0]], r"got shape \(3, 1\)"),
    ],
)
def test_actions_outside_the_space_are_refused(actions: Any, message: str) -> None:
    envs = make_vector_env("RandGrid-v0", 3)
    envs.reset()
    with pytest.raises(InvalidAction, match=message):
        envs.step(actions)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_limit_of_steps_truncates_as_a_time_limit_does(case: Case, mode: AutoresetMode) -> None:
    env_id, config = case
    for limit in (1, 3):
        ours = gym.make_vec(
            env_id,
            NUM_ENVS,
            vectorization_mode="vector_entry_point",
            **config,
            max_episode_steps=limit,
            autoreset_mode=mode,
        )
        theirs = gym.make_vec(
            env_id,
            NUM_ENVS,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": mode},
            **config,
            max_episode_steps=limit,
        )
        said = told(ours, mode)
        assert_equal(said, told(theirs, mode))
        assert isinstance(ours.unwrapped, TaskVectorEnv)
        longest = ours.unwrapped.task.max_steps
        truncated = [answer[3].any() for answer in said if len(answer) == 5]
        assert any(truncated) == (longest >= limit)


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (1.5, "seed must be an integer of at least 0, got 1.5"),
        (True, "seed must be an integer of at least 0, got True"),
        ("ab", "seed must be an integer, or one for each environment, got 'ab'"),
        ({1: 2}, "seed must be an integer, or one for each environment"),
        ([1], "seed must hold 2 seeds, got 1"),
        ([1, 2.5], "seed must be an integer of at least 0, got 2.5"),
        (np.array([1, -2]), "seed must be an integer of at least 0, got .*-2"),
    ],
)
def test_what_are_no_seeds_is_refused(seed: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_vector_env("RandGrid-v0", 2).reset(seed=seed)


def test_seeds_may_be_numpys() -> None:
    envs = make_vector_env("RandGrid-v0", 2, size=9)
    seeds: list[Any] = [np.int64(3), np.array([3, 4]), (np.uint8(3), np.int32(4)), [3, 4], 3]
    layouts = []
    for seed in seeds:
        envs.reset(seed=seed)
        layouts.append(envs.layouts)
        assert envs.np_random_seed == (3, 4)
    assert layouts == layouts[-1:] * 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_envs": 0}, "num_envs must be an integer from 1 to 1048576, got 0"),
        ({"num_envs": 10**9}, "num_envs must be an integer from 1 to 1048576, got 1000000000"),
        ({"max_episode_steps": 0}, "max_episode_steps must be an integer of at least 1, got 0"),
        ({"num_envs": 2.5}, "num_envs must be an integer"),
        ({"num_envs": 3, "layouts": [GridLayout((1, 1))] * 2}, "each of the 3 .* got 2"),
        ({"render_mode": "human"}, "render_mode must be None or one of rgb_array, ansi"),
        ({"autoreset_mode": "sometimes"}, "AutoresetMode"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_vector_env("RandGrid-v0", **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"options": {"layuot": None}}, "options must be among layout, reset_mask, got layuot"),
        ({"options": {"layout": [GridLayout((1, 1))] * 3}}, "each of the 2 environments, got 3"),
        ({"options": {"layout": GridLayout((0, 0))}}, "which is the start"),
        ({"options": {"layout": 7}}, "must be a layout or a sequence of layouts"),
        ({"options": {"reset_mask": [True, False]}}, "reset_mask must be a boolean array"),
        ({"options": {"reset_mask": np.array([1, 0])}}, "reset_mask must be a boolean array"),
        ({"options": {"reset_mask": np.ones(3, bool)}}, r"of shape \(2,\)"),
        ({"options": {"reset_mask": np.zeros(2, bool)}}, "at least one True"),
        ({"seed": [1, 2, 3]}, "seed must hold 2 seeds, got 3"),
    ],
)
def test_bad_resets_are_refused(arguments: dict[str, Any], message: str) -> None:
    envs = make_vector_env("RandGrid-v0", 2)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        envs.reset(**arguments)


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("limit", [None, 2])
def test_rules_on_arrays_are_played_as_compiled_ones_are(mode: AutoresetMode, limit: Any) -> None:
    ours = TaskVectorEnv(Hunt(), NUM_ENVS, autoreset_mode=mode, max_episode_steps=limit)

    def alone() -> gym.Env[Any, Any]:
        return TaskEnv(Hunt()) if limit is None else TimeLimit(TaskEnv(Hunt()), limit)

    theirs = SyncVectorEnv([alone] * NUM_ENVS, autoreset_mode=mode)
    said = told(ours, mode)
    assert_equal(said, told(theirs, mode))
    ended = [answer[2] | answer[3] for answer in said if len(answer) == 5]
    assert any(0 < over.sum() < NUM_ENVS for over in ended)


def test_histories_are_kept_where_they_are_drawn() -> None:
    envs = make_vector_env("RandGrid-v0", 2, render_mode="ansi", size=2)
    layouts = {"layout": [GridLayout((1, 1))] * 2}
    envs.reset(options=layouts)
    first = envs.render()
    envs.step([0, 2])
    envs.step([2, 1])
    assert envs.render() != first
    alone = TaskEnv(GridTask(2), GridLayout((1, 1)), "ansi")
    alone.reset()
    alone.step(2)
    alone.step(1)
    frames = envs.render()
    assert frames is not None
    assert frames[1] == alone.render()
