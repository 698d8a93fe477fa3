"""What the windows and the report look like: watch.png, play.png and report.png.

python docs/_site/windows.py

The report is that of `results/quick`; Debian's chromium draws it.
"""

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from rand_agents.app.commands import Watch
from rand_agents.app.playing.scene import PlayScene
from rand_agents.app.playing.session import Game, PlayWindow
from rand_agents.app.watching.contestants import contestants
from rand_agents.app.watching.layouts import Layouts
from rand_agents.app.watching.scene import WatchScene
from rand_agents.app.watching.session import Show, WatchWindow
from rand_envs.games.grid import GridTask
from rand_envs.minimax import game_value
from rand_envs.rendering import Frame
from rand_envs.rendering.window import Key

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "docs" / "assets"
TASK = GridTask(3)
ROUNDS = 20
WIDTH, HEIGHT = 1000, 700

SNAKE = ("right", "right", "up", "left", "left", "up", "right", "right")
UPWARDS = ("up", "up", "right", "down", "down", "right", "up", "up")
MIXED = ("right", "up", "up", "left", "down", "right", "right", "down", "up", "up")
SEARCHES = (SNAKE, UPWARDS, SNAKE, MIXED, SNAKE, UPWARDS, SNAKE)
"""Of a person who comes back to the same route."""


def watched() -> Frame:
    """Three searchers after some rounds, each against an adversary that learns."""
    console = Console(quiet=True)
    options = Watch(subjects=("grid", "random-sweep", "sweep"), player="optimal")
    field = contestants(options, TASK, console)
    layouts = Layouts(field, "hedge", 0, console)
    show = Show(field, game_value(TASK), layouts, 1, 0)
    for number in range(ROUNDS):
        if number:
            show.next()
        while not show.is_over:
            show.forward()
    return WatchScene(show, WatchWindow(show, 4.0))()


def played() -> Frame:
    """A person's game after the last of their searches."""
    game = Game(TASK, game_value(TASK), 12, 0)
    scene = PlayScene(game)
    window = PlayWindow(game, scene.pick)
    for search in SEARCHES:
        if game.phase == "between":
            window.handle(Key("return"))
        for key in search:
            if game.phase == "playing" and not game.states[-1]["finds"][0]:
                window.handle(Key(key))
        while game.phase == "playing":
            window.handle(Key(straight(game)))
    return scene()


def straight(game: Game) -> str:
    """The key that leads to the treasure, once it is known where it is."""
    state = game.states[-1]
    row, column = divmod(int(state["cell"][0]), TASK.columns)
    up, right = state["treasure"][0] - (row, column)
    if right:
        return "right" if right > 0 else "left"
    return "up" if up > 0 else "down"


def reported() -> Frame:
    """The beginning of the report."""
    page = ROOT / "results" / "quick" / "report.html"
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "report.png"
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={folder}/profile", "--virtual-time-budget=3000"]
        command += ["--blink-settings=preferredColorScheme=1", f"--window-size={WIDTH},{HEIGHT}"]
        command += [f"--screenshot={shot}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True)
        return np.array(Image.open(shot).convert("RGB"))


def main() -> None:
    """Draw them."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    for name, draw in (("watch", watched), ("play", played), ("report", reported)):
        Image.fromarray(draw()).save(ASSETS / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
