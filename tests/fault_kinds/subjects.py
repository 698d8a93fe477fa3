"""What is stopped: `train`, the trainers as a library, a benchmark's jobs, and all of one."""

import contextlib
import dataclasses
import importlib
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

from benchmarks.suite import main as benchmark
from benchmarks.suite import worker
from benchmarks.suite.experiments import SMOKE
from benchmarks.suite.job import EvaluationSize, Job
from rand_agents import (
    PEPG,
    PSRO,
    ObjectiveConfig,
    PEPGConfig,
    PSROConfig,
    QNorm,
    QNormConfig,
    SearchConfig,
    SeedSpec,
)
from rand_agents.agents.agent import Agent
from rand_agents.agents.files import read_agent
from rand_agents.app import cli
from rand_agents.training.loading import load_agent
from rand_envs import Found, GridTask, PatrolTask, RecallTask
from rand_envs.core.sealed import read_json

from .trial import Subject

RECALL = RecallTask(2, 1)
PATROL = PatrolTask(("cycle", 4), horizon=3, attack_duration=2)
GRID = GridTask((2, 2), horizon=3)

UPDATES = 24

TRAINERS: dict[str, Callable[[], Agent[Any]]] = {
    "QNorm, exact gradient": lambda: QNorm(
        "SeedTransformer",
        RECALL,
        QNormConfig(m=3, batch_size=4, seeds_kept=3),
        seeds=SeedSpec(3, "gaussian", "sobol"),
        layouts=Found(RECALL.layout_space, 6, 0.5, 4, rng_seed=2),
        rng_seed=5,
    ),
    "QNorm by score": lambda: QNorm(
        "SeedTransformer",
        PATROL,
        QNormConfig(ObjectiveConfig(q=4.0), m=3, batch_size=4),
        rng_seed=5,
    ),
    "PSRO": lambda: PSRO(
        "SeedTransformer",
        GRID,
        PSROConfig(rounds=2, paths=4, distillation=0.5),
        seeds=SeedSpec(2, "bits", "distinct"),
        rng_seed=5,
    ),
    "PEPG": lambda: PEPG(
        "SeedTransformer",
        RECALL,
        PEPGConfig(ObjectiveConfig(q=4.0), SearchConfig(population=8, std=0.4), m=3, batch_size=4),
        rng_seed=5,
    ),
}

COMMANDS = {
    "QNorm, exact gradient": "recall --game.num-pairs 2 --game.value-bits 1 --trainer qnorm "
    "--qnorm.m 3 --qnorm.batch-size 4",
    "QNorm by score": "patrol --trainer qnorm --qnorm.m 3 --qnorm.batch-size 4",
    "PSRO": "grid --game.size 2 --game.horizon 3 --trainer psro --psro.rounds 2 --psro.paths 4 "
    "--seeds.dim 2 --seeds.distribution bits --seeds.draw distinct",
    "PEPG": "grid --game.size 2 --game.horizon 3 --trainer pepg --pepg.m 3 "
    "--pepg.search.population 8",
}


def load_all() -> None:
    """Import and compile what the processes need before they are forked."""
    for module in ("arguments", "lookup", "options", "train"):
        importlib.import_module(f"rand_agents.app.{module}")
    for make in TRAINERS.values():
        agent = make()
        layouts = agent.task.layout_space.sample(np.random.default_rng(0), 2)
        seeds = agent.draw_seeds(np.random.default_rng(0), 2)
        agent.losses(layouts, seeds)
        agent.play(layouts, seeds)


def trained_by_command(name: str) -> Subject:
    """`train`, which saves every third update."""

    def run(folder: Path) -> int:
        words = ["train", *COMMANDS[name].split(), "--updates", str(UPDATES)]
        words += ["--checkpoint-every", "3", "--out", str(folder / "agent.safetensors")]
        return cli.main([*words, "--resume"])

    def ending(folder: Path) -> Any:
        return (folder / "agent.safetensors").read_bytes()

    signals = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    return Subject(f"train, {name}", run, ending, signals)


def curves(folder: Path) -> dict[tuple[str, int], Any]:
    """Of all TensorBoard files in a folder; AssertionError where a point has two values."""
    found: dict[tuple[str, int], Any] = {}
    for path in sorted(folder.rglob("events.out.*")):
        for event in _whole_events(path):
            for value in event.summary.value:
                told = tensor_util.make_ndarray(value.tensor).item()
                if found.setdefault((value.tag, event.step), told) != told:
                    raise AssertionError(f"{value.tag} has two values at {event.step}")
    return found


