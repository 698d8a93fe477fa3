"""Picture and text of RandGrid-v0."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array
from rand_envs.games.grid.board import START_CELL, WALL, WIDTH, Board, paint_star
from rand_envs.games.grid.lanes import lane
from rand_envs.games.grid.rules import MOVES, GridTask
from rand_envs.rendering.canvas import MARGIN, Canvas, Point
from rand_envs.rendering.colors import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    PURPLE,
    SKY,
    VERMILLION,
    Color,
)
from rand_envs.rendering.painter import BoardPainter, plural

LEGEND_ROW = 28.0
MAX_EPISODES = 6
"""The most episodes, the latest, whose paths are drawn."""

EPISODE_COLORS = (BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE)
ARROWS = "→←↑↓"


@dataclass
class Episode:
    """The path of one episode: cells as row * columns + column, one more than actions."""

    index: int
    cells: list[int]
    actions: list[int] = field(default_factory=list)
    found: bool = False

    @property
    def color(self) -> Color:
        """The colour of its path."""
        return EPISODE_COLORS[self.index % len(EPISODE_COLORS)]


class GridPainter(BoardPainter[GridTask]):
    """Draws the board, row 0 at the bottom, and the path of every episode.

    A path keeps to the right of its direction, each episode in a lane of its own, with a bar
    where a move was blocked. In the text, S is the start, T the treasure, # a wall, @ the
    player, o a cell visited in this episode.
    """

    hides = True
    keys = {"right": 0, "left": 1, "up": 2, "down": 3}
    sizes = {"size": 3}
    question = "Go by the arrow keys: where is the treasure?"

    def __init__(self, task: GridTask, states: Sequence[Array], actions: Sequence[Array]) -> None:
        super().__init__(task, states, actions)
        self.board = Board(task, self.state)
        self.cell = int(self.state["cell"])
        self.episodes = self._replay()
        self.ended = len(self.episodes) == task.num_episodes and self._over(self.episodes[-1])
        self.drawn = self.episodes[-MAX_EPISODES:]
        self._lanes = min(task.num_episodes, MAX_EPISODES)
        self._legend = self.board.bottom + 28
        self.size = (WIDTH, self._legend + (1 + self._lanes) * LEGEND_ROW)

    @property
    def success(self) -> bool | None:
        """Whether the treasure was found in every episode; None before the end."""
        return bool(self.task.success(self.states[-1])[0]) if self.ended else None

    @property
    def status(self) -> str:
        """Episode and step, or in how many episodes the treasure was found."""
        steps = int(self.state["steps"])
        if self.ended:
            episodes = plural(self.task.num_episodes, "episode")
            return f"found in {self.state['finds']} of {episodes}, {plural(steps, 'step')}"
        episode = f"episode {self.state['episode'] + 1} of {self.task.num_episodes}"
        used = f"{self.state['episode_steps']} of {plural(self.task.horizon, 'step')}"
        return f"{episode}, {used}, {steps} in all"

    def paint(self, canvas: Canvas) -> None:
        """Draw the board, the paths on it, the player, and the legend."""
        self.board.paint(canvas, self._treasure, self._walls)
        for episode in self.drawn:
            self._paint_path(canvas, episode)
        self._paint_player(canvas, self.board.center(self.cell), 0.13 * self.board.side)
        self._paint_symbols(canvas)
        for row, episode in enumerate(self.drawn):
            self._paint_episode(canvas, episode, self._legend + (row + 1) * LEGEND_ROW)

    def lines(self) -> list[str]:
        """The board, and the moves of every episode."""
        rows, columns = self.task.size
        width = len(str(max(rows, columns) - 1))
        axes = [[str(row), *self._marks(row)] for row in reversed(range(rows))]
        axes.append(["", *map(str, range(columns))])
        moves = [
            f"episode {episode.index + 1}: {self._result(episode)} "
            + "".join(ARROWS[action] for action in episode.actions)
            for episode in self.episodes
        ]
        board = [" ".join(mark.rjust(width) for mark in marks) for marks in axes]
        return [*board, *(line.rstrip() for line in moves)]

    @property
    def visits(self) -> dict[int, int]:
        """The step of the first episode in which each cell was entered first."""
        visits: dict[int, int] = {}
        for step, cell in enumerate(self.episodes[0].cells):
            visits.setdefault(cell, step)
        return visits

    def places_of(self, layouts: Array) -> NDArray[np.int64]:
        """The cells of the treasures, (n,)."""
        return (layouts["treasure"] @ (self.task.columns, 1)).astype(np.int64)

    def paint_places(
        self, canvas: Canvas, shades: Mapping[int, float], texts: Mapping[int, str]
    ) -> None:
        """Draw the board with shaded cells."""
        self.board.paint_places(canvas, shades, texts)

    def picked(self, point: Point) -> int | None:
        """The move towards the cell that was clicked, along the longer way first."""
        target = self.board.cell_at(point)
        if target is None or target == self.cell:
            return None
        (row, column), (to_row, to_column) = (
            divmod(cell, self.task.columns) for cell in (self.cell, target)
        )
        if abs(to_column - column) >= abs(to_row - row):
            return 0 if to_column > column else 1
        return 2 if to_row > row else 3

    @property
    def _sees_all(self) -> bool:
        return self.hand is None or self.ended

    @property
    def _treasure(self) -> int | None:
        """Its cell, unless this is for a player who has not found it."""
        return self.board.treasure if self._sees_all or self.state["finds"] > 0 else None

    @property
    def _walls(self) -> set[int]:
        """All walls, or those that a player knows: where they are fixed, or was blocked."""
        if self._sees_all or not isinstance(self.task.walls, int):
            return self.board.walls
        bumped = {
            tuple(np.array(divmod(cell, self.task.columns)) + MOVES[action])
            for episode in self.episodes
            for (cell, after), action in zip(pairwise(episode.cells), episode.actions, strict=True)
            if cell == after
        }
        return {wall for wall in self.board.walls if divmod(wall, self.task.columns) in bumped}

    def _replay(self) -> list[Episode]:
        """Split the history into episodes; the next one starts by itself where one ended."""
        episodes = [Episode(0, [int(self.states[0]["cell"][0])])]
        for (before, after), action in zip(pairwise(self.states), self.actions, strict=True):
            episode = episodes[-1]
            episode.cells.append(int(self.task.move(before, action)[0]))
            episode.actions.append(int(action[0]))
            episode.found = bool(after["found"][0])
            if after["episode"][0] > episode.index:
                episodes.append(Episode(episode.index + 1, [int(after["cell"][0])]))
        return episodes

    def _over(self, episode: Episode) -> bool:
        return episode.found or len(episode.actions) == self.task.horizon

    def _result(self, episode: Episode) -> str:
        steps = plural(len(episode.actions), "step")
        if not self._over(episode):
            return f"{steps} so far"
        return f"found after {steps}" if episode.found else f"not found in {steps}"

    def _marks(self, row: int) -> list[str]:
        """One character for every cell of a row."""
        marks = dict.fromkeys(self.episodes[-1].cells, "o")
        known = {} if self._treasure is None else {self._treasure: "T"}
        marks |= {self.board.start: "S", **known, self.cell: "@"}
        marks |= dict.fromkeys(self._walls, "#")
        first = self.board.number(row, 0)
        return [marks.get(cell, ".") for cell in range(first, first + self.task.columns)]

    def _paint_path(self, canvas: Canvas, episode: Episode) -> None:
        side = self.board.side
        offset = 0.36 * side * (episode.index % self._lanes + 0.5) / self._lanes
        thickness = min(4.0, 0.06 * side, 0.22 * side / self._lanes)
        points = lane([self.board.center(cell) for cell in episode.cells], offset)
        canvas.line(points, episode.color, thickness)
        canvas.circle(points[-1], 1.6 * thickness, episode.color)
        for start, end in pairwise(points):
            if abs(end[0] - start[0]) + abs(end[1] - start[1]) > 0.5 * side:
                _paint_arrow(canvas, start, end, 2 * thickness, episode.color)
        for (cell, after), action in zip(pairwise(episode.cells), episode.actions, strict=True):
            if cell == after:
                self._paint_bump(canvas, cell, action, offset, episode.color)

    def _paint_bump(
        self, canvas: Canvas, cell: int, action: int, offset: float, color: Color
    ) -> None:
        """Draw a bar before the border or wall that blocked a move."""
        up, right = MOVES[action].tolist()
        x, y = self.board.center(cell)
        side = self.board.side
        # To the right of the direction (right, -up), y being down, is (up, right).
        x += 0.44 * side * right + offset * up
        y += -0.44 * side * up + offset * right
        half = min(0.07, 0.15 / self._lanes) * side
        ends = [(x - half * up, y - half * right), (x + half * up, y + half * right)]
        canvas.line(ends, color, min(4.0, 0.06 * side))

    def _paint_player(self, canvas: Canvas, center: Point, radius: float) -> None:
        canvas.circle(center, radius, INK, PAPER, 0.25 * radius)

    def _paint_symbols(self, canvas: Canvas) -> None:
        y = self._legend
        width = (WIDTH - 2 * MARGIN) / 4
        for place, name in enumerate(["start", "treasure", "wall", "player"]):
            x = MARGIN + place * width + 10
            if name == "treasure":
                paint_star(canvas, (x, y), 11)
            elif name == "player":
                self._paint_player(canvas, (x, y), 10)
            else:
                canvas.rect((x - 9, y - 9), (18, 18), WALL if name == "wall" else START_CELL)
            if name == "start":
                canvas.text("S", (x, y), 20, MUTED)
            canvas.text(name, (x + 18, y), 20, INK, "left")

    def _paint_episode(self, canvas: Canvas, episode: Episode, y: float) -> None:
        canvas.line([(MARGIN + 2, y), (MARGIN + 40, y)], episode.color, 4)
        _paint_arrow(canvas, (MARGIN, y), (MARGIN + 42, y), 8, episode.color)
        name = f"episode {episode.index + 1}:"
        width = canvas.text(name, (MARGIN + 54, y), 20, INK, "left")
        x = MARGIN + 60 + width
        width = canvas.text(self._result(episode), (x, y), 20, INK, "left")
        if self._over(episode):
            mark = canvas.tick if episode.found else canvas.cross
            mark((x + width + 16, y), 8)


def _paint_arrow(canvas: Canvas, start: Point, end: Point, size: float, color: Color) -> None:
    """Draw an arrowhead in the middle of a segment."""
    (x, y), (u, v) = start, end
    length = ((u - x) ** 2 + (v - y) ** 2) ** 0.5
    dx, dy = (u - x) / length * size, (v - y) / length * size
    x, y = (x + u) / 2, (y + v) / 2
    tail = (x - 0.6 * dx, y - 0.6 * dy)
    sides = [(tail[0] - 0.8 * dy, tail[1] + 0.8 * dx), (tail[0] + 0.8 * dy, tail[1] - 0.8 * dx)]
    canvas.polygon([(x + dx, y + dy), *sides], color)
