"""Majority votes over seeds: whose commonest answer is right?"""

import numpy as np

from rand_agents.evaluation.bounds import SUCCESS, UNKNOWN, FloatArray
from rand_agents.evaluation.intervals import (
    Figure,
    Scope,
    average_figure,
    clipped,
    mean_interval,
    p95_figure,
)
from rand_agents.evaluation.report import Vote
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play, Player, Voter, WholePlayer

VOTED_AT_ONCE = 4096
ELECTIONS = 200
"""How often the vote on the worst layout is repeated."""
ELECTIONS_AT_ONCE = 20
ELECTIONS_A_LAYOUT = 20
"""How often each layout of a sample votes: its success is the share of elections that are right."""
ELECTIONS_OF_ALL = 4
"""The same where all layouts are played at once, which may be very many."""


def plays_all(player: Player) -> bool:
    """Whether the player plays all layouts together, faster than one by one."""
    return isinstance(player, WholePlayer) and player.can_play_all


def play_layouts(player: Player, layouts: Array, exhaustive: bool, seeds: Array) -> Play:
    """Play layouts, (n,), which may be all there are, under seeds, (m, ...)."""
    if exhaustive and isinstance(player, WholePlayer) and player.can_play_all:
        return player.play_all(seeds)
    return player.play(layouts, seeds)


def majority_success(play: Play) -> FloatArray:
    """Whether the commonest of the seeds' answers is right, (n,); a tie is wrong."""
    if play.answer is None:
        raise ValueError("this game has no vote")
    success = np.empty(len(play.answer))
    for begin in range(0, len(success), VOTED_AT_ONCE):
        some = slice(begin, begin + VOTED_AT_ONCE)
        answer = play.answer[some]
        count = (answer[:, :, None] == answer[:, None, :]).sum(-1)
        most = count.max(-1, keepdims=True)
        winner = count == most
        unique = winner.sum(-1) == most[:, 0]
        right = np.take_along_axis(play.outcome[some], winner.argmax(-1)[:, None], 1)[:, 0]
        success[some] = right * unique
    return success


def votes_of(
    player: Player,
    layouts: Array,
    worst: Array,
    play: Play,
    exhaustive: bool,
    votes: tuple[int, ...],
    rngs: tuple[np.random.Generator, np.random.Generator],
) -> list[Vote] | None:
    """Votes of several sizes; None where the game has no vote.

    Args:
        player: Whose seeds vote.
        layouts: What was played, shape (n,).
        worst: The worst layout, shape (1,).
        play: What was played.
        exhaustive: Whether these are all layouts.
        votes: Sizes of the votes.
        rngs: Draw the seeds that vote on the layouts, and those that vote on the worst.
    """
    if play.answer is None or not votes or player.task.unit != "success":
        return None
    whole = exhaustive and plays_all(player)
    elections = ELECTIONS_OF_ALL if whole else ELECTIONS_A_LAYOUT
    result = []
    for count in votes:
        ballots = [
            majority_success(
                play_layouts(player, layouts, exhaustive, _draw_votes(player, rngs[0], count))
            )
            for _ in range(elections)
        ]
        right = np.stack(ballots, 1)
        # Elections are so few that an interval which always holds would say nothing.
        scope = Scope(exhaustive, seeds=False)
        average = clipped(average_figure(right, UNKNOWN, scope), SUCCESS)
        p95 = clipped(p95_figure(right, UNKNOWN, scope, True, rngs[0]), SUCCESS)
        on_worst = _vote_on(player, worst, count, rngs[1])
        result.append(Vote(count, average, p95, on_worst))
    return result


def _draw_votes(player: Player, rng: np.random.Generator, count: int) -> Array:
    return (player.draw_votes if isinstance(player, Voter) else player.draw_seeds)(rng, count)


def _vote_on(player: Player, layout: Array, votes: int, rng: np.random.Generator) -> Figure:
    """Success of the majority on one layout, (1,), over elections."""
    right: list[float] = []
    while len(right) < ELECTIONS:
        drawn = [_draw_votes(player, rng, votes) for _ in range(ELECTIONS_AT_ONCE)]
        play = player.play(layout, np.concatenate(drawn))
        answer = None if play.answer is None else play.answer.reshape(-1, votes)
        ballots = Play(play.outcome.reshape(-1, votes), answer, play.output)
        right += majority_success(ballots).tolist()
    return mean_interval(np.array(right), SUCCESS)
