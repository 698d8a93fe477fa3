"""The command line works from one end to the other, and says in a sentence what it cannot do."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pygame
import pytest
from PIL import Image, ImageSequence

from rand_agents import (
    PEPG,
    PSRO,
    ObjectiveConfig,
    PEPGConfig,
    PSROConfig,
    QNorm,
    QNormConfig,
    ScoreConfig,
    SeedSpec,
    load_agent,
)
from rand_agents.__main__ import main
from rand_agents.agents.files import Contents, read_agent, write_agent
from rand_agents.app.options import Training
from rand_agents.app.shapes import TransformerOptions
from rand_agents.app.watching.instances import play_out
from rand_agents.games.registry import game_for
from rand_agents.training.evolution import SearchConfig
from rand_envs import ColoringTask, GridTask, PatrolTask, RecallTask
from rand_envs.core.streams import Stream, generator
from rand_envs.core.task import rules_of
from rand_envs.core.writing import only_writer
from tests.rand_agents.app.runs import TINY, run

LAYOUTS = {
    "recall": {"values": [[0, 1], [1, 1]], "query": 1},
    "coloring": {"cycle": [0, 2, 1, 3]},
    "grid": {"treasure": [1, 1], "walls": []},
    "patrol": {"node": 2, "start": 0},
}
each_game = pytest.mark.parametrize("name", list(LAYOUTS))


@each_game
def test_train_evaluate_and_watch_follow_one_another(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent, report = tmp_path / "agent.safetensors", tmp_path / "report.json"
    assert run(name, agent) == 0
    assert f"evaluate {agent}" in capsys.readouterr().out
    assert main(["evaluate", str(agent), "--num-seeds", "20", "--json", str(report)]) == 0
    table = capsys.readouterr().out
    for words in ("average", "95th percentile", "worst layout", "exact", "95 % interval"):
        assert words in table
    facts = json.loads(report.read_text())
    assert json.dumps(facts["worst"]["layout"]) in table
    assert facts["constant_seed_variance"] < 1e-12
    for layout in ("worst", "uniform", json.dumps(LAYOUTS[name])):
        picture = tmp_path / "end.png"
        command = ["watch", str(agent), "--layout", layout, "--seeds", "2"]
        assert main([*command, "--record", str(picture), "--overwrite"]) == 0
        with Image.open(picture) as image:
            assert image.size[0] > 600
            assert image.size[1] > 100
            assert len(image.convert("RGB").getcolors(1 << 20)) > 4


@each_game
def test_a_gif_shows_every_step_and_holds_the_last(
    name: str, tmp_path: Path, agents: dict[str, Path]
) -> None:
    picture = tmp_path / "run.gif"
    command = ["watch", str(agents[name]), "--layout", json.dumps(LAYOUTS[name]), "--seeds", "2"]
    assert main([*command, "--fps", "5", "--record", str(picture)]) == 0
    assert main([*command, "--record", str(tmp_path / "run.png")]) == 0
    agent = load_agent(agents[name])
    agent.set_random_seed(0)
    layout = agent.task.layout_space.pack([LAYOUTS[name]])
    steps = max(len(past.actions) for past in play_out(agent, layout, 2, sample=False))
    with Image.open(picture) as gif, Image.open(tmp_path / "run.png") as end:
        durations = [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]
        assert gif.n_frames == steps + 1
        assert durations == [200] * steps + [3000]
        assert gif.size == end.size
        gif.seek(steps)
        assert gif.convert("RGB").getpixel((1, 1)) == end.getpixel((1, 1)) == (255, 255, 255)


def test_watching_plays_what_the_batched_play_plays(agents: dict[str, Path]) -> None:
    for name in LAYOUTS:
        agent = load_agent(agents[name])
        agent.set_random_seed(5)
        layout = agent.task.layout_space.pack([LAYOUTS[name]])
        histories = play_out(agent, layout, 6, sample=False)
        outcome = [rules_of(agent.task).outcome(past.states[-1])[0] for past in histories]
        seeds = agent.draw_seeds(generator(Stream.ACTING, 5), 6)
        np.testing.assert_array_equal(outcome, agent.play(layout, seeds).outcome[0])


def test_watching_is_reproducible_and_depends_on_its_rng_seed(agents: dict[str, Path]) -> None:
    agent = load_agent(agents["recall"])
    layout = agent.task.layout_space.pack([LAYOUTS["recall"]])

    def answers(rng_seed: int) -> list[list[int]]:
        agent.set_random_seed(rng_seed)
        return [past.actions[-1].tolist() for past in play_out(agent, layout, 20, sample=True)]

    assert answers(1) == answers(1)
    assert answers(1) != answers(2)


BAD_TRAINING = {
    "--game.num-pairs 0": "num_pairs must be an integer",
    "--updates 0": "--updates must be an integer of at least 1",
    "--checkpoint-every 0": "--checkpoint-every must be an integer of at least 1",
    "--rng-seed -1": "--rng-seed must be an integer from 0",
    "--tensorboard /dev/null": "/dev/null is not a folder",
    "--seeds.dim 0": "seed dimension must be an integer of at least 1",
    "--qnorm.m 0": "must be",
    "--qnorm.objective.q 0.5": "q must be a number of at least 1",
    "--qnorm.learning-rate x": "'x'",
    "--policy.num-blocks 0": "num_blocks must be",
    "--policy.seed-placement first --policy.embedding none": "needs an input embedding",
    "--trainer pepg --pepg.search.population 7": "population must be an even number",
    "--pepg.m 3": "--pepg.* need --trainer pepg",
    "--trainer pepg --qnorm.m 4": "--qnorm.* need --trainer qnorm",
    "--device abacus": "the device 'abacus' cannot be used here: there is cpu",
    "--out agent.pt": "must end in .safetensors",
    "--out /dev/null/agent.safetensors": "/dev/null",
    "--no-such-option": "--no-such-option",
}


@pytest.mark.parametrize("options", list(BAD_TRAINING))
def test_bad_training_options_end_in_one_sentence(
    options: str, tmp_path: Path, failing: Callable[[list[str]], str]
) -> None:
    out = tmp_path / "agent.safetensors"
    assert BAD_TRAINING[options] in failing(
        ["train", "recall", "--out", str(out), *options.split()]
    )
    assert not list(tmp_path.iterdir())


BAD_WATCHING = {
    "--layout corner": '"treasure"',
    '--layout {"treasure":[0,0]}': "the treasure must be on a free cell other than the start",
    '--layout {"cycle":[0,1]}': "GridLayout",
    "--layout [1]": '"treasure"',
    "--seeds 0": "--seeds must be an integer of at least 1",
    "--fps 0": "--fps must be above 0",
    "--record film.avi": "must end in .gif or .mp4 or .png",
    "--record pyproject.toml": "must end in",
    "--rounds 0": "--rounds must be an integer of at least 1",
    "--record /dev/null/film.gif": "/dev/null is not a folder",
}


@pytest.mark.parametrize("options", list(BAD_WATCHING))
def test_bad_watching_options_end_in_one_sentence(
    options: str, agents: dict[str, Path], failing: Callable[[list[str]], str]
) -> None:
    assert BAD_WATCHING[options] in failing(["watch", str(agents["grid"]), *options.split()])


def test_what_cannot_be_written_ends_in_one_sentence_before_any_work(
    agents: dict[str, Path],
    tmp_path: Path,
    failing: Callable[[list[str]], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rand_agents.app.players.agent_of", lambda *_: pytest.fail("it worked"))
    for folder in ("folder.json", "folder.gif"):
        (tmp_path / folder).mkdir()
    for command, kind in (("evaluate --json", "json"), ("watch --record", "gif")):
        name, option = command.split()
        for place in ("/dev/null", "/proc/none", str(tmp_path)):
            said = failing([name, str(agents["grid"]), option, f"{place}/folder.{kind}"])
            assert f"{place}/folder.{kind}" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.gif", "folder.json"]


def test_a_file_that_looks_like_markup_is_written_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "we[" / "ird].safetensors"
    assert run("recall", out) == 0
    assert f"Trained and saved {out} after" in capsys.readouterr().out
    assert run("recall", out, "--resume") == 0
    assert f"{out} is already trained" in capsys.readouterr().out


def test_two_trainings_of_one_file_are_refused(
    tmp_path: Path, failing: Callable[[list[str]], str]
) -> None:
    out = tmp_path / "agent.safetensors"
    with only_writer(out):
        said = failing([*TINY["recall"], "--updates", "2", "--out", str(out)])
    assert f"{out} is being written by another process" in said
    assert not out.exists()


def test_files_that_are_no_agents_end_in_one_sentence(
    tmp_path: Path, agents: dict[str, Path], failing: Callable[[list[str]], str]
) -> None:
    path = tmp_path / "agent.safetensors"
    command = ["evaluate", str(path)]
    assert "there is no agent file" in failing(command)
    whole = agents["grid"].read_bytes()
    for broken in (b"", b"what?", whole[:100], whole[:-10]):
        path.write_bytes(broken)
        assert "corrupt or not an agent file" in failing(command)
        assert "corrupt or not an agent file" in failing(
            [*TINY["grid"], "--resume", "--out", str(path)]
        )
        assert path.read_bytes() == broken
    path.write_bytes(whole.replace(b'\\"PSRO\\"', b'\\"PSQO\\"'))
    assert "is damaged: its checksum is of other data" in failing(command)
    contents = read_agent(agents["grid"])
    write_agent(path, Contents(contents.tensors, contents.facts | {"algorithm": "PSQO"}))
    assert "must hold a QNorm or PSRO or PEPG agent, got 'PSQO'" in failing(command)
    del contents.facts["rng_seed"]
    write_agent(path, contents)
    assert "does not describe a whole agent" in failing(command)
    assert "must end in .json" in failing(["evaluate", str(agents["grid"]), "--json", str(path)])


def test_an_unfinished_agent_can_be_evaluated_but_is_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = QNorm("SeedTransformer", RecallTask(2, 2))
    agent.learn(3, lambda given, _: given["self"].num_timesteps < 2)
    path = agent.save(tmp_path / "agent")
    assert main(["evaluate", str(path), "--num-seeds", "4"]) == 0
    assert "unfinished, 2 of 3 updates" in capsys.readouterr().err


def test_load_agent_gives_the_trainer_that_saved(agents: dict[str, Path]) -> None:
    kinds = {name: type(load_agent(path)) for name, path in agents.items()}
    assert kinds.pop("grid-pepg") is kinds.pop("recall-pepg") is PEPG
    assert kinds.pop("grid") is PSRO
    assert set(kinds.values()) == {QNorm}
    assert load_agent(agents["grid-mlp"]).model.config.hidden == (4, 4)


@pytest.mark.parametrize(
    "task",
    [RecallTask(3, 2), RecallTask(9, 1), ColoringTask(5), ColoringTask(12, 4), PatrolTask()],
    ids=lambda task: f"{task.env_id}-{task.max_steps}",
)
def test_policy_and_seeds_are_the_game_s_default(task: Any) -> None:
    game = game_for(task)
    expected = game.default_policy()
    assert TransformerOptions.of(game).config(game, expected.seed_dim) == expected
    assert _default(task, "seeds") == game.default_seeds()


def test_the_grid_s_policy_covers_whatever_the_game_lasts() -> None:
    for task in (GridTask(3, 7), GridTask((2, 5), 4, num_episodes=5)):
        game = game_for(task)
        config = TransformerOptions.of(game).config(game, 4)
        assert config.max_length == task.max_steps + 1


def _default(task: Any, option: str, *words: str) -> Any:
    fields = dataclasses.fields(Training.of(task, list(words)).options())
    factory: Any = next(field for field in fields if field.name == option).default_factory
    return factory()


def test_the_defaults_of_our_games_make_runs_of_minutes() -> None:
    assert _default(GridTask(), "psro") == PSROConfig(branches=1)
    assert _default(GridTask(), "seeds") == SeedSpec(4, "bits", "distinct")
    grid = _default(GridTask(), "qnorm", "--trainer", "qnorm")
    assert (grid.m, grid.objective.q, grid.objective.q_start) == (16, 40.0, 10.0)
    assert grid.score == ScoreConfig(paths=8, branches=1, entropy=0.25, temperature=1.0)
    search = SearchConfig(population=60, learning_rate=0.02, std=0.1)
    evolution = _default(GridTask(), "pepg", "--trainer", "pepg")
    assert evolution == PEPGConfig(search=search, m=8)
    policy = _default(GridTask(), "policy")
    assert (policy.model_size, policy.num_heads, policy.mlp_factor) == (24, 2, 2)
    objective = ObjectiveConfig(q=10.0)
    assert _default(ColoringTask(), "qnorm") == QNormConfig(objective, m=10, batch_size=256)
    assert _default(RecallTask(), "qnorm") == QNormConfig()


def test_defaults_are_those_of_the_size_that_is_played() -> None:
    small, large = PatrolTask(), PatrolTask(("cycle", 300))
    assert _default(small, "qnorm").batch_size is None
    assert _default(large, "qnorm").batch_size == 64


def test_without_a_display_a_window_is_refused_with_advice(
    agents: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    failing: Callable[[list[str]], str],
) -> None:
    # Whatever display another test has left open is none of this one's.
    pygame.display.quit()
    monkeypatch.setenv("SDL_VIDEODRIVER", "no such driver")
    assert "use --record FILE.gif" in failing(["watch", str(agents["coloring"])])
