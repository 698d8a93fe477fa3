"""How far an evaluation is: what its player has played, and how long the rest will take."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from rand_agents.evaluation import regret
from rand_agents.evaluation.seeds import listed_seeds
from rand_agents.evaluation.trial import FULL_PLAYS, SEARCH_SEEDS, Effort
from rand_agents.evaluation.votes import ELECTIONS, ELECTIONS_A_LAYOUT, ELECTIONS_OF_ALL, plays_all
from rand_agents.evaluation.worst import Halving
from rand_envs.adversaries.search import MAX_EXHAUSTIVE, PlayerWithLosses, is_enumerable
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play, Player

MUTANTS = 32 * 8
"""Layouts that a round of the search plays."""
SWEEPS = 2
"""How often an ascent goes through all changes, at most."""

AS_THEY_ARE = ("draw_votes", "every_seed", "can_play_all")
PLAYS = ("play", "play_all", "play_sampled", "losses")


class Paced:
    """A player that keeps account of its plays, of layouts times seeds, by how they are played.

    It has of the player what evaluation asks for.

    Args:
        player: Who plays.
        tell: Called after every play.
    """

    play: Callable[[Array, Array], Play]
    draw_seeds: Callable[[np.random.Generator, int], Array]

    def __init__(self, player: Player, tell: Callable[["Paced"], None]) -> None:
        """Nothing has been played."""
        self.task, self.draw_seeds, self._tell = player.task, player.draw_seeds, tell
        has = vars(self)
        has |= {name: getattr(player, name) for name in AS_THEY_ARE if hasattr(player, name)}
        has |= {name: self._timed(player, name) for name in PLAYS if hasattr(player, name)}
        self.done: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._first: dict[str, tuple[int, float]] = {}

    def _timed(self, player: Player, name: str) -> Callable[..., Any]:
        method = getattr(player, name)

        def timed(*given: Any) -> Any:
            begin = time.monotonic()
            result = method(*given)
            whole = name == "play_all"
            layouts = self.task.layout_space.size or 0 if whole else len(given[0])
            plays, seconds = layouts * len(given[not whole]), time.monotonic() - begin
            self._first.setdefault(name, (plays, seconds))
            self.done[name] += plays
            self._seconds[name] += seconds
            self._tell(self)
            return result

        return timed

    def left(self, plan: Counter[str]) -> tuple[float, bool]:
        """Seconds that the rest of a plan takes, and whether the speed of all of it is known."""
        seconds, is_known = 0.0, True
        for name, plays in (plan - self.done).items():
            if name in self._first:
                seconds += plays * self._pace(name)
            else:
                is_known = False
        return seconds, is_known

    def _pace(self, name: str) -> float:
        """Seconds a play, without the first plays, in which code is compiled, if there are more."""
        plays, seconds = self._first[name]
        if self.done[name] > plays:
            return (self._seconds[name] - seconds) / (self.done[name] - plays)
        return seconds / max(plays, 1)


def planned(player: Player, effort: Effort, votes: tuple[int, ...]) -> Counter[str]:
    """What `evaluate` plays at most, layouts times seeds, by how they are played."""
    space, plan = player.task.layout_space, Counter[str]()
    whole, is_success = plays_all(player), player.task.unit == "success"
    is_all = whole or is_enumerable(player)
    how = "play_all" if whole else "play"
    asked = effort.layouts if isinstance(effort.layouts, int) else len(effort.layouts)
    layouts = (space.size or 0) if is_all else asked
    some = min(layouts, MAX_EXHAUSTIVE) if is_all else layouts
    fresh, halving = effort.num_fresh_seeds, effort.halving
    plan[how] += layouts * effort.num_seeds
    if not is_all:
        plan += _searched(player, effort)
    every = listed_seeds(player)
    few = every is not None and len(every) <= fresh and layouts * len(every) <= FULL_PLAYS
    if not (is_all and few):
        plan["play"] += fresh * _compared(halving, layouts)
    certified = (
        fresh if (whole and is_success) or layouts * fresh <= FULL_PLAYS else effort.num_seeds
    )
    plan[how] += layouts * certified
    if is_success:
        elections = ELECTIONS_OF_ALL if whole else ELECTIONS_A_LAYOUT
        plan[how] += layouts * elections * sum(votes)
        plan["play"] += ELECTIONS * sum(votes)
    if hasattr(player, "play_sampled"):
        plan["play_sampled"] += some * effort.num_seeds
    if is_success and isinstance(player, PlayerWithLosses):
        plan["losses"] += some * effort.num_seeds
    if player.task.best_outcome(space.sample(np.random.default_rng(0), 1)) is not None:
        plan["play"] += 2 * fresh * _compared(regret.EFFORT, layouts)
    return plan


def _compared(halving: Halving, layouts: int) -> int:
    """Plays that find the worst of so many layouts, for every seed of the first stage."""
    return sum(min(halving.most >> stage, layouts) << stage for stage in range(halving.stages))


def _searched(player: Player, effort: Effort) -> Counter[str]:
    """What the search for a worse layout plays at most."""
    rng, space = np.random.default_rng(0), player.task.layout_space
    if not effort.search_rounds:
        return Counter()
    starts = space.variants(space.sample(rng, effort.search_starts))
    changes = sum(1 for _ in space.sweep(rng))
    ascent = len(starts) * (1 + SWEEPS * (1 + changes)) if changes else 0
    return Counter(play=(ascent + effort.search_rounds * MUTANTS) * SEARCH_SEEDS)
