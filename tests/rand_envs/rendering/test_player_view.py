"""A person who plays sees what a player sees: by keys, clicks, and Gymnasium's own `play`."""

import zlib
from typing import Any

import gymnasium as gym
import numpy as np
import pygame
import pytest
from gymnasium.utils.play import play

from rand_envs import ColoringTask, GridTask, PagingTask, PatrolTask, RecallTask
from rand_envs.core.task import Task
from rand_envs.rendering import Hand, painter_of, render_frame, render_text, render_weights
from rand_envs.rendering.keys import action_of, choices_of, entry_keys, key_codes

GAMES: list[Task[Any]] = [
    GridTask(3),
    GridTask(3, walls=2),
    PatrolTask(),
    PagingTask(),
    RecallTask(3, 2),
    ColoringTask(5),
]
each_game = pytest.mark.parametrize("task", GAMES, ids=lambda task: task.env_id)


def hand_of(task: Task[Any]) -> Hand:
    return Hand(tuple(0 for _ in choices_of(task) or ()), 0)


@each_game
def test_what_a_player_cannot_tell_apart_looks_the_same(task: Task[Any]) -> None:
    """All layouts with the same observations so far have one picture and one text for players."""
    layouts = task.layout_space.sample(np.random.default_rng(0), 8)
    task.action_space.seed(3)
    hand, views = hand_of(task), dict[bytes, tuple[int, str]]()
    actions = [np.asarray(task.action_space.sample()) for _ in range(2)]
    for steps in sorted({0, min(len(actions), task.max_steps - 1)}):
        for layout in layouts:
            states = [task.initial(layout[None])]
            for action in actions[:steps]:
                states.append(task.step(states[-1], action[None]).state)
            seen = b"".join(task.observe(state).tobytes() for state in states)
            done = actions[:steps]
            view = (
                zlib.crc32(render_frame(task, states, done, (120, 120), hand=hand)),
                render_text(task, states, done, hand=hand),
            )
            assert views.setdefault(seen, view) == view
    if not isinstance(task, ColoringTask):
        assert len(views) < 2 * len(layouts), "some layouts cannot be told apart"


def test_walls_are_seen_once_they_were_met_and_the_treasure_once_it_was_found() -> None:
    task = GridTask((2, 3), walls=2)
    layout = {"treasure": [1, 0], "walls": [[0, 1], [0, 2]]}
    states, actions = [task.initial(task.layout_space.pack([layout]))], list[Any]()
    shown = [render_text(task, states, actions, Hand())]
    for action in (0, 2):
        actions.append(np.asarray(action))
        states.append(task.step(states[-1], actions[-1][None]).state)
        shown.append(render_text(task, states, actions, Hand()))
    boards = ["".join(text.splitlines()[1:3]) for text in shown]
    assert ["#" in board for board in boards] == [False, True, True]
    assert ["T" in board for board in boards] == [False, False, True]
    assert boards[-1].count("#") == 1


