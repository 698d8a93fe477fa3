"""All that a player can know in a small game: its joint information states, step by step.

An information state is the set of (layout, state) pairs that the observations and actions so
far leave possible. Tasks are deterministic, so it holds at most one state of each layout, and
what can happen from it depends on that set alone: histories that leave the same set are one
information state. The graph does not depend on how likely the layouts are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from rand_envs.core.arrays import Array
from rand_envs.core.task import Task
from rand_envs.minimax.tasks.fingerprints import (
    Prints,
    distinct,
    fingerprints,
    first_of_equals,
)
from rand_envs.minimax.tasks.limits import (
    MAX_INFORMATION_STATES,
    MAX_ROWS,
    Budget,
    all_actions,
    all_layouts,
)
from rand_envs.minimax.tasks.successors import Successors, step_all

ROWS = 1 << 20
"""How many (layout, information state, action) rows are expanded at once, to bound the memory."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Layer:
    """The information states that can be met after one number of steps, and their options.

    An option is an action in an information state; of actions with the same consequences only
    the first is one.

    Attributes:
        observations: what is seen, shape (kinds, *observation_space.shape).
        seen: which of them is seen in each information state, shape (nodes,).
        first_option: where the options of each information state begin, shape (nodes,).
        actions: index of each option's action, shape (options,).
        ends: outcome of each layout that an option ends, sparse of shape (options, layouts).
        leads: 1 for each information state of the next layer that an option may lead to,
            sparse of shape (options, nodes of the next layer).
    """

    observations: Array
    seen: Ints
    first_option: Ints
    actions: Ints
    ends: Any
    leads: Any


@dataclass(frozen=True)
class InformationGraph:
    """The information states of a game, layer by layer.

    Attributes:
        layouts: all layouts, shape (layouts,).
        actions: all actions, shape (actions, *action_space.shape).
        layers: the information states after 0, 1, 2, … steps.
    """

    layouts: Array
    actions: Array
    layers: tuple[Layer, ...]

    @property
    def num_states(self) -> int:
        """How many information states there are."""
        return sum(len(layer.seen) for layer in self.layers)


@dataclass(frozen=True)
class _Frontier:
    """A layer before its options are known.

    Attributes:
        states: states that some member is in, shape (pairs,).
        layouts: index of the layout of each, shape (pairs,).
        observations: as in `Layer`, as is `seen`.
        first: where the members of each information state begin, shape (nodes + 1,).
        members: all members, as indices of pairs, shape (members,).
    """

    states: Array
    layouts: Ints
    observations: Array
    seen: Ints
    first: Ints
    members: Ints


def build_graph(
    task: Task[Any],
    *,
    max_states: int = MAX_INFORMATION_STATES,
    max_rows: int = MAX_ROWS,
) -> InformationGraph:
    """Find all information states of a game, breadth first.

    Args:
        task: a deterministic game with few layouts.
        max_states: the most information states.
        max_rows: the most triples of layout, information state and action, which take the time.

    Returns:
        The graph; ten million triples take about a second.

    Raises:
        TooLarge: there are more than 20,000 layouts or 4096 actions, or more information
            states or triples than allowed.
        ValueError: the actions are not discrete, or an instance exceeds `task.max_steps` or
            has an outcome that is not finite.
    """
    layouts = all_layouts(task)
    actions = all_actions(task.action_space)
    budget = Budget(max_states, max_rows)
    frontier = _first(task, layouts)
    layers: list[Layer] = []
    while len(frontier.seen):
        if len(layers) == task.max_steps:
            raise ValueError(
                f"{task.env_id} says that it lasts {task.max_steps} steps at most, "
                "but some of its layouts last longer"
            )
        budget.spend_states(len(frontier.seen))
        layer, frontier = _expand(task, frontier, actions, len(layouts), budget)
        layers.append(layer)
    return InformationGraph(layouts, actions, tuple(layers))


def _first(task: Task[Any], layouts: Array) -> _Frontier:
    """Group the layouts by what is seen before the first action."""
    states = task.initial(layouts)
    seen = np.asarray(task.observe(states))
    first, kind = distinct(fingerprints(seen))
    return _Frontier(
        states=states,
        layouts=np.arange(len(layouts)),
        observations=seen[first],
        seen=np.arange(len(first)),
        first=np.append(0, np.cumsum(np.bincount(kind))),
        members=np.argsort(kind, kind="stable"),
    )


