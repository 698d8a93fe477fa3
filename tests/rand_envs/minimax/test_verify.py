import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rand_envs.core.arrays import Json
from rand_envs.minimax import (
    SearchGameSolution,
    bracket_search_game,
    load_solution,
    shipped_solutions,
    slot_bound,
    solve_search_game,
    verify_search_solution,
)
from rand_envs.minimax.grid.relaxation import best_slots
from rand_envs.minimax.grid.search_grid import SearchGrid

KNOWN = {
    (2, 2, None): 4,
    (2, 3, None): 6,
    (3, 3, None): 8,
    (4, 4, None): 278 / 23,
    (4, 5, None): 14.3329482,
    (5, 5, None): 52 / 3,
    (5, 5, 25): 52 / 3,
    (7, 7, None): 125 / 4,
}


def test_all_known_solutions_ship() -> None:
    assert set(shipped_solutions()) == set(KNOWN)


@pytest.mark.parametrize("game", [game for game in KNOWN if game[2] is None], ids=str)
def test_shipped_solutions_prove_the_known_values(game: tuple[int, int, None]) -> None:
    rows, columns, horizon = game
    solution = load_solution((rows, columns), horizon)
    report = verify_search_solution(solution)
    assert report.ok
    assert report.lower == pytest.approx(KNOWN[game], abs=1e-6)
    assert report.upper == pytest.approx(KNOWN[game], abs=1e-6)


def test_the_mix_for_a_horizon_of_25_reaches_the_value_of_infinite_patience() -> None:
    report = verify_search_solution(load_solution(5, horizon=25), check_lower=False)
    assert report.ok
    assert report.upper == pytest.approx(52 / 3, abs=1e-6)


@pytest.mark.slow
def test_the_horizon_of_25_changes_nothing() -> None:
    report = verify_search_solution(load_solution(5, horizon=25))
    assert report.ok
    assert report.lower == pytest.approx(52 / 3, abs=1e-6)


def test_solutions_survive_json(tmp_path: Path) -> None:
    solution = load_solution(4)
    solution.save(tmp_path / "4x4.json")
    again = SearchGameSolution.load(tmp_path / "4x4.json")
    assert again.to_json() == solution.to_json()
    assert verify_search_solution(tmp_path / "4x4.json").ok
    assert [file.name for file in tmp_path.iterdir()] == ["4x4.json"]


def swap_a_step(data: Json) -> None:
    data["paths"][0][0][1] = [2, 2]


def cut_a_walk(data: Json) -> None:
    del data["paths"][0][0][-1]


def start_elsewhere(data: Json) -> None:
    del data["paths"][0][0][0]


def walk_twice(data: Json) -> None:
    data["paths"][0] *= 2


def claim_less(data: Json) -> None:
    data["upper"] -= 1e-3


def claim_more(data: Json) -> None:
    data["lower"] += 1e-3
    data["upper"] += 2e-3


def move_the_treasure(data: Json) -> None:
    data["treasure_distribution"][0][1] += 0.1
    data["treasure_distribution"][3][3] -= 0.1


def prefer_a_path(data: Json) -> None:
    low = int(np.argmin(data["probabilities"]))
    high = int(np.argmax(data["probabilities"]))
    data["probabilities"][low] += 0.05
    data["probabilities"][high] -= 0.05


def lose_mass(data: Json) -> None:
    data["probabilities"][0] *= 0.5


def lose_a_probability(data: Json) -> None:
    del data["probabilities"][0]


def owe_mass(data: Json) -> None:
    data["probabilities"][0] -= 1
    data["probabilities"][1] += 1


def play_nothing(data: Json) -> None:
    data["num_episodes"] = 0


def claim_backwards(data: Json) -> None:
    data["lower"], data["upper"] = data["upper"] - 2e-3, data["upper"] - 3e-3


def claim_nothing(name: str, bound: float) -> Callable[[Json], None]:
    def tamper(data: Json) -> None:
        data[name] = bound

    return tamper


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (claim_nothing("upper", 1e9), "upper bound 1e+09 is looser"),
        (claim_nothing("lower", -1e9), "lower bound -1e+09 is looser"),
        (claim_nothing("upper", float("inf")), "the claimed upper bound must be finite, got inf"),
        (claim_nothing("upper", float("nan")), "the claimed upper bound must be finite, got nan"),
        (claim_nothing("lower", float("nan")), "the claimed lower bound must be finite, got nan"),
        (claim_nothing("lower", -float("inf")), "lower bound must be finite, got -inf"),
        (swap_a_step, "path 0 is not a legal walk"),
        (cut_a_walk, "path 0 never visits"),
        (start_elsewhere, "path 0 does not begin at the start"),
        (walk_twice, "path 0 has 2 walks"),
        (claim_less, "more than the claimed upper bound"),
        (claim_more, "less than the claimed lower bound"),
        (move_the_treasure, "less than the claimed lower bound"),
        (prefer_a_path, "more than the claimed upper bound"),
        (lose_mass, "not to 1"),
        (lose_a_probability, "as many probabilities"),
        (owe_mass, "must be finite and not negative"),
        (play_nothing, "no episode"),
        (claim_backwards, "above the claimed upper bound"),
    ],
)
def test_a_tampered_solution_is_rejected_with_its_reason(
    tamper: Callable[[Json], None], reason: str
) -> None:
    data = load_solution(4).to_json()
    tamper(data)
    report = verify_search_solution(SearchGameSolution.from_json(data))
    assert not report.ok
    assert any(reason in text for text in report.reasons)


