"""`evaluate`: reports of players, as a table and as JSON."""

import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from rand_agents.app.commands import Evaluate
from rand_agents.app.evaluating import evaluated
from rand_agents.evaluation.provenance import provenance
from rand_agents.evaluation.report import Report
from rand_agents.evaluation.tables import print_comparison, print_report
from rand_envs.core.player import Player
from rand_envs.core.sealed import write_json
from rand_envs.minimax import game_value


def evaluate_and_print(
    options: Evaluate,
    contestants: dict[str, Callable[[], Player]],
    console: Console,
    errors: Console,
) -> int:
    """Play and report; the exit code.

    Args:
        options: How much to play, and where the report goes.
        contestants: Make the players, by name.
        console: Where to report.
        errors: Where to show how far it is.
    """
    players = {name: make() for name, make in contestants.items()}
    reports: dict[str, Report] = {}
    start = time.monotonic()
    for name, player in players.items():
        known = game_value(player.task)
        reports[name] = evaluated(
            player,
            f"playing {name}",
            errors,
            layouts=options.layouts,
            num_seeds=options.num_seeds,
            num_fresh_seeds=options.num_fresh_seeds,
            search_rounds=options.search_rounds,
            search_starts=options.search_starts,
            game_value=known,
            rng_seed=options.rng_seed,
        )
    # The file first: whatever becomes of the output, the result is kept.
    if options.json is not None:
        _save(reports, options.json, time.monotonic() - start)
    if options.player is not None:
        console.print(f"Player: {options.player}", markup=False)
    if len(reports) > 1:
        print_comparison(reports, console)
    else:
        print_report(next(iter(reports.values())), console, known.remark)
    if options.json is not None:
        console.print(f"Saved {options.json}", soft_wrap=True, markup=False)
    return 0


def _save(reports: dict[str, Report], path: Path, seconds: float) -> None:
    """One report as it is, several by the names of their players."""
    if len(reports) == 1:
        next(iter(reports.values())).save(path, seconds)
        return
    every = {name: report.to_json() for name, report in reports.items()}
    write_json(path, {"players": every} | provenance(seconds), indent=1)
