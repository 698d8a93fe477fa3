"""Every training run of a preset says what it consists of, for the time left."""

import math

import pytest

from benchmarks.suite.experiments import PRESETS, select
from benchmarks.suite.job import Job, jobs


@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_every_training_run_has_phases_that_make_a_whole(preset: str) -> None:
    for job in {job.label: job for job in jobs(PRESETS[preset], 0)}.values():
        ends = [phase.until for phase in job.phases]
        assert ends == sorted(ends)
        assert ends[-2:] == [1.0, math.inf]
        assert all(phase.seconds > 0 for phase in job.phases)


def test_phases_of_best_responses_have_their_own_ends() -> None:
    def job(task: str) -> Job:
        return jobs(select("quick", (task,)), 0)[0]

    names = [phase.name for phase in job("patrol").phases]
    assert names == ["best responses", "distillation", "evaluation"]
    assert job("patrol").phases[0].until == pytest.approx(0.4)
    assert [phase.name for phase in job("recall").phases] == ["training", "evaluation"]
