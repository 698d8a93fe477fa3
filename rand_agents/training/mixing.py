"""Mixed strategies made of pure ones: what layouts weigh, what is added, what seeds are given."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from rand_agents.games.path.episodes import Ints, Minds
from rand_agents.games.path.tree import Strategy, Tree
from rand_agents.training.schema import check_tensors
from rand_envs.minimax import solve_matrix_game

Floats = NDArray[np.float64]

HEDGED = 0.5
"""Share of Hedge in the weights of the layouts; the rest is what the equilibrium weighs."""
COLUMNS = 20
"""How many strategies a tree adds at most."""
STARTS = 200
"""How often the choice for the seeds is begun anew."""
AVERAGE = 0.1
"""What the mean over layouts counts beside the worst: a worst case alone does not care what is
wasted in layouts that cost less."""


class Mixture:
    """Strategies found so far, and the matrix game that they and the layouts make.

    Args:
        num_layouts: n.
        rounds: How many best responses there will be.
        of_mean: Whether layouts weigh the same, whatever happens.
    """

    def __init__(self, num_layouts: int, rounds: int, of_mean: bool = False) -> None:
        self._rounds, self._of_mean = rounds, of_mean
        self._paid = np.zeros(num_layouts)
        self._uniform = np.full(num_layouts, 1.0 / num_layouts)
        self.strategies: list[Strategy] = []
        self.equilibrium = self._uniform
        self._mix = np.zeros(0)
        self._aim = self.value = math.inf

    @property
    def costs(self) -> Floats:
        """Of each strategy in each layout, (K, n)."""
        return np.array([strategy.costs for strategy in self.strategies])

    def __len__(self) -> int:
        return len(self.strategies)

    def weights(self) -> Floats:
        """Of the layouts, (n,), for the next response to answer.

        Half is Hedge (Freund and Schapire 1999) on what the responses have paid, at the rate that
        is best for costs between the least and the most there were: with exact responses the
        plain mean over them comes as near to the game value as one likes. Half is the layouts'
        mix in the equilibrium, which is nearer to it but often puts all weight on few layouts,
        that are easily answered at the expense of the others.
        """
        if self._of_mean or not self.strategies:
            return self._uniform
        costs = self.costs
        spread = costs.max() - costs.min()
        rate = math.sqrt(8.0 * math.log(costs.shape[1]) / self._rounds) / (spread or 1.0)
        hedge = np.exp(rate * (self._paid - self._paid.max()))
        hedged = _with_uniform(hedge / hedge.sum())
        mixed: Floats = HEDGED * hedged + (1.0 - HEDGED) * self.equilibrium
        return mixed

    def respond(self, tree: Tree) -> None:
        """Add a tree's best response to `weights`, and what else of it improves the equilibrium."""
        response = tree.best(self.weights())
        self._paid = self._paid + response.costs
        self.strategies.append(response)
        self._solve()
        for _ in range(COLUMNS):
            if not self.extend(tree):
                break

    def extend(self, tree: Tree) -> bool:
        """Add a tree's best response to the equilibrium; False if that is no better."""
        other = tree.best(self.equilibrium)
        if other.costs @ self.equilibrium > self._aim - 1e-6 * max(1.0, abs(self._aim)):
            return False
        self.strategies.append(other)
        self._solve()
        return True

    def _solve(self) -> None:
        if self._of_mean:
            self._aim = self.value = float(self.costs.mean(1).min())
            return
        costs = self.costs
        solved = solve_matrix_game(_with_mean(costs))
        self.equilibrium = _with_uniform(solved.column_strategy)
        self._mix = solved.row_strategy
        self._aim = solved.value
        self.value = float((solved.row_strategy @ costs).max())

    def chosen(self, count: int) -> Ints:
        """As many strategies, with repetition, of which the worst mean over them is least.

        Found by exchanging one for another as long as that helps, from draws of the equilibrium.

        Returns:
            Their numbers, (count,).
        """
        costs, rng = self.costs, np.random.default_rng(0)
        if self._of_mean:
            return np.full(count, costs.mean(1).argmin())
        best, least = np.zeros(count, np.int64), math.inf
        for _ in range(STARTS):
            picked = rng.choice(len(costs), size=count, p=self._mix)
            value = math.inf
            while (now := _exchanged(costs, picked)) < value - 1e-9:
                value = now
            if value < least:
                best, least = picked, value
        return np.sort(best)

    def matched(self, chosen: Ints, before: Ints) -> Ints:
        """The same numbers in an order in which each costs about what the one before it did."""
        costs = self.costs
        apart = np.abs(costs[chosen][:, None] - costs[before]).sum(-1)
        number, place = linear_sum_assignment(apart)
        ordered: Ints = chosen[number[np.argsort(place)]]
        return ordered

    def tensors(self) -> dict[str, Tensor]:
        """All that was found, to be saved."""
        if not self.strategies:
            return {}
        steps = [step for strategy in self.strategies for step in strategy.steps]
        return {
            "costs": torch.from_numpy(self.costs),
            "paid": torch.from_numpy(self._paid),
            "lengths": torch.tensor([len(strategy.steps) for strategy in self.strategies]),
            "sizes": torch.tensor([len(step.tokens) for step in steps]),
            "tokens": torch.cat([step.tokens for step in steps]),
            "codes": torch.cat([step.codes for step in steps]),
            "parents": torch.from_numpy(np.concatenate([step.parents for step in steps])),
        }

    def load(self, tensors: dict[str, Tensor], token_dim: int) -> None:
        """Go on from what `tensors` gave; ValueError if that is something else.

        Args:
            tensors: What was found.
            token_dim: Length of a token.
        """
        if not tensors:
            return
        self._check(tensors, token_dim)
        sizes = tensors["sizes"].tolist()
        parts = (torch.split(tensors[name], sizes) for name in ("tokens", "codes", "parents"))
        steps = [
            Minds(tokens, codes, parents.numpy())
            for tokens, codes, parents in zip(*parts, strict=True)
        ]
        begin = 0
        self._paid = tensors["paid"].numpy()
        lengths = tensors["lengths"].tolist()
        for costs, length in zip(tensors["costs"].numpy(), lengths, strict=True):
            self.strategies.append(Strategy(costs, steps[begin : begin + length]))
            begin += length
        self._solve()

    def _check(self, tensors: dict[str, Tensor], token_dim: int) -> None:
        count = tensors["costs"].shape[0] if "costs" in tensors else 0
        steps, minds = (
            int(tensors[name].sum()) if name in tensors else 0 for name in ("lengths", "sizes")
        )
        parts = tensors["codes"].shape[-1:] if "codes" in tensors else (1,)
        numbers, own = torch.zeros(max(count, steps, minds)).long(), len(self._paid)
        expected = {
            "costs": torch.empty(count, own, dtype=torch.float64),
            "paid": torch.empty(own, dtype=torch.float64),
            "lengths": numbers[:count],
            "sizes": numbers[:steps],
            "tokens": torch.empty(minds, token_dim),
            "codes": numbers[:minds, None].expand(-1, *parts),
            "parents": numbers[:minds],
        }
        check_tensors("strategies", tensors, expected)
        if any((tensors[name] < 1).any() for name in ("lengths", "sizes")) or count == 0:
            raise ValueError("the file's strategies must have steps, and these histories")
        firsts = np.cumsum([0, *tensors["lengths"].tolist()])[:-1]
        before = np.concatenate([[1], tensors["sizes"].numpy()])[:-1]
        before[firsts] = 1
        most = torch.from_numpy(np.repeat(before, tensors["sizes"].numpy()))
        parents = tensors["parents"]
        if not ((parents >= 0) & (parents < most)).all() or (tensors["codes"] < 0).any():
            raise ValueError("the file's strategies continue histories that there are not")


def _with_mean(costs: Floats) -> Floats:
    """Costs, (K, n), each with a share of the mean over layouts."""
    mixed: Floats = (1.0 - AVERAGE) * costs + AVERAGE * costs.mean(1, keepdims=True)
    return mixed


def _with_uniform(weights: Floats) -> Floats:
    """Weights of layouts, (n,), under which costs mean what `_with_mean` makes of them."""
    mixed: Floats = (1.0 - AVERAGE) * weights + AVERAGE / len(weights)
    return mixed


def _exchanged(costs: Floats, picked: Ints) -> float:
    """Exchange each of those picked for the best there is, in place; how bad they are together."""
    total = costs[picked].sum(0)
    value = math.inf
    for place, own in enumerate(picked.tolist()):
        means = (total - costs[own] + costs) / len(picked)
        values = _with_mean(means).max(1)
        best = int(values.argmin())
        if values[best] < values[own]:
            total = total - costs[own] + costs[best]
            picked[place] = best
        value = float(values[picked[place]])
    return value
