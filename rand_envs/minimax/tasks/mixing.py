"""The best mix of the options found so far, as a flow through the information states.

What a player does at random is a flow: one unit enters at the first observations, every
information state passes on what it gets to its options, and an option passes the same on to
each information state that it may lead to (realisation plans, von Stengel 1996; with as few
options as suffice, Bošanský et al. 2014). Strategies need not be listed to mix all those that
are put together from the options: they are many more than the options.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack, vstack

from rand_envs.minimax.matrix import Floats, distribution
from rand_envs.minimax.tasks.information import InformationGraph
from rand_envs.minimax.tasks.response import Choices, Ints, Responder, first_best

LEFT_OUT = 1e-9
"""Flow below which nothing is taken apart any more."""


@dataclass(frozen=True)
class Flow:
    """An equilibrium among the strategies that can be put together.

    Attributes:
        upper: what the flow pays at most, on average, up to the solver's tolerance.
        amounts: how much goes through each option of the graph, shape (options,).
        adversary: the optimal distribution over layouts against it, shape (layouts,).
    """

    upper: float
    amounts: Floats
    adversary: Floats


class Mixer:
    """Keeps the options found so far, numbered through all layers, and mixes them best."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        graph = responder.graph
        self._first_option = np.cumsum([0, *(len(layer.actions) for layer in graph.layers)])
        self._node = _nodes_of_options(graph)
        self._leads = _leads(graph)
        ends = responder.sign * vstack([layer.ends for layer in graph.layers], format="csr")
        self._least = float(ends.data.min())
        self._range = float(ends.data.max()) - self._least or 1.0
        # From 0 to 1 for the linear program; every layout ends once, so that only shifts costs.
        ends.data = (ends.data - self._least) / self._range
        self._ends = ends
        self._found = np.zeros(len(self._node), bool)

    def add(self, choices: Choices) -> bool:
        """Add the options of a pure strategy; say whether any of them is new."""
        before = np.count_nonzero(self._found)
        self._found[self._numbers(choices)] = True
        return bool(np.count_nonzero(self._found) > before)

    def solve(self) -> Flow:
        """Solve the game among the options found, as a linear program.

        Raises:
            RuntimeError: where the linear program fails.
        """
        options = np.flatnonzero(self._found)
        nodes, node = np.unique(self._node[options], return_inverse=True)
        count = len(options)
        out = csr_array((np.ones(count), (node, np.arange(count))), shape=(len(nodes), count))
        inflow = self._leads[options][:, nodes].T
        entering = nodes < len(self._responder.graph.layers[0].seen)
        ends = self._ends[options].T
        result: Any = linprog(
            np.append(np.zeros(count), 1.0),
            A_ub=hstack([ends, np.full((ends.shape[0], 1), -1.0)], format="csr"),
            b_ub=np.zeros(ends.shape[0]),
            A_eq=hstack([out - inflow, csr_array((len(nodes), 1))], format="csr"),
            b_eq=entering.astype(np.float64),
            bounds=[(0, None)] * count + [(None, None)],
            method="highs",
        )
        if result.status != 0:
            raise RuntimeError(f"the linear program of the game failed: {result.message}")
        amounts = np.zeros(len(self._found))
        amounts[options] = np.maximum(result.x[:-1], 0.0)
        upper = self._least + self._range * float(result.fun)
        return Flow(upper, amounts, distribution(-result.ineqlin.marginals))

    def strategies(self, flow: Flow) -> list[tuple[Choices, Floats]]:
        """Take a flow apart into pure strategies, each with its cost of each layout.

        The strategy that follows the largest amounts is taken out with as much as flows through
        all of it, which uses up an option of the flow, until nothing is left.
        """
        amounts, left = flow.amounts.copy(), 1.0
        found: list[tuple[Choices, Floats]] = []
        while left > LEFT_OUT:
            choices, costs = self._largest(amounts)
            numbers = self._numbers(choices)
            taken = float(amounts[numbers].min())
            if taken <= 0.0 and found:
                break
            amounts[numbers] -= taken
            left -= taken
            found.append((choices, costs))
        return found

    def _largest(self, amounts: Floats) -> tuple[Choices, Floats]:
        picks = []
        layers = self._responder.graph.layers
        for layer, first in zip(layers, self._first_option, strict=False):
            costs = -amounts[first : first + len(layer.actions)]
            picks.append(first_best(layer, costs, np.minimum.reduceat(costs, layer.first_option)))
        return self._responder.play(picks)

    def _numbers(self, choices: Choices) -> Ints:
        pairs = zip(choices, self._first_option, strict=False)
        return np.concatenate([options + first for options, first in pairs])


def _nodes_of_options(graph: InformationGraph) -> Ints:
    """The information state of each option, both numbered through all layers."""
    firsts = [np.diff(np.append(layer.first_option, len(layer.actions))) for layer in graph.layers]
    counts = np.concatenate(firsts)
    return np.repeat(np.arange(len(counts)), counts)


def _leads(graph: InformationGraph) -> Any:
    """Where options lead, numbered through all layers: sparse of shape (options, nodes)."""
    columns, per_option, first_node = [], [], 0
    for layer in graph.layers:
        first_node += len(layer.seen)
        columns.append(layer.leads.indices + first_node)
        per_option.append(np.diff(layer.leads.indptr))
    indptr = np.append(0, np.cumsum(np.concatenate(per_option)))
    indices = np.concatenate(columns)
    shape = (len(indptr) - 1, graph.num_states)
    return csr_array((np.ones(len(indices)), indices, indptr), shape=shape)
