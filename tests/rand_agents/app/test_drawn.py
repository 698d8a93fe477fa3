"""Environments that draw themselves, watched: which pictures are kept, and of which layout."""

from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled
from gymnasium.spaces import Discrete
from rich.console import Console

from rand_agents.app.players import RandomPlayer, Spectated
from rand_agents.app.watching import gym_instances
from rand_agents.app.watching.contestants import Contestant
from rand_agents.app.watching.gym_instances import play_gym
from rand_agents.app.watching.layouts import Layouts as Choices
from rand_agents.app.watching.session import Show, WatchWindow
from rand_agents.games.registry import task_of
from rand_envs import Layouts, LayoutWrapper
from rand_envs.core.task import GameValue
from rand_envs.rendering.window import Key

LENGTH = 50


class Shade(gym.Env[Any, Any]):
    """Draws how many steps it has gone, and how deep it is; ends after the longest length."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}
    observation_space, action_space = Discrete(1), Discrete(2)

    def __init__(self, render_mode: str | None = None, broken: bool = False) -> None:
        self.render_mode, self.broken, self.steps, self.depth = render_mode, broken, 0, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return np.int64(0), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        return np.int64(0), 1.0, self.steps == LENGTH, False, {}

    def render(self) -> Any:
        if self.broken:
            raise DependencyNotInstalled("no brush")
        return np.full((4, 6, 3), (self.steps, self.depth, 0), np.uint8)


def deep(**arguments: Any) -> LayoutWrapper:
    def dig(env: Any, layout: Any) -> None:
        env.depth = layout.depth

    return LayoutWrapper(Shade(**arguments), Layouts(depth=Discrete(9)), dig)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gymnasium.envs.registration.registry", registry := dict(gym.registry))
    monkeypatch.setattr(gym, "registry", registry)
    gym.register("Shade-v0", entry_point=f"{__name__}:Shade", max_episode_steps=LENGTH)
    gym.register("Deep-v0", entry_point=deep, max_episode_steps=LENGTH)


def drawn(env_id: str, layout: dict[str, Any], **arguments: Any) -> list[list[Any]]:
    """The colours of the pictures of two instances."""
    task = task_of(env_id, arguments)
    player = Spectated(RandomPlayer(task))
    instances = play_gym(player, task.layout_space.pack([layout]), 2, sample=False)
    assert [instance.outcome for instance in instances] == [LENGTH, LENGTH]
    assert instances[0].extent == (6, 4)
    return [[frame[0, 0].tolist() for frame in instance.frames] for instance in instances]


def test_every_step_is_a_picture() -> None:
    expected = [[step, 0, 0] for step in range(LENGTH + 1)]
    assert drawn("Shade-v0", {"reset_seed": 3}) == [expected, expected]


def test_of_long_instances_pictures_are_thinned_out_evenly_to_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gym_instances, "MOST_FRAMES", 8)
    for colours in drawn("Shade-v0", {"reset_seed": 3}):
        steps = [colour[0] for colour in colours]
        assert 4 <= len(steps) <= 8 + 1
        assert (steps[0], steps[-1]) == (0, LENGTH)
        assert len({later - earlier for earlier, later in pairwise(steps[:-1])}) == 1


def test_the_layout_that_is_watched_is_the_one_that_is_drawn() -> None:
    for colours in drawn("Deep-v0", {"depth": 7}):
        assert {colour[1] for colour in colours} == {7}


def test_what_a_picture_lacks_is_said() -> None:
    with pytest.raises(ValueError, match="Shade-v0 cannot be drawn: no brush"):
        drawn("Shade-v0", {"reset_seed": 0}, broken=True)


def test_who_cannot_learn_goes_on_as_before() -> None:
    field = [Contestant("random", Spectated(RandomPlayer(task_of("Deep-v0", {}))))]
    show = Show(field, GameValue(None, "bound"), Choices(field, "fixed", 0, Console()), 1, 0)
    window, layouts = WatchWindow(show, 4.0), set()
    for key in "nnhn":
        window.handle(Key(key))
        for _ in range(2):
            window.tick(0.0)
        layouts.add(show.entries[0].choice.layout.tobytes())
        learning = window.message.startswith("an adversary learns by the rules of a task")
        assert learning == (key == "h")
    assert len(layouts) == 1, "the fixed layout that was drawn at the start"
