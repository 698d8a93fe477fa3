"""A report as a table for people."""

import json
import shlex

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from rand_agents.evaluation import Figure, Report

BARS = " ▁▂▃▄▅▆▇█"


def print_report(report: Report, console: Console) -> None:
    """Print every figure with its 95 % interval and what it means."""
    console.print(_title(report), style="bold", markup=False)
    console.print(_played(report), markup=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("figure", no_wrap=True)
    table.add_column("estimate", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column("what it is")
    for row in _rows(report):
        table.add_row(*row)
    console.print(table)
    low, high = report.bin_edges[0], report.bin_edges[-1]
    ends = _number(low, report.unit), _number(high, report.unit)
    console.print(f"Layouts by mean {report.unit}: {ends[0]} |{_bars(report.histogram)}| {ends[1]}")
    console.print("Worst layout:")
    worst = shlex.quote(json.dumps(report.worst.layout))
    console.print(f"  {worst}", markup=False, soft_wrap=True)


def _title(report: Report) -> str:
    better = "more is better" if report.unit == "success" else "fewer is better"
    return f"{report.env_id}: {report.unit} ({better})"


def _played(report: Report) -> str:
    config = ", ".join(f"{name}={value}" for name, value in report.config.items())
    scope = "all there are" if report.exhaustive else "a sample"
    seeds = "1 seed (it is fixed)" if report.num_seeds == 1 else f"{report.num_seeds} seeds"
    return f"{config}\n{report.num_layouts:,} layouts ({scope}), each under {seeds}"


def _rows(report: Report) -> list[tuple[str, str, str, str]]:
    unit = report.unit
    whole = "all layouts" if report.exhaustive else "sampled layouts"
    kind = {
        "exact": "exact: of all layouts, scored on fresh seeds",
        "bound": "bound: found by search, there may be worse; scored on fresh seeds",
    }[report.worst.kind]
    rows = [
        _row("average", report.average, unit, f"mean over {whole}"),
        _row("95th percentile", report.p95, unit, f"95 % of {whole} are at least as good"),
        _row("worst layout", report.worst, unit, kind),
    ]
    for vote in report.majority or []:
        name = f"majority of {vote.votes}"
        rows.append(_row(f"{name}: average", vote.average, "success", f"mean over {whole}"))
        rows.append(_row(f"{name}: 95th pct.", vote.p95, "success", "of votes over seeds"))
    for name, figure in (report.sampled or {}).items():
        label = {"average": "sampled: average", "p95": "sampled: 95th pct."}[name]
        rows.append(_row(label, figure, unit, "actions drawn, not the likeliest"))
    variance = "of the output over seeds; 0: the seed is ignored"
    rows.append(("variance over seeds", f"{report.seed_variance:.4g}", "", variance))
    constant = "must be 0: the seed is the only randomness"
    rows.append(("… seed held constant", f"{report.constant_seed_variance:.4g}", "", constant))
    if report.correlation is not None:
        meaning = "of two seeds' results over layouts"
        rows.append(("correlation of seeds", f"{report.correlation:.3f}", "", meaning))
    return rows


def _row(name: str, figure: Figure, unit: str, meaning: str) -> tuple[str, str, str, str]:
    low, high = (_number(end, unit) for end in figure.ci95)
    return name, _number(figure.estimate, unit), f"{low} to {high}", meaning


def _number(value: float, unit: str) -> str:
    return f"{100 * value:.1f} %" if unit == "success" else f"{value:.2f}"


def _bars(counts: list[int]) -> str:
    """One character a bin; what is not empty is always visible."""
    most = max(counts)
    steps = len(BARS) - 1
    return "".join(BARS[-(-count * steps // most)] for count in counts)
