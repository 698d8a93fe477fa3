import json
from collections import Counter
from itertools import combinations
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rand_envs import (
    ColoringLayout,
    ColoringTask,
    GridLayout,
    GridTask,
    PagingTask,
    RecallLayout,
    RecallTask,
)
from rand_envs.core.layouts.space import LayoutSpace


def space_of(case: tuple[str, dict[str, Any]]) -> LayoutSpace[Any]:
    space: LayoutSpace[Any] = gym.make(case[0], **case[1]).get_wrapper_attr("task").layout_space
    return space


def reachable(
    size: tuple[int, int], walls: set[tuple[int, int]], start: tuple[int, int]
) -> set[tuple[int, int]]:
    seen, todo = {start}, [start]
    while todo:
        row, column = todo.pop()
        for cell in (row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1):
            inside = 0 <= cell[0] < size[0] and 0 <= cell[1] < size[1]
            if inside and cell not in walls | seen:
                seen.add(cell)
                todo.append(cell)
    return seen


spaces = st.one_of(
    st.builds(RecallTask, st.integers(1, 9), st.integers(1, 9)),
    st.builds(ColoringTask, st.integers(3, 12)),
    st.builds(GridTask, st.tuples(st.integers(1, 5), st.integers(2, 5))),
    st.builds(GridTask, st.tuples(st.integers(2, 5), st.integers(2, 5)), walls=st.integers(1, 2)),
).map(lambda task: task.layout_space)


@given(spaces, st.integers(0, 2**32), st.integers(1, 5))
def test_layouts_survive_every_round_trip(space: Any, rng_seed: int, n: int) -> None:
    packed = space.sample(np.random.default_rng(rng_seed), n)
    layouts = space.unpack(packed)
    assert packed.shape == (n,)
    assert packed.dtype == space.dtype
    assert [space.validate(layout) for layout in layouts] == layouts
    assert np.array_equal(space.pack(layouts), packed)
    from_json = [json.loads(json.dumps(layout.to_json())) for layout in layouts]
    assert [space.validate(layout) for layout in from_json] == layouts
    assert len({hash(layout) for layout in layouts}) <= len(set(layouts))


@given(spaces, st.integers(0, 2**32), st.integers(1, 5))
def test_mutations_are_legal_and_change_the_layout(space: Any, rng_seed: int, n: int) -> None:
    rng = np.random.default_rng(rng_seed)
    before = space.sample(rng, n)
    kept = before.copy()
    after = space.mutate(rng, before)
    assert np.array_equal(before, kept)
    layouts = space.unpack(after)
    assert [space.validate(layout) for layout in layouts] == layouts
    if space.size != 1 and getattr(space, "num_treasures", 2) > 1:
        assert not (after == before).any()


def test_mutations_reach_every_layout_of_a_small_space() -> None:
    for task, count in (
        (RecallTask(2, 1), 8),
        (ColoringTask(5), 12),
        (GridTask(3), 8),
        (GridTask(2, walls=1), 6),
    ):
        rng = np.random.default_rng(0)
        layouts = task.layout_space.sample(rng, 1)
        seen: set[Any] = set()
        for _ in range(400):
            layouts = task.layout_space.mutate(rng, layouts)
            seen.update(task.layout_space.unpack(layouts))
        assert len(seen) == count


def test_canonical_cycles_are_counted() -> None:
    for num_vertices, count in ((3, 1), (4, 3), (5, 12), (6, 60), (7, 360), (8, 2520)):
        space = ColoringTask(num_vertices).layout_space
        layouts = space.unpack(space.enumerate())
        assert space.size == len(layouts) == len(set(layouts)) == count
        assert all(space.validate(layout) == layout for layout in layouts)


def test_all_cycles_of_ten_vertices_are_listed_once() -> None:
    cycles = ColoringTask().layout_space.enumerate()["cycle"]
    assert cycles.shape == (181_440, 10)
    assert len(np.unique(cycles @ 10 ** np.arange(10))) == 181_440
    assert (cycles[:, 0] == 0).all()
    assert (cycles[:, 1] < cycles[:, -1]).all()
    assert (np.sort(cycles, axis=1) == np.arange(10)).all()


def test_grid_layouts_are_the_treasure_cells() -> None:
    space = GridTask().layout_space
    layouts = space.unpack(space.enumerate())
    cells = [(row, column) for row in range(5) for column in range(5)]
    assert space.size == 24
    assert layouts == [GridLayout(cell) for cell in cells if cell != (0, 0)]


