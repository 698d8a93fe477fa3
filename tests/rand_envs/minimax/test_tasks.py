import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

from rand_envs import GridTask, RecallTask
from rand_envs.core.arrays import Array, Json
from rand_envs.core.task import Task, Transition
from rand_envs.minimax import solve_search_game
from rand_envs.minimax.columns import Bracket
from rand_envs.minimax.tasks import TaskSolution, TooLarge, solve_task, verify_task_solution
from rand_envs.minimax.tasks.fingerprints import distinct, fingerprints
from rand_envs.minimax.tasks.information import build_graph
from rand_envs.minimax.tasks.limits import all_actions
from tests.rand_envs.minimax.small_tasks import (
    Paging,
    Patrol,
    PeekOrGuess,
    Penalty,
    RandomGame,
    Reveal,
    RockPaperScissors,
)

CYCLE = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]
LINE = [(0, 1), (1, 2), (2, 3)]
STAR = [(0, 1), (0, 2), (0, 3)]

GAMES: dict[str, tuple[Task[Any], float]] = {
    "penalty": (Penalty(), 1 / 3),
    "matching pennies": (Penalty(2), 1 / 2),
    "rock, paper, scissors": (RockPaperScissors(), 1),
    "reveal": (Reveal(), 1),
    "peek or guess": (PeekOrGuess(), 1 / 2),
    "patrol a cycle": (Patrol(CYCLE, steps=6, attack=3), 0.6),
    "patrol a line": (Patrol(LINE, steps=6, attack=3), 0.5),
    "patrol a star": (Patrol(STAR, steps=6, attack=3), 0.5),
    "paging": (Paging(requests=4), 2.5),
    "grid 2 x 3": (GridTask(size=(2, 3), horizon=6), 6),
    "grid 3 x 3": (GridTask(size=3, horizon=12), 8),
    "recall": (RecallTask(num_pairs=2, value_bits=2), 1),
}


@pytest.fixture(params=list(GAMES))
def game(request: pytest.FixtureRequest) -> tuple[Task[Any], float]:
    return GAMES[request.param]


@pytest.fixture(scope="module")
def penalty() -> TaskSolution:
    return solve_task(Penalty())


@pytest.fixture(scope="module")
def patrol() -> TaskSolution:
    return solve_task(Patrol(CYCLE, steps=6, attack=3))


def worst_case(solution: TaskSolution, task: Task[Any]) -> float:
    """The exact mean outcome of the solution's player on the layout that is worst for it."""
    player = solution.player(task)
    outcomes = player.outcomes(
        task.layout_space.enumerate(), np.arange(len(solution.probabilities))
    )
    means = outcomes @ solution.probabilities
    return float(means.min() if task.higher_is_better else means.max())


def test_small_games_have_the_values_known_by_hand(game: tuple[Task[Any], float]) -> None:
    task, value = game
    solution = solve_task(task)
    assert solution.lower == pytest.approx(value, abs=1e-6)
    assert solution.upper == pytest.approx(value, abs=1e-6)
    assert solution.lower <= solution.value <= solution.upper
    assert not solution.interrupted
    assert worst_case(solution, task) == pytest.approx(value, abs=1e-6)
    report = verify_task_solution(solution, task)
    assert report.ok, report.reasons
    assert report.lower == pytest.approx(value, abs=1e-6)
    assert report.upper == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("rng_seed", range(20))
def test_random_games_are_solved_as_the_checker_confirms(rng_seed: int) -> None:
    task = RandomGame(rng_seed)
    solution = solve_task(task)
    assert solution.gap <= 1e-7
    report = verify_task_solution(solution, task)
    assert report.ok, report.reasons


def test_paging_with_seven_requests_costs_four_faults() -> None:
    assert solve_task(Paging(requests=7)).value == pytest.approx(4, abs=1e-6)


