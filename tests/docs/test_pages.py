"""Every code block of the documentation runs, page by page, as a reader would run it."""

import io
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import pygame
import pytest
from gymnasium.utils import play as gymnasium_play

from rand_agents.__main__ import main
from rand_envs.core.register import TASKS
from rand_envs.rendering import Window
from rand_envs.rendering.window import Key

ROOT = Path(__file__).parents[2]
PAGES = ["own-game", "own-environment", "watch-and-play"]
BLOCK = re.compile(r"```(python|sh)\n(.*?)```", re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the reader's own; what the page registers is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    tasks, envs = dict(TASKS), dict(gym.registry)
    yield tmp_path
    for registry, before in ((TASKS, tasks), (gym.registry, envs)):
        registry.clear()
        registry.update(before)
    sys.modules.pop("my_games", None)


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at each window, and closes it."""
    monkeypatch.setattr(Window, "events", lambda window: [Key("escape")])
    monkeypatch.setattr("sys.stdin", io.StringIO())
    played = gymnasium_play.play

    def play(*args: Any, **options: Any) -> None:
        pygame.display.init()
        pygame.event.post(pygame.event.Event(pygame.QUIT))
        played(*args, **options)

    monkeypatch.setattr(gymnasium_play, "play", play)


@pytest.mark.parametrize("page", PAGES)
def test_code_blocks_run(page: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    names: dict[str, object] = {"__name__": "__main__"}
    for kind, code in BLOCK.findall(text):
        if kind == "sh":
            for line in code.strip().splitlines():
                python, flag, module, *words = shlex.split(line)
                assert (python, flag, module) == ("python", "-m", "rand_agents")
                assert main(words) == 0, line
        elif code.startswith("# my_games.py"):
            (folder / "my_games.py").write_text(code)
            assert len(code.strip().splitlines()) <= 60
            exec("from my_games import *", names)
        else:
            exec(compile(code, f"{page}.md", "exec"), names)
    assert capsys.readouterr().out
