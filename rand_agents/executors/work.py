"""What is spread, and where to: a work, its phases, and the one interface of executors."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rand_envs.core.arrays import Json

BEGUN = 1e-9
"""A fraction that is none yet: a worker has begun, and may go on from a checkpoint."""
MAX_LOSSES = 3
"""So often the worker of one work may be lost; in between it is begun again."""

Report = Callable[[float], None]
"""Is told what fraction of the training is done; 1.0 when all that is left is to evaluate."""


@dataclass(frozen=True)
class Phase:
    """A part of a piece of work with one speed.

    Attributes:
        name: What is done in it.
        until: The fraction of the training that is done at its end; infinity for what is done
            after the training.
        seconds: A guess at how long it takes.
    """

    name: str
    until: float
    seconds: float


class Work(Protocol):
    """What a worker does in one go; begun again it goes on from what it has saved."""

    @property
    def name(self) -> str:
        """No other work's."""
        ...

    @property
    def kind(self) -> str:
        """Works of one kind take about as long as each other."""
        ...

    @property
    def phases(self) -> tuple[Phase, ...]:
        """In their order."""
        ...

    def run(self, out: Path, report: Report) -> Json:
        """Do it, in a worker; the result."""
        ...

    def line(self, result: Json) -> str:
        """What is printed when it is done."""
        ...


class Executor(Protocol):
    """Where works are done.

    Attributes:
        count: How many at a time.
    """

    count: int

    def submit(self, place: int, work: Work, out: Path) -> Future[Json]:
        """Do a work when there is room for it; ChildProcessError if its worker is lost too often.

        Args:
            place: Its number, from 0.
            work: What is done.
            out: The folder that it writes into.
        """
        ...

    def fractions(self) -> Sequence[float]:
        """How much of each work is done, by place; 0 before it begins."""
        ...

    def news(self) -> Sequence[str]:
        """What has happened since it was last asked that is worth a line."""
        ...


Executors = Callable[[int], AbstractContextManager[Executor]]
"""Makes one for so many works."""


def lost_once(name: str) -> str:
    """What is told of a work whose worker was lost."""
    return f"{name} lost its worker and goes on from its last checkpoint"


def lost_for_good(name: str) -> ChildProcessError:
    """What ends all where the worker of one work is lost again and again."""
    return ChildProcessError(
        f"the worker of {name} was lost {MAX_LOSSES} times: it was killed, or there was too little "
        "memory"
    )
