import numpy as np
import pytest

from rand_envs import PagingTask
from rand_envs.rendering import painter_of, render_frame, render_text
from rand_envs.rendering.colors import RIGHT, WRONG, vertex_color
from tests.rand_envs.rendering.test_rendering import count, played

PAGING = PagingTask()
REQUESTS = {"requests": [2, 0, 2, 1, 1, 0]}
TAPE = np.s_[110:230]
"""The rows of a frame with the requests and their marks."""


@pytest.mark.parametrize(
    ("slots", "text"),
    [
        (
            [],
            "RandPaging-v0: request 1 of 6: page 2 is not in the cache\n"
            "requests 2 0 2 1 1 0\n"
            "faults\n"
            "evicted\n"
            "cache    0 1\n"
            "0 faults, Belady's optimum for 6 requests: 2",
        ),
        (
            [1, 0],
            "RandPaging-v0: request 3 of 6: page 2 is in the cache\n"
            "requests 2 0 2 1 1 0\n"
            "faults   x .\n"
            "evicted  1\n"
            "cache    0 2\n"
            "1 fault, Belady's optimum for 6 requests: 2",
        ),
        (
            [1, 0, 0, 1, 0, 0],
            "RandPaging-v0: 2 faults in 6 requests: the fewest possible - success\n"
            "requests 2 0 2 1 1 0\n"
            "faults   x . . x . .\n"
            "evicted  1     2\n"
            "cache    0 1\n"
            "2 faults, Belady's optimum for 6 requests: 2",
        ),
        (
            [0, 1, 0, 0, 0, 1],
            "RandPaging-v0: 3 faults in 6 requests: 2 would have been enough - failure\n"
            "requests 2 0 2 1 1 0\n"
            "faults   x x . x . .\n"
            "evicted  0 1   2\n"
            "cache    1 0\n"
            "3 faults, Belady's optimum for 6 requests: 2",
        ),
    ],
)
def test_paging_as_text(slots: list[int], text: str) -> None:
    assert render_text(PAGING, *played(PAGING, REQUESTS, slots)) == text


def test_a_player_is_asked_only_on_a_fault() -> None:
    asked = [painter_of(PAGING, *played(PAGING, REQUESTS, [1, 0][:k])).question for k in range(2)]
    assert asked == [
        "Page 2 comes in: which slot gives way? Type its number",
        "Page 0 is in the cache: go on",
    ]


def test_long_sequences_are_wrapped() -> None:
    task = PagingTask(120, 100, 60)
    text = render_text(task, *played(task, {"requests": [119] * 60}, [0, 0]))
    assert max(map(len, text.split("\n")[1:])) <= 80


def test_hits_and_faults_are_marked_on_the_tape() -> None:
    # Pages 0 and 3 have other colours than the marks.
    task, layout = PagingTask(4, 2, 3), {"requests": [0, 3, 3]}
    frames = [render_frame(task, *played(task, layout, [0] * k))[TAPE] for k in range(4)]
    assert [count(frame, WRONG) > 0 for frame in frames] == [False, False, True, True]
    ticks = [count(frame, RIGHT) for frame in frames]
    assert ticks[0] == 0 < ticks[1] == ticks[2] < ticks[3]


def test_pages_keep_their_colours_from_the_tape_to_the_cache() -> None:
    states, slots = played(PAGING, REQUESTS, [0])
    cache = render_frame(PAGING, states, slots)[300:]
    assert count(cache, vertex_color(2)) > 1000
    assert count(cache, vertex_color(1)) > 1000
    assert count(cache, vertex_color(0)) == 0, "page 0 was evicted: it is shown pale"
    left, right = cache[:, :110], cache[:, 110:]
    assert count(left, vertex_color(1)) == count(right, vertex_color(2)) == 0


def test_the_page_that_was_just_evicted_is_crossed_out() -> None:
    # Between the tape and the slots.
    above = np.s_[275:325]
    frames = [render_frame(PAGING, *played(PAGING, REQUESTS, [1, 0][:k]))[above] for k in range(3)]
    assert [count(frame, WRONG) > 0 for frame in frames] == [False, True, False]


def test_large_caches_are_drawn_too() -> None:
    for sizes in ((1000, 999, 10_000), (50, 20, 100), (2, 1, 1)):
        task = PagingTask(*sizes)
        layout = {"requests": [sizes[0] - 1] * sizes[2]}
        assert max(render_frame(task, *played(task, layout, [0])).shape) <= 800
