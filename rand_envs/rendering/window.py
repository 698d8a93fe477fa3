"""A window that shows frames."""

import pygame

from rand_envs.rendering.canvas import Frame

_SCREEN_SHARE = 0.9
"""How much of the screen, in width and in height, a window takes at most."""


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

    def show(self, frame: Frame) -> None:
        """Show a frame, uint8 RGB of shape (height, width, 3); waits to keep to the rate.

        A frame larger than the screen is scaled down.
        """
        if self.closed:
            return
        pygame.display.init()
        picture = _fitted(pygame.surfarray.make_surface(frame.swapaxes(0, 1)))
        screen = pygame.display.get_surface()
        if screen is None or screen.get_size() != picture.get_size():
            screen = pygame.display.set_mode(picture.get_size())
        pygame.display.set_caption(self._title)
        screen.blit(picture, (0, 0))
        pygame.display.flip()
        if any(event.type == pygame.QUIT for event in pygame.event.get()):
            self.close()
        else:
            self._clock.tick(self._fps)

    def close(self) -> None:
        """Close the window; harmless when it is closed."""
        if not self.closed:
            self.closed = True
            pygame.display.quit()


def _fitted(picture: pygame.Surface) -> pygame.Surface:
    """Scale a picture down to the screen, if it is too large for it."""
    width, height = pygame.display.get_desktop_sizes()[0]
    share = min(width / picture.get_width(), height / picture.get_height()) * _SCREEN_SHARE
    return picture if share >= 1 else pygame.transform.smoothscale_by(picture, share)
