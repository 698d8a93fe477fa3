"""Whoever plays is named on the command line: textbook players, models, chance; in any game."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from PIL import Image
from stable_baselines3 import PPO

from rand_agents.__main__ import main
from rand_agents.app.arguments import explained, task_from
from rand_agents.app.lookup import game_id, known_games
from rand_agents.app.players import RandomPlayer
from rand_agents.app.words import options_under, subject_of, values_of
from rand_envs import GridTask, PatrolTask, RandomSeedObservation, RecallTask
from rand_envs.core.register import TASKS


def evaluated(command: str, path: Path) -> dict[str, Any]:
    assert main(["evaluate", *command.split(), "--json", str(path), "--overwrite"]) == 0
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def failed(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(command.split()) == 2
    return capsys.readouterr().err


def test_a_textbook_player_is_scored_with_regret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = evaluated("--player optimal grid --game.size 3 --num-seeds 50", tmp_path / "r.json")
    assert abs(report["gap"]["estimate"]) < 0.3
    assert report["regret"]["ratio"]["estimate"] > 1
    said = capsys.readouterr().out
    for words in ("Player: optimal", "regret: average", "regret: worst", "competitive ratio"):
        assert words in said


def test_why_a_game_value_is_unknown_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated("--player slots recall --layouts 20 --num-seeds 5", tmp_path / "r.json")
    assert "The game value is not known exactly: " in capsys.readouterr().out
    evaluated("--player random CartPole-v1 --layouts 3 --num-seeds 2", tmp_path / "r.json")
    said = capsys.readouterr().out
    assert "the rules of CartPole-v1 are not known as a task" in said
    assert "return (more is better)" in said


@pytest.mark.parametrize("task", [RecallTask(2, 2), PatrolTask(), GridTask(2, horizon=3)])
def test_chance_plays_uniformly_and_by_its_seed_alone(task: Any) -> None:
    player = RandomPlayer(task)
    seeds = player.draw_seeds(np.random.default_rng(0), 2000)
    layouts = task.layout_space.sample(np.random.default_rng(1), 3)
    once, again = (player.play(layouts, seeds).outcome for _ in range(2))
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(player.play(layouts[1:2], seeds[:5]).outcome, once[1:2, :5])
    if isinstance(task, RecallTask):
        assert once.mean() == pytest.approx(1 / 4, abs=0.02)
    if isinstance(task, PatrolTask):
        assert 0.2 < once.mean() < 0.6


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models of the 2 x 2 grid, with and without a seed in their observations."""
    folder = tmp_path_factory.mktemp("models")
    plain = gym.make("RandGrid-v0", size=2, horizon=3)
    envs = {"plain": plain, "seeded": RandomSeedObservation(plain, 3, "bits")}
    for name, env in envs.items():
        PPO("MlpPolicy", env, n_steps=32, batch_size=32, seed=0).learn(32).save(folder / name)
    return {name: folder / f"{name}.zip" for name in envs}


def test_a_model_of_stable_baselines3_is_scored_and_watched(
    models: dict[str, Path], tmp_path: Path
) -> None:
    game = "grid --game.size 2 --game.horizon 3"
    report = evaluated(f"--player sb3:{models['plain']} {game}", tmp_path / "r.json")
    assert report["num_seeds"] == 1
    seeded = f"--player sb3:{models['seeded']} {game} --seed-distribution bits"
    report = evaluated(f"{seeded} --num-seeds 20", tmp_path / "r.json")
    assert report["num_seeds"] == 20
    picture = tmp_path / "end.png"
    assert main(["watch", *seeded.split(), "--seeds", "2", "--record", str(picture)]) == 0
    assert picture.exists()