def test_fixed_walls_are_in_every_layout() -> None:
    walls = np.zeros((2, 3), bool)
    walls[1, 1] = True
    space = GridTask((2, 3), walls=walls).layout_space
    expected = [GridLayout(cell, ((1, 1),)) for cell in ((0, 1), (0, 2), (1, 0), (1, 2))]
    assert space.unpack(space.enumerate()) == expected
    assert space.validate(GridLayout((1, 2))) == GridLayout((1, 2), ((1, 1),))


@pytest.mark.parametrize(
    ("size", "num_walls"), [((2, 2), 1), ((3, 3), 2), ((3, 3), 5), ((2, 4), 3)]
)
def test_random_walls_are_listed_as_brute_force_finds_them(
    size: tuple[int, int], num_walls: int
) -> None:
    space = GridTask(size, walls=num_walls).layout_space
    cells = [(row, column) for row in range(size[0]) for column in range(size[1])]
    expected = {
        GridLayout(treasure, walls)
        for walls in combinations(cells[1:], num_walls)
        if len(reachable(size, set(walls), (0, 0))) == len(cells) - num_walls
        for treasure in cells[1:]
        if treasure not in walls
    }
    listed = space.unpack(space.enumerate())
    assert len(listed) == len(expected)
    assert set(listed) == expected
    drawn = space.unpack(space.sample(np.random.default_rng(0), 100 * len(expected)))
    assert set(drawn) == expected


@given(st.integers(2, 7), st.integers(2, 7), st.floats(0, 1), st.integers(0, 2**32), st.data())
def test_random_walls_leave_every_free_cell_reachable(
    rows: int, columns: int, density: float, rng_seed: int, data: Any
) -> None:
    num_walls = int(density * (rows * columns - 2))
    start = (data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1)))
    space = GridTask((rows, columns), walls=num_walls, start=start).layout_space
    rng = np.random.default_rng(rng_seed)
    layouts = space.sample(rng, 3)
    for batch in (layouts, space.mutate(rng, layouts)):
        for layout in space.unpack(batch):
            assert len(layout.walls) == num_walls
            free = reachable((rows, columns), set(layout.walls), start)
            assert len(free) == rows * columns - num_walls
            assert layout.treasure in free - {start}


def test_recall_layouts_are_all_bits_and_queries() -> None:
    space = RecallTask(2, 1).layout_space
    values = [((0,), (0,)), ((0,), (1,)), ((1,), (0,)), ((1,), (1,))]
    assert space.unpack(space.enumerate()) == [
        RecallLayout(value, query) for value in values for query in (0, 1)
    ]
    assert RecallTask().layout_space.size == 20 * 2**100


def test_sampling_is_uniform() -> None:
    for task in (RecallTask(2, 1), ColoringTask(5), GridTask(3)):
        space = task.layout_space
        assert space.size is not None
        drawn = space.unpack(space.sample(np.random.default_rng(0), 1000 * space.size))
        counts = Counter(drawn)
        assert len(counts) == space.size
        # Five standard deviations of a count around 1000.
        assert all(abs(count - 1000) < 160 for count in counts.values())


def test_every_bit_of_large_recall_layouts_is_fair() -> None:
    layouts = RecallTask().layout_space.sample(np.random.default_rng(0), 10_000)
    assert np.abs(layouts["values"].mean(axis=0) - 0.5).max() < 0.025
    assert np.abs(np.bincount(layouts["query"], minlength=20) / 500 - 1).max() < 0.25


def test_each_generator_draws_its_own_layout(case: tuple[str, dict[str, Any]]) -> None:
    space = space_of(case)
    together = space.sample_each([np.random.default_rng(seed) for seed in range(5)])
    alone = [space.sample(np.random.default_rng(seed), 1) for seed in range(5)]
    assert np.array_equal(together, np.concatenate(alone))


def test_32_bit_generators_are_refused() -> None:
    rng = np.random.Generator(np.random.MT19937(0))
    with pytest.raises(ValueError, match="64-bit words"):
        RecallTask().layout_space.sample(rng, 1)


def test_validate_brings_cycles_into_canonical_form() -> None:
    space = ColoringTask(5).layout_space
    for cycle in ((0, 3, 1, 4, 2), (1, 4, 2, 0, 3), (3, 0, 2, 4, 1), [4, 1, 3, 0, 2]):
        assert space.validate({"cycle": cycle}) == ColoringLayout((0, 2, 4, 1, 3))


