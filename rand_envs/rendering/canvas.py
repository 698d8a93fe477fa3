"""A canvas in logical coordinates, drawn larger than needed and scaled down for smooth edges."""

import math
import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rand_envs.rendering.colors import INK, LINE, MUTED, PAPER, RIGHT, WRONG, Color

# pygame greets on stdout when it is imported, in the middle of what a program prints.
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import pygame

Frame = NDArray[np.uint8]
Point = tuple[float, float]

MARGIN = 28.0
HEADER = 92.0
"""Height that `Canvas.header` takes, in logical units."""

_OVERSAMPLING = 3
_SMALLEST_TEXT = 8
"""Text below this size, in pixels of the frame, could not be read and is left out."""


def logical_point(extent: Point, size: tuple[int, int], pixel: Point) -> Point:
    """What is drawn at a pixel of a frame of that size, in a picture's logical coordinates.

    Args:
        extent: logical width and height of the picture.
        size: width and height of the frame, in which it is centred.
        pixel: from the upper left corner of the frame.
    """
    fit = min(size[0] / extent[0], size[1] / extent[1])
    left, top = ((size[axis] - extent[axis] * fit) / 2 for axis in (0, 1))
    return (pixel[0] - left) / fit, (pixel[1] - top) / fit


class Canvas:
    """Draws shapes and text; the origin is the upper left corner, y goes down.

    Args:
        width: logical width of the picture.
        height: logical height of the picture.
        size: (width, height) of the frame in pixels; the picture is scaled to fit, centred.
    """

    def __init__(self, width: float, height: float, size: tuple[int, int]) -> None:
        pygame.font.init()
        self.width = width
        self._size = size
        self._fit = min(size[0] / width, size[1] / height)
        self._scale = self._fit * _OVERSAMPLING
        self._left = (size[0] * _OVERSAMPLING - width * self._scale) / 2
        self._top = (size[1] * _OVERSAMPLING - height * self._scale) / 2
        self._surface = pygame.Surface((size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING), depth=32)
        self._surface.fill(PAPER)
        # Fonts live no longer than the canvas: any pygame.quit() elsewhere would break them.
        self._fonts: dict[int, pygame.font.Font] = {}

    def frame(self) -> Frame:
        """The picture so far, uint8 RGB of shape (height, width, 3)."""
        pixels = pygame.surfarray.pixels3d(self._surface).swapaxes(0, 1)
        total = np.zeros((self._size[1], self._size[0], 3), np.uint16)
        for row in range(_OVERSAMPLING):
            for column in range(_OVERSAMPLING):
                total += pixels[row::_OVERSAMPLING, column::_OVERSAMPLING]
        # Exact means, where pygame's own scaling darkens flat colours.
        return ((total + _OVERSAMPLING**2 // 2) // _OVERSAMPLING**2).astype(np.uint8)

    def rect(
        self,
        corner: Point,
        extent: Point,
        fill: Color,
        border: Color | None = None,
        thickness: float = 1.5,
        radius: float = 0.0,
    ) -> None:
        """Fill a rectangle, given by its upper left corner and (width, height)."""
        inset = 0.0
        if border is not None:
            self._rounded(corner, extent, border, radius)
            inset = thickness
        inner = (corner[0] + inset, corner[1] + inset)
        size = (extent[0] - 2 * inset, extent[1] - 2 * inset)
        self._rounded(inner, size, fill, max(0.0, radius - inset))

    def circle(
        self,
        center: Point,
        radius: float,
        fill: Color,
        border: Color | None = None,
        thickness: float = 2.0,
    ) -> None:
        """Fill a circle; its border lies inside `radius`."""
        if border is not None:
            pygame.draw.circle(self._surface, border, self._at(center), radius * self._scale)
            radius -= thickness
        pygame.draw.circle(self._surface, fill, self._at(center), radius * self._scale)

    def polygon(self, points: Sequence[Point], fill: Color) -> None:
        """Fill a polygon."""
        pygame.draw.polygon(self._surface, fill, [self._at(point) for point in points])

    def line(self, points: Sequence[Point], color: Color, thickness: float) -> None:
        """Draw a line through the points, with round joins and ends."""
        half = thickness / 2
        for (x, y), (u, v) in pairwise(points):
            length = math.hypot(u - x, v - y)
            if length == 0:
                continue
            dx, dy = half * (v - y) / length, half * (x - u) / length
            self.polygon(
                [(x + dx, y + dy), (u + dx, v + dy), (u - dx, v - dy), (x - dx, y - dy)], color
            )
        for point in points:
            self.circle(point, half, color)

    def tick(self, center: Point, radius: float, color: Color = RIGHT) -> None:
        """Draw a check mark: right."""
        x, y = center
        marks = [(-0.8, 0.05), (-0.25, 0.6), (0.8, -0.6)]
        self.line([(x + a * radius, y + b * radius) for a, b in marks], color, 0.36 * radius)

    def cross(self, center: Point, radius: float, color: Color = WRONG) -> None:
        """Draw a diagonal cross: wrong."""
        x, y = center
        arm = 0.6 * radius
        for side in (-arm, arm):
            self.line([(x - arm, y - side), (x + arm, y + side)], color, 0.36 * radius)

    def text(
        self,
        string: str,
        position: Point,
        size: float,
        color: Color = INK,
        align: Literal["left", "center", "right"] = "center",
        max_width: float = math.inf,
    ) -> float:
        """Write one line, vertically centred on `position`; shrunk to fit `max_width`.

        Returns:
            The width of the text; 0 where it would be too small to read.
        """
        written = self._font(size).size(string)[0] / self._scale
        if written > max_width:
            size *= max_width / written
        if size * self._fit < _SMALLEST_TEXT:
            return 0.0
        image = self._font(size).render(string, True, color)
        x, y = self._at(position)
        shift = {"left": 0.0, "center": 0.5, "right": 1.0}[align]
        self._surface.blit(image, (x - shift * image.get_width(), y - 0.48 * image.get_height()))
        return image.get_width() / self._scale

    def header(self, title: str, status: str, success: bool | None) -> None:
        """Write the title and status at the top, and the verdict; None while it is open."""
        right = self.width - MARGIN
        word = {None: "Playing", True: "Success", False: "Failure"}[success]
        color = {None: MUTED, True: RIGHT, False: WRONG}[success]
        self.rect((right - 116, 20), (116, 32), color, radius=16)
        if success is None:
            self.text(word, (right - 58, 36), 22, PAPER)
        else:
            mark = self.tick if success else self.cross
            mark((right - 96, 36), 8, PAPER)
            self.text(word, (right - 49, 36), 22, PAPER)
        self.text(title, (MARGIN, 36), 30, INK, "left", right - 116 - 2 * MARGIN)
        self.text(status, (MARGIN, 66), 21, MUTED, "left", self.width - 2 * MARGIN)
        self.line([(MARGIN, HEADER - 8), (right, HEADER - 8)], LINE, 1)

    def heading(self, title: str, remark: str) -> None:
        """Write a title and a remark at the top, where `header` would."""
        width = self.width - 2 * MARGIN
        self.text(title, (MARGIN, 36), 30, INK, "left", width)
        self.text(remark, (MARGIN, 66), 21, MUTED, "left", width)
        self.line([(MARGIN, HEADER - 8), (self.width - MARGIN, HEADER - 8)], LINE, 1)

    def _rounded(self, corner: Point, extent: Point, color: Color, radius: float) -> None:
        left, top = self._at(corner)
        right, bottom = self._at((corner[0] + extent[0], corner[1] + extent[1]))
        # Both corners are rounded, not the extent, so that neighbours neither gap nor overlap.
        box = pygame.Rect(round(left), round(top), 0, 0)
        box.size = (round(right) - box.left, round(bottom) - box.top)
        pygame.draw.rect(self._surface, color, box, border_radius=round(radius * self._scale))

    def _font(self, size: float) -> pygame.font.Font:
        pixels = max(1, round(size * self._scale))
        if pixels not in self._fonts:
            self._fonts[pixels] = pygame.font.Font(None, pixels)
        return self._fonts[pixels]

    def _at(self, point: Point) -> Point:
        return self._left + point[0] * self._scale, self._top + point[1] * self._scale
