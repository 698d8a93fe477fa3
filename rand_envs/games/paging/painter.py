"""Picture and text of RandPaging-v0."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rand_envs.core.arrays import Array
from rand_envs.games.paging.rules import PagingTask
from rand_envs.rendering.canvas import HEADER, MARGIN, Canvas, Point
from rand_envs.rendering.colors import (
    FAINT,
    INK,
    LINE,
    MUTED,
    PAPER,
    RIGHT,
    WRONG,
    blend,
    text_color_on,
    vertex_color,
)
from rand_envs.rendering.painter import TEXT_WIDTH, Painter, plural

WIDTH = 580.0
INNER = WIDTH - 2 * MARGIN
TAPE = HEADER + 32.0
"""Height at which the first request is drawn."""
LARGE_CELL = 44.0
"""Width of a cell that is not worth another row."""


@dataclass(frozen=True)
class Shelf:
    """Rows of square cells: as few rows as let the cells be large.

    Attributes:
        top: height of the first row.
        per_row: cells in a row.
        pitch: from one cell to the next; the cell is a little smaller.
        row: from one row to the next.
        bottom: where the last row ends.
    """

    top: float
    per_row: int
    pitch: float
    row: float
    bottom: float

    @classmethod
    def of(cls, count: int, top: float, largest: float, height: float, aspect: float) -> "Shelf":
        """Fit `count` cells into a height; a row is `aspect` times as high as a cell is wide."""

        def pitch(rows: int) -> float:
            return min(largest, INNER / math.ceil(count / rows), height / (rows * aspect))

        rows = max(range(1, count + 1), key=lambda rows: min(pitch(rows), LARGE_CELL))
        size = pitch(rows)
        return cls(top, math.ceil(count / rows), size, aspect * size, top + rows * aspect * size)

    @property
    def side(self) -> float:
        """Width and height of a cell."""
        return 0.88 * self.pitch

    def corner(self, index: int) -> Point:
        """The upper left corner of a cell."""
        row, column = divmod(index, self.per_row)
        return MARGIN + column * self.pitch, self.top + row * self.row


@dataclass(frozen=True)
class Served:
    """How one request was served: the slot and page that were replaced, None on a hit."""

    slot: int | None
    evicted: int | None


class PagingPainter(Painter[PagingTask]):
    """Draws the requests as a tape, and the cache below it; pages have colours of their own.

    In the text, x is a fault and . a hit, each below its request.
    """

    hides = True

    def __init__(self, task: PagingTask, states: Sequence[Array], actions: Sequence[Array]) -> None:
        super().__init__(task, states, actions)
        self.requests: list[int] = self.state["requests"].tolist()
        self.cache: list[int] = self.state["cache"].tolist()
        self.time, self.faults = int(self.state["time"]), int(self.state["faults"])
        self.served = self._replay()
        self.ended = self.time == task.num_requests
        self.optimum = int(task.best_outcome(states[-1])[0])
        self._tape = Shelf.of(task.num_requests, TAPE, 52.0, 240.0, 2.1)
        self._cache_top = self._tape.bottom + 8
        self._slots = Shelf.of(task.cache_size, self._cache_top + 76, 84.0, 150.0, 1.0)
        self._footer = self._slots.bottom + 40
        self.size = (WIDTH, self._footer + 56)

    @property
    def success(self) -> bool | None:
        """Whether no sequence of evictions has fewer faults; None before the end."""
        return self.faults <= self.optimum if self.ended else None

    @property
    def status(self) -> str:
        """The request to be served, or the number of faults and the fewest possible."""
        if self.ended:
            few = (
                "the fewest possible" if self.success else f"{self.optimum} would have been enough"
            )
            return f"{plural(self.faults, 'fault')} in {self._all}: {few}"
        page = self.requests[self.time]
        found = "is in the cache" if page in self.cache else "is not in the cache"
        return f"request {self.time + 1} of {self.task.num_requests}: page {page} {found}"

    @property
    def question(self) -> str:
        """Which page to evict, on a fault."""
        page = self.requests[min(self.time, self.task.num_requests - 1)]
        if self.is_free:
            return f"Page {page} is in the cache: go on"
        return f"Page {page} comes in: which slot gives way? Type its number"

    @property
    def is_free(self) -> bool:
        """Whether the next request is a hit."""
        return not self.ended and self.requests[self.time] in self.cache

    def picked(self, point: Point) -> int | None:
        """The slot that is drawn there."""
        for slot in range(self.task.cache_size):
            x, y = self._slots.corner(slot)
            side = self._slots.side
            if 0 <= point[0] - x <= side and 0 <= point[1] - y <= side:
                return slot
        return None

    def paint(self, canvas: Canvas) -> None:
        """Draw the tape, the cache and the counts."""
        self._paint_legend(canvas)
        for time in range(self.task.num_requests):
            self._paint_request(canvas, time)
        canvas.text(self._news, (MARGIN, self._cache_top + 12), 20, MUTED, "left", INNER)
        for slot in range(self.task.cache_size):
            self._paint_slot(canvas, slot)
        self._paint_counts(canvas)

    def lines(self) -> list[str]:
        """Requests, faults and evicted pages below each other, and the cache."""
        T = self.task.num_requests
        width = len(str(self.task.num_pages - 1))
        marks = [["." if done.slot is None else "x" for done in self.served], self._evictions]
        requests = [
            "?" if self._hidden(time) else str(page) for time, page in enumerate(self.requests)
        ]
        rows = [requests, *(row + [""] * (T - len(row)) for row in marks)]
        count = (TEXT_WIDTH - len("requests")) // (width + 1)
        tape = [
            _line(name, row[begin : begin + count], width)
            for begin in range(0, T, count)
            for name, row in zip(["requests", "faults", "evicted"], rows, strict=True)
        ]
        slots = [str(page) for page in self.cache]
        cache = [
            _line("cache", slots[begin : begin + count], width)
            for begin in range(0, len(slots), count)
        ]
        counts = plural(self.faults, "fault")
        if self._sees_all:
            counts += f", Belady's optimum for {self._all}: {self.optimum}"
        return [*tape, *cache, counts]

    @property
    def _sees_all(self) -> bool:
        return self.hand is None or self.ended

    def _hidden(self, time: int) -> bool:
        """Whether a player does not know a request yet."""
        return time > self.time and not self._sees_all

    @property
    def _all(self) -> str:
        return plural(self.task.num_requests, "request")

    @property
    def _evictions(self) -> list[str]:
        return ["" if done.evicted is None else str(done.evicted) for done in self.served]

    @property
    def _news(self) -> str:
        """What the last request did to the cache."""
        if not self.served:
            return "Cache at the start"
        page, last = self.requests[self.time - 1], self.served[-1]
        if last.slot is None:
            return f"Cache: a hit, page {page} was there"
        return f"Cache: a fault, page {page} has replaced page {last.evicted} in slot {last.slot}"

    def _replay(self) -> list[Served]:
        served = []
        for (before, after), action in zip(pairwise(self.states), self.actions, strict=True):
            slot = int(action[0])
            is_fault = after["faults"][0] > before["faults"][0]
            evicted = int(before["cache"][0, slot])
            served.append(Served(slot, evicted) if is_fault else Served(None, None))
        return served

    def _paint_legend(self, canvas: Canvas) -> None:
        y = HEADER + 12
        x = MARGIN + 40 + canvas.text("Requests", (MARGIN, y), 20, MUTED, "left")
        canvas.tick((x, y), 8)
        x += 14 + canvas.text("hit", (x + 14, y), 19, INK, "left") + 26
        canvas.cross((x, y), 8)
        canvas.text("fault, above the page that was evicted", (x + 14, y), 19, INK, "left")

    def _paint_request(self, canvas: Canvas, time: int) -> None:
        x, y = self._tape.corner(time)
        side = self._tape.side
        page = self.requests[time]
        if self._hidden(time):
            canvas.rect((x, y), (side, side), FAINT, LINE, min(2.0, 0.08 * side), 0.12 * side)
            canvas.text("?", (x + side / 2, y + side / 2), min(26.0, 0.7 * side), MUTED)
            return
        # Of those to come only a pale border shows the colour.
        fade = 0.45 if time < self.time else 0.0
        is_next, is_future = time == self.time, time > self.time
        fill = PAPER if is_future else blend(vertex_color(page), PAPER, fade)
        border = INK if is_next else blend(vertex_color(page), PAPER, 0.55) if is_future else None
        if is_next:
            grown = (side * 1.12, side * 1.12)
            canvas.rect(
                (x - 0.06 * side, y - 0.06 * side), grown, PAPER, INK, 0.06 * side, 0.16 * side
            )
        canvas.rect((x, y), (side, side), fill, border, min(2.0, 0.08 * side), 0.12 * side)
        color = MUTED if is_future else text_color_on(fill)
        middle = x + side / 2
        canvas.text(str(page), (middle, y + side / 2), min(26.0, 0.7 * side), color, max_width=side)
        if time < self.time:
            done, below = self.served[time], (middle, y + 1.27 * side)
            if done.slot is None:
                canvas.tick(below, 0.17 * side)
                return
            canvas.cross(below, 0.2 * side)
            evicted = (middle, y + 1.68 * side)
            canvas.text(str(done.evicted), evicted, min(18.0, 0.5 * side), MUTED, max_width=side)

    def _paint_slot(self, canvas: Canvas, slot: int) -> None:
        x, y = self._slots.corner(slot)
        side = self._slots.side
        page = self.cache[slot]
        fill = vertex_color(page)
        is_used = bool(self.served) and page == self.requests[self.time - 1]
        border = INK if is_used else blend(fill, INK, 0.3)
        thickness = min(4.0 if is_used else 1.5, 0.08 * side)
        canvas.rect((x, y), (side, side), fill, border, thickness, 0.12 * side)
        center = (x + side / 2, y + side / 2)
        canvas.text(str(page), center, min(38.0, 0.7 * side), text_color_on(fill), max_width=side)
        if self._slots.bottom - self._slots.top <= self._slots.row + 1:
            below = (x + side / 2, y + side + 14)
            canvas.text(f"slot {slot}", below, 17, MUTED, max_width=side)
            if is_used and self.served[-1].slot == slot:
                self._paint_evicted(canvas, center[0], y - 30)

    def _paint_evicted(self, canvas: Canvas, x: float, y: float) -> None:
        """Draw the page that has just left its slot, crossed out."""
        page, side = self.served[-1].evicted or 0, min(34.0, 0.5 * self._slots.side)
        fill = blend(vertex_color(page), PAPER, 0.6)
        canvas.rect((x - side / 2, y - side / 2), (side, side), fill, LINE, 1, 0.12 * side)
        canvas.text(str(page), (x, y), 0.7 * side, INK, max_width=side)
        canvas.cross((x + 0.85 * side, y), 0.4 * side, WRONG)

    def _paint_counts(self, canvas: Canvas) -> None:
        y = self._footer + 24
        canvas.line([(MARGIN, y - 24), (WIDTH - MARGIN, y - 24)], LINE, 1)
        color = {None: INK, True: RIGHT, False: WRONG}[self.success]
        noun = plural(self.faults, "fault").split()[1]
        width = canvas.text(str(self.faults), (MARGIN, y), 38, color, "left")
        x = MARGIN + width + 10
        x += 60 + canvas.text(f"{noun} so far", (x, y), 21, INK, "left")
        if not self._sees_all:
            return
        width = canvas.text(str(self.optimum), (x, y), 38, MUTED, "left")
        text = f"Belady's optimum for {self._all}"
        canvas.text(text, (x + width + 10, y), 21, MUTED, "left", WIDTH - MARGIN - x - width - 10)


def _line(name: str, entries: Sequence[str], width: int) -> str:
    return " ".join([name.ljust(8), *(entry.rjust(width) for entry in entries)]).rstrip()
