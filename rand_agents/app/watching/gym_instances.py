"""Instances of Gymnasium's environments that are no tasks, as they draw themselves."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image

from rand_agents.games.gym_task import GymTask
from rand_envs.core.arrays import Array
from rand_envs.rendering import Frame

LARGEST = 480
"""Pixels of the longer side of a picture that is kept."""
MOST_FRAMES = 200
"""Pictures of an instance that lasts longer are thinned out."""


@dataclass
class GymInstance:
    """An episode of an environment; see `Instance`.

    Attributes:
        frames: What it drew, not necessarily after every step.
        outcome: Its return.
    """

    frames: list[Frame]
    outcome: float = 0.0

    @property
    def length(self) -> int:
        """How many pictures follow the first one."""
        return len(self.frames) - 1

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height of the pictures."""
        height, width = self.frames[0].shape[:2]
        return float(width), float(height)

    def frame(self, step: int, size: tuple[int, int], title: str) -> Frame:
        """A picture scaled down into a size."""
        image = Image.fromarray(self.frames[min(step, self.length)])
        image.thumbnail(size)
        return np.asarray(image)

    def painter(self, step: int) -> None:
        """There is none."""


def play_gym(player: Any, layout: Array, num_seeds: int, *, sample: bool) -> list[GymInstance]:
    """Play one layout, shape (1,), to its end under several seeds, and keep the pictures.

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


def _played(
    player: Any, envs: list[gym.Env[Any, Any]], layout: Array, sample: bool
) -> list[GymInstance]:
    task: GymTask = player.task
    value = task.layout_space.unpack(layout)[0].to_json()
    observations = [_first(task, env, value, number) for number, env in enumerate(envs)]
    instances = [GymInstance([_picture(env)]) for env in envs]
    every, steps = 1, 0
    playing = list(range(len(envs)))
    memory: Any = None
    while playing:
        actions, memory = player.predict(np.array(observations), memory, deterministic=not sample)
        steps += 1
        for i in list(playing):
            observations[i], reward, terminated, truncated, _ = envs[i].step(actions[i])
            instances[i].outcome += float(reward)
            if terminated or truncated:
                playing.remove(i)
            if steps % every == 0 or i not in playing:
                instances[i].frames.append(_picture(envs[i]))
        if max(instance.length for instance in instances) >= MOST_FRAMES:
            for instance in instances:
                # The last picture stays, which tells how it ended.
                instance.frames[:-1] = instance.frames[:-1:2]
            every *= 2
    for env in envs:
        env.close()
    return instances


def _first(task: GymTask, env: gym.Env[Any, Any], value: Any, number: int) -> Any:
    if task.has_layouts:
        return env.reset(seed=number, options={"layout": value})[0]
    return env.reset(seed=value["reset_seed"])[0]


def _picture(env: gym.Env[Any, Any]) -> Frame:
    drawn: Any = env.render()
    image = Image.fromarray(np.asarray(drawn, np.uint8))
    image.thumbnail((LARGEST, LARGEST))
    return np.asarray(image)
