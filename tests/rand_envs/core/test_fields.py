import copy
import json
import pickle
from collections import Counter
from functools import partial
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from rand_envs import FieldLayout, Layouts, Uniform
from rand_envs.core.sources import as_source


def differ(layouts: Any) -> Any:
    return layouts["a"] != layouts["b"]


def is_order(layouts: Any) -> Any:
    """Whether `order` is a permutation."""
    order = np.sort(layouts["order"], axis=1)
    return (order == np.arange(order.shape[1])).all(axis=1)


def corners() -> Layouts:
    return Layouts(a=Discrete(3), b=Discrete(3))


def corners_apart() -> Layouts:
    return Layouts(legal=differ, a=Discrete(3), b=Discrete(3))


def table_of(counts: list[list[int]], start: list[list[int]]) -> MultiDiscrete:
    return MultiDiscrete(np.array(counts), start=np.array(start))


def everything() -> Layouts:
    return Layouts(
        corner=Discrete(3, start=-1),
        only=Discrete(1, start=7),
        table=table_of([[2, 3], [4, 5]], start=[[0, 1], [2, 3]]),
        bits=MultiBinary((2, 2)),
        level=Box(-2, 2, (3,), np.int8),
        length=Box(0.25, 1.0),
        push=Box(np.array([-1.0, 0.0]), np.array([1.0, 5.0]), dtype=np.float64),
    )


SPACES: dict[str, Any] = {
    "corners": corners,
    "corners apart": corners_apart,
    "everything": everything,
    "table": lambda: Layouts(
        table=MultiDiscrete(np.array([[2, 1], [3, 2]]), start=np.array([[5, 0], [-1, 0]]))
    ),
    "bits": lambda: Layouts(bits=MultiBinary(5)),
    "integer box": lambda: Layouts(level=Box(-128, 127, (), np.int8)),
    "orders": lambda: Layouts(legal=is_order, order=MultiDiscrete([4] * 4)),
    "one": lambda: Layouts(one=Discrete(1)),
}


@pytest.fixture(params=list(SPACES))
def space(request: pytest.FixtureRequest) -> Layouts:
    built: Layouts = SPACES[request.param]()
    return built


def drawn(space: Layouts, n: int, rng_seed: int = 0) -> list[FieldLayout]:
    return space.unpack(space.sample(np.random.default_rng(rng_seed), n))


def test_a_layout_names_its_values() -> None:
    layout = everything().validate(
        {
            "corner": -1,
            "only": 7,
            "table": [[1, 3], [5, 7]],
            "bits": [[0, 1], [True, False]],
            "level": [-2, 0, 2],
            "length": 0.5,
            "push": [0, 2.5],
        }
    )
    assert layout.corner == -1
    assert layout.table == ((1, 3), (5, 7))
    assert layout.bits == ((0, 1), (1, 0))
    assert layout.length == 0.5
    assert layout.push == (0.0, 2.5)
    with pytest.raises(AttributeError, match="the layout has no field 'width'"):
        _ = layout.width


def test_a_batch_has_a_column_a_field() -> None:
    batch = everything().sample(np.random.default_rng(0), 5)
    names = batch.dtype.names or ()
    assert {name: batch[name].shape[1:] for name in names} == {
        "corner": (),
        "only": (),
        "table": (2, 2),
        "bits": (2, 2),
        "level": (3,),
        "length": (),
        "push": (2,),
    }
    kinds = [batch[name].dtype for name in names]
    assert kinds == [np.int64] * 5 + [np.float64] * 2


def test_layouts_survive_every_round_trip(space: Layouts) -> None:
    packed = space.sample(np.random.default_rng(0), 20)
    layouts = space.unpack(packed)
    assert [space.validate(layout) for layout in layouts] == layouts
    assert np.array_equal(space.pack(layouts), packed)
    read = [space.validate(json.loads(json.dumps(layout.to_json()))) for layout in layouts]
    assert read == layouts
    assert [hash(layout) for layout in read] == [hash(layout) for layout in layouts]
    for twin in (pickle.loads(pickle.dumps(layouts)), copy.deepcopy(layouts)):
        assert twin == layouts


def test_a_pickled_space_draws_the_same(space: Layouts) -> None:
    twin = pickle.loads(pickle.dumps(space))
    assert twin.matches(space)
    assert drawn(twin, 9) == drawn(space, 9)


