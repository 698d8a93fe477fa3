"""The command line: train, evaluate, watch and play, in any registered game."""

import difflib
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import make_dataclass
from functools import partial
from typing import Annotated, Any, Union

import tyro
from rich.console import Console
from tyro.conf import arg, subcommand

from rand_agents.app import commands
from rand_agents.app.commands import INTERRUPTED, PROG
from rand_agents.app.parsing import parsed
from rand_agents.app.words import (
    asks_for_all,
    asks_for_help,
    subject_of,
    value_of,
    values_of,
)
from rand_envs.core.plain import plain_where_needed, unread

BAD_INPUT = 2
"""Exit code after an error of the user's, as of the argument parser's."""

PATIENCE = 5.0
"""Seconds in which the first of several processes says what is wrong."""

_CONSOLE = Console(highlight=False, markup=False)
_ERRORS = Console(stderr=True, highlight=False, markup=False)

HIDDEN = ("--policy.*", "--seeds.*", "--found.*", "--qnorm.*", "--psro.*", "--pepg.*")
"""Options whose defaults nobody knows before PyTorch is imported."""

DESCRIPTION = """Seeded policies that stay good when an adversary picks the layout.

Train one, see how good it is, and watch it:
    python -m rand_agents train grid --game.size 3 --updates 200 --out grid.safetensors
    python -m rand_agents evaluate grid.safetensors
    python -m rand_agents watch grid.safetensors --layout worst --record grid.gif

Meet the adversary yourself:
    python -m rand_agents play grid

Trained ones come with the package, and textbook players with the games:
    python -m rand_agents zoo
    python -m rand_agents games

A game of your own is played like ours, once the module that registers it is imported:
    python -m rand_agents train Penalty-v0 --import my_games --out penalty.safetensors"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (the process's by default) and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    plain_where_needed()
    try:
        run = COMMANDS.get(words[0]) if words else None
        if run is None:
            return _overview(words)
        if modules := values_of(words, "--import"):
            from rand_agents.app.lookup import import_modules

            import_modules(modules)
        return run(words)
    except BrokenPipeError:
        return unread()
    except (ValueError, OSError, FloatingPointError) as error:
        _leave_it_to_the_first()
        _ERRORS.print(f"error: {_sentence(error)}", markup=False, soft_wrap=True)
        return BAD_INPUT
    except KeyboardInterrupt:
        _ERRORS.print("interrupted")
        return INTERRUPTED


def _leave_it_to_the_first() -> None:
    """Wait, if `torchrun` started this process beside another that has the same to say.

    Where the first one fails, too, `torchrun` ends those that wait; else it is an error of this
    process's own.
    """
    if os.environ.get("LOCAL_RANK", "0") != "0":
        time.sleep(PATIENCE)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def _overview(words: Sequence[str]) -> int:
    """Help on all commands; also says what is wrong with a word that is none."""
    if words and not words[0].startswith("-"):
        near = difflib.get_close_matches(words[0], COMMANDS, n=1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(
            f"there is no command {words[0]!r}{meant}: known are {', '.join(COMMANDS)}"
        )
    kinds: list[Any] = [
        Annotated[getattr(commands, name.title()), subcommand(name, prefix_name=False)]
        for name in COMMANDS
    ]
    chosen: Any = Annotated[Union[tuple(kinds)], arg(name="")]  # noqa: UP007
    whole = make_dataclass("CommandLine", [("command", chosen)])
    tyro.cli(whole, prog=PROG, description=DESCRIPTION, args=list(words) or ["--help"])
    return BAD_INPUT


def _parsed(kind: Any, words: Sequence[str], subject: str = "", **more: Any) -> Any:
    prog = f"{PROG} {words[0]}{subject and f' {subject}'}"
    return parsed(kind, words[1:], prog, subject=subject, **more)


def _of_game(kind: type[Any], env_id: str) -> type[Any]:
    """The options of a command, and those of a game."""
    from rand_agents.app.arguments import options_of

    own = options_of(env_id)
    wider = make_dataclass("Of", [own] if own else [], bases=(kind,), frozen=True, kw_only=True)
    wider.__doc__ = kind.__doc__
    return wider


def _train(words: Sequence[str]) -> int:
    name = subject_of(words[1:])
    if name is None:
        about = None
        if asks_for_help(words):
            from rand_agents.app.lookup import known_games

            about = (
                f"Train an agent on a game: {', '.join(known_games())}, or any id registered with "
                f"Gymnasium.\n\nEach has options of its own: {PROG} train GAME --help"
            )
        _parsed(commands.Train, words, description=about)
    from rand_agents.app.arguments import task_from
    from rand_agents.app.checks import check_training
    from rand_agents.app.lookup import game_id, introduced

    # A slip, or a wish for help, is answered before PyTorch is imported.
    env_id = game_id(str(name))
    common = _of_game(commands.Train, env_id)
    about = introduced(env_id)
    if asks_for_help(words) and not asks_for_all(words):
        _parsed(common, words, str(name), description=about, hidden=HIDDEN)
    if not asks_for_help(words):
        from rand_agents.app.shapes import fields_of_groups

        groups = fields_of_groups(value_of(words, "--policy"))
        loose = make_dataclass("Of", groups, bases=(common,), frozen=True, kw_only=True)
        check_training(_parsed(loose, words, str(name)))
    task = task_from(env_id, words, f"{PROG} train {name}")
    from rand_agents.app.options import parsed_training

    training, options = parsed_training(task, words)
    if options.runs is not None:
        from rand_agents.app.runs import train_runs

        return train_runs(training, options, words, _CONSOLE, _ERRORS)
    from rand_agents.app.train import train

    return train(options, lambda: training.agent(options), words, _CONSOLE)


def _evaluate(words: Sequence[str]) -> int:
    from rand_agents.app.checks import agent_source, check_evaluation, check_player

    kind, player = commands.Evaluate, value_of(words, "--player")
    game = None if player is None else subject_of(words[1:])
    contestants: dict[str, Callable[[], Any]]
    if game is None:
        options = _parsed(kind, words)
        check_evaluation(options)
        if not options.subjects:
            raise ValueError("evaluate takes an agent, or several, got 0 names")
        for name in options.subjects:
            agent_source(name)
        from rand_agents.app.players import player_of_file

        contestants = {
            name: partial(player_of_file, name, _ERRORS, options.device)
            for name in options.subjects
        }
    else:
        from rand_agents.app.arguments import task_from
        from rand_agents.app.lookup import game_id

        env_id, subject = game_id(game), f"--player {player} {game}"
        options = _parsed(_of_game(kind, env_id), words, subject)
        check_evaluation(options)
        if len(options.subjects) > 1:
            raise ValueError(
                f"evaluate takes one game with --player, got {len(options.subjects)} names"
            )
        task = task_from(env_id, words, f"{PROG} {words[0]} {subject}")
        check_player(str(player), task, options.device)
        from rand_agents.app.players import named_player

        contestants = {str(player): lambda: named_player(options, task)}
    from rand_agents.app.evaluate import evaluate_and_print

    return evaluate_and_print(options, contestants, _CONSOLE, _ERRORS)


def _watch(words: Sequence[str]) -> int:
    from rand_agents.app.checks import check_player, check_watching

    player = value_of(words, "--player")
    name = None if player is None else subject_of(words[1:])
    task = None
    if name is None:
        options = _parsed(commands.Watch, words)
        check_watching(options)
    else:
        from rand_agents.app.arguments import task_from
        from rand_agents.app.lookup import game_id

        env_id = game_id(name)
        subject = f"--player {player} {name}"
        options = _parsed(_of_game(commands.Watch, env_id), words, subject)
        check_watching(options)
        task = task_from(env_id, words, f"{PROG} watch {subject}")
        check_player(str(player), task)
    from rand_agents.app.watch import watch

    return watch(options, task, _CONSOLE, _ERRORS)


def _play(words: Sequence[str]) -> int:
    name = subject_of(words[1:])
    if name is None:
        _parsed(commands.Play, words)
    from rand_agents.app.arguments import task_for_people
    from rand_agents.app.lookup import game_id

    env_id = game_id(str(name))
    options = _parsed(_of_game(commands.Play, env_id), words, str(name))
    task = task_for_people(env_id, words, f"{PROG} play {name}")
    from rand_agents.app.play import play

    return play(options, task, _CONSOLE, _ERRORS)


def _zoo(words: Sequence[str]) -> int:
    options = _parsed(commands.Zoo, words)
    if options.compare is None:
        from rand_agents.app.listing import print_zoo

        print_zoo(_CONSOLE)
        return 0
    from rand_agents.app.checks import agent_source

    name, file = options.compare
    agent_source(str(file))
    from rand_agents.app.players import loaded
    from rand_agents.zoo import load_zoo, weight_differences

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
    options = _parsed(commands.Games, words)
    from rand_agents.app.listing import print_games

    print_games(options.modules, _CONSOLE, _ERRORS)
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "train": _train,
    "evaluate": _evaluate,
    "watch": _watch,
    "play": _play,
    "zoo": _zoo,
    "games": _games,
}
