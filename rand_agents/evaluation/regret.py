"""Regret: what is lost against one who knew the layout, where the game tells what that one gets."""

from typing import Any

import numpy as np

from rand_agents.evaluation.intervals import (
    Figure,
    FloatArray,
    average_figure,
    mean_interval,
)
from rand_agents.evaluation.report import Regret, Worst
from rand_agents.evaluation.seeds import Seeds, kind_of
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play, Player
from rand_envs.core.task import Setting


def regret_of(
    player: Player,
    layouts: Array,
    play: Play,
    exhaustive: bool,
    fresh: Seeds,
) -> Regret | None:
    """Regrets of layouts that were played; None where the game does not tell the best outcome.

    Args:
        player: Who played.
        layouts: Shape (n,).
        play: Its outcomes, (n, m).
        exhaustive: Whether these are all layouts.
        fresh: Give the seeds that score the worst layout.
    """
    task = player.task
    best = task.best_outcome(layouts)
    if best is None:
        return None
    losses = _losses(task, play.outcome, best)
    means = losses.mean(1)
    worst = layouts[[int(means.argmax())]]
    seeds = fresh()
    outcome = player.play(worst, seeds).outcome
    known = task.best_outcome(worst)
    assert known is not None
    figure = mean_interval(_losses(task, outcome, known)[0], seeds, "regret", fresh.all)
    described = task.layout_space.unpack(worst)[0].to_json()
    kind = kind_of(exhaustive, fresh.all)
    return Regret(
        average_figure(losses, exhaustive, "regret", fresh.all),
        Worst(figure.estimate, figure.ci95, kind, described),
        _ratio(player, layouts, play, best, fresh),
    )


def _losses(task: Setting[Any], outcome: FloatArray, best: FloatArray) -> FloatArray:
    """Regrets, (n, m), of outcomes, (n, m), and what was possible, (n,)."""
    sign = -1.0 if task.higher_is_better else 1.0
    regrets: FloatArray = sign * (outcome - best[:, None])
    return regrets


def _ratio(
    player: Player,
    layouts: Array,
    play: Play,
    best: FloatArray,
    fresh: Seeds,
) -> Figure | None:
    """The competitive ratio: the largest mean cost in relation to the least possible one.

    Of costs, on layouts where that is above 0 (Sleator and Tarjan 1985).
    """
    if player.task.higher_is_better or not (best > 0).any():
        return None
    ratios = np.where(best > 0, play.outcome.mean(1) / np.where(best > 0, best, 1.0), -np.inf)
    at = int(ratios.argmax())
    seeds = fresh()
    outcome = player.play(layouts[[at]], seeds).outcome[0] / best[at]
    return mean_interval(outcome, seeds, "ratio", fresh.all)
