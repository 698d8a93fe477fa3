"""The time left: phases have speeds of their own, and what is measured replaces guesses."""

import io
import math
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from rand_agents.executors import following
from rand_agents.executors.forecast import Forecast, in_words
from rand_agents.executors.work import BEGUN, Phase, Report


@dataclass(frozen=True)
class Made:
    """A work with three phases, guessed alike."""

    name: str
    kind: str = "made"
    phases: tuple[Phase, ...] = (
        Phase("best responses", 0.4, 10.0),
        Phase("distillation", 1.0, 10.0),
        Phase("evaluation", math.inf, 10.0),
    )

    def run(self, out: Path, report: Report) -> dict[str, Any]:
        raise NotImplementedError

    def line(self, result: dict[str, Any]) -> str:
        return self.name


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


TRUE_SECONDS = (20.0, 70.0, 30.0)


def play(forecast: Forecast, clock: Clock, names: Sequence[str], until: float = 120.0) -> None:
    """Some works at once, each second reported, for so many seconds of their 120."""
    first, second, _ = TRUE_SECONDS
    for name in names:
        forecast.note(name, BEGUN)
        forecast.note(name, 2 * BEGUN)
    for second_now in range(1, int(until) + 1):
        clock.now += 1.0
        for name in names:
            if second_now <= first:
                forecast.note(name, 0.4 * second_now / first)
            elif second_now <= first + second:
                forecast.note(name, 0.4 + 0.6 * (second_now - first) / second)
    if until >= sum(TRUE_SECONDS):
        for name in names:
            forecast.finish(name)


def forecast_of(works: Sequence[Made], processes: int = 2) -> tuple[Forecast, Clock]:
    clock = Clock()
    return Forecast(works, processes, clock), clock


def test_what_was_measured_of_each_phase_tells_the_time_left() -> None:
    works = [Made(str(number)) for number in range(6)]
    forecast, clock = forecast_of(works)
    assert forecast.seconds_left() == pytest.approx(3 * 30.0), "only guesses"
    play(forecast, clock, ["0", "1"])
    assert forecast.seconds_left() == pytest.approx(240.0, rel=0.1)
    # In the middle of the slow phase as much as at the beginning: the pace so far says nothing.
    play(forecast, clock, ["2", "3"], until=55.0)
    assert forecast.seconds_left() == pytest.approx(120.0 + 65.0, rel=0.1)
    assert forecast.running() == "2 in distillation"
    assert forecast.share() == pytest.approx((2 * 120 + 2 * 55) / (6 * 120), abs=0.03)


def test_phases_of_other_works_correct_the_guess_of_what_was_not_begun() -> None:
    forecast, clock = forecast_of([Made("0", "known"), Made("1", "unknown")], processes=1)
    play(forecast, clock, ["0"])
    assert 70.0 < forecast.seconds_left() < 120.0


def test_the_longest_work_is_waited_for() -> None:
    long = Made("long", "long", (Phase("training", 1.0, 100.0), Phase("evaluation", math.inf, 1.0)))
    forecast, _ = forecast_of([long, *(Made(str(number)) for number in range(2))], processes=3)
    assert forecast.seconds_left() == pytest.approx(101.0)


def test_an_evaluation_that_takes_longer_than_any_before_is_not_said_to_be_over() -> None:
    forecast, clock = forecast_of([Made("0")], processes=1)
    play(forecast, clock, ["0"], until=90.0)
    assert forecast.running() == "1 in evaluation"
    clock.now += 1000.0
    assert forecast.seconds_left() >= 100.0
    assert 0.0 < forecast.share() < 1.0


def test_what_a_checkpoint_has_done_is_not_timed() -> None:
    forecast, clock = forecast_of([Made("0"), Made("1")], processes=1)
    forecast.note("0", BEGUN)
    assert forecast.running() == "1 in best responses"
    clock.now += 1.0
    forecast.note("0", 0.9)
    assert forecast.seconds_left() == pytest.approx(10.0 / 6 + 10.0 + 30.0)


class Costly(Made):
    """A work whose guesses take long to make."""

    asked = 0

    def __getattribute__(self, name: str) -> Any:
        if name == "phases":
            Costly.asked += 1
        return super().__getattribute__(name)


def test_a_look_at_the_progress_costs_no_new_guess() -> None:
    forecast, clock = forecast_of([Costly("a"), Costly("b")])
    before = Costly.asked
    play(forecast, clock, ["a", "b"], 30.0)
    assert 0.0 < forecast.share() < 1.0
    assert forecast.seconds_left() > 0.0
    assert forecast.running() == "2 in distillation"
    assert Costly.asked == before


def test_times_are_said_as_one_says_them() -> None:
    assert [in_words(s) for s in (0.2, 38.0, 70.0, 3599.0, 4000.0)] == [
        "5 s", "40 s", "1 min", "1 h 00 min", "1 h 07 min",
    ]  # fmt: skip


def test_progress_is_printed_where_a_bar_cannot_be_redrawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    phases = Phase("training", 1.0, 10.0), Phase("evaluation", math.inf, 10.0)
    first, second = Made("first", phases=phases), Made("second", phases=phases)
    fractions = [0.0, 0.0]
    result = {"cost": 1.0}

    class Slow(Future[dict[str, Any]]):
        """Done at the third look, at its evaluation at the second."""

        looks = 0

        def done(self) -> bool:
            self.looks += 1
            if self.looks == 1:
                fractions[1] = BEGUN
            elif self.looks == 2:
                fractions[1] = 1.0
            else:
                self.set_result(result)
            return super().done()

    quick: Future[dict[str, Any]] = Future()
    quick.set_result(result)
    monkeypatch.setattr(following, "LINE_SECONDS", 0.0)
    printed: dict[bool, list[str]] = {}
    told: Any = SimpleNamespace(fractions=lambda: fractions, news=list)
    for terminal in (False, True):
        fractions[:] = [0.0, 0.0]
        console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
        with Progress(console=console, disable=True) as bar:
            forecast = Forecast([first, second], 2)
            found = following._follow({quick: first, Slow(): second}, told, forecast, bar)
        assert set(found) == {first.name, second.name}
        assert isinstance(console.file, io.StringIO)
        printed[terminal] = [line for line in console.file.getvalue().splitlines() if "%" in line]
    shares = [float(line.split("%")[0]) for line in printed[False]]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] > 50.0
    assert [" left not known yet" in line for line in printed[False]] == [True, True, True]
    assert printed[False][1].endswith("1 in training")
    assert printed[False][2].endswith("1 in evaluation")
    assert printed[True] == []
