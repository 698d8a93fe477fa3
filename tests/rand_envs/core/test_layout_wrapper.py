import copy
import json
import pickle
import re
import warnings
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3.common.env_checker as sb3
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box, Discrete
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.monitor import Monitor

from benchmarks.suite.pushed_pole import FirstPush
from rand_envs import (
    GridTask,
    Layouts,
    LayoutWrapper,
    RandomSeedObservation,
    Sweep,
    TaskEnv,
    Uniform,
    layout_space_of,
)
from rand_envs.core.wrappers.layouts import set_attributes

POLES = Layouts(
    length=Box(0.25, 1.0), masspole=Box(0.05, 0.5), force_mag=Box(5.0, 15.0), push=Box(-1.0, 1.0)
)


def set_pole(cart: Any, layout: Any) -> None:
    """Set a pole and a motor, and what CartPole computed from them when it was made."""
    cart.length, cart.masspole, cart.force_mag = layout.length, layout.masspole, layout.force_mag
    cart.total_mass = cart.masspole + cart.masscart
    cart.polemass_length = cart.masspole * cart.length
    cart.push = layout.push


def cart_pole(**more: Any) -> LayoutWrapper:
    return LayoutWrapper(FirstPush(gym.make("CartPole-v1")), POLES, set_pole, **more)


PLAIN = {"length": 0.5, "masspole": 0.1, "force_mag": 10.0, "push": 0.0}
"""The pole that CartPole-v1 has."""


def watched(env: gym.Env[Any, Any], seed: int | None, steps: int = 12, **reset: Any) -> Any:
    """Observations of the same actions in turn."""
    seen = [env.reset(seed=seed, **reset)[0]]
    for step in range(steps):
        seen.append(env.step(step % 2)[0])
    return np.array(seen)


def layouts_of(env: Any, count: int, seed: int | None = None) -> list[Any]:
    drawn = []
    for i in range(count):
        env.reset(seed=seed if i == 0 else None)
        drawn.append(env.get_wrapper_attr("layout"))
    return drawn


def test_the_pole_of_cart_pole_gives_cart_pole() -> None:
    assert np.array_equal(watched(cart_pole(layouts=PLAIN), 3), watched(gym.make("CartPole-v1"), 3))


@pytest.mark.parametrize("name", ["length", "masspole", "force_mag", "push"])
def test_a_layout_changes_the_physics(name: str) -> None:
    """Same seed, same actions, one parameter changed: from the second step on all is different."""
    other = PLAIN | {name: {"length": 1.0, "masspole": 0.4, "force_mag": 12.0, "push": 0.5}[name]}
    plain, changed = (watched(cart_pole(layouts=layout), 3) for layout in (PLAIN, other))
    if name == "push":
        assert changed[0] - plain[0] == pytest.approx([0, 0.5, 0, 0])
    else:
        assert np.array_equal(plain[0], changed[0])
    assert (plain[2:] != changed[2:]).any(axis=1).all()


def test_a_longer_pole_falls_as_the_book_says() -> None:
    """The angular acceleration of Barto, Sutton and Anderson (1983), by hand for one state."""
    layout = {"length": 1.0, "masspole": 0.5, "force_mag": 15.0, "push": 0.0}
    env = cart_pole(layouts=layout)
    env.reset(seed=0)
    x, v, angle, spin = env.get_wrapper_attr("state").copy()
    sin, cos = np.sin(angle), np.cos(angle)
    temp = (15.0 + 0.5 * 1.0 * spin**2 * sin) / 1.5
    acceleration = (9.8 * sin - cos * temp) / (1.0 * (4 / 3 - 0.5 * cos**2 / 1.5))
    after = env.step(1)[0]
    assert after[3] == pytest.approx(spin + 0.02 * acceleration, rel=1e-6)
    assert after[0] == pytest.approx(x + 0.02 * v, rel=1e-6)


def test_layouts_are_set_before_the_environment_is_reset() -> None:
    class Told(gym.Env[Any, Any]):
        observation_space, action_space = Box(0, 9), Discrete(2)
        level, options = -1, None

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            super().reset(seed=seed)
            self.options = options
            return np.array([self.level], np.float32), {"seen": self.level}

    env = LayoutWrapper(Told(), Layouts(level=Discrete(9)), layouts={"level": 4})
    assert env.reset() == ([4.0], {"seen": 4, "layout": {"level": 4}})
    options = {"layout": {"level": 7}, "start": "left"}
    assert env.reset(options=options)[0] == [7.0]
    assert env.get_wrapper_attr("options") == {"start": "left"}
    assert options == {"layout": {"level": 7}, "start": "left"}
    assert env.reset()[0] == [4.0]
    assert env.get_wrapper_attr("options") is None


