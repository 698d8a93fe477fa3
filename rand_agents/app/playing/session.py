"""A person plays round after round, and the adversary learns."""

from typing import Any, Literal

from rand_agents.app.playing.controls import Controls
from rand_agents.app.playing.guess import Guesser
from rand_agents.app.playing.opponent import Opponent
from rand_agents.app.window.score import Score
from rand_envs.core.arrays import Array
from rand_envs.core.task import GameValue, Task
from rand_envs.rendering import painter_of
from rand_envs.rendering.canvas import Point
from rand_envs.rendering.painter import Hand, Painter, plural

Phase = Literal["playing", "between", "over"]


class Game:
    """The rounds so far, and the one that is played.

    Args:
        task: The game.
        known: Its value.
        rounds: How many there are.
        rng_seed: Determines the layouts.

    Attributes:
        phase: "playing", "between" rounds, or "over".
        states, actions: Of the round that is played, or was played last.
        score: The outcomes.
    """

    def __init__(self, task: Task[Any], known: GameValue, rounds: int, rng_seed: int) -> None:
        self.task, self.rounds = task, rounds
        self.controls = Controls(task)
        self.opponent = Opponent(task, rounds, rng_seed)
        self.guesser = Guesser(task, self.controls.num_actions)
        self.score = Score(task, known)
        self.phase: Phase = "playing"
        self._begin()

    @property
    def round(self) -> int:
        """The number of the round, from 1."""
        return len(self.score.outcomes) + (self.phase == "playing")

    @property
    def painter(self) -> Painter[Any]:
        """What draws the player's view."""
        return painter_of(self.task, self.states, self.actions, self.hand)

    @property
    def hand(self) -> Hand:
        """What the player is about to do."""
        return self.controls.hand

    def play(self, action: Array) -> None:
        """Play an action in the present round."""
        self._free.append(self.painter.is_free)
        moved = self.task.step(self.states[-1], action[None])
        self.actions.append(action)
        self.states.append(moved.state)
        if moved.terminated[0]:
            self.score.add([float(self.task.outcome(moved.state)[0])])
            self.guesser.learn(self.states, self.actions, self._free)
            self.opponent.watch(self.states, self.actions)
            self.phase = "between"

    def go_on(self) -> None:
        """Begin the next round, or end after the last one."""
        if self.phase == "between" and len(self.score.outcomes) < self.rounds:
            self._begin()
        else:
            self.stop()

    def stop(self) -> None:
        """End the game; a round that is not over does not count."""
        self.phase = "over"

    def verdict(self) -> str:
        """How the last round went."""
        outcome, unit = self.score.outcomes[-1], self.task.unit
        if unit == "success":
            return "This round: success" if outcome else "This round: failure"
        return f"This round: {outcome:g} {unit}"

    def summary(self) -> list[str]:
        """How good and how predictable the player was, in sentences."""
        mean, guesser = self.score.mean(), self.guesser
        if mean is None:
            return ["No round was played to its end."]
        layout, worst = self.opponent.worst()
        unit = self.task.unit
        bound = "at most" if self.task.higher_is_better else "at least"
        rounds, moves = plural(len(self.score.outcomes), "round"), plural(guesser.moves, "move")
        said = [
            f"Your mean over {rounds} is {_said(mean.estimate, unit)}.",
            f"The game value is {self.score.value_text()}: the best that anybody can be sure of.",
        ]
        if guesser.moves:
            said.append(
                f"{100 * guesser.share:.0f} % of your {moves} could be guessed from the rounds "
                f"before; of random ones, {100 / guesser.num_actions:.0f} %."
            )
        # What is empty, as walls where there are none, says nothing.
        shown = ", ".join(f"{name} {value}" for name, value in layout.items() if value != [])
        said.append(
            f"What hurts you most is {shown}: had it been so every time, your mean would have "
            f"been {_said(worst, unit)}, {bound}."
        )
        return said

    def _begin(self) -> None:
        self.phase = "playing"
        self.controls.begin()
        self.states: list[Array] = [self.task.initial(self.opponent.draw())]
        self.actions: list[Array] = []
        self._free: list[bool] = []


def _said(value: float, unit: str) -> str:
    value += 0.0  # not -0
    return f"{100 * value:.0f} % success" if unit == "success" else f"{value:.2f} {unit}"


class PlayWindow:
    """A `Game` in a window: see `rand_agents.app.window.loop.Session`.

    Args:
        game: What is played.
        pick: Gives the point of the painter's picture that a pixel of the window shows.
    """

    def __init__(self, game: Game, pick: Any) -> None:
        self.game, self._pick = game, pick
        self.version, self.closed = 0, False

    def tick(self, seconds: float) -> None:
        """Nothing happens by itself."""

    def handle(self, event: Any) -> None:
        """Play, go on, or end."""
        name = getattr(event, "name", None)
        self.version += 1
        if name == "escape":
            self.closed = self.game.phase == "over"
            self.game.stop()
        elif self.game.phase == "playing":
            self._play(event, name)
        elif name in ("return", "space", None):
            self.closed = self.game.phase == "over"
            self.game.go_on()

    def _play(self, event: Any, name: str | None) -> None:
        controls, painter = self.game.controls, self.game.painter
        if name is not None:
            action = controls.key(name, painter)
        else:
            point: Point | None = self._pick(event.x, event.y)
            action = None if point is None else controls.click(point, painter)
        if action is not None:
            self.game.play(action)