def test_a_model_that_does_not_fit_ends_in_one_sentence(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, seeded = models["plain"], models["seeded"]
    larger = failed(f"evaluate --player sb3:{plain} grid", capsys)
    assert (
        "MultiDiscrete([2 2 2]), but those of RandGrid-v0 are of MultiDiscrete([5 5 2])" in larger
    )
    wrong = failed(f"evaluate --player sb3:{seeded} grid --game.size 2", capsys)
    assert "--seed-distribution must be as in training" in wrong
    assert "must be one of A2C" in failed(
        f"evaluate --player sb3:{plain} grid --algorithm P", capsys
    )
    assert "no model file" in failed("evaluate --player sb3:nothing.zip grid", capsys)
    other = tmp_path / "other.zip"
    other.write_text("what?")
    assert "cannot be loaded" in failed(f"evaluate --player sb3:{other} grid", capsys)


def test_a_player_that_a_game_has_not_ends_in_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = failed("evaluate --player lru grid", capsys)
    assert "it has sweep, random-sweep, optimal, random" in said
    assert "it has random, and" in failed("evaluate --player lru CartPole-v1", capsys)
    assert "say with --player NAME who plays it" in failed("evaluate grid", capsys)
    assert "did you mean grid?" in failed("evaluate --player sweep gird", capsys)


def test_gymnasium_s_environments_draw_themselves(tmp_path: Path) -> None:
    agent = tmp_path / "agent.safetensors"
    options = "--trainer pepg --pepg.search.population 4 --updates 2 --game.max-episode-steps 30"
    assert main(["train", "CartPole-v1", *options.split(), "--out", str(agent)]) == 0
    for subject in (str(agent), "--player random CartPole-v1"):
        film = tmp_path / f"{len(subject)}.gif"
        command = f"watch {subject} --seeds 2 --record {film}"
        assert main(command.split()) == 0
        with Image.open(film) as picture:
            assert picture.n_frames > 5
            assert picture.size[0] > 600


class Blind(gym.Env[Any, Any]):
    """Draws nothing, and its constructor takes whatever it likes."""

    observation_space, action_space = Box(-1, 1, (1,)), Box(-1, 1, (1,))

    def __init__(self, depth: int, **others: Any) -> None:
        self.depth, self.others = depth, others

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        return np.zeros(1, np.float32), float(action[0]), False, False, {}


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("gymnasium.envs.registration.registry", registry := dict(gym.registry))
    monkeypatch.setattr(gym, "registry", registry)
    gym.register("Blind-v0", entry_point=f"{__name__}:Blind", max_episode_steps=2)
    return "Blind-v0"


def test_what_cannot_be_drawn_or_made_ends_in_one_sentence(
    blind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"watch --player random {blind} --game.depth 1"
    assert "without rgb_array" in failed(command, capsys)
    said = failed(f"{command} --game.others 3", capsys)
    assert "--game.others must be a JSON object, got 3" in said
    with pytest.raises(SystemExit) as stop:
        main(["train", blind, "--out", "agent"])
    assert stop.value.code == 2
    assert "--game.depth" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["train", blind, "--help"])
    assert stop.value.code == 0
    assert "--game.depth N" in capsys.readouterr().out


def test_evolution_is_the_trainer_where_actions_have_no_probabilities(
    blind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["train", blind, "--game.depth", "1", "--help-all"])
    assert "--pepg.m" in capsys.readouterr().out


def test_arguments_are_words_where_they_can_be_and_else_json(blind: str) -> None:
    def config(env_id: str, words: str) -> Any:
        return task_from(env_id, words.split(), "test").config

    grid = config("RandGrid-v0", "--out x --game.size 2 3 --game.walls 1 --updates 3")
    assert (grid["size"], grid["walls"]) == ([2, 3], 1)
    assert config("RandGrid-v0", "--game.walls None")["walls"] is None
    graph = ["star", 4]
    assert config("RandPatrol-v0", '--game.graph ["star",4]')["graph"] == graph
    assert config(blind, '--game.depth=3 --game.others {"a":[1]}') == {
        "depth": 3,
        "a": [1],
        "max_episode_steps": 2,
    }
    assert config("CartPole-v1", "") == {"max_episode_steps": 500}


def test_what_the_docstring_says_of_each_argument() -> None:
    said = explained(
        "Text.\n\n## Arguments\n* `a`, `b` (1): one\n  two.\n* `c`: d\n\n## More\n* `e`: f"
    )
    assert said == {"a": "one two.", "b": "one two.", "c": "d"}


def test_games_go_by_their_ids_and_ours_by_short_names() -> None:
    ours = {"grid", "recall", "coloring", "patrol", "paging"}
    assert ours <= set(known_games())
    for name in ours:
        assert game_id(name) in TASKS
        assert game_id(game_id(name)) == game_id(name)
    assert game_id("CartPole-v1") == "CartPole-v1"


def test_a_first_look_at_the_words() -> None:
    line = "--import a --out b --resume grid --game.size 2 3 --import=c --x d"
    words = line.split()
    assert values_of(words, "--import") == ["a", "c"]
    assert subject_of(words) == "grid"
    assert options_under(words, "--game.") == ["--game.size", "2", "3"]
    assert subject_of(["--help"]) is None
    with pytest.raises(ValueError, match="must come before its options"):
        subject_of(["--game.size", "2", "grid"])


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys; from rand_agents.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print({'torch', 'matplotlib', 'pygame'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
