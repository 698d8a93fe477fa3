"""Numbers of arXiv 2408.10818 (ICLR 2025), read off its figures and tables: facts to compare with.

Success in per cent, losses in nats (recall) or as the mean over the 3 N terms (colouring), steps
over both episodes in the grid. 95th percentile: what 95 % of the layouts are at least as good as.
"""

from dataclasses import dataclass

SOURCE = "arXiv 2408.10818"


@dataclass(frozen=True)
class Number:
    """One number of the paper's headline results.

    Attributes:
        model: One of the four.
        kind: "argmax" (the model as trained), "sampled", or "majority of N".
        figure: "average" or "p95".
        value: In the unit above.
    """

    model: str
    kind: str
    figure: str
    value: float


HEADLINES: dict[str, tuple[Number, ...]] = {
    "RandRecall-v0": (
        # The average of both is 57 to 58.
        Number("erm-fixed", "argmax", "average", 57.5),
        Number("erm-seeded", "argmax", "average", 57.5),
        Number("erm-fixed", "argmax", "p95", 0.0),
        Number("erm-seeded", "argmax", "p95", 0.0),
        Number("erm-fixed", "sampled", "p95", 3.0),
        Number("adv-fixed", "argmax", "average", 22.0),
        Number("adv-fixed", "argmax", "p95", 0.0),
        Number("adv-fixed", "sampled", "average", 5.0),
        Number("adv-fixed", "sampled", "p95", 4.0),
        Number("adv-seeded", "argmax", "average", 40.0),
        Number("adv-seeded", "argmax", "p95", 20.0),
        Number("adv-seeded", "majority of 5", "p95", 50.0),
        Number("adv-seeded", "majority of 30", "average", 100.0),
        Number("adv-seeded", "majority of 30", "p95", 100.0),
    ),
    "RandColoring-v0": (
        Number("erm-fixed", "argmax", "average", 89.0),
        Number("erm-seeded", "argmax", "average", 89.0),
        Number("erm-fixed", "argmax", "p95", 0.0),
        Number("erm-seeded", "argmax", "p95", 0.0),
        Number("adv-fixed", "argmax", "average", 86.0),
        Number("adv-fixed", "argmax", "p95", 0.0),
        Number("adv-fixed", "sampled", "average", 85.0),
        Number("adv-fixed", "sampled", "p95", 4.0),
        Number("adv-seeded", "argmax", "average", 87.0),
        Number("adv-seeded", "argmax", "p95", 69.5),
        Number("adv-seeded", "majority of 30", "average", 100.0),
        Number("adv-seeded", "majority of 30", "p95", 100.0),
    ),
    "RandGrid-v0": (
        Number("erm-fixed", "argmax", "average", 19.0),
        Number("erm-seeded", "argmax", "average", 19.0),
        Number("erm-fixed", "argmax", "p95", 39.0),
        Number("erm-seeded", "argmax", "p95", 39.0),
        Number("adv-seeded", "argmax", "average", 20.0),
        Number("adv-seeded", "argmax", "p95", 27.5),
    ),
}

# By (model, kind, figure): success against the number of pairs N.
RECALL_SIZES: dict[tuple[str, str, str], dict[int, float]] = {
    ("erm-fixed", "argmax", "p95"): {10: 100, 11: 100, 12: 0, 14: 0, 16: 0, 18: 0, 20: 0},
    ("erm-seeded", "argmax", "p95"): {10: 100, 11: 100, 12: 0, 14: 0, 16: 0, 18: 0, 20: 0},
    ("adv-fixed", "argmax", "p95"): {10: 100, 11: 100, 12: 0, 14: 0, 16: 0, 18: 0, 20: 0},
    ("adv-seeded", "argmax", "p95"): {10: 100, 11: 100, 20: 20},
    ("erm-fixed", "argmax", "average"): {10: 100, 11: 100, 20: 57.5},
    ("erm-seeded", "argmax", "average"): {10: 100, 11: 100, 20: 57.5},
    ("adv-fixed", "argmax", "average"): {10: 100, 11: 100, 20: 22},
    ("adv-seeded", "argmax", "average"): {10: 100, 11: 100, 20: 40},
    ("erm-fixed", "sampled", "p95"): {20: 3},
    ("adv-fixed", "sampled", "p95"): {20: 4},
    ("adv-fixed", "sampled", "average"): {20: 5},
    ("adv-seeded", "majority of 5", "p95"): {20: 50},
    ("adv-seeded", "majority of 30", "p95"): dict.fromkeys((10, 12, 14, 16, 18, 20), 100.0),
    ("adv-seeded", "majority of 30", "average"): dict.fromkeys((10, 12, 14, 16, 18, 20), 100.0),
}

# Recall, N = 15, by "seeded" or "fixed": q to (mean, 95th percentile) of the loss.
LOSS_BY_Q: dict[str, dict[float, tuple[float, float]]] = {
    "seeded": {1: (0.15, 0.69), 32: (0.27, 0.35), 512: (0.305, 0.365)},
    "fixed": {1: (0.15, 0.69), 512: (0.565, 0.635)},
}

# Recall, N = 15, q = 100: m to (mean, 95th percentile) of the loss.
LOSS_BY_M: dict[float, tuple[float, float]] = {1: (0.40, 0.55), 20: (0.30, 0.36), 50: (0.29, 0.353)}

VARIANCE_ONSET_Q = 16.0
"""Recall, N = 15: near this q the outputs begin to vary over seeds."""

# Colouring: q to (average, 95th percentile) of success.
COLORING_BY_Q: dict[str, dict[float, tuple[float, float]]] = {
    "seeded": {1: (89.0, 0.0), 3: (96.0, 73.0), 10: (87.0, 69.5)},
    "fixed": {1: (89.0, 0.0), 10: (86.0, 0.0)},
}
# Majority, at every q from 3 on.
COLORING_MAJORITY: dict[float, float] = {3: 100.0, 5: 100.0, 10: 100.0}

# Grid, adv-seeded: average steps by m.
GRID_BY_M: dict[float, float] = {1: 34.5, 5: 24.0, 10: 20.0, 20: 19.0}

# Not the paper's. Between which `python -m rand_envs.minimax bracket` has the game value, by size.
GRID_BRACKETS: dict[int, tuple[float, float]] = {6: (23.5, 23.63), 8: (39.4, 39.58)}
