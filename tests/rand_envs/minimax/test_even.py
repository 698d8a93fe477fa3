"""Even mixes of few rows: against all there are, and slopes against differences."""

import itertools

import numpy as np
import pytest

from rand_envs.minimax import solve_matrix_game
from rand_envs.minimax.even import AVERAGE, SoftMaximum, even_mix, with_mean, with_uniform


def test_the_rows_picked_are_as_good_as_the_best_of_all_choices() -> None:
    costs = np.random.default_rng(4).random((6, 5))
    soft = SoftMaximum.of(costs)
    choices = itertools.combinations_with_replacement(range(6), 3)
    every = [soft(costs[list(choice)].mean(0)) for choice in choices]
    picked = even_mix(costs, solve_matrix_game(costs).row_strategy, 3)
    assert soft(costs[picked].mean(0)) == pytest.approx(min(every), rel=1e-3)


def test_another_choice_keeps_the_places_of_rows_that_are_alike() -> None:
    costs = np.random.default_rng(5).random((8, 4))
    mix = solve_matrix_game(costs).row_strategy
    first = even_mix(costs, mix, 4)
    shuffled = first[::-1].copy()
    np.testing.assert_array_equal(even_mix(costs, mix, 4, shuffled), shuffled)
    # The same rows under other numbers are worth no change.
    twice = np.concatenate([costs, costs])
    again = even_mix(twice, np.concatenate([mix, mix]) / 2, 4, shuffled + 8)
    np.testing.assert_array_equal(again, shuffled + 8)


def test_the_soft_maximum_is_the_maximum_but_for_what_was_said_and_has_those_slopes() -> None:
    rng, rate = np.random.default_rng(5), 300.0
    means = rng.random((4, 9))
    hard = (1 - AVERAGE) * means.max(1) + AVERAGE * means.mean(1)
    assert np.all(np.abs(SoftMaximum(rate)(means) - hard) <= np.log(9) / rate)
    step, soft = 1e-6 * np.eye(9), SoftMaximum(20.0)
    slopes = (soft(means[0] + step) - soft(means[0] - step)) / 2e-6
    np.testing.assert_allclose(soft.slopes(means[0]), slopes, atol=1e-6)


def test_weights_with_a_uniform_share_mean_what_costs_with_the_mean_do() -> None:
    rng = np.random.default_rng(6)
    costs, weights = rng.random((3, 7)), rng.dirichlet(np.ones(7))
    np.testing.assert_allclose(costs @ with_uniform(weights), with_mean(costs) @ weights)
