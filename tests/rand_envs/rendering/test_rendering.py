from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import pygame
import pytest

from rand_envs import ColoringTask, GridTask, RecallTask, Task
from rand_envs.core.arrays import Array
from rand_envs.games.grid.board import START_CELL, TREASURE, TREASURE_CELL, WALL, Board
from rand_envs.games.grid.lanes import lane
from rand_envs.rendering import TILE_GAP, render_frame, render_text, tile
from rand_envs.rendering.colors import BLUE, INK, ORANGE, RIGHT, VERMILLION, WRONG, vertex_color

Case = tuple[str, dict[str, Any]]
History = tuple[list[Array], list[Array]]

RIGHTWARDS, LEFTWARDS, UP, DOWN = range(4)
RECALL = RecallTask(num_pairs=3, value_bits=2)
PAIRS = {"values": [[0, 1], [1, 1], [1, 0]], "query": 2}
COLORING = ColoringTask(num_vertices=4, num_colors=3)
SQUARE = {"cycle": [0, 2, 1, 3]}
GRID = GridTask(size=(2, 3), horizon=4)
TREASURE_RIGHT = {"treasure": [0, 2]}


def played(task: Task[Any], layout: dict[str, Any], actions: Sequence[Any]) -> History:
    states, taken = [task.initial(task.layout_space.pack([layout]))], []
    for action in actions:
        taken.append(np.array(action))
        states.append(task.step(states[-1], taken[-1][None]).state)
    return states, taken


def count(frame: Array, color: tuple[int, int, int]) -> int:
    return int((frame == color).all(axis=2).sum())


def pixel(frame: Array, point: tuple[float, float]) -> tuple[int, ...]:
    return tuple(frame[round(point[1]), round(point[0])].tolist())


def corner(board: Board, row: int, column: int) -> tuple[float, float]:
    """A place in the upper left of a cell, away from symbols and paths."""
    x, y = board.center(board.number(row, column))
    return x - 0.4 * board.side, y - 0.4 * board.side


def picture_of(env: gym.Env[Any, Any]) -> Array:
    picture = env.render()
    assert isinstance(picture, np.ndarray)
    return picture


def test_every_game_draws_every_step(case: Case) -> None:
    env = gym.make(case[0], render_mode="rgb_array", **case[1])
    env.reset(seed=1)
    env.action_space.seed(1)
    frames, over = [picture_of(env)], False
    while not over:
        over = env.step(env.action_space.sample())[2]
        frames.append(picture_of(env))
    for frame in frames:
        assert frame.dtype == np.uint8
        assert frame.shape == frames[0].shape
        assert frame.flags.c_contiguous
    height, width, channels = frames[0].shape
    assert channels == 3
    assert 480 <= width <= 640
    assert 380 <= height <= 800
    for before, after in pairwise(frames):
        assert not np.array_equal(before, after), "a step must be seen"
    assert np.array_equal(frames[-1], picture_of(env)), "the same state gives the same picture"


def test_every_game_writes_every_step(case: Case) -> None:
    env = gym.make(case[0], render_mode="ansi", **case[1])
    env.reset(seed=1)
    env.action_space.seed(1)
    texts, over = [env.render()], False
    while not over:
        over = env.step(env.action_space.sample())[2]
        texts.append(env.render())
    assert all(isinstance(text, str) and text.startswith(case[0]) for text in texts)
    assert len(set(map(str, texts))) == len(texts)
    assert str(texts[-1]).split("\n")[0].endswith(("success", "failure"))


def test_human_mode_shows_every_step_in_a_window(case: Case) -> None:
    env = gym.make(case[0], render_mode="human", **case[1])
    env.unwrapped.metadata = {**env.unwrapped.metadata, "render_fps": 1000}
    env.reset(seed=1)
    screen = pygame.display.get_surface()
    assert screen is not None
    before = pygame.surfarray.array3d(screen)
    env.step(env.action_space.sample())
    after = pygame.surfarray.array3d(pygame.display.get_surface())
    assert not np.array_equal(before, after)
    assert pygame.display.get_caption()[0] == case[0]
    env.close()
    assert not pygame.display.get_init()


