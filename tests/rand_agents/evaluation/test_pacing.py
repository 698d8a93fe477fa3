"""An evaluation knows beforehand what it will play, and from that how long it will take."""

import dataclasses
from collections import Counter
from typing import Any

import pytest

from rand_agents import QNorm, evaluate
from rand_agents.evaluation.pacing import Paced, planned
from rand_agents.evaluation.trial import usual_effort
from rand_envs import ColoringTask, GridTask, PagingTask, RecallTask
from rand_envs.core.task import Task

EFFORT: dict[str, Any] = {
    "layouts": 50,
    "num_seeds": 10,
    "num_fresh_seeds": 20,
    "search_rounds": 2,
    "search_starts": 1,
}
GAMES = [
    RecallTask(num_pairs=2, value_bits=2),
    RecallTask(num_pairs=6, value_bits=2),  # too many layouts for all of them
    ColoringTask(num_vertices=6),  # all are played at once
    GridTask(size=2),
    PagingTask(num_requests=3),
]


@pytest.mark.parametrize("task", GAMES, ids=lambda task: f"{task.env_id}{list(task.config)[:1]}")
def test_no_more_is_played_than_is_planned_and_not_much_less(task: Task[Any]) -> None:
    agent = QNorm("SeedTransformer", task, rng_seed=0)
    plan = planned(agent, dataclasses.replace(usual_effort(task), **EFFORT), (5,))
    told: list[int] = []
    paced = Paced(agent, lambda paced: told.append(paced.done.total()))
    report = evaluate(paced, votes=(5,), **EFFORT)
    assert report == evaluate(agent, votes=(5,), **EFFORT)
    # Beside the plan: three seeds on 64 layouts show what a constant seed does.
    assert not paced.done - plan - Counter(play=3 * 64)
    assert told == sorted(told)
    if task.unit == "success":  # else the largest regret needs less, if few layouts contend
        assert paced.done.total() > 0.5 * plan.total()


def test_the_time_left_does_not_count_what_was_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("rand_agents.evaluation.pacing.time.monotonic", lambda: now[0])

    class Slow:
        task = GridTask(size=2)
        took = 100.0

        def draw_seeds(self, rng: Any, m: int) -> Any:
            raise AssertionError

        def play(self, layouts: Any, seeds: Any) -> Any:
            now[0] += self.took

    slow = Slow()
    paced = Paced(slow, lambda paced: None)
    plan = Counter(play=40, losses=5)
    assert paced.left(plan) == (0.0, False)
    paced.play([0] * 2, [0] * 5)  # type: ignore[arg-type]
    assert paced.left(plan) == (300.0, False)
    slow.took = 1.0
    paced.play([0] * 2, [0] * 5)  # type: ignore[arg-type]
    assert paced.left(plan) == (2.0, False)
    assert paced.left(Counter(play=40)) == (2.0, True)
    assert paced.left(Counter(play=10)) == (0.0, True)