def test_walls_put_in_the_way_afterwards_are_noticed() -> None:
    data = load_solution(4).to_json()
    data["walls"] = [[1, 1]]
    data["treasure_distribution"][1][1] = 0.0
    report = verify_search_solution(SearchGameSolution.from_json(data))
    assert any("not a legal walk" in reason for reason in report.reasons)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "not a JSON file"),
        ("[]", "JSON object"),
        ('{"schema": "other"}', "needs schema"),
        ('{"schema": "rand_envs.search_game/1"}', "does not follow its schema"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "file.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        verify_search_solution(tmp_path / "file.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": [3]}, "the shape in a solution file must be two integers, got [3]"),
        ({"walls": "none"}, "the walls in a solution file must be a list, got 'none'"),
        ({"relaxed": 0}, "relaxed in a solution file must be true or false, got 0"),
        ({"treasure_distribution": [[0.5, 0.5]]}, "must have 3 rows of 3"),
        (
            {"paths": [[[[0, 0], [0, 3]]]]},
            "number of a cell of a path must be an integer from 0 to 2",
        ),
        ({"shape": [200, 200]}, "a grid may have at most"),
    ],
    ids=str,
)
def test_fields_of_another_form_are_refused(change: Json, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        SearchGameSolution.from_json(load_solution(3).to_json() | change)


def test_a_walk_longer_than_its_episode_is_rejected() -> None:
    data = load_solution(5, horizon=25).to_json()
    walk = data["paths"][0][0]
    walk += [walk[-2], walk[-1]] * 13
    report = verify_search_solution(SearchGameSolution.from_json(data), check_lower=False)
    assert any("path 0 walks" in text and "beyond the horizon" in text for text in report.reasons)


def test_a_treasure_on_the_start_is_refused() -> None:
    data = load_solution(3).to_json()
    data["treasure_distribution"][0][0] = 0.1
    with pytest.raises(ValueError, match="mass on the start"):
        SearchGameSolution.from_json(json.loads(json.dumps(data)))


def test_shapes_without_a_shipped_solution_name_the_solver() -> None:
    with pytest.raises(ValueError, match="use solve_search_game"):
        load_solution(3, horizon=7)


@pytest.mark.parametrize(("size", "bound"), [(2, 4), (3, 8), (4, 12), (5, 52 / 3)])
def test_the_slot_bound_is_below_the_value_and_sharp_on_small_odd_squares(
    size: int, bound: float
) -> None:
    grid = SearchGrid.create(size)
    assert slot_bound(grid, best_slots(grid, 2), 2) == pytest.approx(bound, abs=1e-9)
    assert bound <= load_solution(size).value + 1e-9


@pytest.mark.parametrize("rng_seed", range(5))
def test_no_distribution_makes_the_slot_bound_exceed_the_best_response(rng_seed: int) -> None:
    solution = load_solution(4)
    weights = np.append(0.0, np.random.default_rng(rng_seed).dirichlet(np.full(15, 0.3)))
    data = solution.to_json()
    data["treasure_distribution"] = np.insert(weights[1:], 0, 0.0).reshape(4, 4).tolist()
    data["lower"] = 0.0
    report = verify_search_solution(SearchGameSolution.from_json(data))
    assert report.lower is not None
    assert slot_bound(solution.grid, weights, 2) <= report.lower + 1e-9


def test_a_large_grid_has_a_bracket_that_verifies(tmp_path: Path) -> None:
    # It stops at the tolerance, however slow the machine is.
    bracket = bracket_search_game(6, seconds=600, width=20, tolerance=1.9)
    assert bracket.relaxed
    assert bracket.lower == pytest.approx(23.5, abs=1e-6)
    assert bracket.lower < bracket.upper < 25.5
    bracket.save(tmp_path / "6x6.json")
    report = verify_search_solution(tmp_path / "6x6.json")
    assert report.ok
    assert report.lower == pytest.approx(23.5, abs=1e-6)


def test_the_bracket_holds_the_value_on_a_walled_grid() -> None:
    walls = np.zeros((4, 4), bool)
    walls[1, :2] = True
    value = solve_search_game(4, walls).value
    bracket = bracket_search_game(4, walls, seconds=2, width=50)
    assert bracket.lower - 1e-9 <= value <= bracket.upper + 1e-9
    assert verify_search_solution(bracket).ok


def test_an_exact_claim_on_a_large_grid_cannot_be_checked() -> None:
    data = bracket_search_game(6, seconds=0.1, width=5).to_json() | {"relaxed": False}
    with pytest.raises(ValueError, match="check_lower=False"):
        verify_search_solution(SearchGameSolution.from_json(data))