def test_a_painter_that_hides_nothing_is_not_shown_to_players(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rand_envs.games.grid.painter.GridPainter.hides", False)
    task = GridTask(3)
    state = task.initial(task.layout_space.pack([{"treasure": [2, 1]}]))
    assert "T" in render_text(task, [state], [])
    plain = render_text(task, [state], [], Hand())
    assert "saw 0 0 0" in plain
    assert "treasure" not in plain


PICKS: list[tuple[Task[Any], Any, Any]] = [
    (GridTask(3), lambda p: p.board.center(5), 0),
    (GridTask(3), lambda p: p.board.center(6), 2),
    (GridTask(3), lambda p: (-50.0, -50.0), None),
    (PatrolTask(), lambda p: p.places[3], 3),
    (PagingTask(), lambda p: tuple(x + 5 for x in p._slots.corner(1)), 1),
    (PagingTask(), lambda p: (-50.0, -50.0), None),
    (ColoringTask(5), lambda p: p._places()[2], "cycle"),
    (ColoringTask(5), lambda p: (-50.0, -50.0), None),
    (RecallTask(3, 2), lambda p: (28 + 120 + 1.5 * p._bit, p._answer_top + 32 + p._row), 1),
]


@pytest.mark.parametrize(("task", "place", "wanted"), PICKS)
def test_a_click_picks_what_is_drawn_there(task: Task[Any], place: Any, wanted: Any) -> None:
    painter: Any = painter_of(task, [task.initial(task.layout_space.enumerate()[7:8])], [])
    wanted = painter.cycle[2] if wanted == "cycle" else wanted
    assert painter.picked(place(painter)) == wanted


def test_the_bit_that_is_typed_next_is_marked_where_a_click_would_change_it() -> None:
    task = RecallTask(2, 2)
    layouts = task.layout_space.pack([{"values": [[0, 1], [1, 1]], "query": 1}])
    states, actions = [task.initial(layouts)], list[Any]()
    for _ in range(2):
        actions.append(np.zeros(2, np.int8))
        states.append(task.step(states[-1], actions[-1][None]).state)
    painter = painter_of(task, states, actions, Hand((0, 0), 0))
    size = (round(painter.size[0]), round(painter.size[1]))
    frames = [render_frame(task, states, actions, size, hand=Hand((0, 0), at)) for at in (0, 1)]
    blue = [frame[..., 2].astype(int) for frame in frames]
    # The mark is orange, and has less blue than the paper below it.
    marks = [np.argwhere(one < other) for one, other in (blue, blue[::-1])]
    assert [painter.picked(tuple(mark.mean(0)[::-1])) for mark in marks] == [0, 1]


@each_game
def test_every_action_can_be_typed(task: Task[Any]) -> None:
    counts, keys = choices_of(task), entry_keys(task)
    assert counts is not None
    assert sorted(keys.values()) == list(range(max(counts)))
    for draft in ([0] * len(counts), [count - 1 for count in counts]):
        assert action_of(task, tuple(draft)) in task.action_space


@pytest.mark.parametrize(
    ("env_id", "key", "action"),
    [
        ("RandGrid-v0", pygame.K_UP, 2),
        ("RandPatrol-v0", pygame.K_4, 4),
        ("RandPaging-v0", pygame.K_1, 1),
        ("RandRecall-v0", pygame.K_3, [0, 0, 0, 1, 1]),
    ],
)
def test_gymnasium_plays_by_keyboard_without_giving_the_layout_away(
    env_id: str, key: int, action: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = gym.make(env_id, render_mode="rgb_array")
    done: list[Any] = []
    asked: list[Any] = []

    def draw(*args: Any, hand: Any = None, **others: Any) -> Any:
        asked.append(hand)
        return np.zeros((8, 8, 3), np.uint8)

    def callback(before: Any, after: Any, played: Any, *rest: Any) -> None:
        done.append(np.asarray(played).tolist())
        pygame.event.post(pygame.event.Event(pygame.QUIT))

    monkeypatch.setattr("rand_envs.rendering.render_frame", draw)
    pygame.display.init()
    pygame.event.clear()
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
    play(env, callback=callback, wait_on_player=True, fps=1000)
    assert done == [action]
    assert asked
    assert None not in asked


def test_too_many_actions_for_keys_end_in_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"59,049 different actions .* rand_agents play"):
        gym.make("RandColoring-v0").unwrapped.get_keys_to_action()  # type: ignore[attr-defined]
    assert len(key_codes(ColoringTask(3))) == 27


@each_game
def test_weights_over_layouts_are_drawn(task: Task[Any]) -> None:
    layouts = task.layout_space.enumerate()
    uniform = np.full(len(layouts), 1 / len(layouts))
    first = np.eye(len(layouts))[0]
    pictures = [render_weights(task, layouts, weights) for weights in (uniform, first)]
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).any()
