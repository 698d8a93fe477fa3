"""Every wrapper that Gymnasium ships, single and vector, around every game."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv
from gymnasium.wrappers import vector

from rand_envs.core.register import TASKS

IDS = sorted(name for name, kind in TASKS.items() if kind.__module__.startswith("rand_envs."))
SHORT: dict[str, dict[str, Any]] = {
    "RandGrid-v0": {"size": 3, "horizon": 5},
    "RandRecall-v0": {"num_pairs": 3},
}
"""Arguments such that games end soon."""
STEPS = 20
GYMNASIUM = tuple(map(int, gym.__version__.split(".")[:2]))
FILMS = (
    *("AddRenderObservation", "GrayscaleObservation", "RenderCollection", "RecordVideo"),
    *("HumanRendering", "AddWhiteNoise", "ObstructView"),
)
"""Pictures are slow, and the same for a wrapper whatever they show: one game is enough."""
Env = gym.Env[Any, Any]


def same(x: Any) -> Any:
    return x


def flat(env: Env) -> Env:
    return wrappers.FlattenObservation(env)


def real(env: Env) -> Env:
    """Observations as a Box of float32 with bounds."""
    env = flat(env)
    space = env.observation_space
    assert isinstance(space, Box)
    bounded = Box(space.low.astype(np.float32), space.high.astype(np.float32), dtype=np.float32)
    return wrappers.TransformObservation(env, lambda x: x.astype(np.float32), bounded)


def filmed(env: Env) -> Env:
    """Pictures as observations."""
    return wrappers.AddRenderObservation(env)


def titled(env: Env) -> Env:
    """Observations in a dictionary."""
    space = gym.spaces.Dict({"seen": env.observation_space, "none": Box(0, 1, (1,))})
    return wrappers.TransformObservation(env, lambda x: {"seen": x, "none": np.zeros(1)}, space)


SINGLE: dict[str, Callable[[Env, Path], Env]] = {
    "DelayObservation": lambda env, _: wrappers.DelayObservation(real(env), 2),
    "DtypeObservation": lambda env, _: wrappers.DtypeObservation(flat(env), np.float32),
    "DiscretizeObservation": lambda env, _: wrappers.DiscretizeObservation(
        wrappers.TransformObservation(real(env), lambda x: x[:1] * 0, Box(0, 1, (1,))), 3
    ),
    "FilterObservation": lambda env, _: wrappers.FilterObservation(titled(env), ["seen"]),
    "FlattenObservation": lambda env, _: flat(env),
    "FrameStackObservation": lambda env, _: wrappers.FrameStackObservation(real(env), 3),
    "GrayscaleObservation": lambda env, _: wrappers.GrayscaleObservation(filmed(env)),
    "TransformObservation": lambda env, _: real(env),
    "MaxAndSkipObservation": lambda env, _: wrappers.MaxAndSkipObservation(real(env), 2),
    "NormalizeObservation": lambda env, _: wrappers.NormalizeObservation(real(env)),
    "AddRenderObservation": lambda env, _: filmed(env),
    "ReshapeObservation": lambda env, _: wrappers.ReshapeObservation(
        real(env), (1, *(real(env).observation_space.shape or ()))
    ),
    "RescaleObservation": lambda env, _: wrappers.RescaleObservation(
        real(env), np.float32(0), np.float32(1)
    ),
    "TimeAwareObservation": lambda env, _: wrappers.TimeAwareObservation(
        wrappers.TimeLimit(real(env), 50), flatten=True
    ),
    "TransformAction": lambda env, _: wrappers.TransformAction(env, same, env.action_space),
    "StickyAction": lambda env, _: wrappers.StickyAction(env, 0.3),
    "RepeatAction": lambda env, _: wrappers.RepeatAction(env, 2),
    "ClipReward": lambda env, _: wrappers.ClipReward(env, -0.05, 0.5),
    "TransformReward": lambda env, _: wrappers.TransformReward(env, lambda r: 2 * float(r)),
    "NormalizeReward": lambda env, _: wrappers.NormalizeReward(env),
    "TimeLimit": lambda env, _: wrappers.TimeLimit(env, 4),
    "Autoreset": lambda env, _: wrappers.Autoreset(env),
    "PassiveEnvChecker": lambda env, _: wrappers.PassiveEnvChecker(env),
    "OrderEnforcing": lambda env, _: wrappers.OrderEnforcing(env),
    "RecordEpisodeStatistics": lambda env, _: wrappers.RecordEpisodeStatistics(env),
    "AddWhiteNoise": lambda env, _: wrappers.AddWhiteNoise(filmed(env), 0.2),
    "ObstructView": lambda env, _: wrappers.ObstructView(filmed(env), 0.2, 4),
    "RenderCollection": lambda env, _: wrappers.RenderCollection(env),
    "RecordVideo": lambda env, out: wrappers.RecordVideo(env, str(out), disable_logger=True),
    "HumanRendering": lambda env, _: wrappers.HumanRendering(env),
}
ARRAYS = ["ArrayConversion", "JaxToNumpy", "JaxToTorch", "NumpyToTorch"]
ELSEWHERE = {
    "vector": "a module",
    "AtariPreprocessing": "for Atari's own",
    "ResizeObservation": "needs opencv",
    **dict.fromkeys(ARRAYS, "needs array-api-compat, or jax"),
    **dict.fromkeys(["ClipAction", "DiscretizeAction", "RescaleAction"], "for Box actions"),
}


def test_all_that_gymnasium_ships_are_tried() -> None:
    assert set(wrappers.__all__) - set(SINGLE) - set(ELSEWHERE) == set()
    assert set(vector.__all__) - set(VECTOR) - set(VECTOR_ELSEWHERE) == set()


@pytest.mark.parametrize("name", [name for name in SINGLE if hasattr(wrappers, name)])
def test_single(name: str, tmp_path: Path) -> None:
    is_film = name in FILMS
    for env_id in IDS[:1] if is_film else IDS:
        made = gym.make(env_id, render_mode="rgb_array", **SHORT.get(env_id, {}))
        bare: Any = made.unwrapped
        space = bare.task.layout_space
        layout = space.unpack(space.sample(np.random.default_rng(0), 1))[0]
        env = SINGLE[name](made, tmp_path)
        env.action_space.seed(0)
        seen, _ = env.reset(seed=3, options={"layout": layout})
        assert bare.layout == layout
        ends = 0
        for _ in range(3 if is_film else STEPS):
            assert env.observation_space.contains(seen), (env_id, seen)
            seen, reward, over, cut, _ = env.step(env.action_space.sample())
            assert np.isfinite(float(reward))
            if over or cut:
                ends += 1
                if name != "Autoreset":
                    seen, _ = env.reset()
        assert ends
        env.close()
    if name == "RecordVideo":
        assert any(file.stat().st_size > 0 for file in tmp_path.glob("*.mp4"))


Envs = VectorEnv[Any, Any, Any]


def real_v(envs: Envs) -> Envs:
    return vector.DtypeObservation(vector.FlattenObservation(envs), np.float32)


VECTOR: dict[str, Callable[[Envs, Path], Envs]] = {
    "DictInfoToList": lambda envs, _: vector.DictInfoToList(envs),
    "TransformObservation": lambda envs, _: vector.TransformObservation(
        envs, same, envs.observation_space, envs.single_observation_space
    ),
    "VectorizeTransformObservation": lambda envs, _: vector.VectorizeTransformObservation(
        envs, wrappers.FlattenObservation
    ),
    "VectorizeTransformAction": lambda envs, _: vector.VectorizeTransformAction(
        envs, wrappers.TransformAction, func=same, action_space=envs.single_action_space
    ),
    "VectorizeTransformReward": lambda envs, _: vector.VectorizeTransformReward(
        envs, wrappers.TransformReward, func=lambda r: 2 * r
    ),
    "FlattenObservation": lambda envs, _: vector.FlattenObservation(envs),
    "ReshapeObservation": lambda envs, _: vector.ReshapeObservation(
        real_v(envs), (1, *(real_v(envs).single_observation_space.shape or ()))
    ),
    "DtypeObservation": lambda envs, _: real_v(envs),
    "RescaleObservation": lambda envs, _: vector.RescaleObservation(
        real_v(envs), np.float32(0), np.float32(1)
    ),
    "NormalizeObservation": lambda envs, _: vector.NormalizeObservation(real_v(envs)),
    "TransformAction": lambda envs, _: vector.TransformAction(envs, same),
    "TransformReward": lambda envs, _: vector.TransformReward(envs, lambda r: 2 * r),
    "ClipReward": lambda envs, _: vector.ClipReward(envs, -0.05, 0.5),
    "NormalizeReward": lambda envs, _: vector.NormalizeReward(envs),
    "RecordEpisodeStatistics": lambda envs, _: vector.RecordEpisodeStatistics(envs),
    "RecordVideo": lambda envs, out: vector.RecordVideo(envs, str(out), disable_logger=True),
}
VECTOR_ELSEWHERE = {
    "FilterObservation": "for Dict observations",
    "GrayscaleObservation": "for pictures",
    **dict.fromkeys(["ResizeObservation", "HumanRendering"], "needs opencv"),
    **dict.fromkeys(ARRAYS, "needs array-api-compat, or jax"),
    **dict.fromkeys(["ClipAction", "RescaleAction"], "for Box actions"),
}


@pytest.mark.parametrize("name", [name for name in VECTOR if hasattr(vector, name)])
def test_vector(name: str, tmp_path: Path) -> None:
    is_film = name in FILMS
    # Before Gymnasium 1.3 it kept the space of what it normalises.
    is_narrow = name == "NormalizeObservation" and GYMNASIUM < (1, 3)
    for env_id in IDS[:1] if is_film else IDS:
        made = gym.make_vec(
            env_id,
            3,
            vectorization_mode="vector_entry_point",
            render_mode="rgb_array" if is_film else None,
            **SHORT.get(env_id, {}),
        )
        envs = VECTOR[name](made, tmp_path)
        envs.action_space.seed(0)
        seen, _ = envs.reset(seed=3)
        ends = 0
        for _ in range(3 if is_film else STEPS):
            assert is_narrow or envs.observation_space.contains(seen), (env_id, seen)
            seen, rewards, over, _, _ = envs.step(envs.action_space.sample())
            assert np.isfinite(rewards).all()
            ends += int(over.sum())
        assert ends
        envs.close()
    if name == "RecordVideo":
        assert any(file.stat().st_size > 0 for file in tmp_path.glob("*.mp4"))
