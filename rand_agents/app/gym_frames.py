"""Pictures of Gymnasium's environments that are no tasks, as they draw themselves."""

from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image

from rand_agents.games.gym_task import GymTask
from rand_envs.core.arrays import Array
from rand_envs.rendering import tile

LARGEST = 320
"""Pixels of the longer side of an instance, where there are several or many pictures."""
MOST_FRAMES = 200
"""Pictures of an instance that lasts longer are thinned out."""


def gym_frames(player: Any, layout: Array, num_seeds: int, *, sample: bool) -> list[Array]:
    """Play one layout, shape (1,), to its end and draw it: uint8 (H, W, 3), all seeds in each.

    Raises:
        ValueError: The environment does not draw pictures, or lacks what it needs for that.
    """
    task: GymTask = player.task
    try:
        envs = [_drawing(task) for _ in range(num_seeds)]
        return _played(player, envs, layout, sample)
    except gym.error.Error as error:
        raise ValueError(f"{task.env_id} cannot be drawn: {error}") from None


def _drawing(task: GymTask) -> gym.Env[Any, Any]:
    env = task.make()
    modes = env.metadata.get("render_modes", [])
    env.close()
    if "rgb_array" not in modes:
        raise ValueError(
            f"{task.env_id} cannot be drawn: its render modes are {modes}, without rgb_array"
        )
    # An id that a file gives was looked up by `make` before.
    return gym.make(task.env_id, render_mode="rgb_array", **task.config)


def _played(player: Any, envs: list[gym.Env[Any, Any]], layout: Array, sample: bool) -> list[Array]:
    task: GymTask = player.task
    value = task.layout_space.unpack(layout)[0].to_json()
    observations = [_first(task, env, value, number) for number, env in enumerate(envs)]
    panels = [_picture(env) for env in envs]
    frames, every, steps = [_tiled(panels)], 1, 0
    playing = list(range(len(envs)))
    memory: Any = None
    while playing:
        actions, memory = player.predict(np.array(observations), memory, deterministic=not sample)
        steps += 1
        for i in list(playing):
            observations[i], _, terminated, truncated, _ = envs[i].step(actions[i])
            if terminated or truncated:
                playing.remove(i)
            if steps % every == 0 or i not in playing:
                panels[i] = _picture(envs[i])
        if steps % every == 0 or not playing:
            frames.append(_tiled(panels))
        if len(frames) > MOST_FRAMES:
            frames, every = frames[::2], 2 * every
    for env in envs:
        env.close()
    return frames


def _first(task: GymTask, env: gym.Env[Any, Any], value: Any, number: int) -> Any:
    if task.has_layouts:
        return env.reset(seed=number, options={"layout": value})[0]
    return env.reset(seed=value["reset_seed"])[0]


def _picture(env: gym.Env[Any, Any]) -> Array:
    drawn: Any = env.render()
    image = Image.fromarray(np.asarray(drawn, np.uint8))
    image.thumbnail((LARGEST, LARGEST))
    return np.asarray(image)


def _tiled(panels: list[Array]) -> Array:
    return tile(panels, len(panels) if len(panels) <= 3 else None)