def test_validate_sorts_walls() -> None:
    space = GridTask(3, walls=2).layout_space
    layout = space.validate(GridLayout((1, 1), ((2, 2), (0, 2))))
    assert layout == GridLayout((1, 1), ((0, 2), (2, 2)))


@pytest.mark.parametrize(
    ("task", "layout", "message"),
    [
        (RecallTask(2, 2), "hello", "must be a RecallLayout or a dictionary"),
        (RecallTask(2, 2), {"values": [[0, 1], [0, 1]]}, "with the keys values, query"),
        (RecallTask(2, 2), {"values": [[0, 1]] * 2, "query": 0, "x": 1}, "with the keys"),
        (RecallTask(2, 2), GridLayout((1, 1)), "must be a RecallLayout"),
        (RecallTask(2, 2), RecallLayout(((0, 1),), 0), "2 rows of 2 bits"),
        (RecallTask(2, 2), RecallLayout(((0, 1), (0, 2)), 0), "each 0 or 1"),
        (RecallTask(2, 2), {"values": [[0, 1], [0]], "query": 0}, "2 rows of 2 bits"),
        (RecallTask(2, 2), {"values": [[0.0, 1.0]] * 2, "query": 0}, "2 rows of 2 bits"),
        (RecallTask(2, 2), {"values": [[0, 1]] * 2, "query": 2}, "integer from 0 to 1, got 2"),
        (RecallTask(2, 2), {"values": [[0, 1]] * 2, "query": True}, "query .* integer"),
        (ColoringTask(4), ColoringLayout((0, 1, 2)), "vertices 0 to 3 once"),
        (ColoringTask(4), ColoringLayout((0, 1, 2, 2)), "vertices 0 to 3 once"),
        (ColoringTask(4), ColoringLayout((1, 2, 3, 4)), "vertices 0 to 3 once"),
        (ColoringTask(4), {"cycle": None}, "vertices 0 to 3 once"),
        (ColoringTask(4), {"cycle": [[0, 1], [2]]}, "vertices 0 to 3 once"),
        (GridTask(), GridLayout((0, 0)), r"got \(0, 0\), which is the start"),
        (GridTask(), GridLayout((0, 5)), "column of the treasure must be an integer from 0 to 4"),
        (GridTask(), GridLayout((-1, 0)), "row of the treasure must be an integer from 0 to 4"),
        (GridTask(), {"treasure": 3}, r"\(row, column\) pair"),
        (GridTask(), {"treasure": [1, 1.5]}, "column of the treasure must be an integer"),
        (GridTask(), {"walls": []}, "with the keys treasure, walls"),
        (GridTask(), {"treasure": [1, 1], "walls": 4}, "walls of a layout must be a list"),
        (GridTask(), GridLayout((1, 1), ((2, 2),)), "fixed walls of its task"),
        (GridTask(3, walls=1), GridLayout((1, 1)), "must have 1 different wall cells, got 0"),
        (GridTask(3, walls=1), GridLayout((1, 1), ((1, 1),)), "which is a wall"),
        (GridTask(3, walls=1), GridLayout((1, 1), ((0, 0),)), "start must be a free cell"),
        (GridTask(3, walls=1), GridLayout((1, 1), ((0, 3),)), "column of a wall"),
        (GridTask(3, walls=2), GridLayout((1, 1), ((0, 1), (1, 0))), "reachable"),
        (GridTask(3, walls=2), GridLayout((1, 1), ((0, 1), (0, 1))), "2 different"),
    ],
)
def test_illegal_layouts_are_refused(task: Any, layout: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        task.layout_space.validate(layout)


@pytest.mark.parametrize(
    ("task", "count"),
    [
        (RecallTask(), r"2\.5e\+31"),
        (RecallTask(2000, 2000), r"about 1e\+1204123"),
        (ColoringTask(12), "19,958,400"),
        (ColoringTask(3000), r"about 1e\+9127"),
        (PagingTask(num_requests=10_000), r"about 1e\+4771"),
        (GridTask(10, walls=20), r"3\.4e\+22"),
        # Of few layouts, each of which has the walls of 90,000 cells.
        (GridTask(300), "89,999"),
    ],
)
def test_spaces_too_large_to_list_say_so(task: Any, count: str) -> None:
    with pytest.raises(ValueError, match=rf"at most 2000000 .* there are {count} of \d+ bytes"):
        task.layout_space.enumerate()
    assert repr(task.layout_space)


def test_a_sample_holds_at_least_one_layout() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        GridTask().layout_space.sample(np.random.default_rng(0), 0)
