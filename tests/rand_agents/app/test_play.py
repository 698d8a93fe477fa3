"""A person plays against an adversary that learns: by keys, by mouse, and in the terminal."""

import io
from typing import Any

import numpy as np
import pygame
import pytest
from gymnasium.spaces import Box
from rich.console import Console

from rand_agents.__main__ import main
from rand_agents.app.playing.controls import Controls
from rand_agents.app.playing.guess import Guesser
from rand_agents.app.playing.opponent import Opponent
from rand_agents.app.playing.scene import PlayScene
from rand_agents.app.playing.session import Game, PlayWindow
from rand_agents.app.playing.text import play_in_text
from rand_agents.app.window.loop import run
from rand_envs import ColoringTask, GridTask, PagingTask, PatrolTask, RecallTask
from rand_envs.core.task import GameValue, Task
from rand_envs.rendering import Window
from rand_envs.rendering.window import Click, Key

VALUE = GameValue(0.5, "exact")
KEYS = {
    "left": pygame.K_LEFT,
    "right": pygame.K_RIGHT,
    "up": pygame.K_UP,
    "down": pygame.K_DOWN,
    "return": pygame.K_RETURN,
    "escape": pygame.K_ESCAPE,
}


def press(*names: str) -> None:
    """Put keys into pygame's queue, as a keyboard would."""
    pygame.display.init()
    for name in names:
        code = KEYS.get(name) or getattr(pygame, f"K_{name}")
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=code))


def keys_of_a_round(game: Game) -> list[str]:
    """A scripted player's keys: it goes by what its view asks, and knows no more."""
    if game.painter.is_free:
        return ["return"]
    return {
        "RandGrid-v0": ["up", "right"],
        "RandPatrol-v0": ["0"],
        "RandPaging-v0": ["1"],
        "RandRecall-v0": ["0", "1", "return"],
        "RandColoring-v0": [*"01012", "return"],
    }[game.task.env_id]


class Bare(PatrolTask):
    """A game as a stranger writes it, who draws nothing."""

    painter = None  # type: ignore[assignment]


GAMES: list[Task[Any]] = [
    Bare(),
    GridTask(2, horizon=4),
    PatrolTask(),
    PagingTask(num_requests=4),
    RecallTask(2, 2),
    ColoringTask(5),
]
each_game = pytest.mark.parametrize("task", GAMES, ids=lambda task: task.env_id)


@each_game
def test_a_scripted_player_plays_all_rounds(task: Task[Any]) -> None:
    game = Game(task, VALUE, 3, 0)
    session = PlayWindow(game, lambda x, y: None)
    while not session.closed:
        names = keys_of_a_round(game) if game.phase == "playing" else ["return"]
        for name in names:
            session.handle(Key(name))
    assert len(game.score.outcomes) == 3
    assert game.opponent.rounds == 3
    assert game.opponent.weights.sum() == pytest.approx(1)
    said = " ".join(game.summary())
    for words in ("Your mean over 3 rounds", "The game value is", "could be guessed", "hurts you"):
        assert words in said


