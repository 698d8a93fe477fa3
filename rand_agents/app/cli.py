"""The command line: train, evaluate and watch seeded agents, in any registered game."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import make_dataclass
from typing import Annotated, Any, Union

import tyro
from rich.console import Console
from tyro.conf import arg, subcommand

from rand_agents.app import commands
from rand_agents.app.commands import INTERRUPTED, PROG
from rand_agents.app.words import asks_for_help, subject_of, value_of, values_of

BAD_INPUT = 2
"""Exit code after an error of the user's, as of the argument parser's."""

_CONSOLE = Console(highlight=False, markup=False)
_ERRORS = Console(stderr=True, highlight=False, markup=False)

DESCRIPTION = """Seeded policies that stay good when an adversary picks the layout.

Train one, see how good it is, and watch it:

    python -m rand_agents train grid --game.size 3 --updates 200 --out grid.safetensors
    python -m rand_agents evaluate grid.safetensors
    python -m rand_agents watch grid.safetensors --layout worst --record grid.gif

Trained ones come with the package, and textbook players with the games:

    python -m rand_agents zoo
    python -m rand_agents games

A game of your own is played like ours, once the module that registers it is imported:

    python -m rand_agents train Penalty-v0 --import my_games --out penalty.safetensors"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (the process's by default) and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        run = COMMANDS.get(words[0]) if words else None
        if run is None:
            return _overview(words)
        if modules := values_of(words, "--import"):
            from rand_agents.app.lookup import import_modules

            import_modules(modules)
        return run(words)
    except (ValueError, OSError, FloatingPointError) as error:
        _ERRORS.print(f"error: {_sentence(error)}", markup=False, soft_wrap=True)
        return BAD_INPUT
    except KeyboardInterrupt:
        _ERRORS.print("interrupted")
        return INTERRUPTED


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def _overview(words: Sequence[str]) -> int:
    """Help on all commands; also says what is wrong with a word that is none."""
    kinds: list[Any] = [
        Annotated[getattr(commands, name.title()), subcommand(name, prefix_name=False)]
        for name in COMMANDS
    ]
    chosen: Any = Annotated[Union[tuple(kinds)], arg(name="")]  # noqa: UP007
    whole = make_dataclass("CommandLine", [("command", chosen)])
    tyro.cli(whole, prog=PROG, description=DESCRIPTION, args=list(words))
    return BAD_INPUT


def _parsed(
    kind: Any, words: Sequence[str], subject: str = "", description: str | None = None
) -> Any:
    prog = f"{PROG} {words[0]}{subject and f' {subject}'}"
    return tyro.cli(kind, prog=prog, description=description, args=list(words[1:]))


def _train(words: Sequence[str]) -> int:
    name = subject_of(words[1:])
    if name is None:
        if asks_for_help(words):
            from rand_agents.app.lookup import known_games

            games = ", ".join(known_games())
            _parsed(
                commands.Train,
                words,
                description=f"Train an agent on a game: {games}, or any id registered with "
                f"Gymnasium.\n\nEach has options of its own: {PROG} train GAME --help",
            )
        _parsed(commands.Train, words)
    from rand_agents.app.arguments import task_from
    from rand_agents.app.lookup import game_id
    from rand_agents.app.options import Training
    from rand_agents.app.train import train

    env_id = game_id(str(name))
    task = task_from(env_id, words, f"{PROG} train {name}")
    training = Training.of(task, words)
    options = _parsed(training.options(), words, str(name), training.description)
    return train(options, lambda: training.agent(options), words, _CONSOLE)


def _contestant(kind: type[Any], words: Sequence[str]) -> tuple[Any, Any]:
    """The options of a command, and the agent or the player that they name."""
    player = value_of(words, "--player")
    name = None if player is None else subject_of(words[1:])
    if name is None:
        options = _parsed(kind, words)
        from rand_agents.app.players import loaded

        return options, lambda: loaded(options.subject, _ERRORS)
    from rand_agents.app.arguments import options_of, task_from
    from rand_agents.app.lookup import game_id
    from rand_agents.app.players import named_player

    env_id = game_id(name)
    subject = f"--player {player} {name}"
    task = task_from(env_id, words, f"{PROG} {words[0]} {subject}")
    field = options_of(env_id)
    wider = make_dataclass("Of", [field] if field else [], bases=(kind,), frozen=True, kw_only=True)
    wider.__doc__ = kind.__doc__
    options = _parsed(wider, words, subject)
    return options, lambda: named_player(options, task)


def _evaluate(words: Sequence[str]) -> int:
    options, contestant = _contestant(commands.Evaluate, words)
    from rand_agents.app.evaluate import evaluate_and_print

    return evaluate_and_print(options, contestant, _CONSOLE, _ERRORS)


def _watch(words: Sequence[str]) -> int:
    options, contestant = _contestant(commands.Watch, words)
    from rand_agents.app.watch import watch

    return watch(options, contestant, _CONSOLE, _ERRORS)


def _zoo(words: Sequence[str]) -> int:
    options = _parsed(commands.Zoo, words)
    from rand_agents.app.players import loaded
    from rand_agents.evaluation.tables import print_zoo
    from rand_agents.zoo import load_zoo, weight_differences, zoo_card, zoo_names

    if options.compare is None:
        print_zoo({name: zoo_card(name) for name in zoo_names()}, _CONSOLE)
        return 0
    name, file = options.compare
    different = weight_differences(load_zoo(name), loaded(str(file), _ERRORS))
    if not different:
        _CONSOLE.print(f"{file} has the weights of {name}, to the last bit.", soft_wrap=True)
        return 0
    most = max(different.values())
    _CONSOLE.print(
        f"{file} differs from {name} in {', '.join(different)}, by up to {most:.2g}.",
        soft_wrap=True,
    )
    return 1


def _games(words: Sequence[str]) -> int:
    _parsed(commands.Games, words)
    from rand_agents.app.listing import print_games

    print_games(_CONSOLE, _ERRORS)
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "train": _train,
    "evaluate": _evaluate,
    "watch": _watch,
    "zoo": _zoo,
    "games": _games,
}
