"""A report as a table for people."""

import io
import json
import shlex

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from rand_agents.evaluation.intervals import Figure
from rand_agents.evaluation.report import Report
from rand_envs.core.arrays import Json

SCOPES = {"exact": "of all", "estimate": "of all", "bound": "of a search"}
"""Where the worst layout is from."""

BARS = " ▁▂▃▄▅▆▇█"


def print_report(report: Report, console: Console, remark: str | None = None) -> None:
    """Print every figure with its 95 % interval and what it means.

    Args:
        report: What was found.
        console: Where to.
        remark: Why the game value is not known exactly.
    """
    console.print(_title(report), style="bold", markup=False)
    console.print(_played(report), markup=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("figure", no_wrap=True)
    table.add_column("estimate", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column("what it is")
    rows = _rows(report)
    for row in rows:
        table.add_row(*row)
    print_table(table, console)
    if not report.all_seeds:
        console.print("* over noisy means of few seeds, so on the pessimistic side")
    if any("~" in row[2] for row in rows):
        console.print("~ approximate; the other intervals hold whatever the outcomes' distribution")
    if remark is not None and report.game_value_kind != "exact":
        known = "not known" if report.game_value is None else "not known exactly"
        console.print(f"The game value is {known}: {remark}.", markup=False)
    low, high = report.bin_edges[0], report.bin_edges[-1]
    ends = number(low, report.unit), number(high, report.unit)
    console.print(f"Layouts by mean {report.unit}: {ends[0]} |{_bars(report.histogram)}| {ends[1]}")
    tried = {
        "exact": "The layout that is worst of all there are:",
        "estimate": "The layout that looked worst of all there are:",
        "bound": "The worst layout that a search found; there may be worse ones:",
    }
    console.print(tried[report.worst.kind])
    if report.search is not None:
        console.print(f"  {searched(report.search.rounds, report.search.starts)}", markup=False)
    _print_layout(report.worst.layout, console)
    if report.regret is not None and report.regret.worst.layout != report.worst.layout:
        console.print("Layout of the largest regret:")
        _print_layout(report.regret.worst.layout, console)


def searched(rounds: int, starts: int) -> str:
    """How hard a search was."""
    if rounds == 0:
        return "no search: the worst of the layouts played"
    return f"{rounds} rounds of mutation, after an ascent from each of the {starts} worst played"


def _print_layout(layout: Json, console: Console) -> None:
    """As it can be given to a command."""
    console.print(f"  {shlex.quote(json.dumps(layout))}", markup=False, soft_wrap=True)


def report_text(report: Report) -> str:
    """What `print_report` prints, on lines of at most 100 characters."""
    console = Console(width=100, file=io.StringIO(), highlight=False)
    with console.capture() as captured:
        print_report(report, console)
    return captured.get()


def print_table(table: Table, console: Console) -> None:
    """Print a table, on lines as long as it takes where nobody's terminal would break them."""
    options = console.options.update(max_width=1000)
    width = None if console.is_terminal else Measurement.get(console, options, table).maximum
    console.print(table, width=width, crop=False)


def print_comparison(reports: dict[str, Report], console: Console) -> None:
    """Print several players beside one another, a row each.

    Args:
        reports: What was found, by the players' names.
        console: Where to.
    """
    games = {(report.env_id, json.dumps(report.config)) for report in reports.values()}
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("player", overflow="fold")
    for column in ("average", "95th pct", "worst", "95 % interval", "gap"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, report in reports.items():
        unit = report.unit
        gap = "-"
        if report.gap is not None:
            gap = f"{report.gap_sign} {number(report.gap.estimate, unit)}".strip()
        figures = (report.average, report.p95, report.worst)
        shown = [number(figure.estimate, unit) for figure in figures]
        table.add_row(name, *shown, interval_of(report.worst, unit), gap)
    first = next(iter(reports.values()))
    console.print(_title(first) if len(games) == 1 else "Of several games", style="bold")
    if len(games) == 1:
        console.print(", ".join(f"{k}={v}" for k, v in first.config.items()), markup=False)
    print_table(table, console)
    console.print(READING)


READING = (
    "The gap is to the game value: ≥ where the worst layout was searched for, ≤ where the value is "
    "a bound, ≈ where both are. ~ marks intervals that are approximate."
)


def _title(report: Report) -> str:
    better = "more is better" if _more_is_better(report.unit) else "fewer is better"
    return f"{report.env_id}: {report.unit} ({better})"


def _more_is_better(unit: str) -> bool:
    return unit in ("success", "return")


def _known_value(value: float, kind: str | None, unit: str) -> str:
    """A game value in words: "exactly 8.00", "at most 100.0 %"."""
    bound = "at most" if _more_is_better(unit) else "at least"
    return f"{'exactly' if kind == 'exact' else bound} {number(value, unit)}"


def _played(report: Report) -> str:
    config = ", ".join(f"{name}={value}" for name, value in report.config.items())
    scope = "all there are" if report.exhaustive else "a sample"
    seeds = f"{report.num_seeds} seeds{' (all there are)' if report.all_seeds else ''}"
    seeds = "1 seed (it is fixed)" if report.num_seeds == 1 else seeds
    return f"{config}\n{report.num_layouts:,} layouts ({scope}), each under {seeds}"


def _rows(report: Report) -> list[tuple[str, str, str, str]]:
    unit = report.unit
    whole = "all layouts" if report.exhaustive else "sampled layouts"
    seeds = "under all seeds" if report.all_seeds else "on fresh seeds"
    percentile = "95 % are no worse" if report.all_seeds else "95 % look no worse *"
    rows = [
        _row("average", report.average, unit, f"mean over {whole}"),
        _row("95th percentile", report.p95, unit, percentile),
        _row("worst layout", report.worst, unit, f"{SCOPES[report.worst.kind]}, {seeds}"),
    ]
    if report.gap is not None and report.game_value is not None:
        known = _known_value(report.game_value, report.game_value_kind, unit)
        meaning = f"{known} is possible"
        name, gap, interval, _ = _row("gap to the game value", report.gap, unit, "")
        rows.append((name, f"{report.gap_sign} {gap}".strip(), interval, meaning))
    rows += _regrets(report)
    rows += _certified(report)
    for vote in report.majority or []:
        name = f"{vote.votes} seeds vote"
        rows.append(_row(f"{name}: average", vote.average, "success", "ties are wrong"))
        rows.append(_row(f"{name}: 95th pct.", vote.p95, "success", ""))
        rows.append(_row(f"{name}: worst layout", vote.worst, "success", "the one above"))
    for name, figure in (report.sampled or {}).items():
        label = {"average": "sampled: average", "p95": "sampled: 95th pct."}[name]
        rows.append(_row(label, figure, unit, "actions are drawn"))
    for name, figure in (report.loss or {}).items():
        label = {"average": "loss: average", "p95": "loss: 95th pct."}[name]
        rows.append(_row(label, figure, "loss", "what training makes small"))
    rows.append(("seed variance", f"{report.seed_variance:.3g}", "", "0: the seed is ignored"))
    constant = f"{report.constant_seed_variance:.3g}"
    rows.append(("  of a constant seed", constant, "", "0 but for rounding"))
    if report.correlation is not None:
        rows.append(("correlation of seeds", f"{report.correlation:.3f}", "", "of their results"))
    return rows


def _regrets(report: Report) -> list[tuple[str, str, str, str]]:
    """What is lost against one who knew the layout."""
    found = report.regret
    if found is None:
        return []
    rows = [
        _row("regret: average", found.average, report.unit, "against one who knew the layout"),
        _row(
            "regret: worst layout",
            found.worst,
            report.unit,
            f"of {'those tried' if found.worst.kind == 'bound' else 'all'}",
        ),
    ]
    if found.ratio is not None:
        rows.append(_row("competitive ratio", found.ratio, "ratio", "largest mean cost to least"))
    return rows


def _certified(report: Report) -> list[tuple[str, str, str, str]]:
    found = report.certificate
    if found is None:
        return []
    rows = []
    if report.worst.kind == "bound" and not report.all_seeds:
        low, high = (number(end, report.unit) for end in found.worst)
        interval = f"{low.removesuffix(' %')} to {high}"
        rows.append(("worst, certified", "", interval, "of the layouts tried"))
    if found.votes_by_binomial is not None:
        meaning = f"fail on no layout with over {found.failure:.0%}"
        rows.append(("votes, certified", f"{found.votes_by_binomial}", "", meaning))
    best = number(found.best_seed_average, report.unit)
    rows.append(("best seed's average", best, "", "bounds the worst of any mix"))
    return rows


def _row(name: str, figure: Figure, unit: str, meaning: str) -> tuple[str, str, str, str]:
    return name, number(figure.estimate, unit), interval_of(figure, unit), meaning


def number(value: float, unit: str) -> str:
    """Success in percent, losses to four places, or steps."""
    # Adding 0 makes a negative zero, which rounding leaves of an exact gap, a plain one.
    if unit == "loss":
        return f"{round(value, 4) + 0.0:.4f}"
    if unit == "success":
        return f"{round(100 * value, 1) + 0.0:.1f} %"
    return f"{round(value, 2) + 0.0:.2f}"


def interval_of(figure: Figure, unit: str) -> str:
    """The 95 % interval of a figure, marked where it is approximate."""
    low, high = (number(end, unit) for end in figure.ci95)
    return f"{'' if figure.guaranteed else '~ '}{low.removesuffix(' %')} to {high}"


def _bars(counts: list[int]) -> str:
    """One character a bin; what is not empty is always visible."""
    most = max(counts)
    steps = len(BARS) - 1
    return "".join(BARS[-(-count * steps // most)] for count in counts)
