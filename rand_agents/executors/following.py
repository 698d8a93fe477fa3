"""All works to their end, with progress in one bar and the time left."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from rand_agents.executors.forecast import Forecast
from rand_agents.executors.work import Executor, Executors, Work
from rand_envs.core.arrays import Json

LINE_SECONDS = 30.0
"""How often progress is printed where a bar cannot be redrawn, as in a log file."""


def _follow(
    pending: dict[Future[Json], Work], executor: Executor, forecast: Forecast, bar: Progress
) -> dict[str, Json]:
    """Show progress until all is done; returns the results by name.

    Args:
        pending: The works, in the order of their places.
        executor: Does them.
        forecast: Is told of it, and says how long the rest takes.
        bar: Shows it; what is finished is printed on its console.
    """
    results: dict[str, Json] = {}
    console = bar.console
    task = bar.add_task("", total=1.0)

    def told() -> str:
        return "; ".join(filter(None, (forecast.words(), forecast.running())))

    def look() -> None:
        for work, fraction in zip(pending.values(), executor.fractions(), strict=True):
            if fraction > 0 and work.name not in results:
                forecast.note(work.name, fraction)
        for line in executor.news():
            console.print(line, highlight=False)
        bar.update(task, completed=forecast.share(), description=told())

    waiting, printed = set(pending), time.monotonic()
    while waiting:
        look()
        if not console.is_terminal and time.monotonic() - printed >= LINE_SECONDS:
            printed = time.monotonic()
            console.print(f"  {forecast.share():.0%}, {told()}", highlight=False)
        for future in [future for future in waiting if future.done()]:
            waiting.remove(future)
            work = pending[future]
            results[work.name] = future.result()
            forecast.finish(work.name)
            console.print(work.line(results[work.name]), highlight=False)
            if waiting:
                place = f"{len(results)} of {len(pending)}, {forecast.words()}"
                console.print(f"  {place}", highlight=False)
        time.sleep(0.2)
    look()
    return results


def run_all(
    works: Sequence[Work], out: Path, executors: Executors, console: Console
) -> dict[str, Json]:
    """Do all, the longest first; returns the results by name."""
    ordered = sorted(works, key=lambda work: -sum(phase.seconds for phase in work.phases))
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with executors(len(ordered)) as executor:
        forecast = Forecast(ordered, executor.count)
        pending = {executor.submit(i, work, out): work for i, work in enumerate(ordered)}
        with Progress(*columns, console=console) as bar:
            return _follow(pending, executor, forecast, bar)
