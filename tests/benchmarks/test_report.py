"""What a reader meets: the report in a real browser, on paper and on a phone, light and dark."""

import io
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.suite.drawing.figures import _of_neighbours
from benchmarks.suite.drawing.pictures import TONES, value_words
from benchmarks.suite.job import MODELS
from benchmarks.suite.report.entries import Entry, entries_of, figure, spread_of_times
from benchmarks.suite.report.made import commands
from benchmarks.suite.report.printed import results_table

from .browser import BROWSER, WHY_NOT, look_at

ROOT = Path(__file__).parents[2]
PHONE, DESK = 390, 1200


def committed(preset: str) -> Any:
    return json.loads((ROOT / "results" / preset / "results.json").read_text())


def entry(name: str) -> Entry:
    return next(found for found in entries_of(committed("quick")) if found.name == name)


@pytest.mark.skipif(BROWSER is None, reason=WHY_NOT)
def test_the_report_is_readable_in_a_browser(
    outputs: tuple[Path, Any, str], tmp_path: Path
) -> None:
    # One drawn now, of tiny runs of the paper's experiments, and the one that is committed.
    pages = [outputs[0] / "report.html", ROOT / "results" / "quick" / "report.html"]
    for page, dark in itertools.product(pages, (False, True)):
        for seen in look_at(page, (PHONE, DESK), tmp_path, dark):
            assert seen.texts > 300
            assert seen.scroll <= seen.width, f"scrolls sideways at {seen.width} pixels"
            assert seen.beyond == []
            assert seen.over == [], "text on text"
            assert seen.faint == []
            assert seen.smallest > 8.5, "too small to read"
            assert (seen.ground == "rgb(255, 255, 255)") != dark


@pytest.mark.skipif(BROWSER is None, reason=WHY_NOT)
def test_a_bad_page_is_found_bad(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<!doctype html><meta name=viewport content='width=device-width'><body style='margin:0'>"
        "<p style='width:600px;color:#aaa'>A line that is too wide for any phone, and pale</p>"
        "<div style='position:relative;color:#000'><span style='position:absolute'>one text</span>"
        "<span style='position:absolute'>on another</span></div>"
        "<svg viewBox='0 0 100 50'><path d='M0 0H100V50H0z' fill='#222'/>"
        "<text x='9' y='25' style='font-size:9px;fill:#444'>dark on dark</text></svg>"
    )
    seen = look_at(page, (PHONE,), tmp_path)[0]
    assert seen.width == PHONE
    assert seen.scroll == 600
    assert seen.over == ["one text / on another"]
    assert [text.rsplit(" ", 1)[0][:6] for text in seen.faint] == ["A line", "dark o"]


def test_figures_have_no_colour_but_those_with_a_name() -> None:
    charts = sorted((ROOT / "results").glob("*/figures/*.svg"))
    assert len(charts) > 30
    for chart in charts:
        # The cells of a grid have colours that stand for numbers.
        if re.search("first_visits|steps|weakest", chart.name):
            continue
        drawn = chart.read_text().split("</style>")[1]
        assert "var(--ink)" in drawn
        assert not re.search(r"#[0-9a-f]{6}", drawn), chart.name
    assert all(len(set(grounds)) == 2 for grounds in TONES.values())


def test_a_bound_is_called_a_bound() -> None:
    bound: Any = {"value": 1.0, "kind": "bound"}
    success: Any = {"unit": "success", "higher_is_better": True, "ground_truth": bound}
    assert value_words(success) == "game value at most 100 %"
    steps: Any = {"unit": "steps", "higher_is_better": False, "ground_truth": bound}
    assert value_words(steps) == "game value at least 1"
    steps["ground_truth"] = {"value": 52 / 3, "kind": "exact"}
    assert value_words(steps) == "game value 17.33"
    page = (ROOT / "results" / "quick" / "report.html").read_text()
    assert "game value at most 100" in page


@pytest.mark.parametrize("width", [80, 200])
def test_printed_tables_are_not_cut(width: int) -> None:
    summary = committed("quick")
    console = Console(width=width, file=io.StringIO(), record=True)
    for table in results_table(summary):
        console.print(table)
    lines = console.export_text().splitlines()
    assert not any("…" in line for line in lines)
    for name in MODELS:
        rows = sum(name in entry.task["models"] for entry in entries_of(summary))
        assert sum(line.startswith(f" {name} ") for line in lines) == rows


def test_nothing_is_minus_zero() -> None:
    assert figure(-1.8e-15, "steps") == "0.00"
    assert figure(-1e-9, "success") == "0.0"
    assert figure(-0.25, "steps") == "-0.25"


def test_the_report_says_how_long_runs_took_with_their_spread() -> None:
    assert spread_of_times({"train_seconds": 20.0, "train_seconds_of_runs": [10.0, 30.0]}) == (
        "10 s to 30 s"
    )
    assert spread_of_times({"train_seconds": 300.0}) == "5.0 min"


def test_a_lone_look_at_few_layouts_is_no_spike() -> None:
    looks = [0.0, 0.0, 1.0, 0.0, 0.5, 0.5, 0.5]
    assert _of_neighbours(looks, True).tolist() == [0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5]
    assert _of_neighbours([3.0, 1.0, 3.0], False).tolist() == [3.0, 3.0, 3.0]


def test_every_row_says_how_it_is_made_again() -> None:
    summary = committed("quick")
    lines = re.split(r"\n|<[^>]*>", commands(entry("recall"), summary))
    for model in entry("recall").task["models"]:
        again = f"--preset quick --experiments recall --models {model}"
        assert f"python benchmarks/run.py {again}" in lines
    of_zoo = commands(entry("grid5"), summary)
    assert "python -m rand_agents evaluate grid5-adv-seeded" in of_zoo
    assert "--experiments grid-headline --models adv-seeded --runs 1 --out" in of_zoo
