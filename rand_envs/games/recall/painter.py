"""Picture and text of RandRecall-v0."""

import math
from collections.abc import Sequence

import numpy as np

from rand_envs.core.arrays import Array
from rand_envs.games.recall.rules import RecallTask
from rand_envs.rendering.canvas import HEADER, MARGIN, Canvas, Point
from rand_envs.rendering.colors import (
    BLUE,
    FAINT,
    INK,
    LINE,
    MUTED,
    ORANGE,
    PAPER,
    RIGHT,
    WRONG,
    blend,
)
from rand_envs.rendering.painter import Painter, plural, wrapped
from rand_envs.rendering.tally import Votes

WIDTH = 600.0
HEADING = 30.0
"""Height of the heading above the pairs and above the answer."""
LARGE_CELL = 27.0
"""Width of a pair's column that is not worth another band of pairs."""
LABELS = 120.0
"""Width of the names beside the answer's bits."""


class RecallPainter(Painter[RecallTask]):
    """Draws the pairs as columns in the order they are shown, and the answer below.

    In the text, [key:value] is the pair being shown, <key:value> the one asked for, and
    (key:value) one not shown yet.
    """

    hides = True
    sizes = {"num_pairs": 4, "value_bits": 2}
    tally = Votes

    def __init__(self, task: RecallTask, states: Sequence[Array], actions: Sequence[Array]) -> None:
        super().__init__(task, states, actions)
        self.values: list[list[int]] = self.state["values"].tolist()
        self.query = int(self.state["query"])
        self.step = int(self.state["step"])
        self.asked = self.step >= task.num_pairs
        self.ended = self.step > task.num_pairs
        self.recalled: list[int] | None = self.actions[-1].tolist() if self.ended else None
        self._lay_out()

    @property
    def success(self) -> bool | None:
        """Whether all bits were right; None before the answer."""
        return bool(self.state["correct"]) if self.ended else None

    @property
    def status(self) -> str:
        """The pair or query being shown, or how many bits were wrong."""
        bits = self.task.value_bits
        if not self.asked:
            return f"pair {self.step + 1} of {self.task.num_pairs}"
        if self.recalled is None:
            return f"query: which value belongs to key {self.query}?"
        wrong = int(np.not_equal(self.recalled, self.values[self.query]).sum())
        right = f"{bits - wrong} of {plural(bits, 'bit')} right"
        return f"key {self.query} was asked for: {right}"

    @property
    def question(self) -> str:
        """To remember, and then to recall."""
        if not self.asked:
            return f"Remember: key {self.step} has the value {_written(self.values[self.step])}"
        return f"Which value has key {self.query}? Set its bits by 0 and 1"

    @property
    def is_free(self) -> bool:
        """Whether pairs are still shown, and nothing is asked."""
        return not self.asked

    @property
    def answer(self) -> str | None:
        """The bits that were recalled."""
        return None if self.recalled is None else _written(self.recalled)

    def picked(self, point: Point) -> int | None:
        """The bit of the answer that is drawn there."""
        top = self._answer_top + HEADING + self._row
        place = math.floor((point[0] - MARGIN - LABELS) / self._bit)
        inside = 0 <= place < self.task.value_bits and top <= point[1] <= top + self._row
        return place if inside else None

    def paint(self, canvas: Canvas) -> None:
        """Draw the pairs, and the recalled bits below the true ones."""
        canvas.text("Pairs: each key above its value", (MARGIN, HEADER + 12), 20, MUTED, "left")
        for key in range(self.task.num_pairs):
            self._paint_pair(canvas, key)
        self._paint_answer(canvas)

    def lines(self) -> list[str]:
        """All pairs, and the recalled bits below the true ones."""
        width = len(str(self.task.num_pairs - 1))
        unknown = "?" * self.task.value_bits
        pairs = [
            f"{opening}{key:>{width}}:{unknown if self._hidden(key) else _written(value)}{closing} "
            for key, value in enumerate(self.values)
            for opening, closing in [self._brackets(key)]
        ]
        lines = [line.rstrip() for line in wrapped(pairs)]
        if self.asked and not self._hidden(self.query):
            lines.append(f"true     {_written(self.values[self.query])}")
        if self.recalled is not None:
            wrong = np.not_equal(self.recalled, self.values[self.query])
            lines.append(f"recalled {_written(self.recalled)}")
            lines.append(f"         {''.join('.x'[bit] for bit in wrong.astype(int))}")
        return lines

    def _hidden(self, key: int) -> bool:
        """Whether a player who must remember does not see a value now."""
        return self.hand is not None and not self.ended and key != self.step

    def _lay_out(self) -> None:
        """Size the cells so that pairs and answer fit, in as many bands as look well."""
        N, d = self.task.num_pairs, self.task.value_bits
        width = WIDTH - 2 * MARGIN

        def cell(bands: int) -> float:
            return min(40.0, width / math.ceil(N / bands), 480 / (bands * (d + 1.8)))

        bands = max(range(1, N + 1), key=lambda count: min(cell(count), LARGE_CELL))
        self._per_band = math.ceil(N / bands)
        self._cell = cell(bands)
        self._band = (d + 1.8) * self._cell
        self._bit = min(40.0, (width - LABELS) / d)
        self._row = max(26.0, self._bit + 6)
        self._answer_top = HEADER + HEADING + bands * self._band + 16
        self.size = (WIDTH, self._answer_top + HEADING + 2 * self._row + 48)

    def _paint_pair(self, canvas: Canvas, key: int) -> None:
        band, column = divmod(key, self._per_band)
        cell = self._cell
        x = MARGIN + column * cell
        y = HEADER + HEADING + band * self._band
        unseen = key > self.step
        is_query = self.asked and key == self.query
        if is_query or key == self.step:
            frame = ORANGE if is_query else INK
            extent = (cell, (self.task.value_bits + 1) * cell + 2)
            canvas.rect((x, y), extent, blend(frame, PAPER, 0.0 if is_query else 0.75), radius=5)
        hidden = self._hidden(key)
        color = LINE if unseen else INK
        canvas.text(str(key), (x + cell / 2, y + cell / 2), min(22.0, 0.8 * cell), color)
        for place, bit in enumerate(self.values[key]):
            corner = (x + 0.1 * cell, y + (place + 1) * cell)
            shown = None if hidden else bit
            _paint_bit(canvas, corner, 0.8 * cell, 0.9 * cell, shown, 0.8 if unseen else 0.0)

    def _paint_answer(self, canvas: Canvas) -> None:
        top = self._answer_top
        canvas.text("Answer", (MARGIN, top + 8), 20, MUTED, "left")
        truth = self.values[self.query] if self.asked and not self._hidden(self.query) else None
        given: Sequence[int] | None = self.recalled
        if self.hand is not None and self.asked and not self.ended:
            given = self.hand.draft or None
        for row, (name, bits) in enumerate([("true value", truth), ("recalled", given)]):
            y = top + HEADING + row * self._row
            canvas.text(name, (MARGIN, y + self._bit / 2), 22, INK, "left")
            for place in range(self.task.value_bits):
                corner = (MARGIN + LABELS + place * self._bit, y)
                bit = None if bits is None else bits[place]
                if row and self.hand is not None and place == self.hand.cursor and bits:
                    extent = (self._bit + 4, self._bit + 4)
                    canvas.rect((corner[0] - 4, y - 4), extent, blend(ORANGE, PAPER, 0.3), radius=5)
                _paint_bit(canvas, corner, 0.9 * self._bit, self._bit, bit, 0.0)
        if truth is not None and self.recalled is not None:
            y = top + HEADING + 2 * self._row + 12
            for place, (true, recalled) in enumerate(zip(truth, self.recalled, strict=True)):
                x = MARGIN + LABELS + (place + 0.45) * self._bit
                _paint_mark(canvas, (x, y), 0.25 * self._bit, true == recalled)

    def _brackets(self, key: int) -> tuple[str, str]:
        if self.asked and key == self.query:
            return "<", ">"
        if key == self.step:
            return "[", "]"
        return ("(", ")") if key > self.step else (" ", " ")


def _paint_bit(
    canvas: Canvas, corner: Point, width: float, height: float, bit: int | None, fade: float
) -> None:
    """Draw one bit as a cell, blue for 1 and white for 0; grey and empty where it is unknown."""
    fill = {1: blend(BLUE, PAPER, fade), 0: PAPER, None: FAINT}[bit]
    border = {1: fill, 0: blend(MUTED, PAPER, fade), None: LINE}[bit]
    height *= 0.9
    canvas.rect(corner, (width, height), fill, border, min(1.5, 0.06 * width), 0.12 * width)
    if bit is not None:
        color = PAPER if bit else blend(MUTED, PAPER, fade)
        center = (corner[0] + width / 2, corner[1] + height / 2)
        canvas.text(str(bit), center, min(26.0, 0.85 * width), color)


def _paint_mark(canvas: Canvas, center: Point, radius: float, right: bool) -> None:
    if right:
        canvas.tick(center, radius, RIGHT)
    else:
        canvas.cross(center, radius, WRONG)


def _written(bits: Sequence[int]) -> str:
    return "".join(map(str, bits))
