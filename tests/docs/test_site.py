"""Tables on pages are those of the results, and every game has a page that says what it is."""

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from rand_agents.zoo import zoo_card, zoo_names
from rand_envs import PatrolTask

ROOT = Path(__file__).parents[2]
SITE = ROOT / "docs" / "_site"
CITED = re.compile(r"([\d.]+) % \(the zoo's `([\w-]+)`\)")
ROW = re.compile(r"<th scope=row>([\w-]+)</th><td><b>([\d.]+)")


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
    [row] = [line for line in page.splitlines() if line.startswith("| `patrol5-adv-seeded` |")]
    card = zoo_card("patrol5-adv-seeded")["scores"]
    figures = [f"{100 * card[name]['estimate']:.1f} %" for name in ("average", "worst")]
    assert [cell.strip() for cell in row.split("|")[3:5]] == figures


def test_an_agent_of_the_zoo_has_the_figures_of_its_card_in_the_results(
    site: dict[str, ModuleType],
) -> None:
    games = site["tables"].results("quick")["zoo"]
    recorded = {name: model for game in games.values() for name, model in game["models"].items()}
    assert recorded.keys() == set(zoo_names())
    for name, model in recorded.items():
        card = zoo_card(name)["scores"]
        for figure in ("average", "p95", "worst", "gap"):
            numbers = [[each["estimate"], *each["ci95"]] for each in (model[figure], card[figure])]
            assert numbers[0] == pytest.approx(numbers[1], rel=1e-5, abs=1e-6), (name, figure)


def test_and_in_the_report_and_wherever_a_page_cites_it(site: dict[str, ModuleType]) -> None:
    plain = site["tables"].plain
    report = (ROOT / "results" / "quick" / "report.html").read_text()
    games = report.split('<section id="zoo">')[1].split("</section>")[0].split('<a href="#')[1:]
    found = {
        f"{label}-{model}": worst
        for label, _, rows in (game.partition('"') for game in games)
        for model, worst in ROW.findall(rows)
    }
    cards = {name: zoo_card(name)["scores"] for name in zoo_names()}
    assert found == {
        name: plain(card["worst"]["estimate"], card["unit"]).removesuffix(" %")
        for name, card in cards.items()
    }
    cited = [each for page in site["tables"].pages() for each in CITED.findall(page.read_text())]
    assert len(cited) >= 2
    quoted = (ROOT / "docs" / "understand" / "reading.md").read_text()
    grid = cards["grid5-adv-seeded"]
    worst, gap, value = (
        f"{number:.2f}"
        for number in (grid["worst"]["estimate"], grid["gap"]["estimate"], grid["game_value"])
    )
    steps = f"all 24 treasures {worst} steps, exact; {gap} above the game value of {value}."
    assert steps in " ".join(quoted.split())
    for number, name in cited:
        places = len(number.partition(".")[2])
        assert number == f"{100 * cards[name]['average']['estimate']:.{places}f}", name


def test_api_has_what_packages_export(site: dict[str, ModuleType]) -> None:
    pages = dict(site["api"].pages())
    assert "::: rand_envs.core.task.Task\n" in pages["rand_envs"]
    assert "::: rand_agents.evaluation.evaluate.evaluate\n" in pages["rand_agents"]
    assert all(page.count("\n::: ") > 1 for page in pages.values())
