"""`evaluate`: a player's report, as a table and as JSON."""

import time
from collections.abc import Callable

from rich.console import Console

from rand_agents.app.commands import Evaluate
from rand_agents.app.paths import checked_output
from rand_agents.evaluation.evaluate import evaluate
from rand_agents.evaluation.tables import print_report
from rand_envs.core.player import Player
from rand_envs.minimax import game_value


def evaluate_and_print(
    options: Evaluate, contestant: Callable[[], Player], console: Console, errors: Console
) -> int:
    """Play and report; the exit code.

    Args:
        options: How much to play, and where the report goes.
        contestant: Makes the player.
        console: Where to report.
        errors: Where to show that it is working.
    """
    if options.json is not None:
        checked_output(options.json, "--json", ".json")
    player = contestant()
    start = time.monotonic()
    with errors.status("playing …"):
        known = game_value(player.task)
        report = evaluate(
            player,
            layouts=options.layouts,
            num_seeds=options.num_seeds,
            num_fresh_seeds=options.num_fresh_seeds,
            search_rounds=options.search_rounds,
            search_starts=options.search_starts,
            game_value=known,
            rng_seed=options.rng_seed,
        )
    if options.player is not None:
        console.print(f"Player: {options.player}", markup=False)
    print_report(report, console, known.remark)
    if options.json is not None:
        report.save(options.json, time.monotonic() - start)
        console.print(f"Saved {options.json}", soft_wrap=True, markup=False)
    return 0
