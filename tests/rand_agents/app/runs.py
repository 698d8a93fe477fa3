"""Runs of a moment, which several test files train."""

from pathlib import Path

from rand_agents.__main__ import main

COMMANDS = {
    "recall": "train recall --game.num-pairs 2 --game.value-bits 2 --qnorm.m 3 "
    "--qnorm.batch-size 8",
    "coloring": "train coloring --game.num-vertices 4 --qnorm.m 3 --qnorm.batch-size 8",
    "grid": "train grid --game.size 2 --game.horizon 4 --psro.rounds 2 --psro.paths 2 "
    "--policy.model-size 8",
    "grid-qnorm": "train grid --trainer qnorm --game.size 2 --game.horizon 4 --qnorm.m 2 "
    "--qnorm.score.paths 2 --policy.model-size 8",
    "grid-pepg": "train grid --trainer pepg --game.size 2 --game.horizon 4 "
    "--pepg.search.population 4 --pepg.m 2 --policy.model-size 8",
    "patrol": "train patrol --game.horizon 3 --qnorm.m 2 --qnorm.score.paths 2",
    "grid-mlp": "train RandGrid-v0 --policy mlp --game.size 2 --game.horizon 4 --qnorm.m 2 "
    "--policy.hidden 4 4",
    "recall-found": "train recall --game.num-pairs 2 --game.value-bits 2 --qnorm.m 2 "
    "--qnorm.batch-size 4 --found.share 0.5 --found.size 4 --found.learn-every 2",
    "recall-pepg": "train recall --trainer pepg --game.num-pairs 2 --game.value-bits 2 "
    "--pepg.m 2 --pepg.batch-size 4 --pepg.search.population 4",
}
TINY = {name: command.split() for name, command in COMMANDS.items()}


def run(name: str, out: Path, *more: str) -> int:
    return main(
        [*TINY[name], "--updates", "6", "--checkpoint-every", "2", "--out", str(out), *more]
    )


def same_state(one: Path, other: Path) -> bool:
    """Whether two agent files hold the same weights, optimiser, counters and generators."""
    return one.read_bytes() == other.read_bytes()