def test_the_layout_is_known_and_told() -> None:
    env = cart_pole()
    with pytest.raises(ResetNeeded, match="call reset"):
        _ = env.layout
    info = env.reset(seed=0)[1]
    assert env.layout.to_json() == info["layout"] == json.loads(json.dumps(info["layout"]))
    assert env.get_wrapper_attr("length") == env.layout.length
    assert POLES.validate(info["layout"]) == env.layout


def test_equal_seeds_give_equal_layouts() -> None:
    first, again, other = (layouts_of(cart_pole(), 5, seed) for seed in (1, 1, 2))
    assert first == again
    assert len(set(first + other)) == 10


def test_the_chance_of_the_environment_is_as_without_layouts() -> None:
    def starts(env: gym.Env[Any, Any]) -> Any:
        return [env.reset(seed=8 if i == 0 else None)[0].tolist() for i in range(4)]

    poles = Layouts(length=Box(0.25, 1.0), masspole=Box(0.05, 0.5))
    expected = starts(gym.make("CartPole-v1"))
    assert starts(LayoutWrapper(gym.make("CartPole-v1"), poles)) == expected
    assert starts(LayoutWrapper(gym.make("CartPole-v1"), Layouts(length=Box(1, 2)))) == expected
    fixed = {"length": 1.0, "masspole": 0.1}
    assert starts(LayoutWrapper(gym.make("CartPole-v1"), poles, layouts=fixed)) == expected


def test_layouts_are_oblivious_of_what_is_played_and_of_a_policys_seeds() -> None:
    expected = layouts_of(cart_pole(), 4, 0)
    seeded = RandomSeedObservation(cart_pole(), 3)
    assert layouts_of(seeded, 4, 0) == expected
    env = cart_pole()
    drawn = []
    for i in range(4):
        watched(env, 0 if i == 0 else None, steps=i)
        drawn.append(env.layout)
    assert drawn == expected


def test_a_layout_for_one_instance_leaves_the_stream_alone() -> None:
    env, twin = cart_pole(), cart_pole()
    env.reset(seed=5)
    twin.reset(seed=5)
    env.reset(options={"layout": PLAIN})
    assert env.layout.to_json() == PLAIN
    assert layouts_of(env, 3) == layouts_of(twin, 3)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_layouts_persist_through_autoreset(mode: AutoresetMode) -> None:
    heavy = PLAIN | {"masspole": 0.5}
    envs = SyncVectorEnv(
        [partial(cart_pole, layouts=layout) for layout in (PLAIN, heavy)], autoreset_mode=mode
    )
    infos = envs.reset(seed=0)[1]
    assert infos["layout"]["masspole"].tolist() == [0.1, 0.5]
    begun = np.zeros(2, int)
    for _ in range(60):
        _, _, over, _, _ = envs.step(np.ones(2, int))
        begun += over
        if mode is AutoresetMode.DISABLED and over.any():
            envs.reset(options={"reset_mask": over})
        assert [layout.masspole for layout in envs.get_attr("layout")] == [0.1, 0.5]
        assert list(envs.get_attr("total_mass")) == [1.1, 1.5]
    assert (begun > 2).all()


def test_a_source_picks_at_every_autoreset() -> None:
    space = Layouts(length=Box(0.5, 0.5), force_mag=Discrete(4, start=8))
    with pytest.raises(ValueError, match="not countable"):
        Sweep(space)
    space = Layouts(force_mag=Discrete(4, start=8))
    source = Sweep(space)
    envs = SyncVectorEnv(
        [lambda: LayoutWrapper(gym.make("CartPole-v1"), space, layouts=source)] * 3
    )
    envs.reset(seed=0)
    forces = [layout.force_mag for layout in envs.get_attr("layout")]
    assert forces == [8, 9, 10]
    for _ in range(30):
        envs.step(np.ones(3, int))
    assert {layout.force_mag for layout in envs.get_attr("layout")} <= {8, 9, 10, 11}
    assert [layout.force_mag for layout in envs.get_attr("layout")] != forces


def test_checkers_accept_it() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sb3.check_env(cart_pole())
        # It warns of wrappers, and of the speeds of CartPole, which have no bounds.
        warnings.filterwarnings("ignore", message=".*is probably too (low|high).*")
        warnings.filterwarnings("ignore", message=".*is different from the unwrapped version.*")
        check_env(cart_pole(), skip_render_check=True)


def test_stable_baselines_monitors_it() -> None:
    env = Monitor(RandomSeedObservation(cart_pole(), 2))
    info = env.reset(seed=0)[1]
    assert info["layout"] == layout_of(env).to_json()
    over = False
    while not over:
        _, _, over, _, info = env.step(0)
    assert info["episode"]["r"] == info["episode"]["l"] > 1
    sb3.check_env(env)


