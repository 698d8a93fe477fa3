"""What the report says in words."""

from typing import Any

from .entries import Entry, best_model, game_of

Json = dict[str, Any]


def lead(entries: list[Entry]) -> str:
    """What this is about, and what came out."""
    return (
        "<p class=lead>Some tasks have no good fixed answer: whoever knows how a policy decides "
        "can pick the instance, the <em>layout</em>, on which it fails. A policy that gets a "
        "random seed, drawn after the layout, cannot be aimed at in that way, if it has learned "
        f"what to do with the seed. {_found(entries)}</p>"
    )


def _found(entries: list[Entry]) -> str:
    """What came out, in numbers."""
    if not entries:
        return "Nothing has been trained yet."
    entries = [entry for entry in entries if len(entry.task["models"]) > 1] or entries
    best = [entry for entry in entries if best_model(entry.task) == "adv-seeded"]
    count = {0: "none", len(entries): "all"}.get(len(best), str(len(best)))
    said = (
        f"The policy trained for the worst case and with seeds, <b>adv-seeded</b>, has the best "
        f"worst case in {count} of the {len(entries)} games"
        if len(entries) > 1
        else f"In {game_of(entries[0]).lower()} the best worst case has "
        f"<b>{best_model(entries[0].task)}</b>"
    )
    perfect = [game_of(entry).lower() for entry in best if _is_perfect(entry.task)]
    if perfect:
        said += (
            f", and in {len(perfect)} ({_listed(perfect)}) it is within a hundredth of the best "
            "that is possible"
        )
    return f"{said}."


def _is_perfect(task: Json) -> bool:
    truth, gap = task["ground_truth"], task["models"]["adv-seeded"]["gap"]
    is_small: bool = abs(gap["estimate"]) <= 0.01 * abs(truth["value"])
    return truth["kind"] == "exact" and is_small


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


MODELS = """
<dl class="terms">
<div><dt>erm</dt><dd>trained on the mean over layouts</dd></div>
<div><dt>adv</dt><dd>trained for the worst layouts</dd></div>
<div><dt>-fixed</dt><dd>always the same seed: deterministic</dd></div>
<div><dt>-seeded</dt><dd>a new random seed for every instance</dd></div>
</dl>
"""

READING = """
<ul class="reading">
<li><b>Worst case</b>: the layout on which the mean over seeds is worst. With * the layouts are too
many to try all: a search found it, and there may be worse.</li>
<li><b>Gap</b>: how far that is from the <b>game value</b>, the best worst case that any randomised
strategy can reach; 0 is perfect play. ≤: the game value is only bounded, so that the true gap is
this or less; ≥: the worst layout was searched for, so that it is this or more; ≈: both.</li>
<li>Brackets cover the mean of the runs' own 95 % intervals, and what resampling the training runs
gives. Of three runs that is their range, which is no 95 % interval for further runs.</li>
</ul>
"""

ZOO = """
<p>These agents come with the package and were trained before at the paper's sizes, which takes
hours; here they were only evaluated. They are single training runs, so that an interval is over
seeds and layouts alone.</p>
"""
