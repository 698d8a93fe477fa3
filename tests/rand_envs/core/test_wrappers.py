import pickle
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3.common.env_checker as sb3
from gymnasium.spaces.utils import flatten
from gymnasium.utils.env_checker import check_env

from rand_envs import RandomSeedObservation
from rand_envs.core.wrappers.random_seed import SEED_DISTRIBUTIONS, seed_from_uniform

Case = tuple[str, dict[str, Any]]


def wrapped(case: Case, seed_dim: int = 3, distribution: str = "gaussian") -> RandomSeedObservation:
    return RandomSeedObservation(gym.make(case[0], **case[1]), seed_dim, distribution)


def seeds_of(env: gym.Env[Any, Any], seed_dim: int, count: int) -> np.ndarray:
    return np.array([env.reset(seed=5 if i == 0 else None)[0][-seed_dim:] for i in range(count)])


def test_checkers_accept_it(case: Case) -> None:
    env = wrapped(case)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sb3.check_env(env)
        # That a wrapper was passed is what it would warn of.
        warnings.filterwarnings("ignore", message=".*is different from the unwrapped version.*")
        check_env(env, skip_render_check=True)


@pytest.mark.parametrize("distribution", SEED_DISTRIBUTIONS)
def test_observation_comes_first_then_the_seed(case: Case, distribution: str) -> None:
    env = wrapped(case, 4, distribution)
    bare = gym.make(case[0], **case[1])
    env.action_space.seed(0)
    ours, theirs = env.reset(seed=3)[0], bare.reset(seed=3)[0]
    seed = ours[-4:]
    over = False
    while not over:
        assert ours in env.observation_space
        assert ours.dtype == np.float32
        assert np.array_equal(ours[:-4], np.asarray(flatten(bare.observation_space, theirs)))
        assert np.array_equal(ours[-4:], seed)
        action = env.action_space.sample()
        (ours, *told), (theirs, *expected) = env.step(action), bare.step(action)
        assert told == expected
        over = bool(told[1])
    assert np.array_equal(ours[-4:], seed)
    assert not np.array_equal(env.reset()[0][-4:], seed) or distribution == "bits"


def test_layouts_are_the_same_with_and_without_seeds() -> None:
    def layouts(env: gym.Env[Any, Any]) -> list[Any]:
        seen = []
        for i in range(8):
            env.reset(seed=9 if i == 0 else None)
            seen.append(env.get_wrapper_attr("layout"))
        return seen

    expected = layouts(gym.make("RandGrid-v0"))
    assert len(set(expected)) > 1
    for seed_dim in (1, 50):
        for distribution in SEED_DISTRIBUTIONS:
            assert layouts(wrapped(("RandGrid-v0", {}), seed_dim, distribution)) == expected


def test_seeds_are_the_same_whatever_is_played() -> None:
    games: list[Case] = [
        ("RandGrid-v0", {}),
        ("RandGrid-v0", {"layouts": {"treasure": [1, 1]}}),
        ("RandRecall-v0", {}),
    ]
    first, *others = [seeds_of(wrapped(game), 3, 6) for game in games]
    assert len(np.unique(first)) == 18
    assert all(np.array_equal(first, other) for other in others)


def test_seeds_are_another_stream_than_layouts() -> None:
    env = wrapped(("RandGrid-v0", {}), 6, "uniform")
    seed = env.reset(seed=5)[0][-6:]
    assert not np.isin(seed, np.random.default_rng(5).random(1000, np.float64).astype("f4")).any()


def test_a_pickled_wrapper_goes_on_with_the_same_seeds() -> None:
    env = wrapped(("RandGrid-v0", {}))
    env.reset(seed=1)
    twin = pickle.loads(pickle.dumps(env))
    for _ in range(3):
        assert np.array_equal(env.reset()[0], twin.reset()[0])


def test_seeds_have_their_distribution() -> None:
    for distribution, mean, std in (
        ("gaussian", 0, 1),
        ("uniform", 0.5, 12**-0.5),
        ("bits", 0.5, 0.5),
    ):
        seeds = seeds_of(wrapped(("RandColoring-v0", {}), 100, distribution), 100, 100)
        assert abs(seeds.mean() - mean) < 5 * std / 100
        assert abs(seeds.std() - std) < 0.03


def test_seeds_by_the_inverse_distribution_function() -> None:
    u = np.array([0.0, 0.25, 0.5, 0.975])
    assert seed_from_uniform("uniform", u).tolist() == u.astype(np.float32).tolist()
    assert seed_from_uniform("bits", u).tolist() == [0, 0, 1, 1]
    gaussian = seed_from_uniform("gaussian", u.reshape(2, 2))
    assert gaussian.shape == (2, 2)
    assert gaussian.dtype == np.float32
    assert np.allclose(gaussian.ravel()[1:], [-0.6744898, 0, 1.959964])
    assert gaussian[0, 0] < -8
    assert np.isfinite(
        seed_from_uniform("gaussian", np.array([0.0, np.nextafter(1, 0), 1.0]))
    ).all()


def test_it_can_be_written_in_a_spec() -> None:
    env = wrapped(("RandGrid-v0", {"size": 3}), 2, "bits")
    assert env.spec is not None
    twin = gym.make(env.spec)
    assert np.array_equal(env.reset(seed=0)[0], twin.reset(seed=0)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "seed_dim must be an integer of at least 1, got 0"),
        ((1.5,), "seed_dim must be an integer"),
        ((True,), "seed_dim must be an integer"),
        ((2, "normal"), "must be one of gaussian, uniform, bits, got 'normal'"),
    ],
)
def test_bad_arguments_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomSeedObservation(gym.make("RandGrid-v0"), *arguments)


def test_observations_without_a_fixed_length_are_refused() -> None:
    env = gym.make("RandGrid-v0")
    env.observation_space = gym.spaces.Sequence(gym.spaces.Discrete(2))
    with pytest.raises(ValueError, match="fixed length"):
        RandomSeedObservation(env, 1)
