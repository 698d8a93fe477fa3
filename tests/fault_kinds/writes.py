"""Disks that are full, folders that are read-only, two processes that write to one place."""

import errno
import os
import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from .trial import Child, Subject, Tally

NOBODY = 65534
CALLS = ("open", "fsync", "replace")
"""What a write that is atomic consists of."""


def _full_from(number: int) -> Iterator[None]:
    """Let the calls from this number on fail for want of space, in this process."""
    count = 0

    def failing(name: str) -> Any:
        real = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            writes = name != "open" or args[1] & os.O_CREAT
            count += writes
            if writes and count >= number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(args[0]))
            return real(*args, **kwargs)

        return call

    with ExitStack() as stack:
        for name in CALLS:
            stack.enter_context(patch.object(os, name, failing(name)))
        yield


def disk_full(subject: Subject, folder: Path, most: int, step: int = 1) -> Tally:
    """Let the disk be full from the first write on, from the second on, and so forth."""
    tally = Tally(f"disk full: {subject.name}")
    expected, _ = subject.reference(folder / "reference")
    for number in range(1, most + 1, step):
        own = folder / str(number)
        own.mkdir(parents=True)

        def run(own: Path = own, number: int = number) -> int:
            for _ in _full_from(number):
                return subject.run(own)
            return 1

        _judge(subject, own, run, expected, tally)
    return tally


def file_size_limit(subject: Subject, folder: Path, sizes: list[int]) -> Tally:
    """Let the system end every file at some size, in the middle of a write."""
    tally = Tally(f"writes cut short: {subject.name}")
    expected, _ = subject.reference(folder / "reference")
    for size in sizes:
        own = folder / str(size)
        own.mkdir(parents=True)

        def run(own: Path = own, size: int = size) -> int:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            return subject.run(own)

        _judge(subject, own, run, expected, tally)
    return tally


def _judge(subject: Subject, own: Path, run: Any, expected: Any, tally: Tally) -> None:
    """A sentence or nothing wrong; no half file; and what is started again ends as ever."""
    ended = Child(run, own.with_name(f"{own.name}.txt")).wait()
    litter = list(own.rglob("*.tmp"))
    if litter or not (ended.code == 0 or ended.is_refusal):
        tally.wrong.append(f"exit code {ended.code}, left {litter}: {ended.printed[-400:]}")
        return
    again = subject.start(own).wait()
    if again.code != 0 or subject.ending(own) != expected:
        tally.wrong.append(f"exit code {again.code} afterwards: {again.printed[-400:]}")
    elif ended.code == 0:
        tally.equal += 1
    else:
        tally.refused += 1


def read_only(subject: Subject, folder: Path) -> Tally:
    """A folder that is read-only, new and with a finished run in it."""
    tally = Tally(f"read-only folder: {subject.name}")
    expected, _ = subject.reference(folder / "reference")
    (folder / "new").mkdir(parents=True)
    shutil.copytree(subject.finished(), folder / "finished")
    for own in (folder / "new", folder / "finished"):
        before = {path: path.stat().st_mtime_ns for path in own.rglob("*")}
        for path in (own, *(path for path in own.rglob("*") if path.is_dir())):
            path.chmod(0o555)

        def run(own: Path = own) -> int:
            if os.geteuid() == 0:
                os.setuid(NOBODY)
            return subject.run(own)

        ended = Child(run, folder / f"{own.name}-read-only.txt").wait()
        same = before == {path: path.stat().st_mtime_ns for path in own.rglob("*")}
        if ended.is_refusal and same:
            tally.refused += 1
        else:
            whole = ended.code == 0 and same and subject.ending(own) == expected
            tally.note(whole, f"exit code {ended.code}: {ended.printed[-400:]}")
        for path in (own, *own.rglob("*")):
            path.chmod(0o755)
    return tally


def two_at_once(subject: Subject, folder: Path, count: int) -> Tally:
    """Two processes in one place: one ends as ever, the other does too or says why not."""
    tally = Tally(f"two at once: {subject.name}")
    expected, _ = subject.reference(folder / "reference")
    for run in range(count):
        own = folder / str(run)
        own.mkdir(parents=True)
        printed = [folder / f"{run}-{which}.txt" for which in "ab"]
        children = [Child(partial(subject.run, own), path) for path in printed]
        ended = [child.wait() for child in children]
        if not any(each.code == 0 for each in ended) or subject.ending(own) != expected:
            tally.wrong.append(f"{[each.code for each in ended]}: {ended[0].printed[-400:]}")
            continue
        for each in ended:
            if each.is_refusal:
                tally.refused += 1
            else:
                tally.note(each.code == 0, f"exit code {each.code}: {each.printed[-400:]}")
    return tally