@pytest.mark.parametrize(
    ("name", "count"),
    [("corners", 9), ("corners apart", 6), ("table", 12), ("bits", 32), ("orders", 24)],
)
def test_all_layouts_are_listed_once_and_drawn_uniformly(name: str, count: int) -> None:
    space = SPACES[name]()
    listed = space.unpack(space.enumerate())
    assert space.size == len(listed) == len(set(listed)) == count
    counts = Counter(drawn(space, 1000 * count))
    assert set(counts) == set(listed)
    assert chisquare([counts[layout] for layout in listed]).pvalue > 0.001


def test_the_last_numbers_change_fastest() -> None:
    pairs = [(layout.a, layout.b) for layout in corners().unpack(corners().enumerate())]
    assert pairs == [(a, b) for a in range(3) for b in range(3)]
    apart = [(layout.a, layout.b) for layout in corners_apart().unpack(corners_apart().enumerate())]
    assert apart == [(a, b) for a, b in pairs if a != b]
    table = Layouts(
        table=MultiDiscrete(np.array([[2, 1], [1, 2]]), start=np.array([[0, 8], [9, 0]]))
    )
    assert table.enumerate()["table"].tolist() == [
        [[0, 8], [9, 0]],
        [[0, 8], [9, 1]],
        [[1, 8], [9, 0]],
        [[1, 8], [9, 1]],
    ]


