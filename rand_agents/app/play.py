"""`play`: a person plays a game, in a window or in the terminal."""

import sys
from typing import Any

from rich.console import Console

from rand_agents.app.commands import Play
from rand_envs.core.task import Setting, Task
from rand_envs.minimax import game_value


def play(options: Play, task: Setting[Any], console: Console, errors: Console) -> int:
    """Play, and say in the end how it went; the exit code.

    Args:
        options: How to play.
        task: What is played.
        console: Where to report.
        errors: Where to show that it is working.
    """
    if options.rounds < 1:
        raise ValueError(f"--rounds must be at least 1, got {options.rounds}")
    if not isinstance(task, Task):
        raise ValueError(
            f"{task.env_id} is no task of rand_envs, whose adversary could learn: "
            "gymnasium.utils.play plays other environments"
        )
    # Imported here so that the other commands need no pygame.
    from rand_agents.app.playing.scene import PlayScene
    from rand_agents.app.playing.session import Game, PlayWindow
    from rand_agents.app.playing.text import play_in_text
    from rand_agents.app.window.loop import run
    from rand_envs.rendering import Window

    with errors.status("solving …"):
        known = game_value(task)
    game = Game(task, known, options.rounds, options.rng_seed)
    if options.text or not Window.is_possible():
        if not options.text:
            errors.print("note: there is no display, so the game is in text")
        play_in_text(game, _prompted if sys.stdin.isatty() else _read, console)
        return 0
    scene = PlayScene(game)
    run(Window(f"{task.env_id}: play", 30), PlayWindow(game, scene.pick), scene)
    for sentence in game.summary():
        console.print(sentence, markup=False, soft_wrap=True)
    return 0


def _prompted(prompt: str) -> str:
    return input(prompt)


def _read(prompt: str) -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line
