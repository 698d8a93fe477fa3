"""Colours that the painters share: the colour-blind-safe palette of Okabe and Ito, and greys.

Palette: M. Okabe and K. Ito, "Color Universal Design" (2008).
"""

from colorsys import hsv_to_rgb

Color = tuple[int, int, int]

BLUE: Color = (0, 114, 178)
SKY: Color = (86, 180, 233)
GREEN: Color = (0, 158, 115)
YELLOW: Color = (240, 228, 66)
ORANGE: Color = (230, 159, 0)
VERMILLION: Color = (213, 94, 0)
PURPLE: Color = (204, 121, 167)

PAPER: Color = (255, 255, 255)
INK: Color = (33, 37, 41)
MUTED: Color = (99, 106, 115)
LINE: Color = (196, 202, 209)
FAINT: Color = (233, 236, 239)

RIGHT = GREEN
WRONG = VERMILLION

_VERTEX_COLORS = (BLUE, YELLOW, GREEN, PURPLE, SKY, ORANGE, INK)
_GOLDEN_RATIO = 0.618033988749895


def vertex_color(index: int) -> Color:
    """The index-th colour of a colouring; never that of conflicts. Beyond 7, hues go round."""
    if index < len(_VERTEX_COLORS):
        return _VERTEX_COLORS[index]
    red, green, blue = hsv_to_rgb(index * _GOLDEN_RATIO % 1, 0.35 + index % 3 * 0.15, 0.85)
    return round(255 * red), round(255 * green), round(255 * blue)


def heat_color(share: float) -> Color:
    """A colour of a heat map: paper for 0, through orange, vermillion for 1."""
    share = min(1.0, max(0.0, share))
    if share < 0.5:
        return blend(PAPER, ORANGE, 2 * share)
    return blend(ORANGE, VERMILLION, 2 * share - 1)


def blend(color: Color, other: Color, weight: float) -> Color:
    """Mix two colours; a `weight` of 0 gives `color`, of 1 `other`."""
    red, green, blue = (round(a + (b - a) * weight) for a, b in zip(color, other, strict=True))
    return red, green, blue


def text_color_on(color: Color) -> Color:
    """Black or white, whichever is easier to read on `color`."""
    red, green, blue = color
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else PAPER
