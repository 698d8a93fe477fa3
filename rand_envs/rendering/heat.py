"""Distributions over the layouts of any game, drawn as tables of their fields."""

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array
from rand_envs.rendering.canvas import HEADER, MARGIN, Canvas
from rand_envs.rendering.colors import INK, LINE, MUTED, heat_color, text_color_on

Floats = NDArray[np.float64]

MOST_VALUES = 24
"""A field with more values than this has no table."""
MOST_ROWS = 24


def above_uniform(probabilities: Floats, count: int) -> Floats:
    """Shades from 0 to 1: a third for what each of `count` equally probable values has."""
    shades: Floats = np.minimum(1.0, probabilities * count / 3)
    return shades


class Marginal:
    """Probabilities of the values of one field.

    Attributes:
        name: of the field.
        table: probabilities, (rows, columns): entries of the field by their values; of a field of
            bits, (rows, columns) of it, that a bit is 1.
        columns: what stands above the columns.
    """

    def __init__(self, name: str, table: Floats, columns: list[str], remark: str = "") -> None:
        self.name, self.table, self.columns, self.remark = name, table, columns, remark


def marginals(layouts: Array, weights: Floats) -> list[Marginal]:
    """A table of each field that has few enough entries and values, of layouts, (n,)."""
    tables = []
    for name in layouts.dtype.names or ():
        values = layouts[name]
        if values.dtype.kind not in "iub" or values.size == 0:
            continue
        low, high = int(values.min()), int(values.max())
        if low == high or high - low >= MOST_VALUES:
            continue
        rows = values.reshape(len(values), -1)
        if high == 1 and values.ndim == 3:
            table = np.tensordot(weights, values.astype(float), 1)
            tables.append(Marginal(name, table, [], ", probability of 1"))
        elif rows.shape[1] <= MOST_ROWS:
            found = [np.bincount(row - low, weights, high - low + 1) for row in rows.T.astype(int)]
            counts = np.stack(found).astype(np.float64)
            tables.append(Marginal(name, counts, [str(v) for v in range(low, high + 1)]))
    return tables


def paint_marginals(
    canvas: Canvas, size: tuple[float, float], layouts: Array, weights: Floats
) -> None:
    """Draw the tables below each other, in what is left of a picture below its header."""
    tables = marginals(layouts, weights)
    if not tables:
        at = (size[0] / 2, (HEADER + size[1]) / 2)
        canvas.text("layouts of this game have no small table", at, 20, MUTED)
        return
    lines = sum(len(table.table) + 2.2 for table in tables)
    most = max(table.table.shape[1] for table in tables)
    room = size[1] - HEADER - 16
    cell = min(46.0, room / lines, (size[0] - 2 * MARGIN - 40) / most)
    wide = min((size[0] - 2 * MARGIN - 40) / most, 2.2 * cell)
    top = HEADER + 8
    for table in tables:
        _paint_table(canvas, table, top, wide, cell)
        top += (len(table.table) + 2.2) * cell


def _paint_table(canvas: Canvas, table: Marginal, top: float, wide: float, high: float) -> None:
    text = min(19.0, 0.62 * high)
    left = MARGIN + 40
    canvas.text(f"{table.name}{table.remark}", (MARGIN, top + 0.5 * high), text, INK, "left")
    for column, name in enumerate(table.columns):
        canvas.text(name, (left + (column + 0.5) * wide, top + 1.4 * high), text, MUTED)
    shades = above_uniform(table.table, len(table.columns) or 2)
    for row, shares in enumerate(table.table):
        y = top + (row + 1.9) * high
        if len(table.table) > 1:
            canvas.text(str(row), (left - 8, y + high / 2), text, MUTED, "right")
        for column, share in enumerate(shares.tolist()):
            fill = heat_color(shades[row, column])
            extent = (wide - 2, high - 2)
            canvas.rect((left + column * wide, y), extent, fill, LINE, 1.0, 3.0)
            middle = (left + (column + 0.5) * wide, y + high / 2)
            canvas.text(f"{100 * share:.0f}%", middle, text, text_color_on(fill), max_width=wide)
