"""A game that somebody else wrote is trained, evaluated and watched from the command line."""

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium as gym
import pytest
from PIL import Image

from rand_agents.__main__ import main
from rand_envs import GridTask
from rand_envs.core.register import TASKS
from tests.rand_envs.core.games import Throw

PENALTY = '''
import numpy as np
from gymnasium.spaces import Discrete
from rand_envs import Layouts, Task, Transition, register


class Penalty(Task):
    """The keeper chooses a corner before the ball is struck.

    ## Arguments
    * `corners` (3): where the keeper
      can stand.
    * `hint` (None): what is shouted.
    """

    env_id, unit, max_steps = "Penalty-v0", "success", 1
    players = {"left": "my_games:Left"}

    def __init__(self, corners: int = 3, hint: dict | None = None) -> None:
        self.corners, self.hint = corners, hint
        self.layout_space = Layouts(keeper=Discrete(corners))
        self.observation_space, self.action_space = Discrete(1), Discrete(corners)

    def initial(self, layouts):
        state = np.zeros(len(layouts), [("keeper", np.int64), ("met", np.bool_)])
        state["keeper"] = layouts["keeper"]
        return state

    def observe(self, state):
        return np.zeros(len(state), np.int64)

    def step(self, state, actions):
        after = state.copy()
        after["met"] = actions == state["keeper"]
        return Transition(after, after["met"].astype(float), np.ones(len(state), bool))

    def success(self, state):
        return state["met"].copy()


class Left:
    """Always the first corner."""

    def __init__(self, task):
        self.task = task

    def draw_seeds(self, rng, m):
        return np.zeros((m, 1))

    def play(self, layouts, seeds):
        from rand_envs import Play

        outcome = np.repeat((layouts["keeper"] == 0)[:, None], len(seeds), 1).astype(float)
        return Play(outcome, None, outcome.astype(np.float32)[..., None])


register(Penalty)
'''
WRAPPED = """
import gymnasium as gym
from gymnasium.spaces import Discrete
from rand_envs import LayoutWrapper, Layouts


def pole(**arguments):
    layouts = Layouts(tau=Discrete(3))
    return LayoutWrapper(gym.make("CartPole-v1", **arguments), layouts, apply=lambda *_: None)


gym.register("Pole-v0", entry_point=pole, max_episode_steps=50)
gym.register("Nothing-v0", entry_point=lambda: 1 / 0)
"""
QUICK = {"qnorm": "--qnorm.m 4", "pepg": "--pepg.m 4 --pepg.search.population 8"}


