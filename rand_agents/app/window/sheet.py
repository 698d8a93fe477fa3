"""A sheet of paper on which pictures and cards of text are put together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rand_envs.rendering import Frame
from rand_envs.rendering.canvas import Canvas
from rand_envs.rendering.colors import FAINT, INK, LINE, MUTED, Color


@dataclass(frozen=True)
class Area:
    """A rectangle of pixels, from the upper left corner of the sheet."""

    x: int
    y: int
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    def rows(self, first: int) -> tuple["Area", "Area"]:
        """The upper part, so high (from the bottom, where it is negative), and the rest."""
        first = first if first >= 0 else self.height + first
        upper = Area(self.x, self.y, self.width, first)
        return upper, Area(self.x, self.y + first, self.width, self.height - first)

    def columns(self, first: int) -> tuple["Area", "Area"]:
        """The left part, so wide, and the rest."""
        left = Area(self.x, self.y, first, self.height)
        return left, Area(self.x + first, self.y, self.width - first, self.height)

    def inner(self, margin: int) -> "Area":
        """What a margin leaves."""
        return Area(
            self.x + margin, self.y + margin, self.width - 2 * margin, self.height - 2 * margin
        )

    def tiles(self, count: int, aspect: float) -> list["Area"]:
        """Equal parts, row by row, in as many columns as lets pictures of that aspect be large."""

        def scale(columns: int) -> float:
            rows = -(-count // columns)
            return min(self.width / columns, self.height / rows * aspect)

        columns = max(range(1, count + 1), key=scale)
        width, height = self.width // columns, self.height // -(-count // columns)
        return [
            Area(self.x + i % columns * width, self.y + i // columns * height, width, height)
            for i in range(count)
        ]


@dataclass(frozen=True)
class Line:
    """A line of text on a card: words on the left, and a value on the right."""

    text: str
    value: str = ""
    size: float = 19.0
    color: Color = INK


class Sheet:
    """White paper, width by height pixels."""

    def __init__(self, width: int, height: int) -> None:
        self.area = Area(0, 0, width, height)
        self.pixels: Frame = np.full((height, width, 3), 255, np.uint8)

    def paste(self, frame: Frame, area: Area) -> None:
        """Put a picture into the middle of an area that it fits into."""
        height, width = frame.shape[:2]
        top = area.y + (area.height - height) // 2
        left = area.x + (area.width - width) // 2
        self.pixels[top : top + height, left : left + width] = frame

    def card(self, area: Area, lines: Sequence[Line], spacing: float = 1.35) -> None:
        """Write lines below each other on a grey card."""
        canvas = Canvas(*area.size, area.size)
        canvas.rect((0, 0), area.size, FAINT, LINE, 1.0, 8.0)
        y = 14.0
        for line in lines:
            middle = y + line.size * spacing / 2
            room = area.width - 28.0
            if line.value:
                room -= 12 + canvas.text(
                    line.value, (area.width - 14, middle), line.size, line.color, "right", room / 2
                )
            canvas.text(line.text, (14, middle), line.size, line.color, "left", room)
            y += line.size * spacing
        self.paste(canvas.frame(), area)

    def banner(self, area: Area, text: str, remark: str = "") -> None:
        """Write one line in large letters, and a smaller one on the right."""
        canvas = Canvas(*area.size, area.size)
        middle = area.height / 2
        width = canvas.text(text, (14, middle), 26, INK, "left", area.width * 0.62)
        room = area.width - width - 48
        canvas.text(remark, (area.width - 14, middle), 19, MUTED, "right", room)
        self.paste(canvas.frame(), area)

    def keys(self, area: Area, keys: Sequence[tuple[str, str, bool]]) -> None:
        """Show keys, each (its name, what it does, whether that is so now)."""
        canvas = Canvas(*area.size, area.size)
        canvas.line([(0, 0.5), (area.width, 0.5)], LINE, 1)
        x, middle = 14.0, area.height / 2 + 1
        for name, text, is_on in keys:
            width = 12 + 8.5 * len(name)
            fill = INK if is_on else FAINT
            canvas.rect((x, middle - 12), (width, 24), fill, INK if is_on else LINE, 1.0, 5.0)
            color = (255, 255, 255) if is_on else INK
            canvas.text(name, (x + width / 2, middle), 17, color, max_width=width - 6)
            x += width + 6
            x += canvas.text(text, (x, middle), 17, INK if is_on else MUTED, "left") + 16
        self.paste(canvas.frame(), area)