def test_vector_environments_draw_each_instance(case: Case) -> None:
    env = gym.make_vec(case[0], 3, "vector_entry_point", render_mode="rgb_array", **case[1])
    env.reset(seed=4)
    frames = env.render()
    assert frames is not None
    assert len(frames) == 3
    single = gym.make(case[0], render_mode="rgb_array", **case[1])
    single.reset(seed=5)
    assert np.array_equal(frames[1], picture_of(single))


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        (0, "RandRecall-v0: pair 1 of 3\n[0:01] (1:11) (2:10)"),
        (2, "RandRecall-v0: pair 3 of 3\n 0:01   1:11  [2:10]"),
        (
            3,
            "RandRecall-v0: query: which value belongs to key 2?\n"
            " 0:01   1:11  <2:10>\n"
            "true     10",
        ),
        (
            4,
            "RandRecall-v0: key 2 was asked for: 1 of 2 bits right - failure\n"
            " 0:01   1:11  <2:10>\n"
            "true     10\n"
            "recalled 11\n"
            "         .x",
        ),
    ],
)
def test_recall_as_text(steps: int, text: str) -> None:
    assert render_text(RECALL, *played(RECALL, PAIRS, [[1, 1]] * steps)) == text


def test_recall_marks_right_and_wrong_bits() -> None:
    asked = render_frame(RECALL, *played(RECALL, PAIRS, [[0, 0]] * 3))
    answers = [[1, 0], [1, 1], [0, 1]]
    frames = [
        render_frame(RECALL, *played(RECALL, PAIRS, [[0, 0]] * 3 + [answer])) for answer in answers
    ]
    right, half, wrong = [frame[150:] for frame in frames]
    assert count(asked[150:], RIGHT) == count(asked[150:], WRONG) == 0
    assert count(right, WRONG) == 0 < count(half, WRONG) < count(wrong, WRONG)
    assert count(right, RIGHT) > count(half, RIGHT) > count(wrong, RIGHT) == 0


def test_recall_shows_what_was_seen_and_highlights_the_query() -> None:
    frames = [render_frame(RECALL, *played(RECALL, PAIRS, [[0, 0]] * k)) for k in range(4)]
    ones = [count(frame, BLUE) for frame in frames]
    assert ones[0] < ones[1] < ones[2], "a pair not seen yet is dimmed"
    assert [count(frame, ORANGE) > 0 for frame in frames] == [False, False, False, True]


@pytest.mark.parametrize(
    ("colors", "text"),
    [
        (
            [],
            "RandColoring-v0: 4 vertices on a cycle, 3 colours: not coloured yet\n"
            "0:? -- 2:? -- 1:? -- 3:? -- back to 0",
        ),
        (
            [[0, 0, 2, 2]],
            "RandColoring-v0: 4 vertices on a cycle, 3 colours: 0 conflicts - success\n"
            "0:0 -- 2:2 -- 1:0 -- 3:2 -- back to 0",
        ),
        (
            [[0, 2, 2, 0]],
            "RandColoring-v0: 4 vertices on a cycle, 3 colours: 2 conflicts - failure\n"
            "0:0 -- 2:2 xx 1:2 -- 3:0 xx back to 0",
        ),
        (
            [[1, 0, 2, 1]],
            "RandColoring-v0: 4 vertices on a cycle, 3 colours: 1 conflict - failure\n"
            "0:1 -- 2:2 -- 1:0 -- 3:1 xx back to 0",
        ),
    ],
)
def test_coloring_as_text(colors: list[list[int]], text: str) -> None:
    assert render_text(COLORING, *played(COLORING, SQUARE, colors)) == text


def test_conflicting_edges_are_marked_where_they_are() -> None:
    proper = render_frame(COLORING, *played(COLORING, SQUARE, [[0, 0, 2, 2]]))
    assert count(proper, WRONG) == 0
    # Vertex 0 is at the top, 2 to the right, 1 at the bottom, 3 to the left.
    conflict = render_frame(COLORING, *played(COLORING, SQUARE, [[0, 1, 1, 2]]))[100:]
    height, width, _ = conflict.shape
    rows, columns = (conflict == WRONG).all(axis=2).nonzero()
    far = columns > 0.65 * width
    assert far.any(), "the edge from 2 to 1 is at the lower right"
    assert (rows[far] > 0.4 * height).all()
    assert not (columns < 0.35 * width).any()


def test_vertices_stand_in_cycle_order_with_their_colors() -> None:
    frame = render_frame(COLORING, *played(COLORING, SQUARE, [[0, 1, 2, 1]]))
    x, y = frame.shape[1] / 2, 322
    ring = {0: (x, y - 190), 2: (x + 190, y), 1: (x, y + 190), 3: (x - 190, y)}
    for vertex, color in enumerate([0, 1, 2, 1]):
        beside_label = (ring[vertex][0] - 17, ring[vertex][1])
        assert pixel(frame, beside_label) == vertex_color(color), vertex


def test_vertex_colors_differ_from_each_other_and_from_conflicts() -> None:
    assert len({vertex_color(index) for index in range(30)} | {WRONG}) == 31


