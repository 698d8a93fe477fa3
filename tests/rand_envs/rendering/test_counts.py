"""Numbers that are drawn: probabilities of layouts as tables, and counts over instances as bars."""

from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiBinary

from rand_envs import GridTask, Layouts
from rand_envs.rendering.heat import marginals, paint_marginals
from rand_envs.rendering.tally import FirstVisits, paint_bars

SPACE = Layouts(
    place=Discrete(3),
    bits=MultiBinary((1, 2)),
    far=Discrete(100),
    length=Box(0, 1),
    only=Discrete(1),
)
WEIGHTS = np.array([0.5, 0.25, 0.25])


class Spy:
    """A canvas that notes what is written, and how wide the rectangles are."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.widths: list[float] = []

    def text(self, text: str, *_: Any, **__: Any) -> None:
        self.said.append(text)

    def rect(self, _corner: Any, extent: tuple[float, float], *_: Any, **__: Any) -> None:
        self.widths.append(extent[0])


def layouts(**fields: Any) -> Any:
    packed = np.zeros(3, SPACE.dtype)
    for name, values in fields.items():
        packed[name] = np.array(values).reshape(packed[name].shape)
    return packed


def test_a_table_has_the_probability_of_every_value_of_a_field() -> None:
    packed = layouts(
        place=[0, 2, 2], bits=[[1, 0], [1, 1], [0, 0]], far=[0, 50, 99], length=[0.1, 0.2, 0.3]
    )
    tables = {table.name: table for table in marginals(packed, WEIGHTS)}
    assert list(tables) == ["place", "bits"], "no table of what is far apart, real, or one value"
    assert tables["place"].table.tolist() == [[0.5, 0.0, 0.5]]
    assert tables["place"].columns == ["0", "1", "2"]
    assert tables["bits"].table.tolist() == [[0.75, 0.25]]
    assert tables["bits"].remark == ", probability of 1"


def test_tables_are_drawn_with_their_percentages() -> None:
    canvas: Any = Spy()
    paint_marginals(canvas, (540.0, 420.0), layouts(place=[0, 1, 1]), WEIGHTS)
    assert canvas.said == ["place", "0", "1", "50%", "50%"]


def test_where_there_is_no_table_that_is_said() -> None:
    canvas: Any = Spy()
    paint_marginals(canvas, (540.0, 420.0), layouts(far=[0, 50, 99]), WEIGHTS)
    assert canvas.said == ["layouts of this game have no small table"]


def test_bars_are_as_long_as_their_counts_and_the_last_line_has_the_rest() -> None:
    canvas: Any = Spy()
    paint_bars(canvas, [(f"answer {i}", 10 - i, (0, 0, 0)) for i in range(10)])
    assert canvas.said[:2] == ["answer 0", "10  18%"]
    assert canvas.said[-1] == "and 6 more of 3 others"
    whole, long, _, shorter = canvas.widths[:4]
    assert long == whole
    assert shorter == pytest.approx(0.9 * whole)
    assert len(canvas.widths) == 2 * 7
    few: Any = Spy()
    paint_bars(few, [("yes", 1, (0, 0, 0)), ("no", 3, (0, 0, 0))])
    assert few.said == ["yes", "1  25%", "no", "3  75%"]


def test_before_the_first_instance_there_is_nothing_to_draw() -> None:
    canvas: Any = Spy()
    FirstVisits(GridTask(3)).paint(canvas)
    assert canvas.said == canvas.widths == []
