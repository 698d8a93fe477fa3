"""All that is drawn of a benchmark, game by game."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rand_agents import load_zoo, zoo_names
from rand_agents.training.loading import load_agent

from ..job import Job
from ..report.entries import Entry, entries_of
from ..worker import agent_path, read_result
from .figures import draw_game
from .paper_figures import beside_the_paper, draw_sweeps
from .paper_numbers import HEADLINES
from .pictures import Json, Picture
from .played import draw_played


@dataclass(frozen=True)
class Gallery:
    """The pictures of one game.

    Attributes:
        drawing: What the game looks like.
        pictures: In the order in which they are shown.
    """

    drawing: Path
    pictures: tuple[Picture, ...]

    @property
    def paths(self) -> set[Path]:
        """All files."""
        return {self.drawing, *(path for picture in self.pictures for path in picture.paths)}


def draw_galleries(planned: list[Job], summary: Json, runs: Path, out: Path) -> dict[str, Gallery]:
    """Draw everything; by the names of `entries_of`.

    Args:
        planned: The training runs of the preset.
        summary: What results.json says.
        runs: The folder that trained agents are looked for in.
        out: The pictures go to its folder `figures`.
    """
    folder = out / "figures"
    is_paper = summary["preset"] == "paper"
    sweeps = draw_sweeps(summary["sweeps"], folder) if is_paper else []
    galleries = {}
    for entry in entries_of(summary):
        task = entry.task
        drawing, played = draw_played(entry.name, task, _agent_of(entry, planned, runs), folder)
        pictures = draw_game(entry.name, task, folder)
        if played:
            # After the worst cases, which it shows one of.
            pictures.insert(1, played)
        if is_paper and task["env_id"] in HEADLINES:
            pictures.insert(0, beside_the_paper(entry.name, task, folder))
        pictures += [picture for env_id, picture in sweeps if env_id == task["env_id"]]
        galleries[entry.name] = Gallery(drawing, tuple(pictures))
    return galleries


def _agent_of(entry: Entry, planned: list[Job], runs: Path) -> Any:
    """The first policy with seeds that was trained for the worst case, if it is there."""
    name = f"{entry.name}-adv-seeded"
    if entry.is_zoo:
        return load_zoo(name) if name in zoo_names() else None
    of_game = [job for job in planned if (job.label, job.model) == (entry.name, "adv-seeded")]
    # Not the agent of another recipe.
    there = [job for job in of_game if read_result(runs, job)]
    return load_agent(agent_path(runs, there[0])) if there else None
