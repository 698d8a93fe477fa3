"""Which layouts are watched: uniform, fixed, the worst, or those of an adversary that learns."""

import json
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from rich.console import Console

from rand_agents.app.evaluating import evaluated
from rand_agents.app.watching.contestants import Contestant
from rand_agents.app.window.learner import Learner
from rand_agents.evaluation.tables import interval_of, number
from rand_envs.adversaries import badness
from rand_envs.core.arrays import Array, Json
from rand_envs.core.layouts.space import LayoutSpace
from rand_envs.core.sealed import parsed_json
from rand_envs.core.streams import Stream, generator
from rand_envs.core.task import Task

Mode = Literal["uniform", "fixed", "worst", "hedge"]
MODES: tuple[Mode, ...] = ("uniform", "fixed", "worst", "hedge")

POOL = 300
"""Layouts that the learning adversary draws to play from, where there are too many to list."""
HEDGE_SEEDS = 64
"""Seeds by which it sees how bad each layout is for a player."""
HEDGE_ROUNDS = 20


@dataclass(frozen=True)
class Choice:
    """The layout to watch.

    Attributes:
        layout: Shape (1,).
        remark: Where it comes from, for the user.
    """

    layout: Array
    remark: str


class Layouts:
    """Gives layouts to contestants, round by round.

    Args:
        field: Who plays.
        wish: One of the modes, or the JSON of a layout, which is then the fixed one.
        rng_seed: Determines what is drawn, and the search for the worst ones.
        errors: Where to show how far that search is.

    Attributes:
        mode: Where layouts come from.

    Raises:
        ValueError: The wish is neither, or not a legal layout.
    """

    def __init__(self, field: list[Contestant], wish: str, rng_seed: int, errors: Console) -> None:
        self._field, self._rng_seed, self._errors = field, rng_seed, errors
        self._space = field[0].task.layout_space
        self._rng = generator(Stream.WATCHING, rng_seed)
        self._worst: dict[int, Choice] = {}
        self._learners: dict[int, Learner] = {}
        self._kept: list[Choice] = []
        self.mode: Mode = "uniform"
        mode = next((mode for mode in MODES if mode == wish), None)
        if mode is None:
            asked = self._space.pack([_parsed(wish, field[0].task.env_id, self._space)])
            self._kept = [Choice(asked, "the layout asked for")] * len(field)
        self.turn(mode or "fixed")

    def turn(self, mode: Mode) -> None:
        """Take layouts from there from now on.

        Raises:
            ValueError: Nothing can learn there.
        """
        if mode == "hedge" and not isinstance(self._field[0].task, Task):
            raise ValueError("an adversary learns by the rules of a task, which are not known here")
        if mode == "fixed" and not self._kept:
            drawn = self._uniform()
            self._kept = [Choice(drawn.layout, "a fixed layout")] * len(self._field)
        self.mode = mode

    @property
    def is_one(self) -> bool:
        """Whether each contestant gets the same layout again and again."""
        return self.mode in ("fixed", "worst")

    def draw(self) -> list[Choice]:
        """The layouts of the next round, one for each contestant."""
        if self.mode == "uniform":
            chosen = [self._uniform()] * len(self._field)
        elif self.mode == "worst":
            chosen = [self._worst_for(i) for i in range(len(self._field))]
        elif self.mode == "hedge":
            remark = "picked by an adversary that learns"
            chosen = [Choice(self.learner(i).draw(), remark) for i in range(len(self._field))]
        else:
            chosen = self._kept
        self._kept = [Choice(choice.layout, "a fixed layout") for choice in chosen]
        return chosen

    def learner(self, i: int) -> Learner:
        """The adversary of a contestant, which learns from them alone."""
        if i not in self._learners:
            rng = generator(Stream.WATCHING, self._rng_seed, i, 1)
            self._learners[i] = Learner(self._space, POOL, HEDGE_ROUNDS, rng)
        return self._learners[i]

    def learn(self) -> None:
        """Let each adversary see what its contestant loses on each layout."""
        for i, contestant in enumerate(self._field):
            learner, player = self.learner(i), contestant.player
            rng = generator(Stream.WATCHING, self._rng_seed, i, 2 + learner.rounds)
            seeds = player.draw_seeds(rng, HEDGE_SEEDS)
            learner.learn(badness(player, learner.layouts, seeds))

    def _uniform(self) -> Choice:
        return Choice(self._space.sample(self._rng, 1), "a uniformly drawn layout")

    def _worst_for(self, i: int) -> Choice:
        """The one that `evaluate` names, by the same draws."""
        if i not in self._worst:
            self._worst[i] = worst_layout(self._field[i], self._rng_seed, self._errors)
        return self._worst[i]


def worst_layout(contestant: Contestant, rng_seed: int, errors: Console) -> Choice:
    """The worst layout for a contestant, as `evaluate` with its defaults finds it."""
    player: Any = contestant.player
    doing = f"worst layout for {contestant.name}"
    report = evaluated(player, doing, errors, votes=(), rng_seed=rng_seed)
    worst = report.worst
    how = {
        "exact": "the worst of all layouts",
        "estimate": "what looked worst of all layouts",
        "bound": "the worst layout that was found",
    }
    mean, interval = number(worst.estimate, report.unit), interval_of(worst, report.unit)
    return Choice(
        player.task.layout_space.pack([worst.layout]),
        f"{how[worst.kind]}; mean {report.unit} {mean}, 95 % interval {interval}",
    )


def _parsed(wish: str, env_id: str, space: LayoutSpace[Any]) -> Json:
    try:
        layout = parsed_json(wish)
    except ValueError:
        layout = None
    if not isinstance(layout, dict):
        example = space.unpack(space.sample(np.random.default_rng(0), 1))[0].to_json()
        raise ValueError(
            f"--layout must be {', '.join(MODES)}, or the JSON of a layout of {env_id} "
            f"such as {json.dumps(example)}, got {wish!r}"
        )
    return layout
