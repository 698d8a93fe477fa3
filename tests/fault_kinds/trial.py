"""One trial: something runs in a process of its own, a fault meets it, the outcome is judged."""

import os
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BAD_INPUT, INTERRUPTED = 2, 130
"""Exit codes of a refusal and of what was stopped."""

SECONDS = 600.0
"""After which a process counts as hanging."""


@dataclass
class Tally:
    """What came of the trials of one kind.

    Attributes:
        kind: What was done.
        equal: How often the result was that of an undisturbed run.
        refused: How often a sentence said what is wrong.
        wrong: What came of the others.
    """

    kind: str
    equal: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        return self.equal + self.refused + len(self.wrong)

    def note(self, is_equal: bool, why: str, count: int = 1) -> None:
        """Count trials whose results could be compared."""
        if is_equal:
            self.equal += count
        else:
            self.wrong += [why] * count


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        code: Its exit code, negative for a signal.
        printed: What it printed.
        seconds: How much of a processor it had.
    """

    code: int
    printed: str
    seconds: float

    @property
    def is_refusal(self) -> bool:
        """Whether it said in one sentence what is wrong."""
        # The parser has a frame of its own for what is wrong with an argument.
        says = ("error: ", "│ Error parsing ")
        errors = [line for line in self.printed.splitlines() if line.startswith(says)]
        return (
            self.code == BAD_INPUT
            and len(errors) == 1
            and len(errors[0]) > len("error: None: ")
            and "error: None" not in errors[0]
            and "Traceback" not in self.printed
        )


class Child:
    """A function in a forked process, which is in a session of its own, with those it starts."""

    def __init__(self, work: Callable[[], int], printed: Path) -> None:
        self.printed = printed
        self.pid = os.fork()
        if self.pid == 0:
            self._work(work)

    def _work(self, work: Callable[[], int]) -> None:
        code = 1
        try:
            os.setsid()
            output = os.open(self.printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(output, stream)
            code = work()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            with suppress(BaseException):
                os.write(2, traceback.format_exc().encode())
        finally:
            with suppress(BaseException):
                import sys

                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def has_ended(self) -> bool:
        """Whether it is no longer running; it can still be waited for."""
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found is not None

    def kill_after(self, seconds: float, number: int) -> None:
        """Send a signal when it and those it started have had so much of a processor."""
        used = 0.0
        while used < seconds and not self.has_ended():
            used = max(used, sum(map(cpu_seconds, (self.pid, *session_of(self.pid)))))
            time.sleep(0.01)
        os.kill(self.pid, number)

    def wait(self) -> Ended:
        """Wait for its end, and for those it started."""
        until = time.monotonic() + SECONDS
        while not self.has_ended():
            if time.monotonic() > until:
                os.killpg(self.pid, signal.SIGKILL)
            time.sleep(0.005)
        _, status, used = os.wait4(self.pid, 0)
        printed = self.printed.read_text(errors="replace") if self.printed.exists() else ""
        code = os.waitstatus_to_exitcode(status)
        return Ended(code, printed, used.ru_utime + used.ru_stime)

    def left_behind(self, seconds: float) -> int:
        """How many of those it started live on so long after its end; they are ended then."""
        until = time.monotonic() + seconds
        while left := session_of(self.pid):
            if time.monotonic() > until:
                for pid in left:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                return len(left)
            time.sleep(0.05)
        return 0


def die_after(seconds: float, number: int) -> None:
    """Let a signal come to this process when it has had so much of a processor.

    By the system's clock of that, which is exact however busy the machine is.
    """
    if number == signal.SIGKILL:
        # What it does where nobody handles it is the same: an end at once.
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
    else:
        signal.signal(signal.SIGPROF, lambda *_: os.kill(os.getpid(), number))
    signal.setitimer(signal.ITIMER_PROF, max(seconds, 1e-6))


def cpu_seconds(pid: int) -> float:
    """Of a process and of those it has waited for (Linux)."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def session_of(leader: int) -> list[int]:
    """The living processes of a session but for its leader (Linux)."""
    found = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        with suppress(OSError):
            if pid != leader and os.getsid(pid) == leader:
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
                found += [pid] if state != "Z" else []
    return found


@dataclass(frozen=True)
class Subject:
    """Something that runs in a folder, and goes on there where it was stopped.

    Attributes:
        name: What it is called in the table.
        run: Does it; returns the exit code.
        ending: What must be equal at the end, whatever happened.
        signals: Which it may be stopped by.
        has_workers: Whether it starts processes.
    """

    name: str
    run: Callable[[Path], int]
    ending: Callable[[Path], Any]
    signals: tuple[int, ...] = (signal.SIGKILL,)
    has_workers: bool = False

    def start(self, folder: Path) -> Child:
        folder.mkdir(parents=True, exist_ok=True)
        return Child(lambda: self.run(folder), folder.with_name(f"{folder.name}.txt"))

    def killed(self, folder: Path, seconds: float, number: int) -> tuple[Ended, Child]:
        """Run it until it has had so much of a processor, and then send a signal."""
        if self.has_workers:
            child = self.start(folder)
            child.kill_after(seconds, number)
            return child.wait(), child

        def run() -> int:
            die_after(seconds, number)
            return self.run(folder)

        folder.mkdir(parents=True, exist_ok=True)
        child = Child(run, folder.with_name(f"{folder.name}.txt"))
        return child.wait(), child

    def reference(self, folder: Path) -> tuple[Any, float]:
        """The ending of an undisturbed run, and how much of a processor it took, in seconds.

        It runs in this folder, or ran in another one before.
        """
        if self.name not in _REFERENCES:
            ended = self.start(folder).wait()
            if ended.code != 0:
                raise RuntimeError(f"{self.name} does not even run undisturbed: {ended.printed}")
            _REFERENCES[self.name] = self.ending(folder), ended.seconds, folder
        return _REFERENCES[self.name][:2]

    def finished(self) -> Path:
        """The folder of the undisturbed run."""
        return _REFERENCES[self.name][2]


_REFERENCES: dict[str, tuple[Any, float, Path]] = {}
