"""The window on a display: what it shows, and what comes back from keys and mouse."""

from collections.abc import Iterator

import numpy as np
import pygame
import pytest

from rand_envs.rendering import Window, render_frame
from rand_envs.rendering.window import Click, Key
from tests.rand_envs.rendering.test_rendering import GRID, TREASURE_RIGHT, UP, flat, played


@pytest.fixture
def window() -> Iterator[Window]:
    opened = Window("seeds", fps=1000)
    yield opened
    opened.close()


def test_a_window_shows_frames(window: Window) -> None:
    frame = render_frame(GRID, *played(GRID, TREASURE_RIGHT, [UP]))
    window.show(frame)
    shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    assert np.array_equal(shown, frame)
    window.show(flat(50, 80, 7))
    assert pygame.display.get_surface().get_size() == (80, 50)


def test_a_frame_larger_than_the_screen_is_scaled_down(window: Window) -> None:
    window.show(flat(3_000, 6_000, 7))
    width, height = pygame.display.get_desktop_sizes()[0]
    shown = pygame.display.get_surface().get_size()
    assert shown[0] < width
    assert shown[1] < height
    assert shown[0] / shown[1] == pytest.approx(2, rel=0.01)


def test_a_window_that_the_user_closes_stays_closed(window: Window) -> None:
    window.show(flat(50, 80, 7))
    assert not window.closed
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    window.show(flat(50, 80, 8))
    assert window.closed
    window.show(flat(50, 80, 9))
    assert not pygame.display.get_init()
    window.close()


def test_a_display_that_nobody_sees_is_none_unless_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pygame.display.quit()
    assert Window.is_possible()
    assert not pygame.display.get_init(), "looking leaves no trace"
    monkeypatch.setenv("SDL_VIDEODRIVER", "no such driver")
    assert not Window.is_possible()
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.setattr("pygame.display.init", lambda: None)
    for driver, wanted in (("offscreen", False), ("x11", True)):
        monkeypatch.setattr("pygame.display.get_driver", lambda driver=driver: driver)
        assert Window.is_possible() == wanted


def test_a_window_outlives_that_someone_else_quits_pygame(window: Window) -> None:
    window.show(flat(50, 80, 7))
    pygame.quit()
    window.show(flat(50, 80, 8))
    assert pygame.surfarray.array3d(pygame.display.get_surface()).max() == 8


def test_clicks_are_places_in_the_frame_however_it_was_scaled(window: Window) -> None:
    window.draw(flat(3_000, 6_000, 7))
    share = pygame.display.get_surface().get_size()[0] / 6_000
    pygame.event.clear()
    for button, at in ((3, (1, 1)), (1, (30, 12))):
        pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=button, pos=at))
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_KP_ENTER))
    click, key = window.events()
    assert isinstance(click, Click)
    assert (click.x, click.y) == pytest.approx((30 / share, 12 / share), rel=0.01)
    assert key == Key("return")
    pygame.display.quit()
    assert window.events() == []