def test_a_window_is_played_by_the_events_of_pygame(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = iter(["0", "1", "2", "return", "3", "3", "3", "return", "escape"])
    phases: list[str] = []
    game = Game(PatrolTask(horizon=3), VALUE, 2, 0)
    scene = PlayScene(game)

    def drawn(self: Window, frame: Any) -> None:
        """Someone who presses the next key whenever there is something new to be seen."""
        phases.append(game.phase)
        press(next(keys))

    monkeypatch.setattr(Window, "draw", drawn)
    pygame.display.init()
    pygame.event.clear()
    run(Window("play", 1000), PlayWindow(game, scene.pick), scene)
    assert [int(action) for action in game.actions] == [3, 3, 3]
    assert len(game.score.outcomes) == 2
    assert phases == [*["playing"] * 3, "between", *["playing"] * 3, "between", "over"]


def test_a_click_goes_to_what_is_drawn_there() -> None:
    game = Game(PatrolTask(), VALUE, 1, 0)
    scene = PlayScene(game)
    session = PlayWindow(game, scene.pick)
    painter: Any = game.painter
    at = {scene.pick(x, y): (x, y) for x in range(0, 640, 8) for y in range(120, 700, 8)}
    x, y = min(
        (np.hypot(point[0] - painter.places[3][0], point[1] - painter.places[3][1]), place)
        for point, place in at.items()
        if point is not None
    )[1]
    session.handle(Click(x, y))
    assert [int(action) for action in game.actions] == [3]
    session.handle(Click(5, 5))
    assert len(game.actions) == 1


@pytest.mark.parametrize(
    ("task", "what"), [(PatrolTask(), "play"), (RecallTask(2, 2), "change"), (Bare(), None)]
)
def test_the_mouse_is_offered_where_it_works(task: Task[Any], what: str | None) -> None:
    """Only in a window, and only where something is drawn that can be clicked."""
    game = Game(task, VALUE, 1, 0)
    assert dict(PlayScene(game)._help()).get("click") == what
    assert "click" not in game.painter.question
    assert "click" not in dict(game.controls.help())


def test_the_adversary_learns_where_a_player_looks_last() -> None:
    """Who always goes the same way finds the treasure hidden at its end."""
    game = Game(GridTask(3), VALUE, 12, 0)
    session = PlayWindow(game, lambda x, y: None)
    snake = ["right", "right", "up", "left", "left", "up", "right", "right"]
    while game.phase != "over":
        if game.phase == "between":
            session.handle(Key("return"))
            continue
        found = int(game.states[-1]["finds"][0])
        for name in snake:
            if game.phase == "playing" and int(game.states[-1]["finds"][0]) == found:
                session.handle(Key(name))
    weights = {
        tuple(layout["treasure"].tolist()): weight
        for layout, weight in zip(game.opponent.layouts, game.opponent.weights, strict=True)
    }
    assert max(weights, key=lambda cell: weights[cell]) in [(2, 2), (2, 1)]
    assert game.opponent.worst()[1] > 8
    assert game.guesser.share > 0.8


def test_layouts_do_not_depend_on_what_is_played_in_their_round() -> None:
    drawn = []
    for moves in ([0, 0, 0], [1, 1, 1]):
        game = Game(PatrolTask(horizon=3), VALUE, 2, rng_seed=5)
        drawn.append(game.states[0].tobytes())
        for move in moves:
            game.play(np.asarray(move))
    assert drawn[0] == drawn[1]


def test_an_adversary_of_a_huge_game_plays_layouts_that_it_drew() -> None:
    opponent = Opponent(ColoringTask(12), 5, 0)
    assert not opponent.knows_all
    assert len(opponent.layouts) == 1000


def test_habits_are_guessed_and_coins_are_not() -> None:
    task = PatrolTask(horizon=3)
    rng = np.random.default_rng(0)
    shares = []
    for walk in (lambda: [1, 2, 3], lambda: rng.integers(5, size=3).tolist()):
        guesser = Guesser(task, 5)
        for _ in range(30):
            states, actions = [task.initial(task.layout_space.enumerate()[:1])], []
            for move in walk():
                actions.append(np.asarray(move))
                states.append(task.step(states[-1], actions[-1][None]).state)
            guesser.learn(states, actions, [False] * 3)
        shares.append(guesser.share)
    assert shares[0] > 0.95
    assert shares[1] < 0.4


def test_what_is_typed_becomes_an_action() -> None:
    task = ColoringTask(5)
    controls, game = Controls(task), Game(task, VALUE, 1, 0)
    for name in ["2", "left", "1", "right", "tab", "2", "x"]:
        assert controls.key(name, game.painter) is None
    assert controls.hand.draft == (1, 0, 0, 2, 0)
    played = controls.key("return", game.painter)
    assert played is not None
    assert played.tolist() == [1, 0, 0, 2, 0]
    assert controls.hand.draft == (0,) * 5


def test_clicks_change_one_part_after_the_other_in_turn() -> None:
    task = RecallTask(2, 2)
    controls, game = Controls(task), Game(task, VALUE, 1, 0)
    for _ in range(2):
        assert game.painter.is_free
        shown = controls.click((0, 0), game.painter)
        assert shown is not None
        game.play(shown)
    width, height = (int(length) for length in game.painter.size)
    at = {
        game.painter.picked((x, y)): (x, y) for x in range(0, width, 4) for y in range(0, height, 4)
    }
    drafts = []
    for bit in (1, 0, 1, None):
        assert controls.click(at[bit], game.painter) is None
        drafts.append((controls.hand.draft, controls.hand.cursor))
    assert drafts == [((0, 1), 1), ((1, 1), 0), ((1, 0), 1), ((1, 0), 1)]


def test_the_terminal_plays_too() -> None:
    said = io.StringIO()
    game = Game(GridTask(2, horizon=4), VALUE, 2, 0)
    lines = iter(["right u l", "what", "r", "up", "l", "d", "u", "r", "d", "l", "u", "r", "d", "l"])

    def read(prompt: str) -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    play_in_text(game, read, Console(file=said, width=100))
    text = said.getvalue()
    for words in ("Round 1 of 2", "That is no move", "What the adversary plays next", "Your mean"):
        assert words in text
    assert len(game.score.outcomes) >= 1


def test_where_the_input_ends_the_game_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for typed, last in {
        "": "No round was played to its end.",
        "0\n" * 7: "Your mean over 1 round",
    }.items():
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        assert main(["play", "patrol", "--text"]) == 0
        assert last in capsys.readouterr().out


def test_a_real_terminal_forgets_what_was_to_be_remembered() -> None:
    said = io.StringIO()
    lines = iter(["", "", "q"])
    game = Game(RecallTask(2, 2), VALUE, 1, 0)
    terminal = Console(file=said, force_terminal=True, width=100)
    play_in_text(game, lambda prompt: next(lines), terminal)
    assert [part.count("Round 1 of 1") for part in said.getvalue().split("\x1b[2J")] == [1, 1, 1]


class Steered(GridTask):
    """A game whose actions no key can play."""

    def __init__(self) -> None:
        super().__init__(2)
        self.action_space = Box(-1, 1, (1,))


def test_what_cannot_be_played_ends_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="which keys cannot play"):
        Controls(Steered())
    for command, words in {
        "play CartPole-v1": "gymnasium.utils.play plays other environments",
        "play grid --rounds 0": "--rounds must be at least 1",
        "play gird": "did you mean grid?",
    }.items():
        assert main(command.split()) == 2
        assert words in capsys.readouterr().err


def test_without_a_display_the_command_plays_in_text_at_a_size_for_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\n\n\n10\nq\n"))
    monkeypatch.setattr(Window, "is_possible", lambda: False)
    assert main(["play", "recall", "--rounds", "2"]) == 0
    said = capsys.readouterr()
    assert "there is no display" in said.err
    assert "pair 1 of 4" in said.out
    assert "Your mean over 1 round is" in said.out