@pytest.fixture(autouse=True)
def my_games(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The module in the current folder; all that importing it changes is undone."""
    (tmp_path / "my_games.py").write_text(PENALTY)
    (tmp_path / "wrapped.py").write_text(WRAPPED)
    (tmp_path / "broken.py").write_text("import rand_envs\n\n1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    modules, tasks, environments = set(sys.modules), dict(TASKS), dict(gym.registry)
    yield
    for name in ("my_games", "wrapped", "broken"):
        if name not in modules:
            sys.modules.pop(name, None)
    for registry, before in ((TASKS, tasks), (gym.registry, environments)):
        for name in set(registry) - set(before):
            del registry[name]


def run(command: str) -> int:
    return main([*command.split(), "--import", "my_games"])


@pytest.mark.parametrize("trainer", list(QUICK))
def test_train_evaluate_and_watch(trainer: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = f"train Penalty-v0 --out agent --updates 3 --trainer {trainer} {QUICK[trainer]}"
    assert run(words) == 0
    [advice] = [line for line in capsys.readouterr().out.splitlines() if " evaluate " in line]
    assert main([*shlex.split(advice)[3:], "--json", "report.json", "--num-seeds", "20"]) == 0
    assert "exactly 33.3 %" in capsys.readouterr().out
    report = json.loads(Path("report.json").read_text())
    assert report["game_value"] == pytest.approx(1 / 3, abs=1e-9)
    assert report["game_value_kind"] == "exact"
    assert report["gap"]["estimate"] == pytest.approx(1 / 3 - report["worst"]["estimate"])
    assert run("watch agent.safetensors --layout worst --seeds 2 --record film.gif") == 0
    with Image.open("film.gif") as film:
        assert film.n_frames == 2
        assert film.size[0] > 600


def test_a_run_is_resumed_with_its_module(capsys: pytest.CaptureFixture[str]) -> None:
    words = "train Penalty-v0 --game.corners 4 --out agent --updates 3"
    assert run(words) == 0
    assert run(f"{words} --resume") == 0
    assert "already trained" in capsys.readouterr().out
    assert run(f"{words} --resume --game.corners 5") == 2
    assert "--game.corners 4, not 5" in capsys.readouterr().err


def test_its_arguments_and_their_meaning_are_in_the_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        run("train Penalty-v0 --help")
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "The keeper chooses a corner before the ball is struck." in said
    assert "--game.corners N where the keeper can stand. (default: 3)" in said
    assert "--game.hint JSON what is shouted. (default: null)" in said


def test_it_is_listed_with_its_value_and_players(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("games") == 0
    [row] = [
        line
        for line in capsys.readouterr().out.splitlines()
        if line.strip().startswith("Penalty-v0")
    ]
    assert row.split() == ["Penalty-v0", "-", "success", "3", "33.3", "%", "left"]


def test_games_without_a_size_or_a_known_value_are_listed_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Sized(GridTask):
        env_id = "Sized-v0"

        def __init__(self, size: int) -> None:
            super().__init__(size)

    monkeypatch.setattr("rand_agents.app.listing.TASKS", {"Sized-v0": Sized, "Throw-v0": Throw})
    assert main(["games"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if "-v0 " in line]
    assert [row[:6] for row in rows] == [
        ["Sized-v0", "-", "steps", "-", "-", "sweep,"],
        ["Throw-v0", "-", "return", "not", "counted", "not"],
    ]


def test_what_a_module_wraps_is_listed_beside_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("games --import wrapped") == 0
    rows = {
        row[0]: row[1:]
        for row in map(str.split, capsys.readouterr().out.splitlines())
        if row and row[0].endswith("-v0")
    }
    assert rows["Pole-v0"] == ["-", "return", "3", "not", "known", "random"]
    assert rows["Nothing-v0"][:3] == ["-", "return", "-"]
    assert "Penalty-v0" in rows
    assert "CartPole-v1" not in rows


def test_its_players_are_evaluated(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {}
    for player in ("left", "random"):
        command = f"evaluate --player {player} Penalty-v0 --game.corners 2 --json {player}.json"
        assert run(command) == 0
        scores[player] = json.loads(Path(f"{player}.json").read_text())
    assert scores["left"]["worst"]["estimate"] == 0
    assert scores["random"]["config"]["corners"] == 2
    assert abs(scores["random"]["gap"]["estimate"]) < 0.06
    assert run("evaluate --player right Penalty-v0") == 2
    assert "it has left, random" in capsys.readouterr().err


BAD = {
    "train Penalty-v0 --out agent": "there is no game 'Penalty-v0'",
    "train Penalty-v0 --import my_games.py": "takes the name of a module, such as my_games",
    "train Penalty-v0 --import your_games": "No module named 'your_games'",
    "games --import broken": "ZeroDivisionError: division by zero",
    "train Penalty-v0 --import my_games --out agent --game.corners 0": "Penalty-v0(corners=0)",
    "train Penalty-v0 --import my_games --out agent --game.hint [1": "'[1' is no JSON",
    "train my_games:Penalty-v0 --out agent": "there is no game",
    "evaluate agent.safetensors": "there is no agent file",
}


@pytest.mark.parametrize("command", list(BAD))
def test_what_is_wrong_is_said_in_a_sentence(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(command.split())
    except SystemExit as stop:
        code = int(stop.code or 0)
    said = capsys.readouterr().err
    assert code == 2
    assert BAD[command] in said
    assert "Traceback" not in said
    assert not Path("agent.safetensors").exists()


def test_a_file_does_not_import_its_game(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train Penalty-v0 --out agent --updates 1") == 0
    del TASKS["Penalty-v0"], gym.registry["Penalty-v0"], sys.modules["my_games"]
    assert main(["evaluate", "agent.safetensors"]) == 2
    assert "--import" in capsys.readouterr().err
    assert "my_games" not in sys.modules
