"""How long the rest of some works will take, from the speeds that were measured so far.

What is to be done has phases, and their speeds have little to do with one another: an update that
looks for a best response costs other than one of distillation, and evaluation is no update at all.
Each phase begins with a guess; whatever has been measured of the same phase of the same kind of
work takes its place, and corrects the guesses of the others as far as nothing is known of them.
"""

import heapq
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rand_agents.executors.work import BEGUN, Work

TRUST = 3.0
"""How many seconds of measuring count as much as what was believed before."""


@dataclass
class _State:
    fraction: float = 0.0
    since: float | None = None
    """When the fraction was reached, from the first one on that is known."""
    is_running: bool = False
    is_done: bool = False


@dataclass
class _Speed:
    measured: float = 0.0
    guessed: float = 0.0

    def ratio(self, prior: float, weight: float) -> float:
        """How many times the guess it takes, where `weight` seconds took `prior` times theirs."""
        return (self.measured + weight * prior) / (self.guessed + weight)


@dataclass
class Forecast:
    """What is done and how long the rest takes.

    Attributes:
        works: In the order in which they are begun.
        processes: How many run at a time.
        clock: Seconds now.
    """

    works: Sequence[Work]
    processes: int
    clock: Callable[[], float] = time.monotonic
    _states: dict[str, _State] = field(init=False)
    _speeds: dict[tuple[str, str], _Speed] = field(init=False)
    _shown: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._by_name = {work.name: work for work in self.works}
        # Asked for once: a game may have to be made to guess them, and a bar looks often.
        self._phases = {work.name: work.phases for work in self.works}
        self._states = {name: _State() for name in self._by_name}
        # By kind and phase, by phase alone, and of all.
        self._speeds = defaultdict(_Speed)

    def note(self, name: str, fraction: float) -> None:
        """A worker is so far with its training; the first time is when it has begun.

        What was done before anything more is known, as by a run that goes on from its checkpoint,
        is not timed.
        """
        state, now = self._states[name], self.clock()
        state.is_running = True
        if not any(phase.until <= 1.0 for phase in self._phases[name]):
            fraction = 1.0
        if fraction <= max(state.fraction, BEGUN):
            return
        if state.since is not None:
            parts = self._between(name, state.fraction, fraction)
            self._measure(name, parts, now - state.since)
        state.fraction, state.since = fraction, now

    def finish(self, name: str) -> None:
        """It is done."""
        state = self._states[name]
        if state.since is not None and state.fraction >= 1.0:
            self._measure(name, self._between(name, 1.0, math.inf), self.clock() - state.since)
        state.is_done, state.is_running = True, False

    def _between(self, name: str, begin: float, end: float) -> dict[str, float]:
        """Guessed seconds of each phase between two fractions."""
        parts, start = {}, 0.0
        for phase in self._phases[name]:
            if math.isinf(phase.until):
                parts[phase.name] = phase.seconds if math.isinf(end) else 0.0
            else:
                covered = min(end, phase.until) - max(begin, start)
                parts[phase.name] = phase.seconds * max(covered, 0.0) / (phase.until - start)
                start = phase.until
        return parts

    def _measure(self, name: str, parts: dict[str, float], seconds: float) -> None:
        kind = self._by_name[name].kind
        expected = {phase: part * self._ratio(kind, phase) for phase, part in parts.items()}
        total = sum(expected.values())
        for phase, part in parts.items():
            for key in ((kind, phase), ("", phase), ("", "")):
                self._speeds[key].guessed += part
                self._speeds[key].measured += seconds * expected[phase] / total if total else 0.0

    def _ratio(self, kind: str, phase: str) -> float:
        general = self._speeds["", ""].ratio(1.0, TRUST)
        of_phase = self._speeds["", phase].ratio(general, TRUST)
        return self._speeds[kind, phase].ratio(of_phase, TRUST / 3)

    def _seconds(self, name: str, begin: float, end: float = math.inf) -> float:
        """How long it takes from a fraction to another."""
        kind = self._by_name[name].kind
        parts = self._between(name, begin, end)
        return sum(part * self._ratio(kind, phase) for phase, part in parts.items())

    def _left(self, name: str) -> float:
        state = self._states[name]
        if state.is_done:
            return 0.0
        seconds = self._seconds(name, state.fraction)
        if state.since is None or state.fraction < 1.0:
            return seconds
        # Nothing is heard of an evaluation before its end: one that takes longer goes on for
        # some more.
        return max(seconds - self._elapsed(state), 0.2 * self._elapsed(state))

    def _elapsed(self, state: _State) -> float:
        """Seconds of an evaluation so far."""
        return 0.0 if state.since is None or state.fraction < 1.0 else self.clock() - state.since

    def _done(self, name: str) -> float:
        state = self._states[name]
        if state.is_done:
            return self._seconds(name, 0.0)
        return self._seconds(name, 0.0, state.fraction) + self._elapsed(state)

    def seconds_left(self) -> float:
        """Until the last worker has done its last piece, in the order they are begun."""
        busy = [self._left(name) for name, state in self._states.items() if state.is_running]
        workers = busy + [0.0] * max(self.processes - len(busy), 0)
        heapq.heapify(workers)
        for name, state in self._states.items():
            if not state.is_running and not state.is_done:
                heapq.heappush(workers, heapq.heappop(workers) + self._left(name))
        return max(workers)

    def share(self) -> float:
        """What part of all is done, in time; never less than it was."""
        left, done = (sum(map(part, self._states)) for part in (self._left, self._done))
        self._shown = max(self._shown, done / (done + left) if done + left else 1.0)
        return self._shown

    def running(self) -> str:
        """How many works are in which phase."""
        counts: Counter[str] = Counter()
        for name, state in self._states.items():
            if state.is_running:
                phases = self._phases[name]
                counts[next((p.name for p in phases if state.fraction < p.until), "end")] += 1
        return ", ".join(f"{count} in {name}" for name, count in sorted(counts.items()))

    def words(self) -> str:
        """What a progress line says."""
        if all(state.is_done for state in self._states.values()):
            return "done"
        if not self._speeds["", ""].measured:
            return "time left not known yet"
        return f"about {in_words(self.seconds_left())} left"


def in_words(seconds: float) -> str:
    """A rough time."""
    if seconds < 60:
        return f"{max(5 * math.ceil(seconds / 5), 5)} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"
