"""Pictures and texts of games, and a window to show them in; a task names its painter."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, whole_number
from rand_envs.core.task import Task, resolved
from rand_envs.rendering.canvas import Canvas, Frame
from rand_envs.rendering.colors import LINE
from rand_envs.rendering.painter import Hand, Painter
from rand_envs.rendering.plain import PlainPainter
from rand_envs.rendering.window import Window

__all__ = [
    "Frame",
    "Hand",
    "Window",
    "painter_of",
    "render_frame",
    "render_text",
    "render_weights",
    "tile",
]

TILE_GAP = 4
"""Pixels between the frames of a tiling."""


def render_frame(
    task: Task[Any],
    states: Sequence[Array],
    actions: Sequence[Array],
    size: tuple[int, int] | None = None,
    title: str | None = None,
    hand: Hand | None = None,
) -> Frame:
    """Draw an instance so far.

    Args:
        task: the rules.
        states: all states since the reset, each a structured array of shape (1,).
        actions: the actions between them, one fewer.
        size: (width, height) of the frame in pixels; by default as large as the game needs,
            at most 640 wide.
        title: what stands at the top, the id of the environment by default.
        hand: of a person who plays, who must not see what the player has not seen.

    Returns:
        The frame, uint8 RGB of shape (height, width, 3).

    Raises:
        ValueError: the numbers of states and actions do not fit, or the size is not legal.
    """
    painter = painter_of(task, states, actions, hand)
    canvas = _canvas(painter, size)
    canvas.header(title or task.env_id, painter.status, painter.success)
    painter.paint(canvas)
    return canvas.frame()


def render_text(
    task: Task[Any], states: Sequence[Array], actions: Sequence[Array], hand: Hand | None = None
) -> str:
    """Write down an instance so far, in lines without a last newline.

    Takes and raises the same as `render_frame`.
    """
    painter = painter_of(task, states, actions, hand)
    verdict = {None: "", True: " - success", False: " - failure"}[painter.success]
    return "\n".join([f"{task.env_id}: {painter.status}{verdict}", *painter.lines()])


def render_weights(
    task: Task[Any],
    layouts: Array,
    weights: NDArray[np.float64],
    size: tuple[int, int] | None = None,
    title: str = "How probable each layout is",
    remark: str = "",
) -> Frame:
    """Draw a distribution over layouts as a heat map.

    Args:
        task: the rules.
        layouts: shape (n,).
        weights: their probabilities, shape (n,).
        size: as of `render_frame`.
        title: what stands at the top.
        remark: what stands below it.
    """
    painter = painter_of(task, [task.initial(layouts[:1])], [])
    canvas = _canvas(painter, size)
    canvas.heading(title, remark)
    painter.paint_weights(canvas, layouts, weights)
    return canvas.frame()


def painter_of(
    task: Task[Any],
    states: Sequence[Array],
    actions: Sequence[Array],
    hand: Hand | None = None,
) -> Painter[Any]:
    """The painter of an instance so far, see `render_frame`.

    With a hand, one that hides what the player has not seen: the task's, or plain text.
    """
    if len(states) != len(actions) + 1:
        raise ValueError(
            "there must be one state more than actions, "
            f"got {len(states)} states and {len(actions)} actions"
        )
    kind: Any = PlainPainter if task.painter is None else resolved(task.painter)
    if hand is not None and not getattr(kind, "hides", False):
        kind = PlainPainter
    painter: Painter[Any] = kind(task, states, actions)
    painter.hand = hand
    return painter


def _canvas(painter: Painter[Any], size: tuple[int, int] | None) -> Canvas:
    if size is None:
        size = (round(painter.size[0]), round(painter.size[1]))
    size = (
        whole_number("the width", size[0], 32, 4096),
        whole_number("the height", size[1], 32, 4096),
    )
    return Canvas(*painter.size, size)


def tile(frames: Sequence[Frame], columns: int | None = None) -> Frame:
    """Put frames side by side, row by row; smaller ones are centred in white.

    Args:
        frames: uint8 RGB, each of shape (height, width, 3).
        columns: frames in a row; by default as many as make about a square.

    Returns:
        One frame; all places are as large as the largest frame, `TILE_GAP` pixels apart.

    Raises:
        ValueError: there is no frame, or `columns` is not at least 1.
    """
    if not frames:
        raise ValueError("there must be at least one frame to tile, got none")
    if columns is None:
        columns = math.ceil(math.sqrt(len(frames)))
    columns = min(whole_number("columns", columns, 1), len(frames))
    rows = math.ceil(len(frames) / columns)
    height, width = (max(frame.shape[axis] for frame in frames) for axis in (0, 1))
    down, right = height + TILE_GAP, width + TILE_GAP
    tiled = np.full((rows * down - TILE_GAP, columns * right - TILE_GAP, 3), LINE, np.uint8)
    for place in range(rows * columns):
        top, left = place // columns * down, place % columns * right
        tiled[top : top + height, left : left + width] = 255
        if place < len(frames):
            frame = frames[place]
            top += (height - frame.shape[0]) // 2
            left += (width - frame.shape[1]) // 2
            tiled[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    return tiled
