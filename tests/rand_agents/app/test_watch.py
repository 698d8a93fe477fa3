"""Watching: players side by side, layouts and time by key, and films."""

from pathlib import Path
from typing import Any

import numpy as np
import pygame
import pytest
from PIL import Image
from rich.console import Console

from rand_agents import evaluate
from rand_agents.__main__ import main
from rand_agents.app.watching.contestants import Contestant, Recorded
from rand_agents.app.watching.layouts import Layouts
from rand_agents.app.watching.scene import WatchScene
from rand_agents.app.watching.session import Show, WatchWindow
from rand_agents.app.window.loop import run
from rand_agents.app.window.score import Score
from rand_envs import ColoringTask, GridTask, PagingTask, PatrolTask, RecallTask
from rand_envs.core.player import Play
from rand_envs.core.task import GameValue, Task, resolved
from rand_envs.minimax import SearchGameSolution, solve_search_game, solve_task
from rand_envs.minimax.tasks import TaskSolution
from rand_envs.rendering import Frame, Window, render_weights
from rand_envs.rendering.window import Key

VALUE = GameValue(0.5, "exact")

PLAYERS = [
    (task, name)
    for task in (
        GridTask(2, horizon=4),
        PatrolTask(),
        PagingTask(num_requests=4),
        RecallTask(2, 2),
        ColoringTask(5),
    )
    for name in task.players
]


def contestant(task: Task[Any], name: str) -> Contestant:
    from rand_agents.app.watching.contestants import _by_name

    return _by_name(name, None, task)  # type: ignore[arg-type]


def shown(task: Task[Any], *names: str, wish: str = "uniform", seeds: int = 2) -> Show:
    field = [contestant(task, name) for name in names]
    return Show(field, VALUE, Layouts(field, wish, 0, Console(quiet=True)), seeds, 0)


@pytest.mark.parametrize(("task", "name"), PLAYERS)
def test_every_classical_player_is_watched_by_moves_that_reach_what_it_reaches(
    task: Task[Any], name: str
) -> None:
    player = resolved(task.players[name])(task)
    someone = contestant(task, name)
    for layout in task.layout_space.sample(np.random.default_rng(1), 3):
        someone.player.set_random_seed(2)
        seeds = someone.player.draw_seeds(np.random.default_rng(), 1)
        someone.player._rng = np.random.default_rng(7)
        instances = someone.instances(layout[None], 4)
        seeds = player.draw_seeds(np.random.default_rng(7), 4)
        outcome = player.play(layout[None], seeds).outcome[0]
        assert [instance.outcome for instance in instances] == outcome.tolist()


class Whole:
    """A player that answers without a step."""

    def __init__(self, task: Any) -> None:
        self.task = task

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Any:
        return np.zeros((m, 1))

    def play(self, layouts: Any, seeds: Any) -> Play:
        return Play(np.ones((len(layouts), len(seeds))), None, np.ones((1, 1, 1), np.float32))


def test_a_player_whose_moves_cannot_be_seen_is_refused() -> None:
    task = PatrolTask()
    with pytest.raises(ValueError, match="Whole cannot be watched: its play"):
        Recorded(task, Whole).histories(task.layout_space.enumerate()[:1], 1)


def test_solution_files_are_watched(tmp_path: Path) -> None:
    files: dict[str, SearchGameSolution | TaskSolution] = {
        "search.json": solve_search_game((2, 2)),
        "task.json": solve_task(PatrolTask(horizon=3)),
    }
    for name, solution in files.items():
        solution.save(tmp_path / name)
        film = tmp_path / f"{name}.png"
        assert main(["watch", str(tmp_path / name), "--seeds", "1", "--record", str(film)]) == 0
        assert film.exists()


def test_players_of_different_games_are_not_shown_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    solve_search_game((2, 2)).save(tmp_path / "search.json")
    command = f"watch --player random patrol {tmp_path / 'search.json'} --record {tmp_path}/a.png"
    assert main(command.split()) == 2
    assert "plays RandGrid-v0" in capsys.readouterr().err
    assert main(["watch"]) == 2
    assert "watch needs an agent" in capsys.readouterr().err


