"""The page of growing costs: what its table says of a curve, and that a point is measured."""

import pytest

from benchmarks.suite.timing.scaling import CURVES, STEPS, Curve, Point, bend, doublings, rows


def test_a_curve_bends_where_its_size_begins_to_cost() -> None:
    sizes = (1, 10, 100, 1000)
    assert doublings(sizes, [1.0, 1.0, 10.0, 1000.0]) == pytest.approx([1.0, 2.0, 4.0])
    told = bend(sizes, [1.0, 1.0, 10.0, 1000.0])
    assert told == "grows from 10 on; twice the size costs 4.0 times as much at the end"
    assert bend(sizes, [3.0] * 4) == "flat: twice the size costs 1.0 times as much at the end"


def test_a_curve_is_rows_of_a_table() -> None:
    curve = Curve("seeds", "recall", "m", (1, 2000))
    first, second = rows(curve, [Point(1.234, 5.4), Point(2468.0, 1000.0)])
    assert first.startswith("| seeds | 1 | 1.23 | 5 | grows from 1 on;")
    assert second == "|  | 2,000 | 2,468 | 1,000 |  |"


def test_every_kind_of_step_can_be_taken() -> None:
    assert {curve.kind for curve in CURVES} == set(STEPS)
    assert len(STEPS["environment"](num_envs=4)()) == 100  # type: ignore[arg-type]
    STEPS["recall"](num_pairs=2, m=2, batch_size=4, width=4)()
    STEPS["grid"](size=2, population=4)()
