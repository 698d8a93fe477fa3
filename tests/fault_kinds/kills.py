"""Kills at random moments: what is started again ends as if it had never been stopped."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .trial import INTERRUPTED, Ended, Subject, Tally, session_of

KILLS_OF_A_RUN = 4
PATIENCE = 30.0
"""Seconds in which workers must have noticed that their parent is gone."""


def killed(subject: Subject, folder: Path, count: int, rng: np.random.Generator) -> Tally:
    """Kill runs of a subject so many times in all."""
    tally = Tally(f"killed: {subject.name}")
    expected, seconds = subject.reference(folder / "reference")
    done = 0
    for run in range(4 * count):
        if done >= count:
            break
        own, kills = folder / str(run), 0
        for _ in range(min(KILLS_OF_A_RUN, count - done)):
            number = int(rng.choice(subject.signals))
            ended, child = subject.killed(own, rng.uniform(0.0, seconds), number)
            if ended.code == 0:
                break
            kills += 1
            done += 1
            if left := child.left_behind(PATIENCE):
                tally.wrong.append(f"{left} processes lived on after {signal.Signals(number).name}")
            elif why := _not_as_a_kill(ended, number):
                tally.wrong.append(why)
        _finish(subject, own, expected, tally, kills)
    return tally


def _not_as_a_kill(ended: Ended, number: int) -> str:
    """What is wrong with how a killed process ended; "" if nothing is."""
    if "Traceback" in ended.printed:
        return f"after {signal.Signals(number).name}: {ended.printed[-400:]}"
    if ended.code not in (-number, -signal.SIGPROF, INTERRUPTED):
        return f"exit code {ended.code} after {signal.Signals(number).name}"
    return ""


def _finish(subject: Subject, folder: Path, expected: object, tally: Tally, count: int) -> None:
    """Let a run end, and compare; it counts for all that happened to it."""
    if count == 0:
        return
    ended = subject.start(folder).wait()
    if ended.code == 0:
        tally.note(subject.ending(folder) == expected, f"another ending in {folder}", count)
    elif ended.is_refusal:
        tally.refused += count
    else:
        tally.wrong += [f"exit code {ended.code}: {ended.printed[-400:]}"] * count


def lost_workers(subject: Subject, folder: Path, count: int) -> Tally:
    """Kill a worker, in whose place another one goes on."""
    tally = Tally(f"worker lost: {subject.name}")
    expected, _ = subject.reference(folder / "reference")
    for run in range(count):
        child = subject.start(folder / str(run))
        victim = next(_workers_of(child.pid), None)
        if victim is not None:
            os.kill(victim, signal.SIGKILL)
        ended = child.wait()
        if victim is None or ended.code != 0:
            tally.wrong.append(f"exit code {ended.code}: {ended.printed[-400:]}")
        else:
            _finish(subject, folder / str(run), expected, tally, 1)
    return tally


def _workers_of(leader: int) -> Iterator[int]:
    """Processes that were spawned to work in; none if there are none within a minute."""
    until = time.monotonic() + 60.0
    while time.monotonic() < until:
        for pid in session_of(leader):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"spawn_main" in command:
                yield pid
        time.sleep(0.05)