WALLS = np.zeros((3, 3), bool)
WALLS[1, 1] = True


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": (2, 4), "horizon": 7},
        {"size": (3, 3), "horizon": 7, "walls": WALLS},
        {"size": (2, 3), "horizon": 5, "num_episodes": 3, "start": (1, 1)},
        {"size": (3, 3), "horizon": 8, "num_episodes": 1},
    ],
    ids=str,
)
def test_grids_have_the_value_of_the_special_solver(arguments: dict[str, Any]) -> None:
    task = GridTask(**arguments)
    special = solve_search_game(
        task.size,
        walls=task.walls,
        start=task.start,
        horizon=task.horizon,
        num_episodes=task.num_episodes,
    )
    assert solve_task(task).value == pytest.approx(special.value, abs=1e-6)


def test_walls_of_the_adversary_can_be_solved_too() -> None:
    task = GridTask(size=(2, 3), horizon=8, walls=1)
    solution = solve_task(task)
    assert solution.gap <= 1e-7
    assert verify_task_solution(solution, task).ok


def test_the_player_draws_strategies_by_their_probabilities(patrol: TaskSolution) -> None:
    task = Patrol(CYCLE, steps=6, attack=3)
    player = patrol.player(task)
    seeds = player.draw_seeds(np.random.default_rng(0), 4000)
    layouts = task.layout_space.enumerate()
    play = player.play(layouts, seeds)
    assert play.outcome.shape == (len(layouts), 4000)
    assert play.output.shape == (len(layouts), 4000, 1)
    assert play.output.dtype == np.float32
    assert play.answer is None
    assert np.abs(play.outcome.mean(axis=1) - 0.6).min() < 0.05
    np.testing.assert_array_equal(
        player.play(layouts[3:5], seeds[7:8]).outcome, play.outcome[3:5, 7:8]
    )


def test_a_player_is_refused_for_another_game(penalty: TaskSolution) -> None:
    with pytest.raises(ValueError, match="not of Penalty-v0 with"):
        penalty.player(Penalty(2))


def test_solutions_survive_files(tmp_path: Path, patrol: TaskSolution) -> None:
    patrol.save(tmp_path / "patrol.json")
    again = TaskSolution.load(tmp_path / "patrol.json")
    assert again.to_json() == patrol.to_json()
    task = Patrol(CYCLE, steps=6, attack=3)
    assert verify_task_solution(tmp_path / "patrol.json", task).ok
    assert worst_case(again, task) == pytest.approx(0.6, abs=1e-6)
    assert [file.name for file in tmp_path.iterdir()] == ["patrol.json"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "rand_envs.task_game/0"}, "needs schema 'rand_envs.task_game/1'"),
        ({"lower": "0.3"}, "expected a number, got '0.3'"),
        ({"interrupted": 0}, "expected a bool, got 0"),
        ({"probabilities": [1.0]}, "as many strategies as probabilities"),
        ({"strategies": [{"first": {"0": 0}, "decisions": []}] * 3}, "none of 0 decisions"),
        ({"strategies": [{"first": {"0": 0}}] * 3}, "KeyError"),
        ({"adversary": [1]}, "TypeError"),
        ({"lower": 10**301}, "expected a number that a float can be"),
        ({"strategies": [{"first": {}, "decisions": [["0", {}]]}] * 3}, "'0' is no integer"),
    ],
    ids=str,
)
def test_files_of_another_form_are_refused(
    tmp_path: Path, penalty: TaskSolution, change: Json, message: str
) -> None:
    file = tmp_path / "penalty.json"
    file.write_text(json.dumps({**penalty.to_json(), **change}))
    with pytest.raises(ValueError, match=message):
        TaskSolution.load(file)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_files_that_hold_no_object_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "file.json").write_text(text)
    with pytest.raises(ValueError, match=r"file\.json (is not|must hold)"):
        TaskSolution.load(tmp_path / "file.json")