def test_a_list_of_all_is_not_shared() -> None:
    space = corners()
    space.enumerate()["a"] = 1
    assert space.enumerate()["a"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_what_is_legal_is_tried_once_for_the_size() -> None:
    calls = []

    def legal(layouts: Any) -> Any:
        calls.append(len(layouts))
        return layouts["a"] > 0

    space = Layouts(legal=legal, a=Discrete(5))
    calls.clear()
    assert [space.size, space.size, len(space.enumerate())] == [4, 4, 4]
    assert calls == [5]


def test_real_numbers_are_uniform_and_not_countable() -> None:
    space = Layouts(length=Box(0.25, 1.0), push=Box(-3, -1, (2,)))
    batch = space.sample(np.random.default_rng(0), 5000)
    assert kstest(batch["length"], "uniform", (0.25, 0.75)).pvalue > 0.001
    assert kstest(batch["push"][:, 1], "uniform", (-3, 2)).pvalue > 0.001
    assert abs(np.corrcoef(batch["push"].T)[0, 1]) < 0.05
    assert space.size is None
    with pytest.raises(ValueError, match="real numbers, which are not countable"):
        space.enumerate()


def test_bounds_are_those_that_were_written() -> None:
    """A Box has float32 bounds, and 0.1 is below the float32 next to it."""
    space = Layouts(length=Box(0.1, 0.7))
    assert space.validate({"length": 0.1}).length == 0.1
    assert space.validate({"length": 0.7}).length == 0.7
    with pytest.raises(ValueError, match="length of a layout must be in"):
        space.validate({"length": 0.0999999})


@given(st.integers(1, 2**63 - 1), st.integers(0, 2**32))
def test_integers_of_any_size_stay_in_range(n: int, rng_seed: int) -> None:
    space = Layouts(x=Discrete(n))
    rng = np.random.default_rng(rng_seed)
    first = space.sample(rng, 20)
    for batch in (first, space.mutate(rng, first), *(go(first) for go in space.sweep(rng))):
        assert ((batch["x"] >= 0) & (batch["x"] < n)).all()
    if n > 1000:
        assert len(set(first["x"].tolist())) > 10
    assert (space.mutate(rng, first) != first).all() == (n > 1)


def test_integers_are_words_modulo_their_number() -> None:
    sizes = np.array([1, 2, 3, 7, 10, 2**31 - 1, 2**32, 3**39, 2**62, 2**63 - 1], np.uint64)
    fields: dict[str, Any] = {f"k{n}": Discrete(int(n)) for n in sizes}
    space = Layouts(**fields)
    multiples = sizes * (np.uint64(2**64 - 1) // sizes)
    edges = [np.zeros_like(sizes), ~np.zeros_like(sizes), multiples, multiples - np.uint64(1)]
    edges += [sizes, sizes - np.uint64(1), sizes + np.uint64(1)]
    drawn = np.random.default_rng(0).integers(2**64, size=(500, len(sizes)), dtype=np.uint64)
    words = np.vstack([*edges, drawn])
    layouts = space.from_words(words)
    for k, n in enumerate(sizes):
        assert np.array_equal(layouts[f"k{n}"], words[:, k] % n)


def test_large_integers_are_fair() -> None:
    """A third more than 2^32: a product of 32-bit words would favour some of them."""
    n = 3 * 2**31
    values = Layouts(x=Discrete(n)).sample(np.random.default_rng(0), 5000)["x"]
    assert kstest(values / n, "uniform").pvalue > 0.001
    assert abs((values % 2).mean() - 0.5) < 0.05
    assert abs((values % 3 == 0).mean() - 1 / 3) < 0.05


def test_numbers_of_layouts_do_not_overflow() -> None:
    assert Layouts(bits=MultiBinary(200)).size == 2**200
    assert Layouts(a=Discrete(2**40), b=Discrete(2**40)).size == 2**80
    with pytest.raises(ValueError, match=r"at most 2000000 .* there are 1\.2e\+24 of 16 bytes"):
        Layouts(a=Discrete(2**40), b=Discrete(2**40)).enumerate()
    assert Layouts(legal=differ, a=Discrete(2**40), b=Discrete(2**40)).size is None


def test_rows_are_drawn_each_from_its_own_words(space: Layouts) -> None:
    words = np.random.default_rng(3).integers(2**64, size=(40, space.num_words), dtype=np.uint64)
    together = space.from_words(words)
    alone = np.concatenate([space.from_words(words[i : i + 1]) for i in range(40)])
    assert np.array_equal(together, alone)
    assert space.from_words(words[:0]).shape == (0,)


def test_rare_legal_layouts_are_found() -> None:
    """Of 8^8 = 16,777,216 lists of eight numbers one in 416 is an order."""
    space = Layouts(legal=is_order, order=MultiDiscrete([8] * 8))
    assert space.size is None
    batch = space.sample(np.random.default_rng(0), 2000)
    assert is_order(batch).all()
    counts = np.bincount(batch["order"][:, 0], minlength=8)
    assert chisquare(counts).pvalue > 0.001


def test_mutations_are_legal_and_change_one_number(space: Layouts) -> None:
    rng = np.random.default_rng(0)
    before = space.sample(rng, 200)
    kept = before.copy()
    after = space.mutate(rng, before)
    assert np.array_equal(before, kept)
    assert np.array_equal(space.pack(space.unpack(after)), after)
    changed = sum(
        (before[name] != after[name]).reshape(200, -1).sum(axis=1) for name in space.fields
    )
    if space.matches(SPACES["orders"]()) or space.size == 1:
        assert not changed.any()
    else:
        assert set(changed.tolist()) <= {0, 1}
        assert changed.mean() > 0.9


def test_mutations_reach_everything() -> None:
    rng = np.random.default_rng(0)
    for name, count in (("corners apart", 6), ("table", 12), ("integer box", 256)):
        space = SPACES[name]()
        batch = space.sample(rng, 4)
        seen = set()
        for _ in range(1500):
            batch = space.mutate(rng, batch)
            seen.update(space.unpack(batch))
        assert len(seen) == count


def test_a_mutated_real_number_stays_near_and_in_bounds() -> None:
    space = Layouts(x=Box(10, 20), only=Box(3, 3))
    rng = np.random.default_rng(0)
    before = space.sample(rng, 5000)
    after = space.mutate(rng, before)
    moves = after["x"] - before["x"]
    inside = (before["x"] > 14) & (before["x"] < 16)
    assert abs(moves[inside].std() - 1) < 0.1
    assert (moves != 0).all()
    assert ((after["x"] >= 10) & (after["x"] <= 20)).all()
    assert (after["only"] == 3).all()


def test_a_sweep_takes_every_integer_to_its_next_value() -> None:
    space = Layouts(a=Discrete(3, start=1), one=Discrete(1), b=MultiBinary(2), x=Box(0, 1))
    start = space.pack([{"a": 3, "one": 0, "b": [0, 1], "x": 0.5}])
    kept = start.copy()
    swept = [space.unpack(change(start))[0] for change in space.sweep(np.random.default_rng(0))]
    assert {(layout.a, layout.b) for layout in swept} == {
        (1, (0, 1)),
        (3, (1, 1)),
        (3, (0, 0)),
    }
    assert len(swept) == 3
    assert all(layout.x == 0.5 for layout in swept)
    assert np.array_equal(start, kept)


def test_a_sweep_leaves_what_would_be_illegal() -> None:
    space = corners_apart()
    start = space.pack([{"a": 0, "b": 1}, {"a": 0, "b": 2}])
    pairs = [
        [(layout.a, layout.b) for layout in space.unpack(change(start))]
        for change in space.sweep(np.random.default_rng(0))
    ]
    assert sorted(pairs) == [[(0, 1), (1, 2)], [(0, 2), (0, 2)]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "a layout needs at least one field"),
        ({"a": Text(3)}, "field a of a layout must be Discrete, .* got Text"),
        ({"a": Dict({})}, "field a of a layout must be"),
        ({"a": 3}, "field a of a layout must be .* got 3"),
        ({"a": Box(-np.inf, 1)}, "a Box with finite bounds"),
        ({"a": Box(-1e308, 1e308, dtype=np.float64)}, "a Box with finite bounds"),
        ({"a": Box(-(2**63), 2**63 - 2, dtype=np.int64)}, "less than 2.63 values"),
        ({"a": Box(0, 1, (0,))}, "at least one number"),
        ({"values": Discrete(2)}, "other than values and to_json, got 'values'"),
        ({"to_json": Discrete(2)}, "other than values and to_json"),
        ({"_a": Discrete(2)}, "without a leading underscore, .* got '_a'"),
        ({"a b": Discrete(2)}, "a name as an attribute has"),
        ({"a?": Discrete(2)}, "a name as an attribute has"),
        ({"legal": 3, "a": Discrete(2)}, "legal must be a function of a batch .* got 3"),
        ({"legal": lambda x: x["a"], "a": Discrete(2)}, r"booleans of shape \(1,\), .* int64"),
        ({"legal": lambda x: True, "a": Discrete(2)}, r"got shape \(\) and type bool"),
        ({"legal": lambda x: x["a"] < 0, "a": Discrete(2)}, "`legal` accepts none"),
    ],
)
def test_bad_spaces_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Layouts(**arguments)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"corner": 2}, r"corner of a layout must be in Discrete\(3, start=-1\), got 2"),
        ({"corner": 0.0}, "corner of a layout must be in"),
        ({"corner": True}, "corner of a layout must be in"),
        ({"corner": "0"}, "corner of a layout must be in"),
        ({"corner": None}, "corner of a layout must be in"),
        ({"corner": 2**70}, "corner of a layout must be in"),
        ({"corner": [0]}, "corner of a layout must be in"),
        ({"table": [[0, 1], [2]]}, "table of a layout must be in"),
        ({"table": [[0, 1], [2, 2]]}, "table of a layout must be in"),
        ({"bits": [[0, 1], [1, 2]]}, "bits of a layout must be in"),
        ({"bits": [0, 1, 1, 1]}, "bits of a layout must be in"),
        ({"length": 1.5}, "length of a layout must be in Box"),
        ({"length": float("nan")}, "length of a layout must be in Box"),
        ({"push": [0, float("inf")]}, "push of a layout must be in Box"),
        ({"extra": 1}, "with the keys corner, only, table, bits, level, length, push"),
    ],
)
def test_bad_values_are_refused(changed: Any, message: str) -> None:
    good = drawn(everything(), 1)[0].to_json()
    with pytest.raises(ValueError, match=message):
        everything().validate(good | changed)


