"""The tree of sampled play: every history that was met, what was tried there, and what it cost.

Drawn paths that share a history may be recombined after it: what the one did before, and the
other after it. The best of all strategies that the tree holds, against any weights of the
layouts, is found by dynamic programming from the last step to the first (Kuhn 1953: of a player
who remembers everything). It needs instances without chance of their own, all layouts played by
each path.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rand_agents.games.path.episodes import Ints, Minds, Moment
from rand_agents.games.path.plans import Plans

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Strategy:
    """One pure strategy: what to do after each history that it can meet.

    Attributes:
        costs: Of each layout, shape (n,).
        steps: At each step the histories, what is seen last and what is done.
    """

    costs: Floats
    steps: list[Minds]


@dataclass(frozen=True)
class Choices:
    """A pure strategy as a choice after each history of a `Tree`.

    Attributes:
        costs: Of each layout, shape (n,).
        places: At each step the choices that can be met, in the order of their histories.
    """

    costs: Floats
    places: list[Ints]


@dataclass(frozen=True)
class _Level:
    """Histories of one length, N, and what was done after them, E choices.

    Choices stand in the order of their histories, those made more often first.

    Attributes:
        minds: Tokens of the N histories, codes of the E choices, and the choice of the level
            before that each history follows.
        node: After which history each choice was made, (E,).
        first: The first choice of each history, (N,).
        ending: Choices after which some layout ends, (L,).
        layout: Which.
        cost: What it cost in all.
        end: By which of the plans play goes on after that, -1 where it does not.
    """

    minds: Minds
    node: Ints
    first: Ints
    ending: Ints
    layout: Ints
    cost: Floats
    end: Ints


class Tree:
    """What a policy met and tried, under one seed.

    Args:
        moments: Play of n layouts by each of K paths.
        costs: Shape (n, K).
        plans: By which rows play on that have left.
        end: By which of them each row does, (n * K,), see `Episodes`.
    """

    def __init__(
        self,
        moments: list[Moment],
        costs: Floats,
        plans: Plans | None = None,
        end: Ints | None = None,
    ) -> None:
        self.num_layouts, paths = costs.shape
        self._plans = plans
        end = np.full(costs.size, -1) if end is None else end
        total = costs.reshape(-1)
        choice = np.zeros(total.size, np.int64)
        self._levels: list[_Level] = []
        for time, moment in enumerate(moments):
            _, first = np.unique(moment.minds, return_index=True)
            before = choice[moment.rows[first]]
            seen = _numbered(moment.tokens.cpu().numpy())
            _, shown, node = _pairs(before, seen)
            done = _numbered(moment.codes.cpu().numpy())
            _, tried, edge = _pairs(node, done)
            order = np.lexsort((-np.bincount(edge), node[tried]))
            place = np.empty_like(order)
            place[order] = np.arange(len(order))
            tried, edge = tried[order], place[edge]
            choice[moment.rows] = edge[moment.minds]
            later = moments[time + 1].rows if time + 1 < len(moments) else np.zeros(0, np.int64)
            over = np.setdiff1d(moment.rows, later, assume_unique=True)
            key = choice[over] * self.num_layouts + over // paths
            _, once = np.unique(key, return_index=True)
            over = over[once]
            minds = Minds(
                moment.tokens[torch.from_numpy(shown)],
                moment.codes[torch.from_numpy(tried)],
                before[shown],
            )
            begin = np.searchsorted(node[tried], np.arange(len(shown)))
            facts = choice[over], over // paths, total[over], end[over]
            self._levels.append(_Level(minds, node[tried], begin, *facts))

    def best(self, weights: Floats) -> Choices:
        """The strategy that costs least where layouts weigh this much, (n,).

        Of choices that cost the same it takes the one that was made most often.
        """
        least = np.zeros(0)
        chosen: list[Ints] = []
        for time in reversed(range(len(self._levels))):
            level = self._levels[time]
            count = len(level.node)
            value = np.zeros(count)
            value += np.bincount(level.ending, weights[level.layout] * level.cost, count)
            if time + 1 < len(self._levels):
                value += np.bincount(self._levels[time + 1].minds.parents, least, count)
            value = value.round(9)
            least = np.minimum.reduceat(value, level.first)
            good = np.flatnonzero(value == least[level.node])
            node = level.node[good]
            chosen.append(good[np.diff(node, prepend=-1) > 0])
        return self._followed(chosen[::-1])

    def _followed(self, chosen: list[Ints]) -> Choices:
        """What can be met of the choices after each history of each level."""
        costs = np.full(self.num_layouts, np.nan)
        places: list[Ints] = []
        met = np.ones(1, bool)
        for level, edges in zip(self._levels, chosen, strict=True):
            taken = edges[met[level.minds.parents]]
            if not len(taken):
                break
            places.append(taken)
            met = np.zeros(len(level.node), bool)
            met[taken] = True
            over = met[level.ending]
            costs[level.layout[over]] = level.cost[over]
        return Choices(costs, places)

    def strategy(self, choices: Choices) -> Strategy:
        """The same choices with what is seen before each, and the plans that rows leave with."""
        steps: list[Minds] = []
        leaving: list[tuple[int, int, int]] = []
        place = np.zeros(1, np.int64)
        for level, taken in zip(self._levels, choices.places, strict=False):
            nodes = level.node[taken]
            steps.append(
                Minds(
                    level.minds.tokens[torch.from_numpy(nodes)],
                    level.minds.codes[torch.from_numpy(taken)],
                    place[level.minds.parents[nodes]],
                )
            )
            place = np.full(len(level.node), -1)
            place[taken] = np.arange(len(nodes))
            parents = place[level.ending]
            for k in np.flatnonzero((parents >= 0) & (level.end >= 0)).tolist():
                leaving.append((len(steps), int(parents[k]), int(level.end[k])))
        return Strategy(choices.costs, self._planned(steps, leaving))

    def _planned(self, steps: list[Minds], leaving: list[tuple[int, int, int]]) -> list[Minds]:
        """Steps, and behind them those of plans that begin at a time, after a mind before it."""
        if not leaving:
            return steps
        assert self._plans is not None
        first, lengths = self._plans.first, self._plans.lengths
        last = max(time + int(lengths[number]) for time, _, number in leaving)
        none = Minds(steps[0].tokens[:0], steps[0].codes[:0], steps[0].parents[:0])
        steps = steps + [none] * (last - len(steps))
        at: list[list[int]] = [[] for _ in steps]
        after: list[list[int]] = [[] for _ in steps]
        for time, parent, number in leaving:
            for now in range(time, time + int(lengths[number])):
                at[now].append(int(first[number]) + now - time)
                after[now].append(parent)
                parent = len(steps[now].tokens) + len(at[now]) - 1
        return [
            Minds(
                torch.cat([step.tokens, self._plans.tokens[here].to(step.tokens)]),
                torch.cat([step.codes, self._plans.codes[here].to(step.codes)]),
                np.concatenate([step.parents, np.array(parents, np.int64)]),
            )
            for step, here, parents in zip(steps, at, after, strict=True)
        ]


def together(strategies: list[Strategy]) -> list[Minds]:
    """The steps of several strategies side by side; each begins where its number says."""
    place = list(range(len(strategies)))
    joined = []
    for time in range(max(len(strategy.steps) for strategy in strategies)):
        parts, base = [], 0
        for number, strategy in enumerate(strategies):
            if time < len(strategy.steps):
                step = strategy.steps[time]
                parts.append((step.tokens, step.codes, step.parents + place[number]))
                place[number] = base
                base += len(step.tokens)
        tokens, codes, parents = zip(*parts, strict=True)
        joined.append(Minds(torch.cat(tokens), torch.cat(codes), np.concatenate(parents)))
    return joined


def _numbered(rows: NDArray[Any]) -> Ints:
    """Equal rows of a matrix get equal numbers, (n,)."""
    rows = np.ascontiguousarray(rows)
    raw = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    numbers: Ints = np.unique(raw, return_inverse=True)[1]
    return numbers


def _pairs(left: Ints, right: Ints) -> tuple[Ints, Ints, Ints]:
    """Different pairs, where each first occurs, and which each is."""
    key = left * (int(right.max()) + 1) + right
    unique, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    return unique, first, inverse
