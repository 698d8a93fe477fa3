"""Help fits a screen and comes at once, and so does the answer to a slip."""

import json
import os
import subprocess
import sys

import pytest

from rand_agents.__main__ import main

HEAVY = ("torch", "numba", "stable_baselines3", "scipy.stats", "pandas", "matplotlib", "pygame")
"""What takes a second or more to import."""
LINES = 40
"""A screen, of 80 columns."""

SHORT = {
    "": "train evaluate watch play zoo games",
    "--help": "train evaluate watch play zoo games",
    "train --help": "recall coloring grid patrol paging GAME --import --runs",
    "train recall --help": "--game.num-pairs --game.value-bits --help-all --qnorm.* --pepg.*",
    "train coloring --help": "--game.num-vertices --game.num-colors",
    "train grid --help": "--game.size --game.horizon --game.walls --game.start --updates "
    "--rng-seed --runs --tensorboard --resume --overwrite --out",
    "train patrol --help": "--game.graph --game.attack-duration",
    "train paging --help": "--game.num-pages",
    "evaluate --help": "--layouts --num-seeds --rng-seed --json --player pickles --overwrite",
    "evaluate --player random patrol --help": "--game.graph --layouts",
    "watch --help": "--layout --seeds --rng-seed --fps --record --sample --player",
    "play --help": "--rounds --text GAME",
    "play grid --help": "--game.size --rounds --text",
    "zoo --help": "--compare",
    "games --help": "--import",
}
SLIPS = {
    "tran": "there is no command 'tran' (did you mean train?)",
    "train gird --out a": "did you mean grid?",
    "train grid --updaets 3 --out a": "--updaets",
    "train grid --updates x --out a": "'x'",
    "train grid --updates 0 --out a": "--updates must be",
    "train grid --runs 0 --out a": "--runs must be an integer of at least 1",
    "train --ray --out a grid": "--ray spreads several runs: say with --runs how many",
    "train grid --trainer sgd --out a": "sgd",
    "train grid --psro.rounsd 3 --out a": "--psro.rounsd",
    "train recall --qnorm.objective.q x --out a": "'x'",
    "train recall --policy mlp --policy.num-blocks 2 --out a": "--policy.num-blocks",
    "train CartPole-v1 --policy.hiden 4 --out a": "--policy.hiden",
    "train grid --game.size 0 --out a": "size must be",
    "train grid --out a.pt": "must end in .safetensors",
    "train grid --out /dev/null/a": "/dev/null is not a folder",
    "evaluate nobody": "there is no agent file nobody",
    "evaluate grid5-adv-seeded --layouts -5": "--layouts must be an integer of at least 1, got -5",
    "evaluate grid5-adv-seeded --num-seeds 1": "--num-seeds must be an integer of at least 2",
    "evaluate grid5-adv-seeded --num-fresh-seeds 0": "--num-fresh-seeds must be",
    "evaluate grid5-adv-seeded --search-rounds -1": "--search-rounds must be",
    "evaluate grid5-adv-seeded --search-starts 0": "--search-starts must be",
    "evaluate grid5-adv-seeded --rng-seed -1": "--rng-seed must be",
    "evaluate grid5-adv-seeded --json a.txt": "must end in .json",
    "evaluate --player nobody grid": "has no player 'nobody'",
    "evaluate --player sb3:nothing.zip grid": "there is no model file nothing.zip",
    "evaluate grid": "say with --player NAME who plays it",
    "watch": "watch needs an agent",
    "watch nobody --seeds 0": "--seeds must be an integer of at least 1",
    "watch nobody --record a.avi": "must end in .gif or .mp4 or .png",
    "watch --player nobody grid --record a.gif": "has no player 'nobody'",
    "play gird": "did you mean grid?",
    "zoo --compare grid5-adv-seeded nobody": "there is no agent file nobody",
}
PROGRAM = """
import contextlib, io, json, shlex, sys
from rand_agents.__main__ import main
for command in json.load(sys.stdin):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = main(shlex.split(command))
        except SystemExit as stop:
            code = stop.code
    heavy = [name for name in HEAVY if name in sys.modules]
    print(json.dumps([command, code, said.getvalue(), heavy]))
"""


@pytest.fixture(scope="module")
def answers() -> dict[str, tuple[int, str, list[str]]]:
    """Of one process: the exit code, what is printed, and what heavy was imported till then."""
    done = subprocess.run(
        [sys.executable, "-c", f"HEAVY = {HEAVY!r}\n{PROGRAM}"],
        input=json.dumps([*SHORT, *SLIPS]),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {command: (code, said, heavy) for command, code, said, heavy in lines}


@pytest.mark.parametrize("command", list(SHORT))
def test_help_fits_a_screen_and_waits_for_nothing_heavy(
    command: str, answers: dict[str, tuple[int, str, list[str]]]
) -> None:
    code, said, heavy = answers[command]
    assert code == 0
    assert not heavy
    assert all(word in said for word in SHORT[command].split())
    assert sum(1 + (len(line) - 1) // 80 for line in said.splitlines()) <= LINES


@pytest.mark.parametrize("command", list(SLIPS))
def test_a_slip_is_answered_before_anything_heavy_is_imported(
    command: str, answers: dict[str, tuple[int, str, list[str]]]
) -> None:
    code, said, heavy = answers[command]
    assert code == 2
    assert not heavy
    assert SLIPS[command] in " ".join(said.replace("│", " ").split())
    assert "Traceback" not in said


ALL = {
    "train": "--device --checkpoint-every --processes --ray",
    "train recall": "--policy.key-size --seeds.draw --trainer --qnorm.objective.q --found.share",
    "train recall --trainer pepg": "--pepg.search.population --pepg.batch-size",
    "train coloring": "--game.num-vertices --game.num-colors --qnorm.batch-size",
    "train grid": "--device --checkpoint-every --psro.objective.q --psro.rounds",
    "train patrol": "--game.graph --policy.key-size --qnorm.score.entropy",
    "train CartPole-v1 --trainer pepg": "--game.sutton-barto-reward --game.max-episode-steps "
    "--policy.hidden --pepg.m unseeded",
    "evaluate": "--algorithm --num-fresh-seeds --search-rounds --search-starts --device",
}
HIDDEN = {
    "train recall": "--pepg.m --game.size",
    "train grid": "--pepg.m",
    "train patrol --policy mlp": "--policy.key-size",
}


@pytest.mark.parametrize("command", list(HIDDEN))
def test_help_hides_what_was_not_chosen(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*command.split(), "--help-all"])
    said = capsys.readouterr().out
    assert "--game." in said
    assert not any(word in said for word in HIDDEN[command].split())


@pytest.mark.parametrize("command", list(ALL))
def test_the_long_help_names_every_field(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help-all"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ALL[command].split())
