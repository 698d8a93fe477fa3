"""The graphs of RandPatrol-v0: cycles, lines, stars and grids by name, all others as a matrix."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import shown, whole_number

Adjacency = NDArray[np.bool_]

MAX_NODES = 1_000

LEGAL = (
    '("cycle", n), ("line", n), ("star", n), ("grid", rows, columns), or the adjacency matrix of a '
    f"connected graph of 2 to {MAX_NODES} nodes: symmetric, of 0 and 1, with zeros on its diagonal"
)


def _cycle(n: int) -> Adjacency:
    gap = np.subtract.outer(np.arange(n), np.arange(n)) % n
    near: Adjacency = (gap == 1) | (gap == n - 1)
    return near


def _line(n: int) -> Adjacency:
    return _grid(1, n)


def _star(n: int) -> Adjacency:
    is_center = np.arange(n) == 0
    near: Adjacency = is_center[:, None] != is_center
    return near


def _grid(rows: int, columns: int) -> Adjacency:
    row, column = np.divmod(np.arange(rows * columns), columns)
    apart = abs(np.subtract.outer(row, row)) + abs(np.subtract.outer(column, column))
    near: Adjacency = apart == 1
    return near


NAMED: dict[str, tuple[Callable[..., Adjacency], tuple[int, ...]]] = {
    "cycle": (_cycle, (3,)),
    "line": (_line, (2,)),
    "star": (_star, (2,)),
    "grid": (_grid, (1, 1)),
}
"""What makes each kind of graph, and its smallest sizes."""


def checked_graph(graph: Any) -> tuple[tuple[Any, ...], Adjacency]:
    """A graph in canonical form, all of tuples, and its adjacency matrix, shape (nodes, nodes).

    Raises:
        ValueError: it is none of the `LEGAL` ones.
    """
    if isinstance(graph, tuple | list) and graph and isinstance(graph[0], str):
        return _named(graph[0], graph[1:], graph)
    try:
        matrix = np.array(graph)
    except ValueError:
        matrix = np.zeros(0)
    is_square = matrix.ndim == 2 and len(matrix) == matrix.shape[1]
    if not (is_square and 2 <= len(matrix) <= MAX_NODES and matrix.dtype.kind in "bi"):
        raise ValueError(f"graph must be {LEGAL}, got {shown(graph)}")
    adjacency = matrix.astype(bool)
    is_simple = (adjacency == matrix).all() and (adjacency == adjacency.T).all()
    if not (is_simple and not adjacency.diagonal().any() and _is_connected(adjacency)):
        raise ValueError(f"graph must be {LEGAL}, got {shown(graph)}")
    return tuple(map(tuple, adjacency.astype(int).tolist())), adjacency


def _named(name: str, sizes: Any, graph: Any) -> tuple[tuple[Any, ...], Adjacency]:
    build, smallest = NAMED.get(name, (None, ()))
    if build is None or len(sizes) != len(smallest):
        raise ValueError(f"graph must be {LEGAL}, got {shown(graph)}")
    whole = [
        whole_number(f"the size of a {name}", size, low, MAX_NODES)
        for size, low in zip(sizes, smallest, strict=True)
    ]
    if not 2 <= prod(whole) <= MAX_NODES:
        raise ValueError(f"a graph must have 2 to {MAX_NODES} nodes, got {prod(whole)}")
    return (name, *whole), build(*whole)


def _is_connected(adjacency: Adjacency) -> bool:
    reached = np.arange(len(adjacency)) == 0
    frontier = reached
    while frontier.any():
        frontier = adjacency[frontier].any(axis=0) & ~reached
        reached = reached | frontier
    return bool(reached.all())


def closed_tour(adjacency: Adjacency) -> NDArray[np.int64]:
    """A walk through all nodes whose end is next to its beginning, shape (length,).

    Once around where the graph is a cycle; else down and up a depth-first tree, which passes
    each of its n - 1 edges twice: 2 (n - 1) steps, a leaf of the tree in just one of them.
    """
    n = len(adjacency)
    unseen = set(range(1, n))
    path, tour = [0], [0]
    while unseen or len(path) > 1:
        onward = (node for node in np.flatnonzero(adjacency[path[-1]]).tolist() if node in unseen)
        following = next(onward, None)
        if following is None:
            path.pop()
        else:
            unseen.remove(following)
            path.append(following)
        tour.append(path[-1])
    is_cycle = bool((adjacency.sum(axis=0) == 2).all())
    return np.array(tour[:n] if is_cycle else tour[:-1])