@pytest.mark.parametrize(
    ("actions", "text"),
    [
        (
            [],
            "RandGrid-v0: episode 1 of 2, 0 of 4 steps, 0 in all\n"
            "1 . . .\n0 @ . T\n  0 1 2\n"
            "episode 1: 0 steps so far",
        ),
        (
            [LEFTWARDS, UP, RIGHTWARDS],
            "RandGrid-v0: episode 1 of 2, 3 of 4 steps, 3 in all\n"
            "1 o @ .\n0 S . T\n  0 1 2\n"
            "episode 1: 3 steps so far ←↑→",
        ),
        (
            [RIGHTWARDS, RIGHTWARDS, DOWN],
            "RandGrid-v0: episode 2 of 2, 1 of 4 steps, 3 in all\n"
            "1 . . .\n0 @ . T\n  0 1 2\n"
            "episode 1: found after 2 steps →→\n"
            "episode 2: 1 step so far ↓",
        ),
        (
            [RIGHTWARDS, RIGHTWARDS, UP, UP, UP, DOWN],
            "RandGrid-v0: found in 1 of 2 episodes, 6 steps - failure\n"
            "1 o . .\n0 @ . T\n  0 1 2\n"
            "episode 1: found after 2 steps →→\n"
            "episode 2: not found in 4 steps ↑↑↑↓",
        ),
        (
            [UP, DOWN, RIGHTWARDS, RIGHTWARDS, RIGHTWARDS, RIGHTWARDS],
            "RandGrid-v0: found in 2 of 2 episodes, 6 steps - success\n"
            "1 . . .\n0 S o @\n  0 1 2\n"
            "episode 1: found after 4 steps ↑↓→→\n"
            "episode 2: found after 2 steps →→",
        ),
    ],
)
def test_grid_as_text(actions: list[int], text: str) -> None:
    assert render_text(GRID, *played(GRID, TREASURE_RIGHT, actions)) == text


def test_grid_cells_are_where_they_belong() -> None:
    walls = np.zeros((3, 4), bool)
    walls[1, 2] = True
    task = GridTask(size=(3, 4), walls=walls)
    states, actions = played(task, {"treasure": [2, 3]}, [])
    frame = render_frame(task, states, actions)
    board = Board(task, states[0][0])
    special = {(0, 0): START_CELL, (2, 3): TREASURE_CELL, (1, 2): WALL}
    for row in range(3):
        for column in range(4):
            wanted = special.get((row, column), (255, 255, 255))
            assert pixel(frame, corner(board, row, column)) == wanted, (row, column)
    assert pixel(frame, board.center(board.number(2, 3))) == TREASURE
    assert pixel(frame, board.center(board.number(0, 0))) == INK, "the player stands here"
    assert corner(board, 0, 0)[1] > corner(board, 2, 0)[1], "row 0 is at the bottom"
    assert corner(board, 0, 0)[0] < corner(board, 0, 3)[0]


def test_each_episode_has_a_path_of_its_own_color() -> None:
    halves = [UP, RIGHTWARDS, RIGHTWARDS, DOWN], [RIGHTWARDS, RIGHTWARDS]
    frames = [
        render_frame(GRID, *played(GRID, TREASURE_RIGHT, moves))[:320]
        for moves in ([], halves[0], halves[0] + halves[1])
    ]
    assert [count(frame, BLUE) > 0 for frame in frames] == [False, True, True]
    assert [count(frame, VERMILLION) > 0 for frame in frames] == [False, False, True]


def test_a_path_ends_on_the_treasure_though_the_next_episode_has_begun() -> None:
    states, actions = played(GRID, TREASURE_RIGHT, [RIGHTWARDS, RIGHTWARDS])
    board = Board(GRID, states[-1][0])
    x, y = (round(place) for place in board.center(board.treasure))
    frame = render_frame(GRID, states, actions)
    assert count(frame[y - 40 : y + 40, x - 40 : x + 40], BLUE) > 0
    assert pixel(frame, board.center(board.start)) == INK, "the player is back on the start"


def test_the_latest_episodes_are_drawn_when_there_are_many() -> None:
    task = GridTask(size=(1, 2), horizon=1, num_episodes=9)
    frame = render_frame(task, *played(task, {"treasure": [0, 1]}, [RIGHTWARDS] * 9))
    assert frame.shape[0] < 640