@pytest.mark.parametrize("layout", [{"a": 1}, {}, "hello", 3, None])
def test_what_is_no_layout_is_refused(layout: Any) -> None:
    with pytest.raises(ValueError, match="a FieldLayout or a dictionary with the keys a, b"):
        corners().validate(layout)


def test_illegal_layouts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one that `legal` accepts, got {'a': 1, 'b': 1}"):
        corners_apart().validate({"a": 1, "b": 1})


def at_most(bound: int) -> Layouts:
    return Layouts(legal=lambda layouts: layouts["a"] <= bound, a=Discrete(5))


def bounded(bound: int, layouts: Any) -> Any:
    return layouts["a"] <= bound


def test_spaces_match_if_they_hold_the_same_layouts() -> None:
    assert corners().matches(corners())
    assert corners_apart().matches(corners_apart())
    assert at_most(2).matches(at_most(2))
    partials = [Layouts(legal=partial(bounded, k), a=Discrete(5)) for k in (2, 2, 3)]
    assert partials[0].matches(partials[1])
    source = Uniform(at_most(2))
    assert as_source(source, at_most(2)) is source
    for space, other in (
        (corners(), Layouts(b=Discrete(3), a=Discrete(3))),
        (corners(), corners_apart()),
        (corners(), Layouts(a=Discrete(3), b=Discrete(4))),
        (corners(), Layouts(a=Discrete(3), b=Discrete(3, start=1))),
        (at_most(2), at_most(3)),
        (partials[0], partials[2]),
        (Layouts(x=Box(0, 1)), Layouts(x=Box(0, 2))),
    ):
        assert not space.matches(other)
        assert not other.matches(space)


def test_a_space_says_what_it_holds() -> None:
    assert repr(corners_apart()) == "Layouts(legal=..., a=Discrete(3), b=Discrete(3))"
