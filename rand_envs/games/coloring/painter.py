"""Picture and text of RandColoring-v0."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array
from rand_envs.games.coloring.rules import ColoringTask
from rand_envs.rendering.canvas import HEADER, MARGIN, Canvas, Point
from rand_envs.rendering.colors import (
    INK,
    MUTED,
    ORANGE,
    PAPER,
    RIGHT,
    WRONG,
    blend,
    heat_color,
    text_color_on,
    vertex_color,
)
from rand_envs.rendering.painter import Painter, plural, wrapped
from rand_envs.rendering.tally import Votes

WIDTH = 560.0
RING = 190.0
"""Radius of the ring."""
CENTER = (WIDTH / 2, HEADER + 20 + RING + 20)
LEGEND = CENTER[1] + RING + 60
"""Height at which the legend is centred."""
MAX_LEGEND = 10
"""The most colours that the legend lists, the first ones."""


class ColoringPainter(Painter[ColoringTask]):
    """Draws the cycle as a ring, clockwise from vertex 0 at the top.

    In the text, -- is an edge, and xx an edge in conflict; each vertex is vertex:colour.
    """

    size = (WIDTH, LEGEND + 36)
    hides = True
    sizes = {"num_vertices": 6}
    tally = Votes
    question = "Give neighbours different colours: one digit for each vertex"

    def __init__(
        self, task: ColoringTask, states: Sequence[Array], actions: Sequence[Array]
    ) -> None:
        super().__init__(task, states, actions)
        self.cycle: list[int] = self.state["cycle"].tolist()
        self.colors: list[int] | None = None
        in_conflict = np.zeros(task.num_vertices, bool)
        if self.actions:
            along = self.actions[-1][self.cycle]
            self.colors = along.tolist()
            in_conflict = along == np.roll(along, -1)
        self.in_conflict: list[bool] = in_conflict.tolist()

    @property
    def success(self) -> bool | None:
        """Whether the colouring is proper; None before it."""
        return None if self.colors is None else bool(self.state["conflicts"] == 0)

    @property
    def status(self) -> str:
        """How many edges are in conflict."""
        edges = f"{self.task.num_vertices} vertices on a cycle, {self.task.num_colors} colours"
        if self.colors is None:
            return f"{edges}: not coloured yet"
        return f"{edges}: {self._count}"

    @property
    def answer(self) -> str | None:
        """Whether it is proper: vertices have numbers of their own, and only this is voted on."""
        return None if self.colors is None else "proper" if self.success else self._count

    def picked(self, point: Point) -> int | None:
        """The vertex that is drawn there."""
        places = self._places()
        nearest = min(range(len(places)), key=lambda place: math.dist(places[place], point))
        return self.cycle[nearest] if math.dist(places[nearest], point) < 40 else None

    def paint_weights(self, canvas: Canvas, layouts: Array, weights: NDArray[np.float64]) -> None:
        """Draw all vertices, and edges the darker the more probable they are."""
        N = self.task.num_vertices
        cycles = layouts["cycle"]
        probable = np.zeros((N, N))
        following = np.roll(cycles, -1, axis=1)
        np.add.at(probable, (cycles, following), weights[:, None])
        probable += probable.T
        places = self._places()
        pairs = [(i, j) for i in range(N) for j in range(i) if probable[i, j] > 0]
        most = probable.max()
        for i, j in sorted(pairs, key=lambda pair: probable[pair]):
            share = float(probable[i, j] / most)
            canvas.line([places[i], places[j]], heat_color(share), 1.0 + 5.0 * share)
        for vertex, center in enumerate(places):
            canvas.circle(center, 20.0, PAPER, MUTED, 2.0)
            canvas.text(str(vertex), center, 22, INK)
        remark = "an edge is the darker, the more probable it is"
        canvas.text(remark, (WIDTH / 2, LEGEND), 20, MUTED)

    def paint(self, canvas: Canvas) -> None:
        """Draw edges, those in conflict above the others, then vertices and the legend."""
        places = self._places()
        ends = list(zip(places, places[1:] + places[:1], strict=True))
        chord = math.dist(*ends[0])
        radius = max(2.5, min(28.0, 0.33 * chord))
        for start, end in ends:
            canvas.line([start, end], MUTED, min(3.0, 0.3 * radius))
        for (start, end), bad in zip(ends, self.in_conflict, strict=True):
            if bad:
                self._paint_conflict(canvas, start, end, radius)
        for place, center in enumerate(places):
            self._paint_vertex(canvas, place, center, radius)
        self._paint_verdict(canvas)
        self._paint_legend(canvas)

    def lines(self) -> list[str]:
        """The vertices in the order of the cycle, with their colours and edges."""
        colors = ["?"] * len(self.cycle) if self.colors is None else map(str, self.colors)
        parts = [
            f"{vertex}:{color} {'xx' if bad else '--'}"
            for vertex, color, bad in zip(self.cycle, colors, self.in_conflict, strict=True)
        ]
        return wrapped([*parts, f"back to {self.cycle[0]}"], " ")

    @property
    def _count(self) -> str:
        return plural(int(self.state["conflicts"]), "conflict")

    def _places(self) -> list[Point]:
        """The centres of the vertices, in the order of the cycle."""
        turns = [2 * math.pi * place / len(self.cycle) for place in range(len(self.cycle))]
        x, y = CENTER
        return [(x + RING * math.sin(turn), y - RING * math.cos(turn)) for turn in turns]

    def _paint_conflict(self, canvas: Canvas, start: Point, end: Point, radius: float) -> None:
        canvas.line([start, end], WRONG, min(9.0, 0.6 * radius))
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        mark = min(13.0, 0.66 * radius)
        canvas.circle(middle, mark, WRONG)
        canvas.cross(middle, 0.75 * mark, PAPER)

    def _paint_vertex(self, canvas: Canvas, place: int, center: Point, radius: float) -> None:
        vertex = self.cycle[place]
        color = None if self.colors is None else self.colors[place]
        if self.hand is not None and self.hand.draft and color is None:
            color = self.hand.draft[vertex]
            if vertex == self.hand.cursor:
                canvas.circle(center, radius + 7, blend(ORANGE, PAPER, 0.3))
        fill = PAPER if color is None else vertex_color(color)
        border = MUTED if color is None else blend(fill, INK, 0.5)
        canvas.circle(center, radius, fill, border, min(2.5, 0.1 * radius))
        label = str(self.cycle[place])
        canvas.text(label, center, min(28.0, 1.15 * radius), text_color_on(fill))

    def _paint_verdict(self, canvas: Canvas) -> None:
        x, y = CENTER
        if self.success is None:
            canvas.text("not coloured yet", CENTER, 26, MUTED)
        elif self.success:
            canvas.tick((x, y - 22), 22, RIGHT)
            canvas.text("proper", (x, y + 24), 32, RIGHT)
        else:
            canvas.cross((x, y - 22), 22, WRONG)
            canvas.text(self._count, (x, y + 24), 32, WRONG)

    def _paint_legend(self, canvas: Canvas) -> None:
        shown = min(self.task.num_colors, MAX_LEGEND)
        width = min(110.0, (WIDTH - 2 * MARGIN) / shown)
        left = WIDTH / 2 - shown * width / 2
        for color in range(shown):
            x = left + color * width
            fill = vertex_color(color)
            canvas.circle((x + 14, LEGEND), 10, fill, blend(fill, INK, 0.5), 1.5)
            name = f"colour {color}" if width > 90 else str(color)
            canvas.text(name, (x + 30, LEGEND), 20, INK, "left", width - 34)