def test_a_path_keeps_to_its_right_and_turns_back_in_two_lines() -> None:
    there_and_back = [(0.0, 0.0), (10.0, 0.0), (10.0, 0.0), (0.0, 0.0)]
    assert lane(there_and_back, 1) == [(0, 1), (10, 1), (10, -1), (0, -1)]
    # y goes down, so that this turns to the right and then goes straight on.
    right_turn = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (10.0, 20.0)]
    assert lane(right_turn, 1) == [(0, 1), (9, 1), (9, 10), (9, 20)]
    assert lane([(3.0, 4.0), (3.0, 4.0)], 1) == [(3, 4)]


@pytest.mark.parametrize("size", [(300, 200), (64, 400), (1201, 903)])
def test_frames_come_in_the_size_asked_for(size: tuple[int, int]) -> None:
    frame = render_frame(GRID, *played(GRID, TREASURE_RIGHT, [UP]), size=size)
    assert frame.shape == (size[1], size[0], 3)
    assert count(frame, TREASURE) > 0


def test_the_title_is_shown() -> None:
    history = played(GRID, TREASURE_RIGHT, [UP])
    frames = [render_frame(GRID, *history, title=title) for title in (None, "seed 3", "x" * 500)]
    rows = (frames[0] != frames[1]).any(axis=(1, 2)).nonzero()[0]
    assert rows.min() > 20
    assert rows.max() < 50
    pill = np.s_[:84, -150:]
    assert np.array_equal(frames[0][pill], frames[2][pill]), "a long title stops before it"


@pytest.mark.parametrize(
    ("task", "steps"),
    [
        (RecallTask(2_000, 3), 50),
        (RecallTask(1, 400), 2),
        (ColoringTask(3_000, 50), 1),
        (GridTask((1, 900)), 50),
        (GridTask(120, walls=50), 3),
    ],
)
def test_large_games_are_drawn_too(task: Task[Any], steps: int) -> None:
    rng = np.random.default_rng(0)
    states = [task.initial(task.layout_space.sample(rng, 1))]
    task.action_space.seed(0)
    actions = [np.asarray(task.action_space.sample()) for _ in range(steps)]
    for action in actions:
        states.append(task.step(states[-1], action[None]).state)
    assert max(render_frame(task, states, actions).shape) <= 800


def test_what_cannot_be_drawn_is_refused() -> None:
    states, actions = played(GRID, TREASURE_RIGHT, [UP])
    with pytest.raises(ValueError, match="one state more than actions, got 2 states and 0"):
        render_frame(GRID, states, [])
    with pytest.raises(ValueError, match="the width must be an integer from 32 to 4096, got 0"):
        render_frame(GRID, states, actions, size=(0, 100))


def test_drawing_survives_that_someone_else_quits_pygame() -> None:
    history = played(GRID, TREASURE_RIGHT, [UP])
    before = render_frame(GRID, *history)
    pygame.quit()
    assert np.array_equal(render_frame(GRID, *history), before)


def flat(height: int, width: int, value: int) -> Array:
    return np.full((height, width, 3), value, np.uint8)


def test_tiles_stand_row_by_row() -> None:
    tiled = tile([flat(20, 30, value) for value in (10, 20, 30)], columns=2)
    assert tiled.shape == (40 + TILE_GAP, 60 + TILE_GAP, 3)
    assert tiled.dtype == np.uint8
    assert (tiled[:20, :30] == 10).all()
    assert (tiled[:20, 30 + TILE_GAP :] == 20).all()
    assert (tiled[20 + TILE_GAP :, :30] == 30).all()
    assert (tiled[20 + TILE_GAP :, 30 + TILE_GAP :] == 255).all()


def test_smaller_tiles_are_centred_in_white() -> None:
    tiled = tile([flat(20, 30, 0), flat(10, 20, 0)], columns=2)
    place = tiled[:, 30 + TILE_GAP :]
    assert place.shape == (20, 30, 3)
    assert (place[5:15, 5:25] == 0).all()
    assert (place == 255).all(axis=2).sum() == 20 * 30 - 10 * 20


@pytest.mark.parametrize(
    ("frames", "columns", "wanted"),
    [(1, None, (1, 1)), (2, None, (1, 2)), (5, None, (2, 3)), (9, None, (3, 3)), (3, 8, (1, 3))],
)
def test_tilings_are_about_square(
    frames: int, columns: int | None, wanted: tuple[int, int]
) -> None:
    height, width, _ = tile([flat(10, 10, 0)] * frames, columns).shape
    assert ((height + TILE_GAP) // (10 + TILE_GAP), (width + TILE_GAP) // (10 + TILE_GAP)) == wanted


def test_bad_tilings_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        tile([])
    with pytest.raises(ValueError, match="columns must be an integer of at least 1, got 0"):
        tile([flat(10, 10, 0)], columns=0)
