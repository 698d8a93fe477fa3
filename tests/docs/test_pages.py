"""Every code block of the documentation runs, page by page, as a reader would run it.

Only trainings are cut short. Commands of minutes stand in blocks of "console", and are parsed.
"""

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
import tyro
from gymnasium.utils import play as gymnasium_play

from benchmarks.suite.experiments import select
from benchmarks.suite.main import RANDOMNESS, Arguments
from rand_agents.__main__ import main as agents
from rand_envs.core.register import TASKS
from rand_envs.minimax.__main__ import main as minimax
from rand_envs.rendering import Window
from rand_envs.rendering.window import Key

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"]
BLOCK = re.compile(r"^ *```(python|sh|console)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
TRAINING = re.compile(r"(\.learn\(|--updates )([\d_]+)")
SHORT = 2
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
COMMANDS = {"rand_agents": agents, "rand_envs.minimax": minimax}


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text())


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


WITH_CODE = [page for page in PAGES if blocks(page)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the reader's own; what the page registers is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    tasks, envs = dict(TASKS), dict(gym.registry)
    yield tmp_path
    TASKS.clear()
    TASKS.update(tasks)
    gym.registry.clear()
    gym.registry.update(envs)
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


def run(module: str) -> object:
    """The exit code of a command, whose words are in `sys.argv`."""
    try:
        return COMMANDS[module]()
    except SystemExit as ended:
        return ended.code


def cut(code: str) -> str:
    return TRAINING.sub(lambda found: f"{found[1]}{min(SHORT, int(found[2]))}", code)


@pytest.mark.parametrize("page", WITH_CODE, ids=named)
def test_code_blocks_run(
    page: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for kind, code in blocks(page):
        if kind == "sh":
            for line in cut(code).strip().splitlines():
                python, flag, module, *words = shlex.split(line)
                assert (python, flag) == ("python", "-m")
                monkeypatch.setattr(sys, "argv", [module, *words])
                assert not run(module), line
        elif code.startswith("# my_games.py"):
            (folder / "my_games.py").write_text(code)
            assert len(code.strip().splitlines()) <= 60
            exec("from my_games import *", names)
        elif kind == "python":
            capsys.readouterr()
            exec(compile(cut(code), page.name, "exec"), names)
            assert "print(" not in code or capsys.readouterr().out


def long_commands() -> set[str]:
    found = [code for page in PAGES for kind, code in blocks(page) if kind == "console"]
    return {line for code in found for line in code.strip().splitlines()}


@pytest.mark.parametrize("command", sorted(long_commands()))
def test_long_commands_are_legal(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    *install, command = command.split(" && ")
    assert all(each.startswith("pip install -c constraints.txt -e ") for each in install)
    program, *words = shlex.split(command)
    if program == "torchrun":
        words = words[words.index("-m") :]
    if words[:1] == ["benchmarks/run.py"]:
        arguments = tyro.cli(Arguments, args=words[1:])
        if arguments.experiments != (RANDOMNESS,):
            assert select(arguments.preset, arguments.tasks, arguments.experiments)
    elif words[:1] == ["-m"]:
        monkeypatch.setattr(sys, "argv", [*words[1:], "--help"])
        assert not run(words[1])
    else:
        assert (program, words) == ("pytest", [])


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    generated = {"games", "api"}
    for target in LINK.findall(page.read_text()):
        place = page.parent / target
        assert place.exists() or place.parent.name in generated, target
