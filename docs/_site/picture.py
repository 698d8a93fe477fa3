"""The first picture of all: the zoo's searchers, and the treasure that is worst for each.

python docs/_site/picture.py
"""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from rand_agents import evaluate, load_zoo

FILE = Path(__file__).parents[1] / "assets" / "search.png"
BLUE, YELLOW, GREY = "#0072B2", "#F0E442", "#c6cbd4"
SEEDS = 3


def search(agent: Any, layout: Any, rng_seed: int) -> np.ndarray[Any, Any]:
    """The cells (row, column) of the first episode, from the start to the treasure."""
    agent.set_random_seed(rng_seed)
    task, memory = agent.task, None
    state = task.initial(layout)
    cells = []
    while state["episode"][0] == 0:
        cells.append(divmod(int(state["cell"][0]), task.columns))
        action, memory = agent.predict(task.observe(state), memory)
        state = task.step(state, action).state
    return np.array([*cells, layout["treasure"][0]])


def panel(axis: Any, path: Any, treasure: Any, title: str) -> None:
    """One grid and the way through it."""
    for line in np.arange(-0.5, 5):
        axis.plot([line, line], [-0.5, 4.5], color=GREY, linewidth=0.8, zorder=0)
        axis.plot([-0.5, 4.5], [line, line], color=GREY, linewidth=0.8, zorder=0)
    row, column = treasure
    axis.plot(column, row, "*", markersize=19, color=YELLOW, markeredgecolor="black", zorder=3)
    axis.text(0, 0, "S", ha="center", va="center", fontsize=12, color="#666", zorder=0)
    axis.plot(path[:, 1], path[:, 0], color=BLUE, linewidth=2.2, zorder=2)
    for (r0, c0), (r1, c1) in zip(path[:-1:2], path[1::2], strict=False):
        axis.annotate(
            "",
            ((c0 + 2 * c1) / 3, (r0 + 2 * r1) / 3),
            (c0, r0),
            arrowprops={"arrowstyle": "-|>", "color": BLUE},
        )
    axis.set(xlim=(-0.55, 4.55), ylim=(-0.55, 4.55), aspect="equal")
    axis.axis("off")
    axis.set_title(title, fontsize=10.5, loc="left")


def different(agent: Any, layout: Any) -> list[Any]:
    """Searches under seeds that search differently, as many as there are panels."""
    found: list[Any] = []
    for rng_seed in range(100):
        path = search(agent, layout, rng_seed)
        if all(not np.array_equal(path, other) for other in found):
            found.append(path)
        if len(found) == SEEDS:
            return found
    raise ValueError(f"there are no {SEEDS} different searches")


def main() -> None:
    """Draw it."""
    figure, axes = plt.subplots(1, 1 + SEEDS, figsize=(11, 3.25), layout="constrained")
    for name, place in (("grid5-erm-fixed", axes[:1]), ("grid5-adv-seeded", axes[1:])):
        agent = load_zoo(name)
        worst = evaluate(agent, votes=()).worst
        layout = agent.task.layout_space.pack([worst.layout])
        paths = different(agent, layout) if len(place) > 1 else [search(agent, layout, 0)]
        for number, (axis, path) in enumerate(zip(place, paths, strict=True), 1):
            steps = f"{len(path) - 1} steps"
            which = f"Seeded policy, seed {number}" if len(place) > 1 else "Ordinary policy, always"
            title = f"{which}: {steps}"
            panel(axis, path, worst.layout["treasure"], title)
    figure.savefig(FILE, dpi=110)


if __name__ == "__main__":
    main()
