"""The board of a grid: cells, axes, start, treasure and walls, without what happens on it."""

from collections.abc import Iterable, Mapping
from math import cos, pi, sin

from rand_envs.core.arrays import Array
from rand_envs.games.grid.rules import GridTask
from rand_envs.rendering.canvas import HEADER, Canvas, Point
from rand_envs.rendering.colors import (
    FAINT,
    INK,
    LINE,
    MUTED,
    PAPER,
    YELLOW,
    Color,
    blend,
    heat_color,
    text_color_on,
)

WIDTH = 540.0
"""Logical width of the picture, in which the board is centred."""
LONGEST = 430.0
"""Longest side of the board."""
AXIS = 26.0
"""Room for the numbers below the columns."""

WALL: Color = (73, 80, 87)
TREASURE: Color = YELLOW
TREASURE_CELL = blend(TREASURE, PAPER, 0.65)
START_CELL: Color = FAINT


class Board:
    """Where the cells of a grid are, row 0 at the bottom.

    Args:
        task: the rules.
        layout: a layout or state, one element with the fields treasure and walls.
    """

    def __init__(self, task: GridTask, layout: Array) -> None:
        self.rows, self.columns = task.size
        self.start = self.number(*task.start)
        self.treasure = self.number(*layout["treasure"].tolist())
        self.walls = {self.number(*cell) for cell in zip(*layout["walls"].nonzero(), strict=True)}
        self.side = min(96.0, LONGEST / max(task.size))
        self._left = (WIDTH - self.columns * self.side) / 2
        self._right = (WIDTH + self.columns * self.side) / 2
        self._top = HEADER + 12
        self._floor = self._top + self.rows * self.side
        self.bottom = self._floor + AXIS

    def number(self, row: int, column: int) -> int:
        """The cell as row * columns + column."""
        return int(row * self.columns + column)

    def center(self, cell: int) -> Point:
        """The middle of a cell on the canvas."""
        row, column = divmod(cell, self.columns)
        return self._left + (column + 0.5) * self.side, self._floor - (row + 0.5) * self.side

    def cell_at(self, point: Point) -> int | None:
        """The cell that is drawn there, if one is."""
        column = int((point[0] - self._left) // self.side)
        row = int((self._floor - point[1]) // self.side)
        inside = 0 <= row < self.rows and 0 <= column < self.columns
        return self.number(row, column) if inside else None

    def paint(self, canvas: Canvas, treasure: int | None, walls: Iterable[int]) -> None:
        """Draw the board with the treasure and the walls that are known."""
        self._fill(canvas, self.start, START_CELL)
        if treasure is not None:
            self._fill(canvas, treasure, TREASURE_CELL)
        self._paint_lines(canvas)
        for cell in sorted(walls):
            self._fill(canvas, cell, WALL)
        self._paint_axes(canvas)
        canvas.text("S", self.center(self.start), 0.6 * self.side, MUTED)
        if treasure is not None:
            paint_star(canvas, self.center(treasure), 0.3 * self.side)

    def paint_places(
        self, canvas: Canvas, shades: Mapping[int, float], texts: Mapping[int, str]
    ) -> None:
        """Draw the board with cells shaded from 0 to 1, and what is written in them."""
        for cell in range(self.rows * self.columns):
            self._fill(canvas, cell, heat_color(shades.get(cell, 0.0)))
        self._paint_lines(canvas)
        self._paint_axes(canvas)
        for cell, text in texts.items():
            color = text_color_on(heat_color(shades.get(cell, 0.0)))
            canvas.text(text, self.center(cell), min(26.0, 0.34 * self.side), color)

    def _fill(self, canvas: Canvas, cell: int, color: Color) -> None:
        x, y = self.center(cell)
        half = self.side / 2
        canvas.rect((x - half, y - half), (self.side, self.side), color)

    def _paint_lines(self, canvas: Canvas) -> None:
        for row in range(self.rows + 1):
            y = self._floor - row * self.side
            canvas.line([(self._left, y), (self._right, y)], *self._stroke(row, self.rows))
        for column in range(self.columns + 1):
            x = self._left + column * self.side
            canvas.line([(x, self._top), (x, self._floor)], *self._stroke(column, self.columns))

    def _stroke(self, place: int, last: int) -> tuple[Color, float]:
        return (MUTED, 2.0) if place in (0, last) else (LINE, min(1.0, 0.04 * self.side))

    def _paint_axes(self, canvas: Canvas) -> None:
        size = min(19.0, 0.6 * self.side)
        for row in range(self.rows):
            _, y = self.center(self.number(row, 0))
            canvas.text(str(row), (self._left - 14, y), size, MUTED)
        for column in range(self.columns):
            x, _ = self.center(column)
            canvas.text(str(column), (x, self._floor + 15), size, MUTED)


def paint_star(canvas: Canvas, center: Point, radius: float) -> None:
    """Draw the treasure."""
    for fill, outer in [(INK, radius), (TREASURE, 0.84 * radius)]:
        corners = [
            (outer if point % 2 == 0 else 0.45 * outer, point * pi / 5) for point in range(10)
        ]
        canvas.polygon(
            [(center[0] + r * sin(turn), center[1] - r * cos(turn)) for r, turn in corners], fill
        )
