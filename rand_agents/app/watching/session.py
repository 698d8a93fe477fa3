"""What is watched: rounds in which each contestant plays a layout under several seeds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rand_agents.app.watching.contestants import Contestant
from rand_agents.app.watching.instances import Instance
from rand_agents.app.watching.layouts import Choice, Layouts, Mode
from rand_agents.app.window.score import Score
from rand_envs.core.task import GameValue
from rand_envs.rendering.tally import Tally

PAUSE = 3.0
"""Seconds for which the end of a round is shown."""
SPEEDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Steps a second to choose from by key."""
KEYS: dict[str, Mode] = {"u": "uniform", "f": "fixed", "w": "worst", "h": "hedge"}


@dataclass
class Entry:
    """What one contestant does.

    Attributes:
        contestant: Who it is.
        score: Over the rounds since the layouts' mode was chosen.
        tally: The same, of what else is counted.
        choice: The layout of this round.
        instances: One a seed.
    """

    contestant: Contestant
    score: Score
    tally: Tally | None
    choice: Choice
    instances: list[Instance]


class Show:
    """The rounds of all contestants, and where in them one is.

    Args:
        field: Who plays.
        known: The game value.
        layouts: Gives the layouts.
        num_seeds: Instances of each contestant in a round.
        rng_seed: Determines the contestants' seeds.

    Attributes:
        step: How many steps of this round are shown.
        length: Steps of the longest instance of this round.
        round: Its number, from 1.
    """

    def __init__(
        self,
        field: list[Contestant],
        known: GameValue,
        layouts: Layouts,
        num_seeds: int,
        rng_seed: int,
    ) -> None:
        self.known, self.layouts, self.num_seeds = known, layouts, num_seeds
        self.round, self.step, self.length = 0, 0, 0
        self._counted = False
        for contestant in field:
            contestant.player.set_random_seed(rng_seed)
        choices = layouts.draw()
        self.entries = [
            Entry(contestant, self._score(contestant), None, choice, [])
            for contestant, choice in zip(field, choices, strict=True)
        ]
        self._play()

    @property
    def is_over(self) -> bool:
        """Whether the end of the round is shown."""
        return self.step >= self.length

    def forward(self) -> None:
        """Show one step more; at the end of the round, count it."""
        if self.is_over:
            return
        self.step += 1
        if self.is_over and not self._counted:
            self._counted = True
            for entry in self.entries:
                entry.score.add([instance.outcome for instance in entry.instances])
            if self.layouts.mode == "hedge":
                self.layouts.learn()

    def back(self) -> None:
        """Show one step less."""
        self.step = max(0, self.step - 1)

    def restart(self) -> None:
        """Show this round from its start."""
        self.step = 0

    def next(self, same_layout: bool = False) -> None:
        """Play another round, of new seeds on the next layouts or on the same ones."""
        if not same_layout:
            for entry, choice in zip(self.entries, self.layouts.draw(), strict=True):
                entry.choice = choice
        self._note()
        self._play()

    def turn(self, mode: Mode) -> None:
        """Take layouts from elsewhere, and score anew; ValueError where that cannot be."""
        self.layouts.turn(mode)
        for entry, choice in zip(self.entries, self.layouts.draw(), strict=True):
            entry.score, entry.tally = self._score(entry.contestant), None
            entry.choice = choice
        self._play()

    def tally(self, entry: Entry) -> Tally | None:
        """What was counted up to the step that is shown; None where nothing is."""
        before = entry.tally
        for instance in entry.instances:
            painter = instance.painter(self.step)
            if painter is None:
                return None
            if before is None:
                before = painter.tally(painter.task)
            if before is entry.tally:
                before = before.copied()
            before.add(painter)
        return before

    def _note(self) -> None:
        """Keep what was counted in a round that was shown to its end."""
        for entry in self.entries:
            if self._counted:
                self.step = self.length
                entry.tally = self.tally(entry)

    def _play(self) -> None:
        for entry in self.entries:
            entry.instances = entry.contestant.instances(entry.choice.layout, self.num_seeds)
            if entry.tally is not None and entry.tally.of_one_layout and not self.layouts.is_one:
                entry.tally = None
        self.step, self._counted = 0, False
        self.round += 1
        self.length = max(i.length for entry in self.entries for i in entry.instances)

    def _score(self, contestant: Contestant) -> Score:
        is_fixed = bool(getattr(contestant.player, "is_deterministic", False))
        return Score(contestant.task, self.known, is_fixed)


class WatchWindow:
    """A `Show` in a window: see `rand_agents.app.window.loop.Session`.

    Args:
        show: What is shown.
        speed: Steps a second.

    Attributes:
        paused: Whether time stands still.
        message: What the user should know.
    """

    def __init__(self, show: Show, speed: float) -> None:
        self.show, self.speed = show, speed
        self.version, self.closed, self.paused = 0, False, False
        self.message = ""
        self._waited = 0.0
        self._work: Callable[[], None] | None = None
        self._delay = 0

    def handle(self, event: Any) -> None:
        """Answer a key."""
        self.version += 1
        self.message = ""
        name = getattr(event, "name", "")
        actions: dict[str, Callable[[], None]] = {
            "space": self._pause,
            "right": lambda: self._single(self.show.forward),
            "left": lambda: self._single(self.show.back),
            "up": lambda: self._change_speed(1),
            "down": lambda: self._change_speed(-1),
            "n": lambda: self._start(self.show.next),
            "s": lambda: self._start(lambda: self.show.next(same_layout=True)),
            "r": lambda: self._start(self.show.restart),
            "escape": self._close,
            "q": self._close,
        }
        if name in KEYS:
            self.message = "looking for the worst layout …" if name == "w" else ""
            self._start(lambda: self.show.turn(KEYS[name]))
        elif name in actions:
            actions[name]()

    def tick(self, seconds: float) -> None:
        """Go on, if it is time to."""
        if self._work is not None:
            self._delay -= 1
            if self._delay < 0:
                self._do()
            return
        if self.paused:
            return
        self._waited += seconds
        due = PAUSE if self.show.is_over else 1 / self.speed
        if self._waited >= due:
            self._waited = 0.0
            self.version += 1
            if self.show.is_over:
                self.show.next()
            else:
                self.show.forward()

    def _start(self, work: Callable[[], None]) -> None:
        """Do something once what is said about it has been drawn."""
        self._work, self._delay = work, 1

    def _do(self) -> None:
        work, self._work = self._work, None
        self.message, self._waited = "", 0.0
        self.version += 1
        try:
            if work is not None:
                work()
        except ValueError as error:
            self.message = str(error)

    def _pause(self) -> None:
        self.paused = not self.paused

    def _single(self, move: Callable[[], None]) -> None:
        self.paused = True
        move()

    def _change_speed(self, by: int) -> None:
        nearest = min(range(len(SPEEDS)), key=lambda i: abs(SPEEDS[i] - self.speed))
        self.speed = SPEEDS[min(max(nearest + by, 0), len(SPEEDS) - 1)]

    def _close(self) -> None:
        self.closed = True
