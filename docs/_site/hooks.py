"""What the site has beyond the pages in `docs`: games, API, figures; MkDocs calls this."""

import re
from typing import Any

import api
import games
import tables
from mkdocs.structure.files import File, Files

FIGURES = (
    "*/figures/*.png",
    "*/figures/*.svg",
    "randomness/*.svg",
    "*/results.json",
    "quick/report.html",
)
"""What pages may show or link of the results."""

OUTSIDE = re.compile(r"\]\((?:\.\./)+results/")


def on_config(config: Any) -> Any:
    """Give every registered game and every package its place in the navigation."""
    for entry in config["nav"]:
        for title, items in entry.items():
            if items == "GAMES":
                named = [{task.env_id: f"games/{name}.md"} for name, task in games.pages()]
                entry[title] = [{"Overview": "games/index.md"}, *named]
            elif items == "API":
                entry[title] = [{name: f"api/{name}.md"} for name in api.PACKAGES]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add what is generated."""
    made: dict[str, str | bytes] = {"games/index.md": games.index()}
    for name, task in games.pages():
        made[f"games/{name}.md"] = games.page(task)
        made[f"games/{name}.png"] = games.picture(task)
    for name, text in api.pages():
        made[f"api/{name}.md"] = text
    for place, content in made.items():
        files.append(File.generated(config, place, content=content))
    results = tables.ROOT / "results"
    for pattern in FIGURES:
        for path in sorted(results.glob(pattern)):
            place = f"results/{path.relative_to(results)}"
            files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Say tables as results have them; what a page links outside `docs` is in the site."""
    up = "../" * page.file.src_uri.count("/")
    return OUTSIDE.sub(f"]({up}results/", tables.filled(markdown))
