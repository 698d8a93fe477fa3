"""Where the nodes of a patrolled graph are drawn."""

import math
from typing import Any

from rand_envs.rendering.canvas import HEADER, MARGIN, Point

WIDTH = 580.0
HEIGHT = 350.0
"""Of the part of the picture in which the graph is drawn, below the header."""
RIM = 42.0
"""Room around the outermost nodes."""
FARTHEST = 130.0
"""The most room between neighbours on a line or in a grid."""

CENTER = (WIDTH / 2, HEADER + HEIGHT / 2)


def places_of(graph: tuple[Any, ...], num_nodes: int) -> list[Point]:
    """The centres of the nodes.

    Lines and grids are straight, row 0 at the top; a star has its centre in the middle of the
    ring, and all other graphs are drawn as a ring, clockwise from node 0 at the top.
    """
    kind, *sizes = graph
    if kind == "grid":
        return _straight(*sizes)
    if kind == "line":
        return _straight(1, *sizes)
    if kind == "star":
        return [CENTER, *_ring(num_nodes - 1)]
    return _ring(num_nodes)


def _straight(rows: int, columns: int) -> list[Point]:
    across = (WIDTH - 2 * MARGIN - 2 * RIM) / max(1, columns - 1)
    down = (HEIGHT - 2 * RIM) / max(1, rows - 1)
    side = min(FARTHEST, across, down) if rows > 1 else min(FARTHEST, across)
    left = CENTER[0] - side * (columns - 1) / 2
    top = CENTER[1] - side * (rows - 1) / 2
    return [
        (left + side * column, top + side * row) for row in range(rows) for column in range(columns)
    ]


def _ring(count: int) -> list[Point]:
    radius = HEIGHT / 2 - RIM
    turns = [2 * math.pi * place / count for place in range(count)]
    x, y = CENTER
    return [(x + radius * math.sin(turn), y - radius * math.cos(turn)) for turn in turns]
