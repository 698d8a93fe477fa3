"""PEPG is the standard algorithm: step by step what evotorch's PGPE does with the same draws."""

from typing import Any

import numpy as np
import pytest
import torch
from evotorch import Problem
from evotorch.algorithms import PGPE
from evotorch.distributions import SymmetricSeparableGaussian

from rand_agents import SearchConfig
from rand_agents.training.evolution import Search, centered_ranks

DIMENSION, POPULATION, GENERATIONS = 12, 40, 100


def sphere(x: torch.Tensor) -> torch.Tensor:
    return (x**2).sum(-1)


def rastrigin(x: torch.Tensor) -> torch.Tensor:
    return (x**2 - 10 * torch.cos(2 * torch.pi * x) + 10).sum(-1)


def ordinal(function: Any) -> Any:
    """The order of the costs in place of the costs, so that no two are equal.

    Ranks are all that either side uses. Costs that tie in float32 share their mean rank here, and
    not there; and those that nearly tie may change places where a machine rounds otherwise.
    """

    def order(x: torch.Tensor) -> torch.Tensor:
        costs: torch.Tensor = function(x.double())
        return costs.argsort().argsort().float()

    return order


def grouped(rows: torch.Tensor) -> np.ndarray:
    """Rows of mirrored pairs in our order: all that add the noise, then all that subtract it."""
    return torch.cat([rows[0::2], rows[1::2]]).numpy()


def reference(function: Any, start: np.ndarray, config: SearchConfig) -> PGPE:
    return PGPE(
        Problem("min", function, solution_length=DIMENSION, vectorized=True),
        popsize=config.population,
        center_learning_rate=config.learning_rate,
        stdev_learning_rate=config.std_learning_rate,
        stdev_init=config.std,
        stdev_min=config.min_std,
        stdev_max_change=config.max_std_change,
        optimizer=config.optimizer,
        center_init=torch.from_numpy(start.copy()),
    )


def gradients_of(algorithm: PGPE) -> tuple[torch.Tensor, torch.Tensor]:
    candidates = algorithm.population
    found = algorithm._distribution.compute_gradients(
        candidates.access_values(keep_evals=True),
        candidates.access_evals()[:, 0],
        objective_sense="min",
        ranking_method="centered",
    )
    return found["mu"], found["sigma"]


@pytest.mark.parametrize("std_rate", [0.1, 3.0], ids=["free std", "std at its limits"])
@pytest.mark.parametrize("optimizer", ["clipup", "adam"])
@pytest.mark.parametrize("function", [sphere, rastrigin])
def test_a_hundred_generations_equal_evotorchs(
    function: Any, optimizer: Any, std_rate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both take the same standard normal numbers and the same order of costs; candidates, ranks,
    # centre and std are each one's own.
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((GENERATIONS + 1, POPULATION // 2, DIMENSION), np.float32)
    start = rng.uniform(-3, 3, DIMENSION).astype(np.float32)
    pending = iter(draws)

    def fill(self: Any, out: torch.Tensor, *, generator: Any = None) -> None:
        noise = torch.from_numpy(next(pending)) * self.sigma
        out[0::2], out[1::2] = self.mu + noise, self.mu - noise

    monkeypatch.setattr(SymmetricSeparableGaussian, "_fill", fill)
    config = SearchConfig(
        POPULATION, 0.05, std=0.3, std_learning_rate=std_rate, min_std=0.02, optimizer=optimizer
    )
    search, theirs = Search(start, config), reference(ordinal(function), start, config)
    hits = 0
    for draw in draws:
        theirs.step()  # updates from the last generation, then evaluates the next one
        np.testing.assert_allclose(search.center, theirs.status["center"], rtol=0, atol=1e-5)
        np.testing.assert_allclose(search.std, theirs.status["stdev"], rtol=0, atol=1e-5)
        noise, before = draw * search.std, search.std
        candidates = grouped(theirs.population.values)
        np.testing.assert_allclose(search.candidates(noise), candidates, rtol=0, atol=1e-5)
        cost = grouped(theirs.population.evals)[:, 0].astype(np.float64)
        # In their order our own costs rise as well, but for rounding.
        own_cost = function(torch.from_numpy(search.candidates(noise)).double()).numpy()
        assert np.diff(own_cost[cost.argsort()]).min() > -1e-3
        # Both optimisers hide the centre gradient's length, so it is compared as well.
        own = search.gradients(noise, centered_ranks(-cost))
        np.testing.assert_allclose(own, np.stack(gradients_of(theirs)), rtol=0, atol=1e-5)
        search.tell(noise, -cost, config.learning_rate)
        hits += int(np.isclose(abs(search.std / before - 1), config.max_std_change).sum())
    assert function(torch.from_numpy(search.center)) < function(torch.from_numpy(start)) / 2
    assert (hits > 0) == (std_rate > 1)
