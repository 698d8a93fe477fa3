"""Train and evaluate the four models on the games; write results, figures and a report.

Finished runs are kept under OUT/runs, those under way saved every 20 seconds: the same command
goes on where it stopped. results.json and figures show all runs there are, and what results.json
said before of runs by the same recipe that are not.
"""

import os
import signal
import sys
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from rand_envs.core.arrays import whole_number
from rand_envs.core.options import rng_seed_number
from rand_envs.core.plain import plain_where_needed, unread
from rand_envs.core.writing import check_folder, only_writer

from .experiments import PRESETS, Preset, TaskName, select
from .job import MODELS, Model

RANDOMNESS = "randomness"
NAMES = ", ".join(experiment.name for experiment in PRESETS["paper"])


@dataclass(frozen=True)
class Arguments:
    """Train and evaluate the four models on the games.

    Attributes:
        preset: "smoke" (half a minute: does everything run?), "quick" (ten minutes on two idle
            cores), or "paper" (the paper's sizes: hours).
        tasks: Which games.
        models: Which of the four.
        runs: Of each model, at most.
        out: Where it writes; else out/PRESET.
        rng_seed: Determines every run and every score.
        processes: Training runs at a time.
        ray: Spread runs over Ray: at HOST:PORT, "auto" for the cluster here, else a new one. Its
            machines must share the folder.
        verify: Only score the agents behind the results there again; exit code 1 where a number
            does not hold.
    """

    preset: Preset = "quick"
    tasks: Annotated[tuple[TaskName, ...], tyro.conf.arg(metavar="TASK ...")] = (
        "recall",
        "coloring",
        "grid",
        "patrol",
        "paging",
    )
    experiments: Annotated[
        tuple[str, ...],
        tyro.conf.arg(
            metavar="NAME ...",
            help=f"Which experiments; all by default. Of paper: {NAMES}. By itself: {RANDOMNESS}, "
            "on kinds of randomness.",
        ),
    ] = ()
    models: Annotated[tuple[Model, ...], tyro.conf.arg(metavar="MODEL ...")] = MODELS
    runs: int | None = None
    out: Path | None = None
    rng_seed: int = 0
    processes: int = os.cpu_count() or 1
    ray: Annotated[tuple[str, ...] | None, tyro.conf.arg(metavar="[ADDRESS]")] = None
    verify: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None

    def __post_init__(self) -> None:
        """Raise ValueError for what would fail later; the parser shows no other error well."""
        for name, value in (("--runs", self.runs), ("--processes", self.processes)):
            if value is not None:
                whole_number(name, value, 1)
        rng_seed_number(self.rng_seed, "--rng-seed")
        if not self.is_randomness:
            select(self.preset, self.tasks, self.experiments)
        if self.ray is not None and len(self.ray) > 1:
            raise ValueError(f"--ray takes one address at most, got {' '.join(self.ray)}")
        if self.ray is not None and (self.verify or self.is_randomness):
            raise ValueError(
                f"--ray spreads the training runs of a preset, not --verify or {RANDOMNESS}"
            )
        if self.out is not None:
            try:
                check_folder(self.out, self.out)
            except OSError as error:
                raise ValueError(str(error)) from None

    @property
    def is_randomness(self) -> bool:
        """Whether the experiment on kinds of randomness is asked for, which has no preset."""
        return self.experiments == (RANDOMNESS,)


def default_out(preset: str) -> Path:
    """Where a benchmark writes: nothing that Git knows is changed by running one."""
    return Path("out") / preset


def _interrupt(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def main() -> int:
    plain_where_needed()
    # Paths may look like markup. In a file or a pipe no window is narrow: nothing must be cut.
    console = Console(width=None if sys.stdout.isatty() else 200, markup=False)
    try:
        # A polite kill stops like Ctrl-C: the workers end and their checkpoints stay.
        signal.signal(signal.SIGTERM, _interrupt)
        arguments = tyro.cli(Arguments, description=__doc__)
        if arguments.verify is not None:
            from .verify import verify

            return verify(arguments.verify, arguments.processes, console)
        alone = arguments.is_randomness
        out = arguments.out or default_out(RANDOMNESS if alone else arguments.preset)
        out.mkdir(parents=True, exist_ok=True)
        with only_writer(out):
            return (_run_randomness if alone else _run)(arguments, out, console)
    except BrokenPipeError:
        return unread()
    except BrokenExecutor:
        error: object = (
            "a process was lost: it was killed, or there was too little memory; start the same "
            "command again"
        )
    except ChildProcessError as caught:
        error = f"{caught}; the same command goes on from its last checkpoint"
    except OSError as caught:
        found = caught.strerror and caught.filename
        error = f"{caught.filename}: {caught.strerror}" if found else caught
    except (ValueError, FloatingPointError) as caught:
        error = caught
    except KeyboardInterrupt:
        console.print("interrupted; what is finished is kept, the same command goes on from here")
        return 130
    console.print(f"error: {' '.join(str(error).split())}", soft_wrap=True)
    return 2


def _run(arguments: Arguments, out: Path, console: Console) -> int:
    # Imported here, as help and slips are answered before PyTorch is there.
    from .benchmark import run

    return run(arguments, out, console)


def _run_randomness(arguments: Arguments, out: Path, console: Console) -> int:
    from .randomness.experiment import run as run_kinds

    run_kinds(
        out, arguments.tasks, arguments.runs, arguments.rng_seed, arguments.processes, console
    )
    return 0
