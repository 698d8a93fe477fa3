"""report.html: one file, pictures inside, that a reader of the README understands."""

import base64
import html
from pathlib import Path
from typing import Any

from rand_envs.core.writing import write_atomically

from .figures import Picture
from .table import COLUMNS, ZOO_TITLE, remarks, row, title

Json = dict[str, Any]

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem;
       color: #222 }
table { border-collapse: collapse; font-size: 0.85rem; margin: 1rem 0; width: 100% }
th, td { padding: 0.35rem 0.6rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left; white-space: nowrap }
tr.best { background: #e8f5f0; font-weight: 600 }
figure { margin: 2rem 0 } img { max-width: 100% } figcaption { color: #555; font-size: 0.9rem }
pre { background: #f5f5f5; padding: 0.8rem; overflow-x: auto; font-size: 0.8rem }
"""

READING = """
<p>An adversary knows the policy but not its random seed, and picks the instance (the
<em>layout</em>) that is worst for it. Four models of one architecture are compared:
<b>erm</b> models are trained on the mean over layouts, <b>adv</b> models on a norm that weighs the
worst layouts; <b>fixed</b> models always see the same seed and are deterministic, <b>seeded</b>
ones draw a new random seed for every instance and are trained over many.</p>
<ul>
<li><b>average</b>: mean over layouts of the mean over seeds; <b>95th pct</b>: the value that 95 %
of the layouts are at least as good as; <b>worst case</b>: the worst layout found, scored on fresh
seeds; with *, the layouts are too many to try all, so a search found it.</li>
<li><b>gap</b>: distance of the worst case from the game value, the best that any randomised
strategy can reach. Where a game is too large to be solved, as colouring here, the trivial bound of
100 % takes its place, and the gap is at most (≤) this; where the worst layout was searched for,
it is at least (≥) this; with both it may be either (≈).</li>
<li><b>majority</b>: success when the answers of several seeds are put to a vote (in colouring the
vote is on whether the colouring is proper); <b>sampled</b>: the 95th percentile when the output is
sampled instead of taken by argmax.</li>
<li><b>seed var.</b>: variance over seeds of the policy's output;
zero if it ignores its seed.</li>
<li>Brackets cover the mean of the runs' own 95 % intervals, and what resampling the training runs
gives; of three runs that is their range, which is no 95 % interval for further runs.</li>
</ul>
"""


def _table(heading: str, task: Json) -> str:
    better = max if task["higher_is_better"] else min
    best = better(task["models"], key=lambda name: task["models"][name]["worst"]["estimate"])
    head = "".join(f"<th>{html.escape(column)}</th>" for column in COLUMNS)
    lines = []
    for name, model in task["models"].items():
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in row(name, model, task))
        lines.append(f'<tr class="{"best" if name == best else ""}">{cells}</tr>')
    below = "".join(f"<p>{html.escape(line)}</p>" for line in remarks(task))
    return f"<h2>{html.escape(heading)}</h2><table><tr>{head}</tr>{''.join(lines)}</table>{below}"


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.path.read_bytes()).decode()
    caption = html.escape(picture.caption)
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def write_report(summary: Json, pictures: list[Picture], out: Path) -> Path:
    """Write OUT/report.html; returns its path."""
    machine = ", ".join(f"{k}: {v}" for k, v in summary["machine"].items())
    command = (
        f"python benchmarks/run.py --preset {summary['preset']} --rng-seed {summary['rng_seed']}"
    )
    body = "".join(_table(title(name, task), task) for name, task in summary["tasks"].items())
    for task in summary["zoo"].values():
        body += _table(f"{ZOO_TITLE}. {title(task['env_id'], task)}", task)
    page = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>Policies against an adversary</title><style>{STYLE}</style></head><body>
<h1>Policies against an adversary</h1>{READING}{body}
{"".join(map(_figure, pictures))}
<h2>How this was made</h2><pre>{html.escape(command)}
{html.escape(machine)}
{summary["seconds"]:.0f} s in this run; recipes and all numbers: results.json beside this file</pre>
</body></html>"""
    path = out / "report.html"
    write_atomically(path, page.encode())
    return path
