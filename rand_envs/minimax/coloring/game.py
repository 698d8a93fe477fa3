"""The value of the cycle-colouring game with shared seeds, exactly for small cycles.

All vertices share the seed; after t rounds a vertex knows its window: the 2t + 1 labels around
it, in either direction. A deterministic strategy, a *rule*, maps windows to colours, and
colours a cycle where no edge joins equal colours. Relabelling the vertices maps rules to rules
and any cycle to any other, so that the uniform distribution over cycles is optimal for the
adversary, and the best rule under a random relabelling, drawn from the seed, for the player:

    value = max over rules of the share of cycles coloured.

Private seeds, one a vertex, can do no better: given all of them, what is played is a rule.

The share is found by implicit hitting sets (Chandrasekaran et al. 2011): a *core* is a set of
cycles that no rule colours all of. A smallest set of cycles that meets all cores found so far
is a lower bound on the failures; where the remaining cycles can be coloured, it is the answer,
and otherwise they contain a new core, which enters with all its relabellings.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from rand_envs.minimax.coloring.rules import (
    ColoringRule,
    Labels,
    anneal_coloring_rule,
    undirected,
)

ANNEALING_STEPS = 1_000_000


@dataclass(frozen=True)
class ColoringBracket:
    """Bounds on the best worst-case success with shared seeds, both as counts of cycles.

    Attributes:
        num_cycles: how many labelled cycles there are, (N - 1)! / 2.
        fewest_failures: every rule fails on at least so many.
        failures: the rule found fails on so many.
        rule: the rule found.
    """

    num_cycles: int
    fewest_failures: int
    failures: int
    rule: ColoringRule

    @property
    def lower(self) -> float:
        """Success that the rule reaches on every cycle under a random relabelling."""
        return 1 - self.failures / self.num_cycles

    @property
    def upper(self) -> float:
        """Success that no player exceeds on its worst cycle."""
        return 1 - self.fewest_failures / self.num_cycles


def all_cycles(num_vertices: int) -> list[Labels]:
    """All cycles on labelled vertices, from vertex 0 in the direction of its smaller neighbour."""
    rest = permutations(range(1, num_vertices))
    return [(0, *order) for order in rest if order[0] < order[-1]]


def windows_of(cycle: Labels, rounds: int) -> list[Labels]:
    """The windows of a cycle, in its order, each in its first direction."""
    size, width = len(cycle), 2 * rounds + 1
    doubled = cycle * 3
    return [undirected(doubled[i : i + width]) for i in range(size, 2 * size)]


def solve_coloring_game(
    num_vertices: int,
    rounds: int,
    num_colors: int = 3,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> ColoringBracket:
    """The value of the colouring game with shared seeds (five or six vertices and one round).

    Args:
        num_vertices: labels on the cycle, N.
        rounds: of communication, t; windows of 2t + 1 labels must be smaller than the cycle.
        num_colors: how many colours there are.
        on_progress: called after every iteration with the bound on failures and the cores.

    Returns:
        The bracket. It is exact, unless a KeyboardInterrupt ended the search.

    Raises:
        ValueError: where the cycle has fewer than three vertices, a window covers it, or there
            is one colour.
    """
    if num_vertices < 3:
        raise ValueError(f"a cycle needs at least 3 vertices, got {num_vertices}")
    rng = np.random.default_rng(0)
    rule = anneal_coloring_rule(num_vertices, rounds, num_colors, steps=ANNEALING_STEPS)
    game = _Game(num_vertices, rounds, num_colors)
    failed = game.failures([int(rule.table[window]) for window in game.number])
    cores: set[frozenset[int]] = set()
    bound = 0
    try:
        while bound < failed:
            hit = _smallest_hitting_set(cores, len(game.cycles))
            bound = len(hit)
            if on_progress is not None:
                on_progress(bound, len(cores))
            left = [c for c in range(len(game.cycles)) if c not in hit]
            found = game.colour(left)
            if found is None:
                cores |= game.relabelled(game.core(rng.permutation(left).tolist()))
            else:
                failed = game.failures(found)
                colors = dict(zip(game.number, found, strict=True))
                rule = ColoringRule.of(num_vertices, rounds, colors)
    except KeyboardInterrupt:
        pass
    return ColoringBracket(len(game.cycles), bound, failed, rule)


class _Game:
    """Windows as numbers, cycles as lists of the edges between their windows."""

    def __init__(self, num_vertices: int, rounds: int, num_colors: int) -> None:
        self.num_colors = num_colors
        self.cycles = all_cycles(num_vertices)
        self.number: dict[Labels, int] = {}
        self.edges: list[list[tuple[int, int]]] = []
        for cycle in self.cycles:
            around = [
                self.number.setdefault(w, len(self.number)) for w in windows_of(cycle, rounds)
            ]
            self.edges.append(list(zip(around, around[1:] + around[:1], strict=True)))
        self._at = {cycle: i for i, cycle in enumerate(self.cycles)}
        self._labels = list(permutations(range(num_vertices)))

    def failures(self, rule: Sequence[int]) -> int:
        return sum(any(rule[a] == rule[b] for a, b in edges) for edges in self.edges)

    def colour(self, cycles: Iterable[int]) -> list[int] | None:
        """A rule that colours all the given cycles, or None where there is none."""
        near: list[set[int]] = [set() for _ in self.number]
        for cycle in cycles:
            for a, b in self.edges[cycle]:
                near[a].add(b)
                near[b].add(a)
        rule = [-1] * len(near)
        return rule if _extend(rule, near, self.num_colors) else None

    def core(self, cycles: Sequence[int]) -> list[int]:
        """A part of the cycles that no rule colours and of which every smaller part has one."""
        fewest, most = 0, len(cycles)
        while most - fewest > 1:
            middle = (fewest + most) // 2
            if self.colour(cycles[:middle]) is None:
                most = middle
            else:
                fewest = middle
        kept = list(cycles[:most])
        for cycle in cycles[:most]:
            without = [c for c in kept if c != cycle]
            if self.colour(without) is None:
                kept = without
        return kept

    def relabelled(self, core: Sequence[int]) -> set[frozenset[int]]:
        images = set()
        for labels in self._labels:
            image = (tuple(labels[v] for v in self.cycles[c]) for c in core)
            images.add(frozenset(self._at[_canonical(cycle)] for cycle in image))
        return images


def _canonical(cycle: Labels) -> Labels:
    at = cycle.index(0)
    turned = cycle[at:] + cycle[:at]
    return min(turned, (0, *turned[:0:-1]))


def _extend(rule: list[int], near: list[set[int]], num_colors: int) -> bool:
    """Colour the rest of a graph by backtracking, the most constrained window first (DSATUR)."""
    best, legal = -1, list(range(num_colors))
    most = (-1, -1)
    for window, around in enumerate(near):
        if rule[window] < 0:
            taken = {rule[other] for other in around} - {-1}
            if (len(taken), len(around)) > most:
                most, best = (len(taken), len(around)), window
                legal = [c for c in range(num_colors) if c not in taken]
    if best < 0:
        return True
    # Colours not used yet are alike: trying one of them is enough.
    used = max(rule) + 1
    for colour in legal:
        if colour <= used:
            rule[best] = colour
            if _extend(rule, near, num_colors):
                return True
    rule[best] = -1
    return False


def _smallest_hitting_set(cores: set[frozenset[int]], num_cycles: int) -> set[int]:
    if not cores:
        return set()
    meets = np.zeros((len(cores), num_cycles))
    for row, core in zip(meets, cores, strict=True):
        row[list(core)] = 1
    result: Any = milp(
        np.ones(num_cycles),
        constraints=LinearConstraint(meets, 1, np.inf),
        integrality=np.ones(num_cycles),
        # The cores are closed under relabelling, which takes any cycle to cycle 0.
        bounds=Bounds(np.eye(1, num_cycles)[0], 1),
    )
    if result.status != 0:
        raise RuntimeError(f"the integer program of the hitting set failed: {result.message}")
    return set(np.flatnonzero(result.x > 0.5).tolist())
