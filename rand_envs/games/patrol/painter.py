"""Picture and text of RandPatrol-v0."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array
from rand_envs.games.patrol.places import HEIGHT, WIDTH, places_of
from rand_envs.games.patrol.rules import PatrolTask
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
    Color,
    blend,
    heat_color,
    text_color_on,
)
from rand_envs.rendering.painter import TEXT_WIDTH, BoardPainter, plural

TRAIL = 4
"""The newest so many moves are drawn on the graph."""
PER_ROW = 20
"""Steps in a row of the time line that is not worth another row."""
MAX_ROWS = 3
LEGEND = HEADER + HEIGHT + 14.0
TIMELINE = LEGEND + 64.0


class PatrolPainter(BoardPainter[PatrolTask]):
    """Draws the graph, the attack as a ring of one arc a step, and a time line below.

    In the text, the steps of the attack have ^ below them, or ! where the patroller was there.
    """

    hides = True

    def __init__(self, task: PatrolTask, states: Sequence[Array], actions: Sequence[Array]) -> None:
        super().__init__(task, states, actions)
        self.node, self.start = int(self.state["node"]), int(self.state["start"])
        self.end = self.start + task.attack_duration - 1
        self.walk = [int(state["place"][0]) for state in states[1:]]
        self.time = len(self.walk)
        self.ended = self.time == task.horizon
        self.places = places_of(task.graph, task.num_nodes)
        self.radius = _radius(self.places)
        rows = min(MAX_ROWS, math.ceil(task.horizon / PER_ROW))
        self._per_row = math.ceil(task.horizon / rows)
        self._cell = min(46.0, (WIDTH - 2 * MARGIN) / self._per_row)
        self._row = self._cell_height + 42.0
        self.size = (WIDTH, TIMELINE + rows * self._row + 6)

    @property
    def success(self) -> bool | None:
        """Whether the attack was intercepted; None before the end."""
        return bool(self.state["intercepted"]) if self.ended else None

    @property
    def status(self) -> str:
        """How far it is, the attack, and whether it was intercepted."""
        if not self._sees_all:
            return (
                f"{self._progress}; one node is attacked, for {self.task.attack_duration} of them"
            )
        last = f" to {self.end}" if self.end > self.start else ""
        attack = f"attack on node {self.node} in step{'s' * bool(last)} {self.start}{last}"
        met = [time for time in range(self.time) if self._is_met(time)]
        if met:
            return f"{self._progress}; {attack}: intercepted in step {met[0]}"
        return f"{self._progress}; {attack}{': not intercepted' * self.ended}"

    @property
    def question(self) -> str:
        """Where to go."""
        if not self.walk:
            return "Where do you start? Type the number of a node"
        near = np.flatnonzero(self.task.adjacency[self.walk[-1]]).tolist()
        return f"Stay at {self.walk[-1]}, or go to {' or '.join(map(str, near[:8]))}"

    @property
    def visits(self) -> dict[int, int]:
        """The step in which each node was visited first."""
        visits: dict[int, int] = {}
        for step, node in enumerate(self.walk):
            visits.setdefault(node, step)
        return visits

    def places_of(self, layouts: Array) -> NDArray[np.int64]:
        """The nodes that are attacked, (n,)."""
        nodes: NDArray[np.int64] = layouts["node"]
        return nodes

    def paint_places(
        self, canvas: Canvas, shades: Mapping[int, float], texts: Mapping[int, str]
    ) -> None:
        """Draw the graph with shaded nodes, and what is written beside them."""
        self._paint_edges(canvas)
        for node, center in enumerate(self.places):
            fill = heat_color(shades.get(node, 0.0))
            canvas.circle(center, self.radius, fill, MUTED, max(0.7, min(2.5, 0.1 * self.radius)))
            canvas.text(str(node), center, min(28.0, 1.15 * self.radius), text_color_on(fill))
            below = (center[0], center[1] + self.radius + 12)
            canvas.text(texts.get(node, ""), below, 20, INK)

    def paint_weights(self, canvas: Canvas, layouts: Array, weights: NDArray[np.float64]) -> None:
        """Shade the nodes, and below them the steps, by the probability of an attack on them."""
        super().paint_weights(canvas, layouts, weights)
        steps = np.arange(self.task.horizon)
        since = steps - layouts["start"][:, None]
        attacked = weights @ ((since >= 0) & (since < self.task.attack_duration))
        canvas.text("Steps under attack", (MARGIN, LEGEND + 34), 19, MUTED, "left")
        width, height = 0.9 * self._cell, self._cell_height
        for time, share in enumerate(attacked.tolist()):
            row, column = divmod(time, self._per_row)
            x, y = MARGIN + column * self._cell, TIMELINE + row * self._row
            fill = heat_color(share / attacked.max())
            canvas.rect((x, y), (width, height), fill, LINE, 1.0, 0.1 * width)
            at = (x + width / 2, y + height / 2)
            canvas.text(f"{100 * share:.0f}%", at, 18, text_color_on(fill), max_width=width)
            canvas.text(str(time), (at[0], y + height + 14), min(16.0, 0.8 * width), MUTED)

    def picked(self, point: Point) -> int | None:
        """The node that is drawn there."""
        nearest = min(range(len(self.places)), key=lambda node: math.dist(self.places[node], point))
        return nearest if math.dist(self.places[nearest], point) < 1.4 * self.radius else None

    @property
    def _sees_all(self) -> bool:
        return self.hand is None or self.ended

    def paint(self, canvas: Canvas) -> None:
        """Draw the graph with trail and attack, the legend, and the time line."""
        self._paint_edges(canvas)
        if self._sees_all:
            self._paint_attack(canvas)
        for node in range(self.task.num_nodes):
            self._paint_node(canvas, node)
        self._paint_trail(canvas)
        self._paint_legend(canvas)
        for time in range(self.task.horizon):
            self._paint_step(canvas, time)

    def lines(self) -> list[str]:
        """The steps with the node of each and the attack below."""
        T = self.task.horizon
        width = len(str(max(T - 1, self.task.num_nodes - 1)))
        columns = [
            [
                str(time),
                str(self.walk[time]) if time < self.time else ".",
                ("!" if self._is_met(time) else "^") if self._shown_attack(time) else "",
            ]
            for time in range(T)
        ]
        count = (TEXT_WIDTH - len("attack")) // (width + 1)
        return [
            " ".join([name.ljust(6), *(column[row].rjust(width) for column in part)]).rstrip()
            for part in (columns[i : i + count] for i in range(0, T, count))
            for row, name in enumerate(["step", "node", "attack"])
        ]

    @property
    def _progress(self) -> str:
        return f"{self.time} of {plural(self.task.horizon, 'step')}"

    @property
    def _cell_height(self) -> float:
        return min(36.0, max(14.0, self._cell))

    def _attacked(self, time: int) -> bool:
        return self.start <= time <= self.end

    def _shown_attack(self, time: int) -> bool:
        return self._sees_all and self._attacked(time)

    def _is_met(self, time: int) -> bool:
        """Whether a step, if it was played, intercepted the attack, as far as is shown."""
        return self._shown_attack(time) and time < self.time and self.walk[time] == self.node

    def _attack_color(self, time: int) -> Color:
        """Of one step of the attack: pale before it, green where it was intercepted."""
        if time >= self.time:
            return blend(ORANGE, PAPER, 0.6)
        return RIGHT if self._is_met(time) else ORANGE

    def _paint_edges(self, canvas: Canvas) -> None:
        thickness = max(1.0, min(3.0, 0.2 * self.radius))
        for one, other in zip(*self.task.adjacency.nonzero(), strict=True):
            if one < other:
                canvas.line([self.places[one], self.places[other]], LINE, thickness)

    def _paint_attack(self, canvas: Canvas) -> None:
        """Draw the ring, clockwise from the top: an arc for every step of the attack."""
        steps = range(self.start, self.end + 1)
        share = 1 / len(steps)
        gap = 0.0 if len(steps) == 1 else min(0.06, 0.25 * share)
        radius, thickness = 1.45 * self.radius, max(2.0, 0.28 * self.radius)
        x, y = self.places[self.node]
        canvas.circle((x, y), radius + 0.9 * thickness, PAPER)
        for index, time in enumerate(steps):
            begin, end = index * share + gap / 2, (index + 1) * share - gap / 2
            pieces = max(1, math.ceil(64 * (end - begin)))
            turns = [
                2 * math.pi * (begin + (end - begin) * piece / pieces)
                for piece in range(pieces + 1)
            ]
            arc = [(x + radius * math.sin(turn), y - radius * math.cos(turn)) for turn in turns]
            canvas.line(arc, self._attack_color(time), thickness)

    def _paint_node(self, canvas: Canvas, node: int) -> None:
        here = bool(self.walk) and self.walk[-1] == node
        fill, border = (BLUE, blend(BLUE, INK, 0.5)) if here else (PAPER, MUTED)
        center = self.places[node]
        canvas.circle(center, self.radius, fill, border, max(0.7, min(2.5, 0.1 * self.radius)))
        canvas.text(str(node), center, min(28.0, 1.15 * self.radius), PAPER if here else INK)

    def _paint_trail(self, canvas: Canvas) -> None:
        """Draw the newest moves, older ones paler, each to the right of its edge."""
        moves = list(pairwise(self.walk))[-TRAIL:]
        for age, (before, after) in reversed(list(enumerate(reversed(moves)))):
            if before != after:
                color = blend(BLUE, PAPER, 0.75 * age / TRAIL)
                self._paint_move(canvas, before, after, color)

    def _paint_move(self, canvas: Canvas, before: int, after: int, color: Color) -> None:
        """Draw an arrow from node to node, to the right of the straight line."""
        start, end = self.places[before], self.places[after]
        length = math.dist(start, end)
        dx, dy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
        aside, shaft = 0.32 * self.radius, max(1.0, 0.2 * self.radius)

        def beside(point: Point, along: float) -> Point:
            # y goes down, so that (-dy, dx) is to the right of (dx, dy).
            return point[0] + along * dx - aside * dy, point[1] + along * dy + aside * dx

        wing = 2.2 * shaft
        head = beside(end, -self._clearance(after))
        base = (head[0] - 1.6 * wing * dx, head[1] - 1.6 * wing * dy)
        canvas.line([beside(start, self._clearance(before)), base], color, shaft)
        one, other = (
            (base[0] - wing * dy, base[1] + wing * dx),
            (base[0] + wing * dy, base[1] - wing * dx),
        )
        canvas.polygon([head, one, other], color)

    def _clearance(self, node: int) -> float:
        """How far from the centre of a node arrows begin and end, outside the ring."""
        return (1.75 if node == self.node and self._sees_all else 1.15) * self.radius

    def _paint_legend(self, canvas: Canvas) -> None:
        x = MARGIN + 8
        entries: list[tuple[Color, str]] = [
            (BLUE, "patroller and its way"),
            (blend(ORANGE, PAPER, 0.6), "attack to come"),
            (ORANGE, "attack so far"),
            (RIGHT, "intercepted"),
        ]
        for color, name in entries:
            canvas.circle((x, LEGEND), 7, color)
            x += 40 + canvas.text(name, (x + 14, LEGEND), 19, INK, "left")
        heading = "Time line: the node of each step"
        if self._sees_all:
            heading += f", and the attack on node {self.node} below"
        canvas.text(heading, (MARGIN, LEGEND + 34), 19, MUTED, "left")

    def _paint_step(self, canvas: Canvas, time: int) -> None:
        row, column = divmod(time, self._per_row)
        width, height = 0.9 * self._cell, self._cell_height
        x = MARGIN + column * self._cell
        y = TIMELINE + row * self._row
        played = time < self.time
        fill = FAINT if not played else RIGHT if self._is_met(time) else blend(BLUE, PAPER, 0.75)
        border = {self.time: MUTED, self.time - 1: BLUE}.get(time)
        middle = x + width / 2
        canvas.rect((x, y), (width, height), fill, border, min(2.0, 0.1 * width), 0.1 * width)
        if played:
            color = PAPER if self._is_met(time) else INK
            node = str(self.walk[time])
            canvas.text(
                node, (middle, y + height / 2), min(22.0, 0.8 * height), color, "center", width
            )
        if self._shown_attack(time):
            canvas.rect((x, y + height + 4), (width, 6), self._attack_color(time))
        canvas.text(str(time), (middle, y + height + 20), min(16.0, 0.8 * width), MUTED)


def _radius(places: Sequence[Point]) -> float:
    """As large as leaves room for the ring of the attack between any two nodes."""
    nearest = min(math.dist(places[0], other) for other in places[1:])
    nearest = min(nearest, *(math.dist(one, other) for one, other in pairwise(places)))
    return max(1.5, min(24.0, 0.26 * nearest))