def test_a_film_that_exists_is_not_replaced_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    film = tmp_path / "film.gif"
    film.write_text("mine")
    monkeypatch.setattr("rand_agents.app.watch.contestants", lambda *_: pytest.fail("it worked"))
    assert main(f"watch --player random patrol --record {film}".split()) == 2
    assert "add --overwrite" in capsys.readouterr().err
    assert film.read_text() == "mine"


def test_an_mp4_without_its_encoder_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rand_agents.app.checks.find_spec", lambda name: None)
    monkeypatch.setattr("rand_agents.app.watch.contestants", lambda *_: pytest.fail("it worked"))
    assert main(f"watch --player random patrol --record {tmp_path}/film.mp4".split()) == 2
    assert "needs imageio-ffmpeg: pip install 'rand-envs[film]'" in capsys.readouterr().err


def test_an_mp4_holds_every_step(tmp_path: Path) -> None:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the extra film is not there")
    film = tmp_path / "film.mp4"
    assert main(f"watch --player cyclic patrol --seeds 1 --fps 5 --record {film}".split()) == 0
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(film))
    assert frames == 7 + 15
    assert seconds == pytest.approx(frames / 5, abs=0.3)


def test_a_film_of_several_rounds_has_all_of_them(tmp_path: Path) -> None:
    film = tmp_path / "film.gif"
    command = "watch --player cyclic patrol random-walk --game.horizon 3 --rounds 2 --seeds 1"
    assert main([*command.split(), "--record", str(film)]) == 0
    with Image.open(film) as picture:
        assert picture.n_frames == 2 * 4
        assert picture.size == (1440, 900)


def test_the_worst_layout_is_the_one_that_evaluate_names() -> None:
    """Also where several are nearly as bad, and seeds decide: by the same draws."""
    player = contestant(PatrolTask(), "cyclic").player
    [choice] = Layouts([Contestant("cyclic", player)], "worst", 0, Console(quiet=True)).draw()
    report = evaluate(player)
    assert report.worst.kind == "estimate"
    assert player.task.layout_space.unpack(choice.layout)[0].to_json() == report.worst.layout


def test_keys_lead_through_time_and_layouts() -> None:
    show = shown(GridTask(2, horizon=4), "sweep", "random-sweep")
    session = WatchWindow(show, 4.0)

    def press(name: str) -> None:
        session.handle(Key(name))
        for _ in range(3):
            session.tick(0.0)

    def layouts() -> list[bytes]:
        return [entry.choice.layout.tobytes() for entry in show.entries]

    session.tick(0.3)
    assert show.step == 1
    press("space")
    session.tick(9.0)
    assert (session.paused, show.step) == (True, 1)
    press("right")
    press("left")
    press("left")
    assert show.step == 0
    press("up")
    assert session.speed == 8
    before = layouts()
    press("s")
    assert (layouts(), show.round) == (before, 2)
    press("f")
    for _ in range(5):
        press("n")
    assert layouts() == before
    assert show.layouts.is_one
    press("u")
    seen = set()
    for _ in range(12):
        press("n")
        seen.add(layouts()[0])
    assert len(seen) > 1
    press("right")
    press("r")
    assert show.step == 0
    press("w")
    assert "worst" in show.entries[0].choice.remark
    press("q")
    assert session.closed


def test_time_goes_on_to_the_next_layout_and_the_mean_is_kept() -> None:
    show = shown(PatrolTask(horizon=3), "stationary", seeds=3)
    session = WatchWindow(show, 1.0)
    for _ in range(3):
        session.tick(1.0)
    assert show.is_over
    assert len(show.entries[0].score.outcomes) == 3
    session.tick(3.0)
    assert (show.round, show.step) == (2, 0)
    show.back()
    for _ in range(8):
        show.forward()
    assert len(show.entries[0].score.outcomes) == 6


def test_the_adversary_that_learns_hurts_who_is_predictable() -> None:
    show = shown(GridTask(3), "sweep", wish="hedge", seeds=1)
    for _ in range(12):
        while not show.is_over:
            show.forward()
        show.next()
    learner = show.layouts.learner(0)
    assert learner.rounds == 12
    assert learner.layouts["treasure"][learner.weights.argmax()].tolist() == [2, 2]
    outcomes = show.entries[0].score.outcomes
    assert np.mean(outcomes[6:]) > np.mean(outcomes[:6])


