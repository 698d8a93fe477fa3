"""Mixed strategies made of pure ones: what layouts weigh, what is added, what seeds are given."""

import math
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rand_agents.agents.schema import check_tensors
from rand_agents.games.path.episodes import Ints, Minds
from rand_agents.games.path.tree import Strategy, Tree
from rand_envs.minimax import solve_matrix_game
from rand_envs.minimax.even import SOFT, WORTH, SoftMaximum, even_mix, with_mean, with_uniform

Floats = NDArray[np.float64]

HEDGED = 0.5
"""Share of Hedge in the weights of the layouts; the rest is what the equilibrium weighs."""
COLUMNS = 20
"""How many strategies a tree adds at most."""
TRIES = 4
"""Of how many answers the best takes a strategy's place."""
SWEEPS = 4
"""How often the strategies of all seeds are gone through, as long as that helps."""
SOFTER = 0.02
"""As `SOFT`, while a choice is made from nothing: a sharp one sees a few layouts only."""


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
        hedged = with_uniform(hedge / hedge.sum())
        mixed: Floats = HEDGED * hedged + (1.0 - HEDGED) * self.equilibrium
        return mixed

    def respond(self, tree: Tree) -> None:
        """Add a tree's best response to `weights`, and what else of it improves the equilibrium."""
        response = tree.best(self.weights())
        self._paid = self._paid + response.costs
        self.strategies.append(tree.strategy(response))
        self._solve()
        for _ in range(COLUMNS):
            if not self.extend(tree):
                break

    def extend(self, tree: Tree) -> bool:
        """Add a tree's best response to the equilibrium; False if that is no better."""
        other = tree.best(self.equilibrium)
        if other.costs @ self.equilibrium > self._aim - 1e-6 * max(1.0, abs(self._aim)):
            return False
        self.strategies.append(tree.strategy(other))
        self._solve()
        return True

    def _solve(self) -> None:
        if self._of_mean:
            self._aim = self.value = float(self.costs.mean(1).min())
            return
        costs = self.costs
        solved = solve_matrix_game(with_mean(costs))
        self.equilibrium = with_uniform(solved.column_strategy)
        self._mix = solved.row_strategy
        self._aim = solved.value
        self.value = float((solved.row_strategy @ costs).max())

    def chosen(self, count: int, before: Ints | None = None) -> Ints:
        """So many strategies for as many seeds, see `even_mix`; the best alone for the mean."""
        costs = self.costs
        if self._of_mean:
            return np.full(count, costs.mean(1).argmin())
        return even_mix(costs, self._mix, count, before)

    def improve(self, tree: Tree, chosen: Ints, places: Iterable[int], soft: float = SOFT) -> bool:
        """Exchange strategies of a choice, in place, for a tree's answers to the others.

        Args:
            tree: Where they are looked for.
            chosen: Numbers of strategies, (K,).
            places: Which may be exchanged, one after the other.
            soft: How soft the maximum over layouts is.

        Returns:
            Whether any was.
        """
        found = [not self._of_mean and self._answered(tree, chosen, at, soft) for at in places]
        if any(found):
            self._solve()
        return any(found)

    def anew(self, tree: Tree, chosen: Ints) -> Ints:
        """Another choice if that is better: of a tree's strategies alone.

        Each answers those before it, and is then exchanged as in `improve`. Strategies of one
        tree have more in common than those of several, and are learned more quickly.

        Args:
            tree: Where they are looked for.
            chosen: The choice so far, (K,).

        Returns:
            The better one, (K,).
        """
        if self._of_mean:
            return chosen
        known, softer = len(self), SoftMaximum.of(self.costs, SOFTER)
        total = np.zeros(len(self._paid))
        for number in range(len(chosen)):
            answer = tree.best(softer.slopes(total / max(number, 1)))
            self.strategies.append(tree.strategy(answer))
            total = total + answer.costs
        other = np.arange(known, len(self))
        self.sweep(tree, other, SOFTER)
        before = self._badness(chosen)
        if self._badness(other) < before - WORTH * abs(before):
            return other
        del self.strategies[known:]
        self._solve()
        return chosen

    def sweep(self, tree: Tree, chosen: Ints, soft: float = SOFT) -> None:
        """Go through all places of a choice with `improve`, as long as that helps."""
        for _ in range(SWEEPS):
            if not self.improve(tree, chosen, range(len(chosen)), soft):
                break

    def _badness(self, chosen: Ints) -> float:
        costs = self.costs
        return float(SoftMaximum.of(costs)(costs[chosen].mean(0)))

    def _answered(self, tree: Tree, chosen: Ints, place: int, soft: float) -> bool:
        """Exchange one strategy for the best of some answers to the others, if that is better.

        They answer what layouts weigh in the mean of the others and of the answers so far
        (fictitious play).
        """
        known = SoftMaximum.of(self.costs, soft)
        costs, count = self.costs[chosen], len(chosen)
        others = costs.sum(0) - costs[place]
        found, least = None, known(costs.mean(0)) - 1e-9
        own = others / max(count - 1, 1)
        for number in range(1, TRIES + 1):
            answer = tree.best(known.slopes((others + own) / count))
            value = known((others + answer.costs) / count)
            if value < least:
                found, least = answer, value
            own = answer.costs if number == 1 else own + (answer.costs - own) / number
        if found is None:
            return False
        chosen[place] = len(self.strategies)
        self.strategies.append(tree.strategy(found))
        return True

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