def _expand(
    task: Task[Any], frontier: _Frontier, actions: Array, num_layouts: int, budget: Budget
) -> tuple[Layer, _Frontier]:
    """Try every action in every information state of a layer."""
    budget.spend_rows(len(frontier.layouts) * len(actions))
    after = step_all(task, frontier.states, frontier.layouts, actions)
    following = _Gathered()
    options: list[_Options] = []
    for low, high in _slices(np.diff(frontier.first) * len(actions)):
        members = frontier.members[frontier.first[low] : frontier.first[high]]
        budget.spend_rows(len(members) * len(actions))
        first = frontier.first[low : high + 1] - frontier.first[low]
        found = _options(after, members, first, following)
        budget.check_states(following.count)
        options.append(found)
    counts = np.concatenate([found.count for found in options])
    layer = Layer(
        observations=frontier.observations,
        seen=frontier.seen,
        first_option=np.cumsum(counts) - counts,
        actions=np.concatenate([found.actions for found in options]),
        ends=_stack([found.ends for found in options], num_layouts),
        leads=_stack([found.leads for found in options], following.count),
    )
    return layer, following.frontier(after)


@dataclass(frozen=True)
class _Sparse:
    """Rows of a sparse matrix: entries of each row, their columns, and their values."""

    per_row: Ints
    columns: Ints
    values: NDArray[np.float64]


@dataclass(frozen=True)
class _Options:
    """The options of some information states: how many each has, and as in `Layer`."""

    count: Ints
    actions: Ints
    ends: _Sparse
    leads: _Sparse


class _Gathered:
    """The distinct information states of the next layer, as they are met."""

    def __init__(self) -> None:
        self.prints: Prints = np.empty((0, 2), np.uint64)
        self.sizes: list[Ints] = []
        self.members: list[Ints] = []

    @property
    def count(self) -> int:
        return len(self.prints)

    def add(self, first: Ints, members: Ints, prints: Prints) -> Ints:
        """Add information states given as runs of members; return their numbers."""
        both = np.concatenate([self.prints, prints])
        rows, numbers = distinct(both)
        fresh = rows[self.count :] - self.count
        sizes = np.diff(np.append(first, len(members)))[fresh]
        self.members.append(members[_ranges(first[fresh], sizes)])
        self.sizes.append(sizes)
        self.prints, numbers = both[rows], numbers[self.count :]
        return numbers

    def frontier(self, after: Successors) -> _Frontier:
        """The next layer, with the states that go on."""
        sizes = np.concatenate([np.empty(0, np.int64), *self.sizes])
        members = np.concatenate([np.empty(0, np.int64), *self.members])
        first = np.append(0, np.cumsum(sizes))
        return _Frontier(
            states=after.states,
            layouts=after.layouts[: len(after.states)],
            observations=after.observations,
            seen=after.seen[members[first[:-1]]],
            first=first,
            members=members,
        )


def _options(after: Successors, members: Ints, first: Ints, following: _Gathered) -> _Options:
    """The options of information states given as runs of members, `first` with the end."""
    results = after.results[members]
    consequences = np.add.reduceat(after.prints[:, 0][results], first[:-1], axis=0)
    node, action = np.nonzero(first_of_equals(consequences))
    sizes = np.diff(first)[node]
    rows = _ranges(first[node], sizes)
    option = np.repeat(np.arange(len(node)), sizes)
    result = results[rows, action[option]]
    going_on = result < len(after.states)
    ended = ~going_on
    ends = _Sparse(
        np.bincount(option[ended], minlength=len(node)),
        after.layouts[result[ended]],
        after.outcomes[result[ended] - len(after.states)],
    )
    leads = _split(after, option[going_on], result[going_on], len(node), following)
    return _Options(np.bincount(node, minlength=len(first) - 1), action, ends, leads)


def _split(
    after: Successors, option: Ints, result: Ints, num_options: int, following: _Gathered
) -> _Sparse:
    """Split what follows each option by what is seen, into information states."""
    if not len(option):
        return _Sparse(np.zeros(num_options, np.int64), option, np.empty(0))
    kinds = len(after.observations)
    key = option * kinds + after.seen[result]
    if kinds > 1:
        order = np.argsort(key, kind="stable")
        key, result = key[order], result[order]
    first = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    prints = np.add.reduceat(after.prints[result], first, axis=0)
    numbers = following.add(first, result, prints)
    per_option = np.bincount(key[first] // kinds, minlength=num_options)
    return _Sparse(per_option, numbers, np.ones(len(numbers)))


def _ranges(first: Ints, sizes: Ints) -> Ints:
    """The numbers from each first, as many as its size, one range after the other."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    numbers: Ints = np.arange(total) + np.repeat(first - (ends - sizes), sizes)
    return numbers


def _slices(costs: Ints) -> Iterator[tuple[int, int]]:
    """Cut a range into slices of about `ROWS` rows, given what each item costs."""
    slice_of = np.cumsum(costs) // ROWS
    cuts = np.flatnonzero(np.diff(slice_of)) + 1
    bounds = [0, *cuts.tolist(), len(costs)]
    yield from pairwise(bounds)


def _stack(parts: list[_Sparse], num_columns: int) -> Any:
    per_row = np.concatenate([part.per_row for part in parts])
    columns = np.concatenate([part.columns for part in parts])
    values = np.concatenate([part.values for part in parts])
    indptr = np.append(0, np.cumsum(per_row))
    return csr_array((values, columns, indptr), shape=(len(per_row), num_columns))