def _whole_events(path: Path) -> Iterator[Any]:
    # The last record of a process that was killed may be half a one.
    with contextlib.suppress(Exception):
        yield from EventFileLoader(str(path)).Load()


def trained_in_library(name: str) -> Subject:
    """`learn` and `resume` with a checkpoint after every update, logs and curves included."""

    def run(folder: Path) -> int:
        path = folder / "agent.safetensors"
        agent = load_agent(path) if path.exists() else TRAINERS[name]()
        agent.tensorboard_log = str(folder / "curves")

        def save(_locals: Any, _globals: Any) -> bool:
            # What is not written yet is lost: a curve is as far as the checkpoint, or further.
            for output in agent.logger.output_formats:
                if hasattr(output, "writer"):
                    output.writer.flush()
            agent.save(path)
            return True

        if agent.num_timesteps or path.exists():
            agent.resume(save, log_interval=1)
        else:
            agent.learn(UPDATES, save, log_interval=1)
        return 0

    def ending(folder: Path) -> Any:
        return (folder / "agent.safetensors").read_bytes(), curves(folder / "curves")

    return Subject(f"trainer {name}", run, ending)


TIMES = (
    "seconds",
    "train_seconds",
    "train_seconds_of_runs",
    "evaluate_seconds",
    "machine",
    "code",
    "command",
)
"""Facts of a run that are not determined by its command."""


def determined(facts: Any) -> Any:
    """JSON without times."""
    if isinstance(facts, dict):
        return {name: determined(value) for name, value in facts.items() if name not in TIMES}
    return [determined(each) for each in facts] if isinstance(facts, list) else facts


def agents_in(folder: Path) -> dict[str, Any]:
    """All trained agents of a benchmark but for times."""
    found = {}
    for path in sorted((folder / "agents").glob("*.safetensors")):
        contents = read_agent(path)
        tensors = {name: tensor.numpy().tobytes() for name, tensor in contents.tensors.items()}
        found[path.name] = tensors, determined(contents.facts)
    return found


def tiny_job() -> Job:
    """One of the smoke preset that has several starts, as larger ones have."""
    size = EvaluationSize(layouts=8, num_seeds=4, num_fresh_seeds=8, votes=(3,), search_rounds=1)
    recipe = dataclasses.replace(
        SMOKE["recall"], updates=UPDATES, starts=2, trial=10, evaluation=size
    )
    return Job("recall", "recall", "adv-seeded", 0, 0, recipe)


def job_of_benchmark() -> Subject:
    """What a worker does: trials of two starts, training, evaluation; saved after every update."""

    def run(folder: Path) -> int:
        with patch.object(worker, "CHECKPOINT_SECONDS", 0.0):
            worker.run_job(tiny_job(), folder, lambda _: None)
        return 0

    def ending(folder: Path) -> Any:
        if list((folder / "partial").glob("*.safetensors")):
            raise AssertionError("a checkpoint is left")
        result = read_json(worker.result_path(folder, tiny_job()))
        return agents_in(folder), determined(result)

    return Subject("job of the benchmark", run, ending)


def whole_benchmark() -> Subject:
    """`benchmarks/run.py` on one game of the smoke preset, with one worker."""

    def run(folder: Path) -> int:
        words = ["run.py", "--preset", "smoke", "--tasks", "recall", "--processes", "1"]
        # Workers need not import what stops them.
        main = patch.object(sys.modules["__main__"], "__file__", None)
        with main, patch.object(sys, "argv", [*words, "--out", str(folder)]):
            return benchmark.main()

    def ending(folder: Path) -> Any:
        figures = {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}
        return agents_in(folder), determined(read_json(folder / "results.json")), figures

    signals = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    return Subject("benchmark", run, ending, signals, has_workers=True)


def report_of_benchmark(finished: Path) -> Subject:
    """`benchmarks/run.py` where all training runs are there: it writes results and figures."""
    whole = whole_benchmark()

    def run(folder: Path) -> int:
        for name in ("agents", "runs"):
            shutil.copytree(finished / name, folder / name, dirs_exist_ok=True)
        return whole.run(folder)

    return dataclasses.replace(whole, name="report of the benchmark", run=run)
