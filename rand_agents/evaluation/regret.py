"""Regret: what is lost against one who knew the layout, where the game tells what that one gets."""

import numpy as np

from rand_agents.evaluation.bounds import FloatArray, Limits
from rand_agents.evaluation.intervals import average_figure
from rand_agents.evaluation.report import Regret
from rand_agents.evaluation.seeds import Seeds
from rand_agents.evaluation.trial import Trial, limits_of, playing, worst_with
from rand_agents.evaluation.worst import Found, Halving, Rows, Scale, Standing, find_worst
from rand_envs.core.player import Player

EFFORT = Halving(32, 2)


def regret_of(
    player: Player, trial: Trial, num_fresh_seeds: int, rng: np.random.Generator
) -> Regret | None:
    """Regrets of layouts that were played; None where the game does not tell the best outcome.

    Args:
        player: Who played.
        trial: What came of it.
        num_fresh_seeds: Seeds of the first stage that looks for the largest.
        rng: Draws them.
    """
    task = player.task
    best = task.best_outcome(trial.layouts)
    if best is None:
        return None
    sign = -1.0 if task.higher_is_better else 1.0
    every = np.arange(len(trial.layouts))
    fresh = Seeds(player, rng, trial.seeds if trial.is_fixed else None)
    scale = Scale(sign, shift=sign * best)
    largest = _largest(player, trial, scale, every, (num_fresh_seeds, fresh))
    layout = task.layout_space.unpack(trial.layouts[[largest.row]])[0].to_json()
    losses = sign * (trial.play.outcome - best[:, None])
    ratio = None
    # Of costs, where one is inevitable (Sleator and Tarjan 1985).
    rows = every[best > 0]
    if not task.higher_is_better and len(rows):
        worst = _largest(
            player, trial, Scale(1.0, scale=best[rows]), rows, (num_fresh_seeds, fresh)
        )
        ratio = worst.figure()
    return Regret(
        average_figure(losses, _limits(trial, best, limits_of(task), sign), trial.scope),
        worst_with(largest.figure(), trial.kind, layout),
        ratio,
    )


def _largest(
    player: Player, trial: Trial, scale: Scale, rows: Rows, fresh: tuple[int, Seeds]
) -> Found:
    """Whose outcomes, of some of the layouts that were played, are the worst by a scale."""
    standing = Standing(len(rows), limits_of(player.task), scale, EFFORT.stages + 1)
    see = standing.know if trial.scope.seeds else standing.see
    see(standing.every, trial.play.outcome[rows])
    return find_worst(standing, playing(player, trial.layouts[rows], fresh[1]), fresh[0], EFFORT)


def _limits(trial: Trial, best: FloatArray, outcomes: Limits, sign: float) -> Limits:
    """What a regret can be; where layouts are a sample, those that were not drawn included."""
    if not trial.scope.layouts:
        width = outcomes.high - outcomes.low
        return Limits(-width, width)
    ends = [outcomes.moved(sign, sign * float(end)) for end in (best.min(), best.max())]
    return Limits(min(end.low for end in ends), max(end.high for end in ends))
