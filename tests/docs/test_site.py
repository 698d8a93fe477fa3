"""Tables on pages are those of the results, and every game has a page that says what it is."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from rand_envs import PatrolTask

SITE = Path(__file__).parents[2] / "docs" / "_site"


@pytest.fixture(scope="module")
def site() -> dict[str, ModuleType]:
    sys.path.insert(0, str(SITE))
    try:
        return {name: importlib.import_module(name) for name in ("tables", "games", "api")}
    finally:
        sys.path.remove(str(SITE))


def test_tables_are_up_to_date(site: dict[str, ModuleType]) -> None:
    tables = site["tables"]
    places = [page for page in tables.pages() if tables.PLACE.search(page.read_text())]
    assert len(places) >= 2
    for page in places:
        text = page.read_text()
        assert text == tables.filled(text), f"{page.name}: run python docs/_site/tables.py"


def test_a_table_says_what_the_results_say(site: dict[str, ModuleType]) -> None:
    tables = site["tables"]
    model = tables.results("quick")["tasks"]["RandGrid-v0"]["models"]["adv-seeded"]
    row = next(line for line in tables.quick().splitlines() if line.startswith("| grid"))
    assert f"**{model['worst']['estimate']:.2f}" in row
    assert float(row.split("|")[-2]) == pytest.approx(model["gap"]["estimate"], abs=0.005)


def test_page_of_a_game_has_its_rules_value_and_players(site: dict[str, ModuleType]) -> None:
    page = site["games"].page(PatrolTask())
    for heading in ("Description", "Action Space", "Exact values", "Reference scores"):
        assert f"\n## {heading}\n" in page
    assert "The rules as a class" not in page
    assert "game value is **60.0 %**, exactly" in page
    assert all(f"`{player}`" in page for player in PatrolTask.players)
    code = page.split("```python\n")[1].split("```")[0]
    exec(code, {})


def test_api_has_what_packages_export(site: dict[str, ModuleType]) -> None:
    pages = dict(site["api"].pages())
    assert "::: rand_envs.core.task.Task\n" in pages["rand_envs"]
    assert "::: rand_agents.evaluation.evaluate.evaluate\n" in pages["rand_agents"]
    assert all(page.count("\n::: ") > 1 for page in pages.values())
