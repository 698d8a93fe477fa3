"""Figures of what recall's recipe is good for: its parts, and its seeds."""

from pathlib import Path

from .pictures import COLORS, Json, Picture, log_axis, panels, save, sweep_runs


def success_by_draw(sweeps: Json, folder: Path) -> Picture:
    """The 95th percentile and the worst case against m, a line for each way to draw the seeds."""
    figure, axes = panels(1, 2, 4.0, 3.2, sharey=True)
    for name, sweep in sweeps.items():
        way = name.removeprefix("recall-m").removeprefix("-") or "distinct"
        for axis, which in zip(axes[0], ("p95", "worst"), strict=True):
            models = [point["models"]["adv-seeded"] for point in sweep["points"]]
            y = [100 * model[which]["estimate"] for model in models]
            axis.plot([point["x"] for point in sweep["points"]], y, "o-", label=way)
    whole = sweeps.get("recall-m") or next(iter(sweeps.values()))
    for axis, title in zip(
        axes[0], ("95th percentile", "worst of the layouts played"), strict=True
    ):
        axis.set_title(title, fontsize=10)
        axis.set_ylim(0, None)
        log_axis(axis, whole, "seeds an update, m")
    axes[0][0].set_ylabel("success, %")
    axes[0][0].legend(frameon=False, fontsize=8)
    return save(
        figure,
        folder / "recall_draws.png",
        f"RandRecall-v0, N = 15, adv-seeded, seeds of five bits: success against the number of "
        f"seeds an update, by how they are drawn; {sweep_runs(whole)}. distinct: no seed twice in "
        "an update; reused: the same, kept for ten updates.",
    )


RECIPES = (
    "this recipe, a fifth as long",
    "4 bits, all 16 seeds an update",
    "10 bits, 32 independent seeds",
    "embedding: GELU of width 40",
    "q = 100 throughout",
    "peak learning rate 0.003",
    "layouts independent",
    "all of these as in the paper",
)
"""What `paper.py` changes in each point of recall-recipe, in its order."""


def success_by_recipe(sweep: Json, folder: Path) -> Picture:
    """What each part of the recipe is good for: success without it."""
    figure, axes = panels(1, 1, 6.4, 3.0)
    axis = axes[0][0]
    points = sweep["points"]
    color = COLORS["adv-seeded"]
    for place, point in enumerate(points):
        model = point["models"]["adv-seeded"]
        axis.plot(100 * model["average"]["estimate"], place, "o", color=color)
        axis.plot(100 * model["p95"]["estimate"], place, "s", color=color)
        axis.axhline(place, color="#eeeeee", linewidth=1, zorder=0)
    names = [RECIPES[int(point["x"])] for point in points]
    axis.set_yticks(range(len(points)), names, fontsize=8)
    axis.set_ylim(len(points) - 0.4, -0.6)
    axis.set_xlim(-2, 62)
    axis.set_xlabel("success, %")
    for name, marker in (("average", "o"), ("95th percentile", "s")):
        axis.plot([], [], marker, color=color, label=name)
    figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=2)
    return save(
        figure,
        folder / "recall_recipe.png",
        f"RandRecall-v0, N = 20, adv-seeded: success when one thing in the recipe is changed; "
        f"{sweep_runs(sweep)}.",
    )
