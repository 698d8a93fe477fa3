"""Pictures and texts of games, and a window to show them in; a task names its painter."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rand_envs.core.arrays import Array, whole_number
from rand_envs.core.task import Task, resolved
from rand_envs.rendering.canvas import Canvas, Frame
from rand_envs.rendering.colors import LINE
from rand_envs.rendering.painter import Painter
from rand_envs.rendering.plain import PlainPainter
from rand_envs.rendering.window import Window

__all__ = ["Frame", "Window", "render_frame", "render_text", "tile"]

TILE_GAP = 4
"""Pixels between the frames of a tiling."""


def render_frame(
    task: Task[Any],
    states: Sequence[Array],
    actions: Sequence[Array],
    size: tuple[int, int] | None = None,
    title: str | None = None,
) -> Frame:
    """Draw an instance so far.

    Args:
        task: the rules.
        states: all states since the reset, each a structured array of shape (1,).
        actions: the actions between them, one fewer.
        size: (width, height) of the frame in pixels; by default as large as the game needs,
            at most 640 wide.
        title: what stands at the top, the id of the environment by default.

    Returns:
        The frame, uint8 RGB of shape (height, width, 3).

    Raises:
        ValueError: the numbers of states and actions do not fit, or the size is not legal.
    """
    painter = _painter(task, states, actions)
    if size is None:
        size = (round(painter.size[0]), round(painter.size[1]))
    size = (
        whole_number("the width", size[0], 32, 4096),
        whole_number("the height", size[1], 32, 4096),
    )
    canvas = Canvas(*painter.size, size)
    canvas.header(title or task.env_id, painter.status, painter.success)
    painter.paint(canvas)
    return canvas.frame()


def render_text(task: Task[Any], states: Sequence[Array], actions: Sequence[Array]) -> str:
    """Write down an instance so far, in lines without a last newline.

    Takes and raises the same as `render_frame`.
    """
    painter = _painter(task, states, actions)
    verdict = {None: "", True: " - success", False: " - failure"}[painter.success]
    return "\n".join([f"{task.env_id}: {painter.status}{verdict}", *painter.lines()])


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


def _painter(task: Task[Any], states: Sequence[Array], actions: Sequence[Array]) -> Painter[Any]:
    if len(states) != len(actions) + 1:
        raise ValueError(
            "there must be one state more than actions, "
            f"got {len(states)} states and {len(actions)} actions"
        )
    painter = PlainPainter if task.painter is None else resolved(task.painter)
    drawn: Painter[Any] = painter(task, states, actions)
    return drawn
