"""What each command takes, as typed dataclasses; those of `train` gain a game's own options.

Nothing heavy is imported here, so that help comes at once.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

PROG = "python -m rand_agents"
INTERRUPTED = 130
"""Exit code of what was interrupted, as of a shell's Ctrl-C."""

RARE = "rare"
"""In a field's metadata: only `--help-all` shows it."""


def rare(default: Any = None) -> Any:
    """A field that few need."""
    return field(default=default, metadata={RARE: True})


SUBJECTS = ("game_id", "subject", "subjects", "modules")
"""Fields of what a command is about: once that is known, the short help has them no more."""


def _shown(metavar: str, hint: str | None = "") -> Any:
    """How the help writes an option's value, and its default: not at all where that is none."""
    return arg(metavar=metavar, help_behavior_hint=hint)


Modules = Annotated[UseAppendAction[tuple[str, ...]], arg(name="import", metavar="MODULE")]
Flag = Annotated[bool, FlagCreatePairsOff, arg(help_behavior_hint="")]
Count = Annotated[int, arg(metavar="N")]
SomeCount = Annotated[int | None, _shown("N")]
TrainerName = Annotated[Literal["qnorm", "psro", "pepg"], arg(metavar="NAME")]
PolicyKind = Annotated[Literal["transformer", "mlp"], arg(name="policy", metavar="KIND")]
AS_SUITS = "(default: as suits the game)"
SuitedTrainer = Annotated[Literal["qnorm", "psro", "pepg"] | None, _shown("NAME", AS_SUITS)]
SuitedPolicy = Annotated[
    Literal["transformer", "mlp"] | None,
    arg(name="policy", metavar="KIND", help_behavior_hint=AS_SUITS),
]
PlayerName = Annotated[str | None, _shown("NAME")]


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train an agent on a game and save it; shows progress, can be stopped and resumed.

    Attributes:
        game_id: A registered id, such as CartPole-v1; of our own games also the short name.
        modules: Import this first: it may register games.
        out: The agent file, FILE.safetensors; it is also the checkpoint.
        updates: Updates of the weights in the whole run.
        trainer: qnorm (gradient steps), psro (best responses) or pepg (evolution).
        policy_kind: transformer (sees all of the instance so far) or mlp (what it sees now).
        rng_seed: Determines every draw.
        runs: Train so many agents, of rng_seed K, K + 1, ..., into FILE-K, FILE-(K + 1), ...
        tensorboard: Write TensorBoard curves into this folder.
        resume: Go on with the run in the file as if it had not stopped, or start it; with more
            updates a finished run becomes longer, and its schedules stretch.
        overwrite: Replace the file if there is one.
        processes: How many of the runs are trained at a time; by default one for each core.
        ray: Spread the runs over the Ray cluster at HOST:PORT, or "auto" for the one that runs
            here; without an address start one. All its machines must share the folder of --out.
        device: Where to compute, such as cpu or cuda.
        checkpoint_every: Save the run every so many updates, and after 20 seconds.
    """

    game_id: Annotated[Positional[str], arg(metavar="GAME")]
    modules: Modules = ()
    out: Annotated[Path, arg(metavar="FILE")]
    updates: Count = 1000
    trainer: SuitedTrainer = None
    policy_kind: SuitedPolicy = None
    rng_seed: Annotated[int, arg(metavar="K")] = 0
    runs: SomeCount = None
    tensorboard: Annotated[Path | None, _shown("DIR")] = None
    resume: Flag = False
    overwrite: Flag = False
    processes: SomeCount = rare()  # noqa: RUF009
    ray: Annotated[tuple[str, ...] | None, _shown("[ADDRESS]")] = rare()
    device: str = rare("cpu")
    checkpoint_every: Count = rare(100)  # noqa: RUF009


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Play agents or another player on many layouts and seeds and report how good they are.

    Attributes:
        subjects: Agent files, names of agents in the zoo, or solution files, which are compared
            where there are several; with --player the game.
        modules: Import this first: it may register games.
        player: Who plays the game instead of an agent: random (uniform legal actions), a
            classical player (`python -m rand_agents games` lists them), or sb3:FILE.zip, a model
            that Stable-Baselines3 saved; it holds pickles, which can run any code: give only one
            that you trust. Arguments of the game are --game.*.
        algorithm: The class in stable_baselines3 that saved the model.
        seed_distribution: Of the random seed vector that ended the observations in the model's
            training, if it saw one: see `rand_envs.RandomSeedObservation`.
        layouts: How many to draw where there are more than 4,096, else all are played. By default
            they are 2,000, or 40 of an environment that is stepped one instance at a time.
        num_seeds: Seeds every layout is played under (default: 100, or 8).
        num_fresh_seeds: Seeds that score the worst layout; by default 1,000, or 100.
        search_rounds: Rounds of the search for a worse layout, where they are too many to try; by
            default 30, or 2.
        search_starts: How many of the layouts played the search ascends from.
        rng_seed: Determines every draw.
        json: Write the report to this file as well.
        overwrite: Replace that file if there is one.
        device: Where agents and models compute, such as cpu or cuda.
    """

    subjects: Annotated[Positional[tuple[str, ...]], arg(metavar="AGENT [AGENT …]|GAME")]
    modules: Modules = ()
    player: PlayerName = None
    algorithm: str = rare("PPO")
    seed_distribution: Literal["gaussian", "uniform", "bits"] = rare("gaussian")
    layouts: SomeCount = None
    num_seeds: SomeCount = None
    num_fresh_seeds: SomeCount = rare()  # noqa: RUF009
    search_rounds: SomeCount = rare()  # noqa: RUF009
    search_starts: Count = rare(4)  # noqa: RUF009
    rng_seed: Annotated[int, arg(metavar="K")] = 0
    json: Annotated[Path | None, _shown("FILE.json")] = None
    overwrite: Flag = False
    device: str = rare("cpu")


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Watch players side by side, each under several seeds; keys are shown in the window.

    Attributes:
        subjects: Agent files, names of agents in the zoo, or solution files, all of one game;
            after the first also players of that game by their names, see `evaluate --player`.
        modules: Import this first: it may register games.
        player: The first one by name, see `evaluate`; then the game comes before any others.
        algorithm: The class in stable_baselines3 that saved a model.
        seed_distribution: Of the seed vector in a model's observations, see `evaluate`.
        layout: uniform (drawn at random), fixed (drawn once), worst (for each player), hedge (an
            adversary that learns), or a layout as JSON, for example '{"treasure": [2, 2]}'.
        seeds: How many seeds, each in a picture of its own; by default 4, over all players.
        rng_seed: Determines the layouts, the seeds and what is sampled.
        fps: Steps shown a second.
        record: Write FILE.gif, FILE.mp4 or FILE.png (the end) instead of opening a window; needs no
            display.
        rounds: How many layouts a film shows.
        overwrite: Replace the film if there is one.
        sample: Draw agents' actions from their output instead of taking the likeliest.
    """

    subjects: Annotated[Positional[tuple[str, ...]], arg(metavar="AGENT [AGENT ...]")]
    modules: Modules = ()
    player: PlayerName = None
    algorithm: str = rare("PPO")
    seed_distribution: Literal["gaussian", "uniform", "bits"] = rare("gaussian")
    layout: str = "uniform"
    seeds: SomeCount = None
    rng_seed: Annotated[int, arg(metavar="K")] = 0
    fps: Annotated[float, arg(metavar="X")] = 4.0
    record: Annotated[Path | None, _shown("FILE")] = None
    rounds: Count = 1
    overwrite: Flag = False
    sample: Flag = False


@dataclass(frozen=True, kw_only=True)
class Play:
    """Play a game yourself, against an adversary that learns where you look last.

    Attributes:
        game_id: A registered task's id; of our own games also the short name.
        modules: Import this first: it may register games.
        rounds: How many instances are played.
        rng_seed: Determines what the adversary draws.
        text: Play in the terminal, as where there is no display.
    """

    game_id: Annotated[Positional[str], arg(metavar="GAME")]
    modules: Modules = ()
    rounds: Count = 10
    rng_seed: Annotated[int, arg(metavar="K")] = 0
    text: Flag = False


@dataclass(frozen=True, kw_only=True)
class Zoo:
    """List the trained agents that come with the package, or compare one with a file.

    Attributes:
        modules: Import this first: it may register games.
        compare: The name of a zoo agent and an agent file: say whether their weights are equal
            to the last bit; the exit code is 1 if not.
    """

    modules: Modules = ()
    compare: Annotated[tuple[str, Path] | None, _shown("NAME FILE")] = None


@dataclass(frozen=True, kw_only=True)
class Games:
    """List the registered tasks: what they are called, how large they are, who can play them.

    Attributes:
        modules: Import this first: it may register games.
    """

    modules: Modules = ()
