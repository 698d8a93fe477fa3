"""Paths on a grid that keep to the right, so that there and back again are two lines."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rand_envs.rendering.canvas import Point

Vector = NDArray[np.float64]


def lane(centers: Sequence[Point], offset: float) -> list[Point]:
    """Shift a path to its right-hand side.

    Args:
        centers: cells that the path goes through, as (x, y) with y down; a cell that is the
            same as the one before it adds nothing.
        offset: how far to shift.

    Returns:
        The points of the shifted path; two where it turns back. The first point if it
        never moves.
    """
    path = np.array([centers[0], *(b for a, b in pairwise(centers) if a != b)])
    if len(path) == 1:
        return [centers[0]]
    steps = np.diff(path, axis=0)
    sides = offset * np.stack([-steps[:, 1], steps[:, 0]], axis=1)
    sides /= np.abs(steps).sum(axis=1, keepdims=True)
    points = [path[0] + sides[0]]
    for corner, before, after in zip(path[1:-1], sides, sides[1:], strict=False):
        points += _joint(corner, before, after)
    points.append(path[-1] + sides[-1])
    return [(float(x), float(y)) for x, y in points]


def _joint(corner: Vector, before: Vector, after: Vector) -> list[Vector]:
    """Where two lanes meet, given how far each is shifted."""
    turn = float(before @ after)
    if turn > 0:
        return [corner + before]
    return [corner + before + after] if turn == 0 else [corner + before, corner + after]
