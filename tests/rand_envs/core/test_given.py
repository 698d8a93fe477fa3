"""What `reset` and the environments are given: right, or refused in a sentence."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box

from rand_envs import Layouts, LayoutWrapper, RandomSeedObservation, TaskEnv

Case = tuple[str, dict[str, Any]]


def made(case: Case, **more: Any) -> TaskEnv[Any]:
    env = gym.make(case[0], **case[1], **more).unwrapped
    assert isinstance(env, TaskEnv)
    return env


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (5, "reset options must be a dictionary, got 5"),
        ([("layout", None)], "reset options must be a dictionary, got"),
        ("layout", "reset options must be a dictionary, got 'layout'"),
        ({5: 1, "layout": None}, "reset options must have strings as keys, got 5"),
        ({None: 1}, "reset options must have strings as keys, got None"),
        ({"layuot": 1}, "reset options must be among layout.*, got layuot"),
    ],
)
def test_options_that_are_none_are_refused(options: Any, message: str) -> None:
    for env in (
        gym.make("RandGrid-v0"),
        gym.make_vec("RandGrid-v0", 2, vectorization_mode="vector_entry_point"),
    ):
        with pytest.raises(ValueError, match=message):
            env.reset(options=options)
    wrapped = LayoutWrapper(gym.make("CartPole-v1"), Layouts(length=Box(0.25, 1.0)))
    if not (isinstance(options, dict) and "layuot" in options):
        with pytest.raises(ValueError, match=message):
            wrapped.reset(options=options)


def selves() -> list[Any]:
    """Lists and dictionaries that hold themselves."""
    alone: list[Any] = []
    alone.append(alone)
    named: dict[str, Any] = {}
    named["layout"] = named
    return [alone, named, [named, alone], (alone,)]


@pytest.mark.parametrize("value", selves(), ids=["list", "dictionary", "both", "tuple"])
def test_layouts_that_hold_themselves_are_refused(case: Case, value: Any) -> None:
    env = made(case)
    env.reset()
    fields = env.layout.to_json()
    for layout in (value, *({**fields, name: value} for name in fields)):
        with pytest.raises(ValueError, match=r"must|layout"):
            env.reset(options={"layout": layout})
        with pytest.raises(ValueError, match=r"must|layout"):
            made(case, layouts=layout)


@pytest.mark.parametrize("seed", [1.5, -1, True, "1", [1], np.float64(2.0)])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    with pytest.raises(ValueError, match="seed must be an integer of at least 0, got"):
        gym.make("RandGrid-v0").reset(seed=seed)
    for wrapped in (
        RandomSeedObservation(gym.make("RandGrid-v0"), 2),
        LayoutWrapper(gym.make("CartPole-v1"), Layouts(length=Box(0.25, 1.0))),
    ):
        with pytest.raises(ValueError, match="seed must be an integer of at least 0, got"):
            wrapped.reset(seed=seed)


def test_a_seed_may_be_numpys() -> None:
    env: Any = gym.make("RandGrid-v0", size=9).unwrapped
    env.reset(seed=np.int64(3))
    layout, seed = env.layout, env.np_random_seed
    env.reset(seed=3)
    assert (layout, seed, type(seed)) == (env.layout, 3, int)