PLAYED: dict[str, tuple[Callable[[TaskSolution], TaskSolution], str]] = {
    "negative": (
        lambda s: replace(s, probabilities=np.array([-1.0, 1, 1])),
        "must be finite and not negative",
    ),
    "half a mix": (
        lambda s: replace(s, probabilities=s.probabilities / 2),
        "must sum to 1, and do to 0.5",
    ),
    "illegal action": (
        lambda s: with_json(s, lambda d: d["strategies"][0]["decisions"][0].__setitem__(0, 3)),
        "the strategies' actions are not the game's: .*3",
    ),
    "action of another form": (
        lambda s: with_json(s, lambda d: d["strategies"][0]["decisions"][0].__setitem__(0, [0])),
        "the strategies' actions are not the game's",
    ),
    "no answer": (
        lambda s: with_json(s, lambda d: d["strategies"][1].__setitem__("first", {})),
        "the strategies of Penalty-v0 have no answer to seeing 0",
    ),
}


@pytest.mark.parametrize("name", PLAYED)
def test_what_cannot_be_played_is_refused_by_the_player(penalty: TaskSolution, name: str) -> None:
    """As a file may hold anything, and a player must not take it for an answer."""
    change, message = PLAYED[name]
    with pytest.raises(ValueError, match=message):
        worst_case(change(penalty), Penalty())


def skewed(solution: TaskSolution) -> TaskSolution:
    probabilities = np.full(len(solution.probabilities), 0.1)
    probabilities[0] = 0.8
    return replace(solution, probabilities=probabilities)


def with_json(solution: TaskSolution, edit: Callable[[Json], None]) -> TaskSolution:
    data = json.loads(json.dumps(solution.to_json()))
    edit(data)
    return TaskSolution.from_json(data)


TAMPERINGS: dict[str, tuple[Callable[[TaskSolution], TaskSolution], str]] = {
    "of another game": (lambda s: replace(s, config={"corners": 4}), "not of this task"),
    "another unit": (lambda s: replace(s, unit="steps"), "counts steps, higher is better"),
    "not a number": (lambda s: replace(s, upper=float("nan")), "must be finite, got nan"),
    "infinite": (lambda s: replace(s, lower=-float("inf")), "must be finite, got -inf"),
    "lower too high": (lambda s: replace(s, lower=0.34), "worse than the claimed lower bound"),
    "lower too low": (lambda s: replace(s, lower=0.3), "lower bound 0.3 is looser"),
    "upper too low": (lambda s: replace(s, upper=0.3), "better than the claimed upper bound"),
    "upper too high": (lambda s: replace(s, upper=0.4), "upper bound 0.4 is looser"),
    "crossed": (lambda s: replace(s, lower=0.4, upper=0.3), "lower bound is above the claimed"),
    "another mix": (skewed, "the mix gets 0.1 on the layout"),
    "negative": (
        lambda s: replace(s, probabilities=np.array([-1.0, 1, 1])),
        "probabilities of the strategies must be finite and not negative",
    ),
    "not a distribution": (
        lambda s: replace(s, probabilities=s.probabilities / 2),
        "probabilities of the strategies sum to 0.5, not to 1",
    ),
    "no adversary": (lambda s: replace(s, adversary=()), "layouts sum to 0, not to 1"),
    "another adversary": (
        lambda s: replace(s, adversary=(({"numbers": [0]}, 1.0),)),
        "a player gets 1 against the adversary's mix",
    ),
    "illegal layout": (
        lambda s: replace(s, adversary=(({"numbers": [3]}, 1.0),)),
        "the adversary picks an illegal layout",
    ),
    "missing strategy": (
        lambda s: replace(s, strategies=s.strategies[1:]),
        "2 strategies need as many probabilities",
    ),
    "illegal action": (
        lambda s: with_json(s, lambda d: d["strategies"][0]["decisions"][0].__setitem__(0, 3)),
        r"strategy 0 plays an illegal action: 3 is not in Discrete\(3\)",
    ),
    "no answer": (
        lambda s: with_json(s, lambda d: d["strategies"][1].__setitem__("first", {})),
        "strategy 1 has no decision for the observation 0",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_the_checker_says_what_was_tampered_with(penalty: TaskSolution, name: str) -> None:
    tamper, reason = TAMPERINGS[name]
    report = verify_task_solution(tamper(penalty), Penalty())
    assert not report.ok
    assert any(re.search(reason, said) for said in report.reasons)


def test_an_interrupted_search_returns_its_bracket() -> None:
    seen: list[Bracket] = []

    def stop(bracket: Bracket) -> None:
        seen.append(bracket)
        raise KeyboardInterrupt

    task = Paging(requests=5)
    solution = solve_task(task, on_progress=stop)
    assert solution.interrupted
    assert len(seen) == 1
    assert solution.lower < 3 < solution.upper
    assert seen[0].lower == pytest.approx(solution.lower)
    assert verify_task_solution(solution, task).ok


def test_progress_is_told_in_the_unit_of_the_task() -> None:
    brackets: list[Bracket] = []
    solve_task(Penalty(), on_progress=brackets.append)
    assert all(0 <= bracket.lower <= 1 / 3 + 1e-9 <= bracket.upper + 2e-9 for bracket in brackets)


def test_a_time_limit_returns_a_bracket() -> None:
    solution = solve_task(Paging(requests=5), time_limit=0.0)
    assert solution.interrupted
    assert solution.lower <= 3 <= solution.upper


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (GridTask(size=8), "at most 400000 information states"),
        (RecallTask(), "at most 20000 layouts"),
        (GridTask(size=8, walls=20), "cannot be listed: at most"),
        (RecallTask(num_pairs=1, value_bits=13), "at most 4096 actions"),
    ],
    ids=["information states", "layouts", "unlisted layouts", "actions"],
)
def test_too_large_games_are_refused(task: Task[Any], message: str) -> None:
    with pytest.raises(TooLarge, match=message):
        solve_task(task)