def is_within(picture: Frame, window: Frame) -> bool:
    height, width, _ = picture.shape
    row = picture[height // 2].tobytes()
    for y in range(height // 2, len(window)):
        x = max(window[y].tobytes().find(row), 0) // 3
        top = y - height // 2
        if np.array_equal(window[top : top + height, x : x + width], picture):
            return True
    return False


def test_what_the_adversary_has_learned_is_beside_what_it_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures = []

    def noted(*of: Any) -> Any:
        pictures.append((of, drawn := render_weights(*of)))
        return drawn

    monkeypatch.setattr("rand_agents.app.watching.scene.render_weights", noted)
    show = shown(PatrolTask(horizon=3), "stationary", wish="hedge", seeds=1)
    scene = WatchScene(show)
    for learned in ("0 rounds", "1 round"):
        window = scene()
        (_, _, weights, _, _, remark), picture = pictures[-1]
        assert remark == f"after {learned} of learning"
        assert np.array_equal(weights, show.layouts.learner(0).weights)
        assert (np.ptp(weights) > 0) == (learned == "1 round")
        assert is_within(picture, window)
        while not show.is_over:
            show.forward()


def test_an_interval_is_over_rounds_unless_all_are_of_one_layout() -> None:
    score = Score(PatrolTask(), VALUE)
    for outcomes in ([1.0, 1.0], [0.0, 0.0], [1.0, 1.0], [0.0, 0.0]):
        score.add(outcomes)
    over_rounds, over_instances = score.mean(), score.mean(one_layout=True)
    assert over_rounds is not None
    assert over_instances is not None
    assert over_rounds.estimate == over_instances.estimate == 0.5
    low, high = over_instances.ci95
    assert over_rounds.ci95[0] < low < high < over_rounds.ci95[1]


def test_an_interval_of_most_that_can_be_is_not_shown() -> None:
    score, shown = Score(GridTask(3), VALUE), []
    for steps in (8.0, 10.0) * 20:
        score.add([steps])
        shown += [line.value for line in score.lines("yours") if line.text == "95 % interval"]
    assert shown[:3] == ["after two rounds", "still open", "still open"]
    numbers = shown[shown.index("still open") + shown.count("still open") :]
    assert numbers
    assert all(" to " in text for text in numbers)


COUNTED = {
    "RandGrid-v0": "mean step",
    "RandPatrol-v0": "mean step",
    "RandPaging-v0": "faults of 2 instances",
    "RandRecall-v0": "majority so far",
    "RandColoring-v0": "majority so far",
}


@pytest.mark.parametrize(("task", "name"), [PLAYERS[i] for i in (1, 3, 6, 11, 12)])
def test_what_each_game_counts_is_shown_in_the_window(task: Task[Any], name: str) -> None:
    show = shown(task, name)
    before = show.tally(show.entries[0])
    while not show.is_over:
        show.forward()
    after = show.tally(show.entries[0])
    assert before is not None
    assert after is not None
    assert COUNTED[task.env_id] in after.remark
    scene = WatchScene(show, WatchWindow(show, 4.0))
    assert scene().shape == (900, 1440, 3)


def test_a_window_runs_by_the_events_of_pygame(monkeypatch: pytest.MonkeyPatch) -> None:
    show = shown(PatrolTask(horizon=3), "cyclic", seeds=1)
    session = WatchWindow(show, 4.0)
    pygame.display.init()
    pygame.event.clear()
    for key in (pygame.K_RIGHT, pygame.K_RIGHT, pygame.K_q):
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
    run(Window("watch", 1000), session, WatchScene(show, session))
    assert show.step == 2
    assert session.paused


def test_a_hundred_seeds_fit_and_only_what_changes_is_drawn_anew() -> None:
    show = shown(GridTask(2, horizon=4), "random-sweep", seeds=100)
    scene = WatchScene(show)
    scene()
    panels = dict(scene._panels)
    assert len(panels) == 100
    scene()
    assert all(scene._panels[key] is frame for key, frame in panels.items())
