"""An evaluation that shows how far it is, and the time left."""

import dataclasses
from typing import Any

from rich.console import Console
from rich.markup import escape

from rand_agents.app.pace import Lines, clock, progress_bar
from rand_agents.evaluation.evaluate import evaluate
from rand_agents.evaluation.pacing import Paced, planned
from rand_agents.evaluation.report import Report
from rand_agents.evaluation.trial import usual_effort
from rand_envs.core.player import Player

VOTES = (5, 31)


def evaluated(
    player: Player,
    doing: str,
    errors: Console,
    *,
    votes: tuple[int, ...] = VOTES,
    game_value: Any = None,
    rng_seed: int = 0,
    **effort: Any,
) -> Report:
    """What `evaluate` reports.

    Args:
        player: Who plays.
        doing: What is done, in a few words.
        errors: Where to show how far it is.
        votes: See `evaluate`.
        game_value: See `evaluate`.
        rng_seed: See `evaluate`.
        effort: What `evaluate` has other defaults for; None is one of these.
    """
    given = {name: number for name, number in effort.items() if number is not None}
    plan = planned(player, dataclasses.replace(usual_effort(player.task), **given), votes)
    lines = Lines(errors)
    with progress_bar(errors, transient=True) as progress:
        bar = progress.add_task(escape(doing), total=1.0, left="?")

        def show(paced: Paced) -> None:
            seconds, is_known = paced.left(plan)
            left = f"{'' if is_known else 'at least '}{clock(seconds)}"
            done = lines.passed / (lines.passed + seconds + 1e-9)
            progress.update(bar, completed=done, left=left)
            if lines.is_due():
                progress.console.print(f"{doing}: {clock(lines.passed)} gone, {left} left")

        return evaluate(
            Paced(player, show), votes=votes, game_value=game_value, rng_seed=rng_seed, **given
        )