def layout_of(env: gym.Env[Any, Any]) -> Any:
    return env.get_wrapper_attr("layout")


def test_it_can_be_pickled_copied_and_made_from_its_spec() -> None:
    env = cart_pole()
    env.reset(seed=1)
    for twin in (pickle.loads(pickle.dumps(env)), copy.deepcopy(env)):
        assert twin.layout == env.layout
        ours = pickle.loads(pickle.dumps(env))
        assert data_equivalence(ours.reset(), twin.reset())
    assert env.spec is not None
    made = gym.make(env.spec)
    assert np.array_equal(watched(made, 4), watched(env, 4))
    assert layout_of(made) == env.layout


def test_attributes_are_set_by_their_names() -> None:
    class Frame(gym.Env[Any, Any]):
        corners, count = np.zeros((2, 2)), 0

    env = Frame()
    space = Layouts(corners=Box(0, 1, (2, 2)), count=Discrete(9))
    set_attributes(env, space.validate({"corners": [[0, 1], [0.5, 1]], "count": 3}))
    assert env.corners.tolist() == [[0, 1], [0.5, 1]]
    assert env.count == 3
    assert type(env.count) is int


def test_the_layout_space_is_found_through_wrappers() -> None:
    assert layout_space_of(RandomSeedObservation(Monitor(cart_pole()), 1)) is POLES
    grid = TaskEnv(GridTask(3))
    assert layout_space_of(Monitor(grid)) is grid.task.layout_space
    assert layout_space_of(gym.make("CartPole-v1")) is None

    class Other(gym.Env[Any, Any]):
        layout_space = "large"
        task = "clean up"

    assert layout_space_of(Other()) is None


def lacks_length(cart: Any, layout: Any) -> None:
    cart.length = cart.size * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((CartPole := "CartPole-v1", POLES), "env must be a Gymnasium environment, .* got 'Cart"),
        ((gym.make(CartPole), Box(0, 1)), "layout_space must be a LayoutSpace, such as .* got Box"),
        ((gym.make(CartPole), POLES, "length"), "apply must be a function of .* got 'length'"),
        (
            (gym.make(CartPole), POLES, set_pole, PLAIN | {"length": 9}),
            "length of a layout must be",
        ),
        ((gym.make(CartPole), POLES, set_pole, [PLAIN] * 2), "the 1 environments, got 2"),
        (
            (gym.make(CartPole), POLES, None, Uniform(Layouts(a=Discrete(2)))),
            "for the layouts of the environment",
        ),
        ((gym.make("RandGrid-v0"), POLES), "must have no layouts yet"),
        ((cart_pole(), POLES, set_pole), "must have no layouts yet"),
    ],
)
def test_bad_arguments_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LayoutWrapper(*arguments)


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        (5, "must be the lowest and the highest return, got 5"),
        ("ab", "must be the lowest and the highest return, got 'ab'"),
        ((0, 1, 2), "must be the lowest and the highest return, got (0, 1, 2)"),
        ((1, 1), "must be the lowest and the highest return, got (1, 1)"),
        ((0, float("inf")), "an end of outcome_range must be a finite number, got inf"),
        ((None, 1), "an end of outcome_range must be a finite number, got None"),
    ],
    ids=str,
)
def test_a_range_that_no_return_can_be_in_is_refused(ends: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        LayoutWrapper(gym.make("CartPole-v1"), POLES, set_pole, outcome_range=ends)


@pytest.mark.parametrize(
    ("space", "apply", "message"),
    [
        (Layouts(length=Box(0, 1)), lacks_length, r"attributes that CartPoleEnv has, .* 'size'"),
        (Layouts(length=Box(0, 1)), set_pole, "fields that the layout has, .* 'masspole'"),
    ],
)
def test_what_cannot_be_set_says_so(space: Layouts, apply: Any, message: str) -> None:
    env = LayoutWrapper(gym.make("CartPole-v1"), space, apply)
    with pytest.raises(ValueError, match=message):
        env.reset()


def test_a_misspelt_field_is_told_when_the_wrapper_is_made() -> None:
    with pytest.raises(ValueError, match="attributes that CartPoleEnv has, and it has no lenght"):
        LayoutWrapper(gym.make("CartPole-v1"), Layouts(lenght=Box(0, 1)))


def test_illegal_layouts_among_the_options_are_refused() -> None:
    env = cart_pole()
    env.reset(seed=0)
    before = env.layout
    for layout in (PLAIN | {"length": 5}, {"length": 0.5}, "long"):
        with pytest.raises(ValueError, match="layout"):
            env.reset(options={"layout": layout})
    assert env.layout == before
