"""A window that shows frames, and tells what was pressed and clicked in it."""

import os
from dataclasses import dataclass

import pygame

from rand_envs.rendering.canvas import Frame

_SCREEN_SHARE = 0.9
"""How much of the screen, in width and in height, a window takes at most."""
_UNSEEN = ("dummy", "offscreen")
"""Drivers that show nothing; SDL chooses one by itself where there is no display."""


@dataclass(frozen=True)
class Key:
    """A key that was pressed: "a", "7", "left", "space", "return" and so on."""

    name: str


@dataclass(frozen=True)
class Click:
    """A mouse button that was pressed at a pixel of the frame, from its upper left corner."""

    x: float
    y: float


Event = Key | Click


class Window:
    """A window on the screen, opened by the first frame.

    pygame has one window a process: several `Window`s take turns in it.

    Args:
        title: what stands in its title bar.
        fps: the most frames shown per second.

    Attributes:
        closed: whether it was closed, by the user or by `close`; it then shows no more.
    """

    def __init__(self, title: str, fps: float) -> None:
        self.closed = False
        self._title = title
        self._fps = fps
        self._clock = pygame.time.Clock()
        self._share = 1.0

    @staticmethod
    def is_possible() -> bool:
        """Whether there is a display, or a driver without one was asked for."""
        was_there = pygame.display.get_init()
        try:
            pygame.display.init()
            asked = "SDL_VIDEODRIVER" in os.environ
            return asked or pygame.display.get_driver() not in _UNSEEN
        except pygame.error:
            return False
        finally:
            if not was_there:
                pygame.display.quit()

    def show(self, frame: Frame) -> None:
        """Show a frame, uint8 RGB of shape (height, width, 3); waits to keep to the rate.

        A frame larger than the screen is scaled down.
        """
        if self.closed:
            return
        self.draw(frame)
        self.events()
        if not self.closed:
            self.wait()

    def draw(self, frame: Frame) -> None:
        """Show a frame at once."""
        pygame.display.init()
        picture, self._share = _fitted(pygame.surfarray.make_surface(frame.swapaxes(0, 1)))
        screen = pygame.display.get_surface()
        if screen is None or screen.get_size() != picture.get_size():
            screen = pygame.display.set_mode(picture.get_size())
        pygame.display.set_caption(self._title)
        screen.blit(picture, (0, 0))
        pygame.display.flip()

    def wait(self) -> float:
        """Wait to keep to the rate; the seconds since the last time."""
        return self._clock.tick(self._fps) / 1000

    def events(self) -> list[Event]:
        """What was pressed since the last call; closes the window if the user did."""
        found: list[Event] = []
        if not pygame.display.get_init():
            return found
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                self.close()
                break
            if event.type == pygame.KEYDOWN:
                found.append(Key(_name(event.key)))
            elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
                found.append(Click(event.pos[0] / self._share, event.pos[1] / self._share))
        return found

    def close(self) -> None:
        """Close the window; harmless when it is closed."""
        if not self.closed:
            self.closed = True
            pygame.display.quit()


def _name(key: int) -> str:
    """What a key is called; those of the number pad like their twins."""
    name = pygame.key.name(key).strip("[]") or "unknown"
    return "return" if name == "enter" else name


def _fitted(picture: pygame.Surface) -> tuple[pygame.Surface, float]:
    """A picture scaled down to the screen, if it is too large for it, and by how much."""
    width, height = pygame.display.get_desktop_sizes()[0]
    share = min(width / picture.get_width(), height / picture.get_height()) * _SCREEN_SHARE
    if share >= 1:
        return picture, 1.0
    return pygame.transform.smoothscale_by(picture, share), share
