"""The game values that are asked for most, from the one function that knows or finds them."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rand_envs import ColoringTask, GridTask, PagingTask, PatrolTask, RecallTask, RegretTask, Task
from rand_envs.core.task import GameValue
from rand_envs.minimax import game_value, solve_task, verify_task_solution


@pytest.mark.parametrize(
    ("task", "value"),
    [
        (PatrolTask(("cycle", 5), 6, 3), 0.6),
        (PatrolTask(("line", 4), 6, 3), 0.5),
        (PatrolTask(("star", 4), 6, 3), 0.5),
        (PagingTask(3, 2, 4), 2.5),
        (GridTask((2, 3), horizon=12), 6.0),
        (GridTask(3, horizon=12), 8.0),
        (RecallTask(3, 2), 1.0),
    ],
    ids=lambda case: case.env_id if isinstance(case, Task) else str(case),
)
def test_values_are_exact(task: Task[Any], value: float) -> None:
    """By what the game knows, and by the solver that knows no game, whose proof is checked."""
    known = game_value(task)
    assert known.kind == "exact"
    assert known.value == pytest.approx(value, abs=1e-7)
    solution = solve_task(task)
    assert solution.value == pytest.approx(value, abs=1e-7)
    assert verify_task_solution(solution, task).ok


def test_the_least_regret_of_four_requests_is_three_quarters() -> None:
    """Less than 2.5 - 1: another mix is best, since the optimum of hard sequences differs."""
    task = PagingTask(3, 2, 4)
    solution = solve_task(RegretTask(task))
    assert (solution.lower, solution.upper) == pytest.approx((0.75, 0.75), abs=1e-7)
    layouts = task.layout_space.enumerate()
    player = solution.player(RegretTask(task))
    seeds = player.draw_seeds(np.random.default_rng(0), 4000)
    assert player.play(layouts, seeds).outcome.mean(1).max() == pytest.approx(0.75, abs=0.05)


def test_what_is_too_large_has_a_bound_and_says_why() -> None:
    for task, bound in ((ColoringTask(10), 1.0), (RecallTask(), 1.0), (GridTask(8), None)):
        known = game_value(task)
        assert known.value == bound
        assert known.kind == ("bound" if bound else None)
        assert known.remark is not None
        assert "at most" in known.remark


def test_what_a_large_game_knows_of_itself_is_its_bound() -> None:
    class Modest(ColoringTask):
        def known_value(self) -> GameValue:
            return GameValue(0.9, "bound")

    known = game_value(Modest(10))
    assert (known.value, known.kind) == (0.9, "bound")
    assert known.remark == game_value(ColoringTask(10)).remark is not None


def test_a_task_is_named_by_its_class_its_id_or_an_environment() -> None:
    for named in (PatrolTask, "RandPatrol-v0", gym.make("RandPatrol-v0"), PatrolTask()):
        known = game_value(named)
        assert known.kind == "exact"
        assert known.value == pytest.approx(0.6)
    for other in ("CartPole-v1", dict, 3):
        with pytest.raises(ValueError, match="a task must be one, its class, an environment of it"):
            game_value(other)


def test_regret_reaches_from_nothing_to_all_there_is() -> None:
    task = PagingTask(3, 2, 4)
    assert (task.outcome_range, RegretTask(task).outcome_range) == ((0.0, 4.0), (0.0, 4.0))


def test_regret_needs_the_best_outcome() -> None:
    with pytest.raises(ValueError, match="regret needs best_outcome, which RandRecall-v0 does not"):
        RegretTask(RecallTask())
