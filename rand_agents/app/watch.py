"""`watch`: players side by side, in a window or as a film."""

import json
import shlex
from collections.abc import Iterator
from typing import Any

from rich.console import Console

from rand_agents.app.commands import Watch
from rand_agents.app.watching.contestants import contestants
from rand_agents.app.watching.layouts import Layouts
from rand_agents.app.watching.scene import WatchScene
from rand_agents.app.watching.session import Show, WatchWindow
from rand_agents.app.window.film import Reel, write_film
from rand_agents.app.window.loop import NO_DISPLAY, run
from rand_envs.core.task import Setting
from rand_envs.minimax import game_value
from rand_envs.rendering import Frame, Window

DEFAULT_SEEDS = 4
"""Pictures side by side, where it is not said how many."""


def watch(options: Watch, task: Setting[Any] | None, console: Console, errors: Console) -> int:
    """Play, and show or record it; the exit code.

    Args:
        options: What to watch.
        task: The game, where it is given with --player.
        console: Where to report.
        errors: Where to show how far it is.
    """
    if options.record is None and not Window.is_possible():
        raise ValueError(f"{NO_DISPLAY}: use --record FILE.gif, FILE.mp4 or FILE.png")
    field = contestants(options, task, errors)
    layouts = Layouts(field, options.layout, options.rng_seed, errors)
    if layouts.mode == "worst":
        layouts.draw()
    with errors.status("playing …"):
        known = game_value(field[0].task)
        seeds = options.seeds or max(1, DEFAULT_SEEDS // len(field))
        show = Show(field, known, layouts, seeds, options.rng_seed)
    played = [(entry.contestant.name, entry.choice) for entry in show.entries]
    # The file first: whatever becomes of the output, the result is kept.
    if options.record is not None:
        with errors.status("drawing …"):
            reel = Reel(_frames(show, options.rounds, options.record.suffix == ".png"))
            write_film(reel, options.record, options.fps)
    for name, choice in played:
        described = field[0].task.layout_space.unpack(choice.layout)[0].to_json()
        console.print(f"Layout for {name} ({choice.remark}):", soft_wrap=True, markup=False)
        console.print(f"  {shlex.quote(json.dumps(described))}", soft_wrap=True, markup=False)
    if options.record is not None:
        console.print(f"Saved {options.record}", soft_wrap=True, markup=False)
        return 0
    names = ", ".join(contestant.name for contestant in field)
    session = WatchWindow(show, options.fps)
    run(Window(f"{names} on {field[0].task.env_id}", 30), session, WatchScene(show, session))
    return 0


def _frames(show: Show, rounds: int, last_only: bool) -> Iterator[Frame]:
    """A picture for every step of some rounds, or the last of them."""
    scene = WatchScene(show)
    for number in range(rounds):
        if number:
            show.next()
        if not last_only:
            yield scene()
        while not show.is_over:
            show.forward()
            if not last_only:
                yield scene()
    if last_only:
        yield scene()
