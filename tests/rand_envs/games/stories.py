"""The rules of every game told once more, as stories: plain, slow, and one instance at a time.

A story is a generator: it tells what the player sees and gets, and is sent the next action. The
games are state machines on batches of arrays; here an instance is a walk through loops, so that a
mistake in the one is hardly repeated in the other.
"""

from collections.abc import Callable, Generator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

Json = dict[str, Any]


class Told(NamedTuple):
    """What the player is told at one moment."""

    seen: list[Any]
    reward: float
    over: bool
    facts: Json


Story = Generator[Told, Any, None]


def recall(layout: Json, num_pairs: int, value_bits: int) -> Story:
    def shown(key: int, bits: list[int], asked: bool) -> list[int]:
        return [*(int(k == key) for k in range(num_pairs)), *bits, int(asked)]

    for key, bits in enumerate(layout["values"]):
        yield Told(shown(key, bits, False), 0.0, False, {"is_success": False})
    question = shown(layout["query"], [0] * value_bits, True)
    answer = yield Told(question, 0.0, False, {"is_success": False})
    right = all(a == b for a, b in zip(answer, layout["values"][layout["query"]], strict=True))
    yield Told(question, float(right), True, {"is_success": right})


def coloring(layout: Json, num_vertices: int, num_colors: int) -> Story:
    cycle = layout["cycle"]
    edges = {frozenset(pair) for pair in zip(cycle, cycle[1:] + cycle[:1], strict=True)}
    seen = [
        [int(frozenset((a, b)) in edges) for b in range(num_vertices)] for a in range(num_vertices)
    ]
    colors = yield Told(seen, 0.0, False, {"conflicts": -1, "is_success": False})
    clashes = sum(colors[a] == colors[b] for a, b in edges)
    yield Told(seen, float(not clashes), True, {"conflicts": clashes, "is_success": clashes == 0})


def grid(
    layout: Json,
    size: tuple[int, int],
    horizon: int,
    num_episodes: int,
    step_reward: float,
    find_reward: float,
    start: tuple[int, int],
    walls: Any,
) -> Story:
    cells = {(row, column) for row in range(size[0]) for column in range(size[1])}
    free = cells - {tuple(wall) for wall in layout["walls"]}
    facts = {"episode_index": 0, "steps": 0, "is_success": False}
    finds, found, reward, place = 0, False, 0.0, start
    for episode in range(num_episodes):
        place = start
        for _ in range(horizon):
            facts = facts | {"episode_index": episode}
            action = yield Told([*place, int(found)], reward, False, facts)
            row, column = place
            ahead = {0: (row, column + 1), 1: (row, column - 1), 2: (row + 1, column)}.get(
                action, (row - 1, column)
            )
            place = ahead if ahead in free else place
            found = place == tuple(layout["treasure"])
            reward = step_reward + find_reward if found else step_reward
            facts = facts | {"steps": facts["steps"] + 1}
            if found:
                finds += 1
                break
    done = facts | {"is_success": finds == num_episodes}
    yield Told([*place, int(found)], reward, True, done)


def neighbours(graph: Any) -> dict[int, set[int]]:
    kind, *sizes = graph if isinstance(graph, tuple) else ("matrix",)
    if kind == "matrix":
        return {a: {b for b, edge in enumerate(row) if edge} for a, row in enumerate(graph)}
    if kind == "grid":
        rows, columns = sizes
        n = rows * columns
        places = [(row, column) for row in range(rows) for column in range(columns)]
        edges = [
            (a, b)
            for a, (row, column) in enumerate(places)
            for b, other in enumerate(places)
            if other in ((row + 1, column), (row, column + 1))
        ]
    else:
        n = sizes[0]
        edges = {
            "line": [(a, a + 1) for a in range(n - 1)],
            "star": [(0, a) for a in range(1, n)],
            "cycle": [(a, (a + 1) % n) for a in range(n)],
        }[kind]
    near: dict[int, set[int]] = {a: set() for a in range(n)}
    for a, b in edges:
        near[a].add(b)
        near[b].add(a)
    return near


