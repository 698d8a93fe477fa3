"""The command line: train, evaluate and watch seeded agents."""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from tyro.conf import FlagCreatePairsOff, Positional, arg, subcommand

from rand_agents.app.options import TrainColoring, TrainGrid, TrainRecall
from rand_agents.app.train import INTERRUPTED, train
from rand_agents.evaluation.evaluate import evaluate
from rand_agents.evaluation.tables import print_report, print_zoo
from rand_agents.training.agent import Agent
from rand_agents.training.loading import load_agent
from rand_agents.zoo import agent_file, load_zoo, weight_differences, zoo_card, zoo_names

BAD_INPUT = 2
"""Exit code after an error of the user's, as of the argument parser's."""

_CONSOLE = Console(highlight=False)
_ERRORS = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Train:
    """Train an agent on a game and save it; shows progress, can be stopped and resumed."""

    run: Annotated[
        Annotated[TrainRecall, subcommand("recall", prefix_name=False)]
        | Annotated[TrainColoring, subcommand("coloring", prefix_name=False)]
        | Annotated[TrainGrid, subcommand("grid", prefix_name=False)],
        arg(name=""),
    ]


@dataclass(frozen=True)
class Evaluate:
    """Play a saved agent on many layouts under many seeds and report how good it is.

    Attributes:
        file: The agent file, or the name of an agent in the zoo.
        layouts: Layouts to draw where a game has more than 4,096; else all are played.
        num_seeds: Seeds every layout is played under.
        rng_seed: Determines every draw.
        json: Write the report to this file as well.
    """

    file: Positional[str]
    layouts: int = 2000
    num_seeds: int = 100
    rng_seed: int = 0
    json: Path | None = None


@dataclass(frozen=True)
class Watch:
    """Watch a saved agent on one layout under several seeds side by side.

    Attributes:
        file: The agent file, or the name of an agent in the zoo.
        layout: "uniform" (drawn at random), "worst" (for this agent), or a layout as JSON,
            for example '{"treasure": [2, 2]}'.
        seeds: How many seeds, each in a picture of its own.
        rng_seed: Determines the layout, the seeds and what is sampled.
        fps: Steps shown a second.
        record: Write FILE.gif (the animation) or FILE.png (its end) instead of opening a
            window; needs no display.
        sample: Draw actions from the output instead of taking the likeliest.
    """

    file: Positional[str]
    layout: str = "uniform"
    seeds: int = 4
    rng_seed: int = 0
    fps: float = 4.0
    record: Path | None = None
    sample: Annotated[bool, FlagCreatePairsOff] = False


@dataclass(frozen=True)
class Zoo:
    """List the trained agents that come with the package, or compare one with a file.

    Attributes:
        compare: The name of a zoo agent and an agent file: say whether their weights are equal
            to the last bit; the exit code is 1 if not.
    """

    compare: Annotated[tuple[str, Path] | None, arg(metavar="NAME FILE")] = None


@dataclass(frozen=True)
class CommandLine:
    """The whole command line."""

    command: Annotated[
        Annotated[Train, subcommand("train", prefix_name=False)]
        | Annotated[Evaluate, subcommand("evaluate", prefix_name=False)]
        | Annotated[Watch, subcommand("watch", prefix_name=False)]
        | Annotated[Zoo, subcommand("zoo", prefix_name=False)],
        arg(name=""),
    ]


DESCRIPTION = """Seeded policies that stay good when an adversary picks the layout.

Train one, see how good it is, and watch it:

    python -m rand_agents train grid --game.size 3 --updates 200 --out grid.safetensors
    python -m rand_agents evaluate grid.safetensors
    python -m rand_agents watch grid.safetensors --layout worst --record grid.gif

Trained ones come with the package; their names serve as files do:

    python -m rand_agents zoo"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (the process's by default) and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    parsed = tyro.cli(
        CommandLine, prog="python -m rand_agents", description=DESCRIPTION, args=words
    )
    try:
        return _run(parsed.command, words)
    except (ValueError, OSError, FloatingPointError) as error:
        _ERRORS.print(f"error: {_sentence(error)}", markup=False, soft_wrap=True)
        return BAD_INPUT
    except KeyboardInterrupt:
        _ERRORS.print("interrupted")
        return INTERRUPTED


def _run(command: Train | Evaluate | Watch | Zoo, words: Sequence[str]) -> int:
    if isinstance(command, Train):
        return train(command.run, words, _CONSOLE)
    if isinstance(command, Evaluate):
        return _evaluate(command)
    if isinstance(command, Watch):
        return _watch(command)
    return _zoo(command)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def _load(source: str) -> Agent[Any]:
    path = agent_file(source)
    agent = load_agent(path)
    if agent.num_timesteps < agent.total_timesteps:
        done = f"{agent.num_timesteps} of {agent.total_timesteps} updates"
        _ERRORS.print(f"note: the training of {path} is unfinished, {done}", soft_wrap=True)
    return agent


def _evaluate(options: Evaluate) -> int:
    if options.json is not None and options.json.suffix != ".json":
        raise ValueError(f"the report's file must end in .json, got {options.json}")
    agent = _load(options.file)
    with _ERRORS.status("playing …"):
        report = evaluate(
            agent,
            layouts=options.layouts,
            num_seeds=options.num_seeds,
            rng_seed=options.rng_seed,
        )
    print_report(report, _CONSOLE)
    if options.json is not None:
        report.save(options.json)
        _CONSOLE.print(f"Saved {options.json}", soft_wrap=True)
    return 0


def _watch(options: Watch) -> int:
    # Imported here so that training and evaluation start without pygame.
    from rand_agents.app.watch import choose_layout, draw_frames, play_out, record, show

    _check_watch(options)
    agent = _load(options.file)
    with _ERRORS.status("playing …"):
        choice = choose_layout(agent, options.layout, options.rng_seed)
        agent.set_random_seed(options.rng_seed)
        histories = play_out(agent, choice.layout, options.seeds, sample=options.sample)
        frames = draw_frames(agent, histories)
    described = agent.task.layout_space.unpack(choice.layout)[0].to_json()
    _CONSOLE.print(f"Layout ({choice.remark}):", soft_wrap=True, markup=False)
    _CONSOLE.print(f"  {shlex.quote(json.dumps(described))}", soft_wrap=True, markup=False)
    if options.record is None:
        show(frames, f"{Path(options.file).name} on {agent.task.env_id}", options.fps)
        return 0
    record(frames, options.record, options.fps)
    _CONSOLE.print(f"Saved {options.record}", soft_wrap=True, markup=False)
    return 0


def _zoo(options: Zoo) -> int:
    if options.compare is None:
        print_zoo({name: zoo_card(name) for name in zoo_names()}, _CONSOLE)
        return 0
    name, file = options.compare
    different = weight_differences(load_zoo(name), load_agent(file))
    if not different:
        _CONSOLE.print(f"{file} has the weights of {name}, to the last bit.", soft_wrap=True)
        return 0
    most = max(different.values())
    _CONSOLE.print(
        f"{file} differs from {name} in {', '.join(different)}, by up to {most:.2g}.",
        soft_wrap=True,
    )
    return 1


def _check_watch(options: Watch) -> None:
    if options.seeds < 1:
        raise ValueError(f"--seeds must be at least 1, got {options.seeds}")
    if not 0 < options.fps <= 50:
        raise ValueError(f"--fps must be above 0 and at most 50, got {options.fps}")
    if options.record is not None and options.record.suffix not in (".gif", ".png"):
        raise ValueError(f"--record must end in .gif or .png, got {options.record}")
