"""The best response to a distribution over layouts, on the graph of information states."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rand_envs.minimax.matrix import Floats
from rand_envs.minimax.tasks.information import InformationGraph, Layer

Ints = NDArray[np.int64]

Choices = tuple[Ints, ...]
"""A pure strategy: the options, as in `Layer`, that it may come to take in each layer."""


@dataclass(frozen=True)
class Responder:
    """Plays pure strategies, among them the one that pays least against given layouts.

    Attributes:
        graph: all information states.
        sign: 1 where outcomes are costs, -1 where a higher one is better.
    """

    graph: InformationGraph
    sign: float

    def respond(self, weights: Floats) -> tuple[float, Choices]:
        """Find the least mean cost against weights of the layouts, shape (layouts,).

        Returns:
            That cost, and a strategy that pays it.
        """
        picks: list[Ints] = []
        values = np.empty(0)
        for layer in reversed(self.graph.layers):
            costs = self.sign * (layer.ends @ weights) + layer.leads @ values
            values = np.minimum.reduceat(costs, layer.first_option)
            picks.append(first_best(layer, costs, values))
        choices, _ = self.play(picks[::-1])
        return float(values.sum()), choices

    def play(self, picks: list[Ints]) -> tuple[Choices, Floats]:
        """Play an option of every information state, shape (nodes,) in each layer.

        Returns:
            The options that are met, and the cost of each layout, shape (layouts,).
        """
        costs = np.empty(len(self.graph.layouts))
        met = np.ones(len(picks[0]), bool)
        choices = []
        for layer, pick in zip(self.graph.layers, picks, strict=True):
            taken = pick[met]
            choices.append(taken)
            ends, leads = layer.ends[taken], layer.leads[taken]
            # Each layout ends exactly once.
            costs[ends.indices] = self.sign * ends.data
            met = np.zeros(leads.shape[1], bool)
            met[leads.indices] = True
        return tuple(choices), costs


def first_best(layer: Layer, costs: Floats, least: Floats) -> Ints:
    """The first option of each information state that costs the least, shape (nodes,)."""
    counts = np.diff(np.append(layer.first_option, len(costs)))
    node = np.repeat(np.arange(len(counts)), counts)
    best = np.flatnonzero(costs == least[node])
    picks = np.empty(len(counts), np.int64)
    picks[node[best[::-1]]] = best[::-1]
    return picks
