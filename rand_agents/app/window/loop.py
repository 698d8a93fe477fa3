"""The loop of every window: events, session, scene, picture."""

from collections.abc import Callable
from typing import Protocol

import pygame

from rand_envs.rendering import Frame, Window
from rand_envs.rendering.window import Event

NO_DISPLAY = "there is no display to open a window on"


class Session(Protocol):
    """What goes on in a window.

    Attributes:
        version: Changes whenever there is something else to be seen.
        closed: Whether the user is done.
    """

    version: int
    closed: bool

    def handle(self, event: Event) -> None:
        """Answer a key or a click."""
        ...

    def tick(self, seconds: float) -> None:
        """Let time pass."""
        ...


def run(window: Window, session: Session, scene: Callable[[], Frame]) -> None:
    """Go on until the window is closed or the user is done.

    Raises:
        ValueError: There is no display.
    """
    if not Window.is_possible():
        raise ValueError(NO_DISPLAY)
    shown = -1
    try:
        while not (window.closed or session.closed):
            if session.version != shown:
                shown = session.version
                window.draw(scene())
            for event in window.events():
                session.handle(event)
            session.tick(window.wait())
    except pygame.error as error:
        raise ValueError(f"{NO_DISPLAY} ({error})") from None
    finally:
        window.close()
