"""Figures of what recall's recipe is good for: its parts, and its seeds."""

from pathlib import Path

from .pictures import (
    COLORS,
    INK,
    LINE,
    MUTED,
    Json,
    Picture,
    legend,
    log_axis,
    panels,
    save,
    sweep_runs,
)

WAYS: dict[str, Json] = {
    "distinct": {"color": COLORS["adv-seeded"], "marker": "o", "linewidth": 2.2},
    "independent": {"color": INK, "marker": "s", "linestyle": "-"},
    "antithetic": {"color": INK, "marker": "^", "linestyle": "--"},
    "sobol": {"color": MUTED, "marker": "D", "linestyle": "-."},
    "reused": {"color": MUTED, "marker": "v", "linestyle": ":"},
}
"""The model's own colour is for how its recipe draws seeds."""


def success_by_draw(sweeps: Json, folder: Path) -> Picture:
    """The 95th percentile and the worst case against m, a line for each way to draw the seeds."""
    figure, axes = panels(2, 1, 5.2, sharex=True, sharey=True)
    entries = []
    for name, sweep in sweeps.items():
        way = name.removeprefix("recall-m").removeprefix("-") or "distinct"
        for axis, which in zip(axes[:, 0], ("p95", "worst"), strict=True):
            models = [point["models"]["adv-seeded"] for point in sweep["points"]]
            y = [100 * model[which]["estimate"] for model in models]
            axis.plot([point["x"] for point in sweep["points"]], y, **WAYS[way])
        entries.append((way, WAYS[way]))
    whole = sweeps.get("recall-m") or next(iter(sweeps.values()))
    for axis, title in zip(
        axes[:, 0], ("95th percentile of the layouts", "worst of the layouts played"), strict=True
    ):
        axis.set_title(title, loc="left")
        axis.set_ylim(0, None)
        axis.set_ylabel("success, %")
    log_axis(axes[1][0], whole, "seeds an update, m")
    legend(figure, entries, 3)
    return save(
        figure,
        folder / "recall_draws.svg",
        "How the seeds of an update are drawn",
        "Of lines at the same m, the higher one draws its seeds better; at the right end every "
        "seed is in every update.",
        f"RandRecall-v0, N = 15, adv-seeded, seeds of five bits; {sweep_runs(whole)}. reused: "
        "distinct ones, kept for ten updates.",
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
    points = sweep["points"]
    figure, axes = panels(1, 1, 1.1 + 0.3 * len(points))
    axis = axes[0][0]
    color = COLORS["adv-seeded"]
    for place, point in enumerate(points):
        model = point["models"]["adv-seeded"]
        axis.plot(100 * model["average"]["estimate"], place, "o", color=color)
        axis.plot(100 * model["p95"]["estimate"], place, "s", color=color)
        axis.axhline(place, color=LINE, linewidth=1, zorder=0)
    names = [RECIPES[int(point["x"])] for point in points]
    axis.set_yticks(range(len(points)), names)
    axis.set_ylim(len(points) - 0.4, -0.6)
    axis.set_xlim(-2, 62)
    axis.set_xlabel("success, %")
    markers = (("average", "o"), ("95th percentile", "s"))
    legend(figure, [(n, {"color": color, "marker": m, "linestyle": "none"}) for n, m in markers])
    return save(
        figure,
        folder / "recall_recipe.svg",
        "What each part of the recipe is good for",
        "The first line is the recipe as it is; the further left the marks of another line are, "
        "the more was lost by changing that one thing.",
        f"RandRecall-v0, N = 20, adv-seeded; {sweep_runs(sweep)}.",
    )