def test_smaller_limits_refuse_sooner() -> None:
    with pytest.raises(TooLarge, match=r"at most 2000 information states, .*: 2\d\d\d were met"):
        solve_task(GridTask(size=4), max_states=2000)
    with pytest.raises(
        TooLarge, match="at most 50 triples of layout, information state and action"
    ):
        solve_task(GridTask(size=4), max_rows=50)


def test_illegal_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="tolerance must be at least 0, got -1"):
        solve_task(Penalty(), tolerance=-1)
    task = Penalty()
    task.action_space = Box(0, 1)
    with pytest.raises(ValueError, match="a Discrete, MultiDiscrete or MultiBinary space"):
        solve_task(task)

    class Endless(Reveal):
        def step(self, state: Array, actions: Array) -> Transition:
            return super().step(state, actions)._replace(terminated=np.zeros(len(state), bool))

    with pytest.raises(ValueError, match="lasts 2 steps at most, but some"):
        solve_task(Endless())


def test_all_actions_of_every_kind_are_listed() -> None:
    assert all_actions(Discrete(3, start=-1)).tolist() == [-1, 0, 1]
    assert all_actions(MultiDiscrete([2, 2])).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert all_actions(MultiBinary((2, 1))).tolist() == [
        [[0], [0]],
        [[0], [1]],
        [[1], [0]],
        [[1], [1]],
    ]


def test_actions_with_the_same_consequences_are_one_option() -> None:
    graph = build_graph(Reveal())
    assert len(graph.layers[0].actions) == 1
    assert len(graph.layers[1].actions) == 6


def test_fingerprints_tell_rows_apart_but_not_padding() -> None:
    structure = np.dtype([("small", np.int8), ("large", np.int64)], align=True)
    rows = np.frombuffer(np.arange(64, dtype=np.uint8).tobytes(), structure).copy()
    rows["small"], rows["large"] = [1, 2, 1, 1], [5, 5, 6, 5]
    first, number = distinct(fingerprints(rows))
    assert first.tolist() == [0, 1, 2]
    assert number.tolist() == [0, 1, 2, 0]
