"""The game in a terminal, where there is no display."""

import json
from collections.abc import Callable

import numpy as np
from rich.console import Console

from rand_agents.app.playing.session import Game
from rand_envs.rendering import render_text

SHOWN = 6
"""So many layouts are printed of what the adversary plays next."""
BAR = 24
QUIT = ("q", "quit", "exit")


def play_in_text(game: Game, read: Callable[[str], str], console: Console) -> None:
    """Play until the last round, or until the input ends.

    Args:
        game: What is played.
        read: Reads a line, once it has shown a prompt; EOFError where there is none left.
        console: Where to write.
    """

    def say(text: str = "") -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    rounds = f"{game.rounds} round{'s' * (game.rounds != 1)}"
    say(f"{game.task.env_id}, {rounds}. Type keys as words, {_example(game)}; q ends.")
    while game.phase != "over":
        if game.phase == "between":
            say(render_text(game.task, game.states, game.actions))
            say(f"{game.verdict()}.")
            for card in game.score.lines("your mean"):
                if card.value:
                    say(f"  {card.text:15}{card.value}")
            _say_weights(game, say)
            game.go_on()
            continue
        if game.actions and console.is_terminal:
            # What was to be remembered should not stay on the screen.
            console.clear()
        say(f"\nRound {game.round} of {game.rounds}")
        say(render_text(game.task, game.states, game.actions, game.hand))
        say(game.painter.question)
        try:
            line = read("> ")
        except EOFError:
            line = "q"
        if line.strip() in QUIT:
            game.stop()
        else:
            _type(game, line, say)
    for sentence in game.summary():
        say(sentence)


def _type(game: Game, line: str, say: Callable[[str], None]) -> None:
    """Press the keys of a line, as long as the round lasts."""
    before = len(game.actions)
    for name in game.controls.words(line):
        if game.phase == "playing":
            action = game.controls.key(name, game.painter)
            if action is not None:
                game.play(action)
    if game.phase == "playing" and len(game.actions) == before:
        say(f"That is no move: try {_example(game)}")


def _example(game: Game) -> str:
    return ", ".join(f"{keys}: {text}" for keys, text in game.controls.help()[:1]) + ", or Enter"


def _say_weights(game: Game, say: Callable[[str], None]) -> None:
    opponent = game.opponent
    say("  What the adversary plays next:")
    for place in np.argsort(-opponent.weights, kind="stable")[:SHOWN]:
        weight = float(opponent.weights[place])
        layout = game.task.layout_space.unpack(opponent.layouts[[place]])[0].to_json()
        bar = "#" * round(BAR * weight / float(opponent.weights.max()))
        say(f"    {100 * weight:5.1f} %  {bar:{BAR}}  {json.dumps(layout)}")
