"""Who is watched: agents, classical players, models and solutions, all by their moves."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from rand_agents.app.checks import MODEL, RANDOM
from rand_agents.app.commands import Watch
from rand_agents.app.players import Spectated, loaded, named_player
from rand_agents.app.watching.gym_instances import play_gym
from rand_agents.app.watching.instances import History, Instance, TaskInstance, play_out
from rand_envs.core.arrays import Array
from rand_envs.core.player import Player
from rand_envs.core.streams import Stream, generator
from rand_envs.core.task import Setting, Task, resolved
from rand_envs.minimax.players import is_solution_file, player_from


class Recorded:
    """A player that plays whole layouts, watched through a task that notes each of its steps.

    Args:
        task: The game.
        make: Makes the player from a game.
    """

    def __init__(self, task: Task[Any], make: Callable[[Any], Player]) -> None:
        self._log: list[tuple[Array, Array, Any]] = []
        spied = copy(task)
        # Looked up before the method of the class, by whoever plays by the rules.
        spied.__dict__["step"] = self._step
        self.task, self._rules = spied, task
        self._player = make(spied)
        self.draw_seeds, self.play = self._player.draw_seeds, self._player.play
        drawn = self.draw_seeds(np.random.default_rng(0), 2)
        self.is_deterministic = bool((drawn[0] == drawn[1]).all())
        self._rng = np.random.default_rng()
        self._is_watching = False

    def set_random_seed(self, seed: int) -> None:
        """Restart the generator that seeds are drawn with."""
        self._rng = generator(Stream.ACTING, seed)

    def histories(self, layout: Array, num_seeds: int) -> list[History]:
        """Play one layout, (1,), under several seeds.

        Raises:
            ValueError: It does not play by the steps of its task, so that there is nothing to see.
        """
        seeds = self.draw_seeds(self._rng, num_seeds)
        return [self._history(layout, seeds[i : i + 1]) for i in range(num_seeds)]

    def _history(self, layout: Array, seed: Array) -> History:
        self._log, self._is_watching = [], True
        try:
            outcome = float(self.play(layout, seed).outcome[0, 0])
        finally:
            self._is_watching = False
        history = History([self._rules.initial(layout)])
        ended = False
        for state, actions, moved in self._log:
            # A player may try moves out; what counts is what leads on from the start.
            if len(state) == 1 and not ended and (state == history.states[-1]).all():
                history.actions.append(actions[0])
                history.states.append(moved.state)
                ended = bool(moved.terminated[0])
        if not ended or float(self._rules.outcome(history.states[-1])[0]) != outcome:
            name = type(self._player).__name__
            raise ValueError(
                f"{name} cannot be watched: its play() does not go by the steps of its task, and "
                "it has no acting(seeds)"
            )
        return history

    def _step(self, state: Array, actions: Array) -> Any:
        moved = self._rules.step(state, actions)
        if self._is_watching:
            self._log.append((state.copy(), np.array(actions), moved))
        return moved


@dataclass
class Contestant:
    """Who is watched.

    Attributes:
        name: What to call them.
        player: An agent, or what is watched like one.
        sample: Whether an agent's actions are drawn from its output.
    """

    name: str
    player: Any
    sample: bool = False

    @property
    def task(self) -> Setting[Any]:
        """The game they play."""
        task: Setting[Any] = self.player.task
        return task

    def instances(self, layout: Array, num_seeds: int) -> list[Instance]:
        """Play a layout, (1,), to its end under several seeds."""
        task = self.task
        if not isinstance(task, Task):
            return [*play_gym(self.player, layout, num_seeds, sample=self.sample)]
        if isinstance(self.player, Recorded):
            histories = self.player.histories(layout, num_seeds)
        else:
            histories = play_out(self.player, layout, num_seeds, sample=self.sample)
        return [TaskInstance(task, history) for history in histories]


def contestants(options: Watch, task: Setting[Any] | None, errors: Console) -> list[Contestant]:
    """Whom the user named; all of them play one game.

    Args:
        options: Of the command.
        task: The game, where it is given with --player.
        errors: Where notes go.

    Raises:
        ValueError: One of them is unknown, or they play different games.
    """
    first, *others = options.subjects
    if task is None:
        found = [_from_file(first, options, errors)]
        task = found[0].task
    else:
        found = [_by_name(str(options.player), options, task)]
    for other in others:
        is_name = other == RANDOM or other.startswith(MODEL)
        is_name |= isinstance(task, Task) and other in task.players
        one = _by_name(other, options, task) if is_name else _from_file(other, options, errors)
        if (one.task.env_id, one.task.config) != (task.env_id, task.config):
            raise ValueError(
                f"{other} plays {one.task.env_id} with {one.task.config}, "
                f"not {task.env_id} with {task.config}"
            )
        found.append(one)
    return found


def _from_file(subject: str, options: Watch, errors: Console) -> Contestant:
    """An agent of a file or of the zoo, or the player of a solution file."""
    if is_solution_file(subject):
        task, make = player_from(subject)
        return Contestant(Path(subject).name, Recorded(task, make))
    return Contestant(Path(subject).name, loaded(subject, errors), options.sample)


def _by_name(name: str, options: Watch, task: Setting[Any]) -> Contestant:
    """A player by the name that `evaluate` knows it by."""
    own = dict(task.players) if isinstance(task, Task) else {}
    if name in own and isinstance(task, Task):
        make: Callable[[Any], Player] = resolved(own[name])
        player: Any = Recorded(task, make)
        if hasattr(player._player, "acting"):
            player = Spectated(player._player)
        return Contestant(name, player)
    return Contestant(name, named_player(options, task, name))