def patrol(layout: Json, graph: Any, horizon: int, attack_duration: int) -> Story:
    near = neighbours(graph)
    place = len(near)
    walk: list[int] = []
    for time in range(horizon):
        wish = yield Told([place, time], 0.0, False, {"place": place, "is_success": False})
        if not walk or wish in near[place]:
            place = wish
        walk.append(place)
    met = layout["node"] in walk[layout["start"] : layout["start"] + attack_duration]
    yield Told([place, horizon], float(met), True, {"place": place, "is_success": met})


@lru_cache(maxsize=100_000)
def fewest_faults(requests: tuple[int, ...], cache: frozenset[int]) -> int:
    """The best of all that can be evicted."""
    if not requests:
        return 0
    page, rest = requests[0], requests[1:]
    if page in cache:
        return fewest_faults(rest, cache)
    return 1 + min(fewest_faults(rest, cache - {out} | {page}) for out in cache)


def paging(layout: Json, num_pages: int, cache_size: int, num_requests: int) -> Story:
    slots, reward, faults = list(range(cache_size)), 0.0, 0
    for page in layout["requests"]:
        told = {"faults": faults, "is_success": False}
        slot = yield Told([page, *slots], reward, False, told)
        hit = page in slots
        reward = 0.0 if hit else -1.0
        if not hit:
            slots[slot] = page
            faults += 1
    best = fewest_faults(tuple(layout["requests"]), frozenset(range(cache_size)))
    final = {"faults": faults, "is_success": faults == best}
    yield Told([layout["requests"][-1], *slots], reward, True, final)


Rng = np.random.Generator


def some(rng: Rng, low: int, high: int) -> int:
    """A number of low, ..., high."""
    return int(rng.integers(low, high + 1))


def some_grid(rng: Rng) -> Json:
    rows, columns = some(rng, 1, 5), some(rng, 2, 5)
    start = (some(rng, 0, rows - 1), some(rng, 0, columns - 1))
    kind = rng.integers(3)
    walls: Any = None if kind == 0 else some(rng, 0, (rows * columns - 2) // 3)
    if kind == 2:
        # One wall in a corner cuts nothing off.
        walls = np.zeros((rows, columns), bool)
        corner = (rows - 1, columns - 1)
        walls[corner] = rows * columns > 2 and start != corner
    return {
        "size": (rows, columns),
        "horizon": some(rng, 1, 12),
        "num_episodes": some(rng, 1, 3),
        "step_reward": round(float(rng.normal()), 2),
        "find_reward": round(float(rng.normal()), 2),
        "start": start,
        "walls": walls,
    }


def some_patrol(rng: Rng) -> Json:
    n, horizon = some(rng, 3, 6), some(rng, 1, 8)
    near = rng.random((n, n)) < 0.5
    near[0, 1:] = True  # connected
    near = np.triu(near, 1)
    graphs = [("cycle", n), ("line", n), ("star", n), ("grid", 2, n), (near | near.T).astype(int)]
    return {
        "graph": graphs[rng.integers(len(graphs))],
        "horizon": horizon,
        "attack_duration": some(rng, 1, horizon),
    }


def some_paging(rng: Rng) -> Json:
    pages = some(rng, 2, 6)
    sizes = {"cache_size": some(rng, 1, pages - 1), "num_requests": some(rng, 1, 7)}
    return {"num_pages": pages} | sizes


STORIES: dict[str, tuple[Callable[..., Story], Callable[[Rng], Json]]] = {
    "RandRecall-v0": (
        recall,
        lambda rng: {"num_pairs": some(rng, 1, 6), "value_bits": some(rng, 1, 4)},
    ),
    "RandColoring-v0": (
        coloring,
        lambda rng: {"num_vertices": some(rng, 3, 8), "num_colors": some(rng, 2, 4)},
    ),
    "RandGrid-v0": (grid, some_grid),
    "RandPatrol-v0": (patrol, some_patrol),
    "RandPaging-v0": (paging, some_paging),
}
"""The rules of each game, and what draws its arguments."""
