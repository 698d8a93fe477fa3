"""What a command line asks for, checked before anything heavy is imported or any work is done."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rand_agents.app.commands import Evaluate, Train, Watch
from rand_agents.app.lookup import game_id
from rand_agents.zoo import agent_file
from rand_envs.core.arrays import whole_number
from rand_envs.core.options import rng_seed_number
from rand_envs.core.task import Setting, Task
from rand_envs.core.writing import check_folder, checked_output

MODEL = "sb3:"
RANDOM = "random"


def check_training(options: Train) -> dict[int, Path]:
    """The agent file of each run by its rng_seed, once it is clear that all may be written.

    Raises:
        ValueError: An option is illegal, or a file exists and may not be touched.
        OSError: It cannot be written.
    """
    for name in ("updates", "checkpoint_every", "runs", "processes"):
        _check_least(options, name, 1)
    first = rng_seed_number(options.rng_seed, "--rng-seed")
    if options.resume and options.overwrite:
        raise ValueError("--resume keeps the run in the file and --overwrite drops it: choose one")
    out = options.out if options.out.suffix else options.out.with_suffix(".safetensors")
    files = {first: out}
    if options.runs is None:
        _check_alone(options)
    else:
        rng_seed_number(first + options.runs - 1, "--rng-seed of the last run")
        seeds = range(first, first + options.runs)
        files = {seed: out.with_stem(f"{out.stem}-{seed}") for seed in seeds}
        _check_spread(options)
    for file in files.values():
        checked_output(file, "--out", ".safetensors", overwrite=True)
        if file.exists() and not (options.resume or options.overwrite):
            raise ValueError(
                f"{file} exists: add --resume to go on with its run, or --overwrite to replace it"
            )
    if options.tensorboard is not None:
        check_folder(options.tensorboard, options.tensorboard)
    return files


def _check_alone(options: Train) -> None:
    for name in ("ray", "processes"):
        if getattr(options, name) is not None:
            raise ValueError(f"--{name} spreads several runs: say with --runs how many")


def _check_spread(options: Train) -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError("--runs trains each agent in one process, and torchrun one in several")
    if options.ray is None:
        return
    if len(options.ray) > 1:
        raise ValueError(f"--ray takes one address at most, got {' '.join(options.ray)}")
    if options.device != "cpu":
        raise ValueError(f"--ray spreads runs over processors, not over --device {options.device}")


def check_evaluation(options: Evaluate) -> None:
    """Raise ValueError or OSError unless numbers are legal, and a report can be written."""
    for name, least in (
        ("layouts", 1),
        ("num_seeds", 2),
        ("num_fresh_seeds", 2),
        ("search_rounds", 0),
        ("search_starts", 1),
    ):
        _check_least(options, name, least)
    rng_seed_number(options.rng_seed, "--rng-seed")
    if options.json is not None:
        checked_output(options.json, "--json", ".json", overwrite=options.overwrite)


FILMS = (".gif", ".mp4", ".png")


def check_watching(options: Watch) -> None:
    """Raise ValueError or OSError unless there is something to watch, and a film can be written."""
    if not options.subjects:
        raise ValueError("watch needs an agent: a file, a name of the zoo, or --player NAME GAME")
    _check_least(options, "seeds", 1)
    _check_least(options, "rounds", 1)
    rng_seed_number(options.rng_seed, "--rng-seed")
    if not 0 < options.fps <= 50:
        raise ValueError(f"--fps must be above 0 and at most 50, got {options.fps}")
    if options.record is None:
        return
    checked_output(options.record, "--record", *FILMS, overwrite=options.overwrite)
    if options.record.suffix == ".mp4" and find_spec("imageio_ffmpeg") is None:
        raise ValueError(
            "a film as .mp4 needs imageio-ffmpeg: pip install 'rand-envs[film]', or record a .gif"
        )


def _check_least(options: Any, name: str, least: int) -> None:
    value = getattr(options, name)
    if value is not None:
        whole_number(f"--{name.replace('_', '-')}", value, least)


def agent_source(source: str) -> Path:
    """The file of an agent that is given by its path, or by its name in the zoo.

    Raises:
        ValueError: It is the name of a game.
        FileNotFoundError: There is no such agent.
    """
    try:
        return agent_file(source)
    except FileNotFoundError:
        try:
            env_id = game_id(source)
        except ValueError:
            env_id = None
        if env_id is None:
            raise
    raise ValueError(f"{env_id} is a game: say with --player NAME who plays it")


def check_player(name: str, task: Setting[Any], device: str = "cpu") -> None:
    """Raise ValueError unless it is the name of somebody who plays the task, on the device."""
    players = task.players if isinstance(task, Task) else {}
    if name == RANDOM or name in players:
        if device != "cpu":
            raise ValueError(f"--device is for agents and models: {name} needs no more than a CPU")
        return
    if not name.startswith(MODEL):
        known = ", ".join({**players, RANDOM: None})
        raise ValueError(
            f"{task.env_id} has no player {name!r}: it has {known}, and {MODEL}FILE.zip gives it a "
            "model of Stable-Baselines3's"
        )
    if not Path(name.removeprefix(MODEL)).is_file():
        raise ValueError(f"there is no model file {name.removeprefix(MODEL)}")
