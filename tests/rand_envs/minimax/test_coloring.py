from itertools import permutations, product

import numpy as np
import pytest

from rand_envs.minimax import anneal_coloring_rule, solve_coloring_game


def test_one_round_colours_five_vertices_for_certain() -> None:
    bracket = solve_coloring_game(5, 1)
    assert (bracket.num_cycles, bracket.failures) == (12, 0)
    assert bracket.lower == bracket.upper == 1
    assert bracket.rule.success() == 1


@pytest.mark.slow
def test_one_round_colours_six_vertices_nine_times_in_ten() -> None:
    bracket = solve_coloring_game(6, 1)
    assert (bracket.num_cycles, bracket.fewest_failures, bracket.failures) == (60, 6, 6)
    assert bracket.rule.success() == pytest.approx(0.9)


def test_the_value_without_a_round_is_that_of_all_rules() -> None:
    # Without a round a rule is one colour for each label.
    cycles = [(0, *p) for p in permutations(range(1, 5)) if p[0] < p[-1]]
    best = max(
        np.mean([all(rule[c[i - 1]] != rule[c[i]] for i in range(5)) for c in cycles])
        for rule in product(range(3), repeat=5)
    )
    bracket = solve_coloring_game(5, 0)
    assert bracket.lower == bracket.upper == pytest.approx(best)


def test_the_success_of_a_rule_is_its_share_of_cycles_and_its_chance_on_each() -> None:
    rule = anneal_coloring_rule(6, 1, steps=3000)
    chance = []
    for cycle in [(0, 1, 2, 3, 4, 5), (0, 3, 1, 5, 2, 4)]:
        images = np.array([[labels[v] for v in cycle] for labels in permutations(range(6))])
        colors = rule.colors(images)
        chance.append((colors != np.roll(colors, 1, axis=1)).all(axis=1).mean())
    assert chance == pytest.approx([rule.success()] * 2)
    assert (rule.table == rule.table.transpose(2, 1, 0)).all()


def test_a_rule_fails_on_almost_no_cycle_of_eight_after_two_rounds() -> None:
    assert anneal_coloring_rule(8, 2, steps=3_000_000).success() > 0.98


@pytest.mark.slow
def test_two_rounds_colour_ten_vertices_almost_for_certain() -> None:
    assert anneal_coloring_rule(10, 2).success() > 0.997


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, 0), "at least 3 vertices"),
        ((5, 2), "more than 2 \\* rounds \\+ 1 vertices"),
        ((5, -1), "more than 2 \\* rounds \\+ 1 vertices"),
        ((5, 1, 1), "two colours"),
    ],
)
def test_games_that_are_none_are_refused(arguments: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        solve_coloring_game(*arguments)
