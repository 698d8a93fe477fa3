"""report.html: one file, pictures inside, for a reader who has heard of none of it."""

import base64
import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rand_envs.core.writing import write_atomically

from ..drawing.gallery import Gallery
from ..drawing.pictures import Picture, value_words, variables
from . import prose
from .entries import Entry, arguments, best_model, description, entries_of, game_of, unit_words
from .made import commands, how_made
from .tables import details, main_table

Json = dict[str, Any]

STYLE = Path(__file__).with_name("style.css")


def write_report(summary: Json, galleries: Mapping[str, Gallery], out: Path) -> Path:
    """Write OUT/report.html; returns its path."""
    entries = entries_of(summary)
    trained = [entry for entry in entries if not entry.is_zoo]
    zoo = [entry for entry in entries if entry.is_zoo]
    first = _one_a_game(entries)
    body = [
        "<h1>Policies against an adversary</h1>",
        prose.lead(trained or zoo),
        _contents(trained, zoo),
        f'<section id="games"><h2>The games</h2><div class="cards">'
        f"{''.join(_card(entry, galleries[entry.name]) for entry in first)}"
        "</div></section>",
        f'<section id="results"><h2>Results</h2>{prose.MODELS}{main_table(trained or zoo)}'
        f"{prose.READING}</section>",
        *(_section(entry, galleries[entry.name], summary, entry in first) for entry in trained),
    ]
    if zoo and trained:
        body.append(
            f'<section id="zoo"><h2>At full size</h2>{prose.ZOO}{main_table(zoo)}</section>'
        )
    body += [_section(entry, galleries[entry.name], summary, entry in first) for entry in zoo]
    body.append(how_made(summary, entries))
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        "<title>Policies against an adversary</title>"
        f"<style>{variables()}\n{STYLE.read_text()}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )
    path = out / "report.html"
    write_atomically(path, page.encode())
    return path


def _one_a_game(entries: list[Entry]) -> list[Entry]:
    found: dict[str, Entry] = {}
    for entry in entries:
        found.setdefault(entry.task["env_id"], entry)
    return list(found.values())


def _contents(trained: list[Entry], zoo: list[Entry]) -> str:
    places = [("games", "The games"), ("results", "Results")]
    places += [(entry.name, entry.title) for entry in trained]
    places += [("zoo" if trained else zoo[0].name, "At full size")] if zoo else []
    places.append(("made", "How it was made"))
    links = "".join(f'<a href="#{place}">{html.escape(name)}</a>' for place, name in places)
    return f"<nav>{links}</nav>"


def _card(entry: Entry, gallery: Gallery) -> str:
    first, _ = description(entry)
    game = game_of(entry)
    image = _image(gallery.drawing, f"{game}, as its own painter draws it")
    return (
        f'<a class="card" href="#{entry.name}">{image}'
        f"<strong>{html.escape(game)}</strong> <span>{html.escape(first)}</span></a>"
    )


def _section(entry: Entry, gallery: Gallery, summary: Json, is_first: bool) -> str:
    """All of a game; what it asks is said where it comes first."""
    task = entry.task
    asked = ""
    if is_first:
        sentence, more = description(entry)
        asked = f"<p><strong>{html.escape(sentence)}</strong> {_code(more)}</p>"
    value = ""
    if task["ground_truth"]["value"] is not None:
        value = value_words(task)
        value = f" {value[0].upper()}{value[1:]}."
    figures = "".join(map(_figure, gallery.pictures))
    heading = f"{entry.title}, at full size" if entry.is_zoo else entry.title
    return (
        f'<section id="{entry.name}"><h2>{html.escape(heading)}</h2>'
        f'{asked}<p class="note">Here <code>{html.escape(task["env_id"])}</code> with <code>'
        f"{html.escape(arguments(task['config']))}</code>. Numbers: {unit_words(task)}."
        f"{html.escape(value)} Best worst case: {best_model(task)}.</p>"
        f"{details(task)}"
        f'<div class="figures">{figures}</div>'
        f"{commands(entry, summary)}</section>"
    )


def _code(text: str) -> str:
    """Names in backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text))


def _image(path: Path, alt: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'


def _drawing(path: Path, alt: str) -> str:
    if path.suffix == ".png":
        return _image(path, alt)
    svg = path.read_text()
    # The page says itself what the names of colours mean.
    begin, end = svg.index("<style>"), svg.index("</style>") + len("</style>")
    label = f'role="img" aria-label="{html.escape(alt)}"'
    return (svg[:begin] + svg[end:]).replace("<svg", f"<svg {label}", 1)


def _figure(picture: Picture) -> str:
    drawn = "".join(_drawing(path, picture.title) for path in picture.paths)
    kind = "frames" if len(picture.paths) > 1 else "chart"
    note = f' <span class="note">{html.escape(picture.note)}</span>' if picture.note else ""
    return (
        f'<figure class="{kind}"><h3>{html.escape(picture.title)}</h3>'
        f'<div class="drawn">{drawn}</div>'
        f"<figcaption>{html.escape(picture.see)}{note}</figcaption></figure>"
    )
