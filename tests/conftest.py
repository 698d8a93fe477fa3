"""What several test files share: the games, in several sizes."""

import os
from typing import Any

# Tests and what they start are side by side, one on each core.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

import numpy as np
import pytest
import torch
from hypothesis import settings

settings.register_profile("rand", max_examples=30, deadline=None)
settings.load_profile("rand")

# Sums in another order would be other sums; and the networks here are tiny.
torch.set_num_threads(1)

FIXED_WALLS = np.zeros((3, 4), bool)
FIXED_WALLS[1, 1:3] = True

TRIANGLE_WITH_TAIL = np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]])

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "recall": ("RandRecall-v0", {}),
    "recall-small": ("RandRecall-v0", {"num_pairs": 2, "value_bits": 3}),
    "recall-one": ("RandRecall-v0", {"num_pairs": 1, "value_bits": 1}),
    "coloring": ("RandColoring-v0", {}),
    "coloring-small": ("RandColoring-v0", {"num_vertices": 5}),
    "coloring-triangle": ("RandColoring-v0", {"num_vertices": 3, "num_colors": 2}),
    "grid": ("RandGrid-v0", {}),
    "grid-small": (
        "RandGrid-v0",
        {"size": (2, 3), "horizon": 3, "num_episodes": 3, "start": (1, 1), "find_reward": 2},
    ),
    "grid-fixed-walls": ("RandGrid-v0", {"size": (3, 4), "walls": FIXED_WALLS, "horizon": 6}),
    "grid-random-walls": ("RandGrid-v0", {"size": 4, "walls": 5, "horizon": 8}),
    "patrol": ("RandPatrol-v0", {}),
    "patrol-star": (
        "RandPatrol-v0",
        {"graph": ("star", 4), "horizon": 4, "attack_duration": 1},
    ),
    "patrol-matrix": (
        "RandPatrol-v0",
        {"graph": TRIANGLE_WITH_TAIL, "horizon": 3, "attack_duration": 3},
    ),
    "paging": ("RandPaging-v0", {}),
    "paging-small": ("RandPaging-v0", {"num_pages": 5, "cache_size": 3, "num_requests": 4}),
    "paging-one": ("RandPaging-v0", {"num_pages": 2, "cache_size": 1, "num_requests": 2}),
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests that are marked so run where there is a graphics card, and say why they do not."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a graphics card that PyTorch can use, and there is none")


def pytest_generate_tests(metafunc: Any) -> None:
    """A test that asks for `case` is run with every game, as (id, keyword arguments)."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", list(CASES.values()), ids=list(CASES))
