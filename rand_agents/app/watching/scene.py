"""What the window of watching shows: contestants side by side, each with score and counts."""

import json

from rand_agents.app.watching.session import KEYS, Entry, Show, WatchWindow
from rand_agents.app.window.sheet import Area, Line, Sheet
from rand_envs.core.task import Task
from rand_envs.rendering import Frame, render_weights
from rand_envs.rendering.canvas import Canvas
from rand_envs.rendering.colors import MUTED
from rand_envs.rendering.painter import plural

WIDTH, HEIGHT = 1440, 900
CARD = 214
SIDE = 0.31
"""The share of a wide block that score and counts take."""
SMALLEST = 48
"""Pixels below which a picture of an instance is not drawn."""


class WatchScene:
    """Draws a show.

    Args:
        show: What is shown.
        window: The keys of its window; None where there is none, as in a film.
    """

    def __init__(self, show: Show, window: WatchWindow | None = None) -> None:
        self.show, self._window = show, window
        self._panels: dict[tuple[int, ...], Frame] = {}

    def __call__(self) -> Frame:
        """The picture of the window."""
        show, sheet = self.show, Sheet(WIDTH, HEIGHT)
        banner, rest = sheet.area.rows(50)
        if self._window is not None:
            rest, keys = rest.rows(-40)
            self._paint_keys(sheet, keys, self._window)
        task = show.entries[0].contestant.task
        where = f"round {show.round}, step {show.step} of {show.length}"
        message = self._window.message if self._window else ""
        sheet.banner(banner, f"{task.env_id}: {_mode(show)}", message or where)
        count = len(show.entries)
        for i, (entry, area) in enumerate(zip(show.entries, rest.tiles(count, 0.7), strict=True)):
            self._paint_entry(sheet, i, entry, area.inner(6))
        return sheet.pixels

    def _paint_entry(self, sheet: Sheet, number: int, entry: Entry, area: Area) -> None:
        if area.width > 1.2 * area.height:
            panels, side = area.columns(round((1 - SIDE) * area.width))
            card, counts = side.rows(CARD)
        else:
            card, rest = area.rows(CARD)
            panels, counts = rest.rows(round(0.58 * rest.height))
        sheet.card(card.inner(4), self._lines(entry))
        self._paint_panels(sheet, number, entry, panels)
        self._paint_counts(sheet, entry, counts.inner(4))

    def _paint_panels(self, sheet: Sheet, number: int, entry: Entry, area: Area) -> None:
        show = self.show
        extent = entry.instances[0].extent
        tiles = area.tiles(len(entry.instances), extent[0] / extent[1])
        size = (max(SMALLEST, tiles[0].width - 6), max(SMALLEST, tiles[0].height - 6))
        name = "Seed"
        if getattr(entry.contestant.player, "is_deterministic", False):
            name = "Fixed seed"
        for i, (instance, tile) in enumerate(zip(entry.instances, tiles, strict=True)):
            key = (show.round, number, i)
            step = min(show.step, instance.length)
            if self._panels.get((*key, step)) is None:
                self._panels = {k: v for k, v in self._panels.items() if k[:3] != key}
                self._panels[(*key, step)] = instance.frame(step, size, f"{name} {i + 1}")
            frame = self._panels[(*key, step)]
            sheet.paste(frame[: tile.height, : tile.width], tile)

    def _paint_counts(self, sheet: Sheet, entry: Entry, area: Area) -> None:
        """What was counted; below it, what an adversary that learns plays next."""
        show, task = self.show, entry.contestant.task
        if area.height < 2 * SMALLEST or area.width < 2 * SMALLEST:
            return
        if show.layouts.mode == "hedge" and isinstance(task, Task):
            learner = show.layouts.learner(show.entries.index(entry))
            is_wide = area.width > area.height
            one, area = area.columns(area.width // 2) if is_wide else area.rows(area.height // 2)
            remark = f"after {plural(learner.rounds, 'round')} of learning"
            title = "What the adversary plays"
            sheet.paste(
                render_weights(task, learner.layouts, learner.weights, one.size, title, remark), one
            )
        tally = show.tally(entry)
        if tally is not None:
            canvas = Canvas(*tally.size, area.size)
            canvas.heading(tally.title, tally.remark)
            tally.paint(canvas)
            sheet.paste(canvas.frame(), area)

    def _lines(self, entry: Entry) -> list[Line]:
        layout = entry.contestant.task.layout_space.unpack(entry.choice.layout)[0].to_json()
        shown = json.dumps({name: value for name, value in layout.items() if value != []})
        count = len(entry.score.outcomes)
        played = f"mean {entry.contestant.task.unit} of {count} instances"
        return [
            Line(entry.contestant.name, "", 26),
            Line(entry.choice.remark, "", 16, MUTED),
            Line(shown, "", 16, MUTED),
            *entry.score.lines(played, self.show.layouts.is_one),
        ]

    def _paint_keys(self, sheet: Sheet, area: Area, window: WatchWindow) -> None:
        mode = self.show.layouts.mode
        layouts = [(key, name, name == mode) for key, name in KEYS.items()]
        keys = [
            ("space", "pause", window.paused),
            ("left right", "step", False),
            ("up down", f"speed {window.speed:g}/s", False),
            ("n", "next layout", False),
            ("s", "new seeds", False),
            ("r", "restart", False),
            *layouts,
            ("q", "quit", False),
        ]
        sheet.keys(area, keys)


def _mode(show: Show) -> str:
    return {
        "uniform": "layouts drawn uniformly",
        "fixed": "one fixed layout",
        "worst": "the worst layout for each",
        "hedge": "layouts by an adversary that learns",
    }[show.layouts.mode]
