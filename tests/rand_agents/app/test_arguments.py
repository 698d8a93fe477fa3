"""`--game.*` of constructors as people write them: with types, with some, with wrong ones."""

from collections.abc import Callable
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Discrete

from rand_agents.app.arguments import arguments_of, task_from
from rand_envs.core.register import TASKS
from tests.rand_envs.core.games import Penalty


class Walk(gym.Env[Any, Any]):
    """A walk whose constructor knows its types."""

    observation_space, action_space = Discrete(2), Discrete(2)

    def __init__(
        self,
        ground: str = "grass",
        /,
        *others: Any,
        pace: Literal["slow", "fast"] = "slow",
        limit: int = None,  # type: ignore[assignment]  # noqa: RUF013
        goal: Any = "home",
        stones: tuple[int, float] = (1, 0.5),
    ) -> None:
        self.ground = ground

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return np.int64(0), {}

    def step(self, action: Any) -> Any:
        return np.int64(0), 0.0, True, False, {}


class Typeless(Walk):
    """One whose types nobody can look up."""

    def __init__(self, depth: "Unknown" = 3, name: "Unknown" = None) -> None:  # type: ignore[name-defined]  # noqa: F821
        self.name = name


Config = Callable[[str, str], Any]


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Config:
    """What the words of a command line make of a game, by its id."""
    monkeypatch.setattr("gymnasium.envs.registration.registry", registry := dict(gym.registry))
    monkeypatch.setattr(gym, "registry", registry)
    for kind in (Walk, Typeless):
        gym.register(
            f"{kind.__name__}-v0", entry_point=f"{__name__}:{kind.__name__}", max_episode_steps=2
        )
    gym.register("Side-by-side-v0", vector_entry_point=f"{__name__}:Walk")

    def made(env_id: str, words: str) -> Any:
        found = task_from(env_id, words.split(), "test").config
        return {name: value for name, value in found.items() if name != "max_episode_steps"}

    return made


def test_types_say_what_a_word_is(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    assert config("Walk-v0", "--game.pace fast --game.limit 3") == {"pace": "fast", "limit": 3}
    assert config("Walk-v0", "--game.limit None --game.stones 1 .5") == {}
    assert config("Walk-v0", "--game.stones 2 .5") == {"stones": (2, 0.5)}
    with pytest.raises(SystemExit):
        config("Walk-v0", "--game.pace sideways")
    assert "slow" in capsys.readouterr().err


def test_without_a_type_a_word_is_json_or_itself(config: Config) -> None:
    for word, value in {"there": "there", "[1,2]": [1, 2], "true": True, "None": None}.items():
        assert config("Walk-v0", f"--game.goal {word}") == {"goal": value}


def test_types_that_are_not_found_are_those_of_the_defaults(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    assert config("Typeless-v0", '--game.depth 4 --game.name {"a":1}') == {
        "depth": 4,
        "name": {"a": 1},
    }
    with pytest.raises(SystemExit):
        config("Typeless-v0", "--game.depth deep")
    assert "--game.depth" in capsys.readouterr().err


def test_what_cannot_be_given_by_name_is_no_option(config: Config) -> None:
    names = [each.name for each in arguments_of("Walk-v0")]
    assert names == ["pace", "limit", "goal", "stones", "max_episode_steps"]


def test_a_game_without_arguments_has_no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, Penalty.env_id, Penalty)
    assert task_from(Penalty.env_id, [], "test").config == {}


def test_an_id_that_makes_no_single_environment_is_refused(config: Config) -> None:
    with pytest.raises(ValueError, match=r"Side-by-side-v0\(\) cannot be made"):
        config("Side-by-side-v0", "")
