"""Works spread over a Ray cluster, one a task; the checkpoints are in a folder that all share."""

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from rand_agents.cluster.connection import connected, ray_module
from rand_agents.executors.work import (
    BEGUN,
    MAX_LOSSES,
    Executor,
    Work,
    lost_for_good,
    lost_once,
)
from rand_envs.core.arrays import Json

NOTE_SECONDS = 0.5
"""How often a worker says how far it is; it has an update more often."""


def token_path(out: Path, token: str) -> Path:
    """A file that tells the shared folder from another one of the same name."""
    return out / f".driver-{token}"


class Board:
    """An actor that is told how far the works are."""

    def __init__(self, works: int) -> None:
        self._fractions = [0.0] * works
        self._begun: Counter[int] = Counter()

    def begin(self, place: int) -> None:
        """A work is begun, perhaps again."""
        self._begun[place] += 1
        self._fractions[place] = BEGUN

    def note(self, place: int, fraction: float) -> None:
        """So much of it is done."""
        self._fractions[place] = fraction

    def read(self) -> tuple[list[float], dict[int, int]]:
        """How much of each is done, and how often each was begun."""
        return self._fractions, dict(self._begun)


def _run(place: int, work: Work, out: Path, token: str, board: Any) -> Json:
    """Do a work in a worker."""
    # Nothing is waited for: Ray would lend the CPU to another task.
    board.begin.remote(place)
    if not token_path(out, token).exists():
        raise ValueError(
            f"{out} must be a folder that all machines of the cluster share: checkpoints and "
            "results are written there"
        )
    torch.set_num_threads(1)
    said = 0.0

    def report(fraction: float) -> None:
        nonlocal said
        now = time.monotonic()
        if fraction >= 1.0 or now - said > NOTE_SECONDS:
            said = now
            board.note.remote(place, fraction)

    return work.run(out, report)


class _Tasks:
    """A task for each work; Ray has them wait for a free CPU."""

    def __init__(self, cpus: int, works: int, token: str) -> None:
        ray = self._ray = ray_module()
        self.count, self._token = min(cpus, works), token
        self._task = ray.remote(num_cpus=1, max_retries=MAX_LOSSES - 1)(_run)
        forever = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1}
        self._board = ray.remote(**forever)(Board).remote(works)
        self._works: list[Work] = []
        self._refs: list[Any] = []
        self._futures: list[Future[Json]] = []
        self._losses: dict[int, int] = {}
        self._news: list[str] = []

    def submit(self, place: int, work: Work, out: Path) -> Future[Json]:
        ref = self._task.remote(place, work, out.absolute(), self._token, self._board)
        future: Future[Json] = ref.future()
        self._works.append(work)
        self._refs.append(ref)
        self._futures.append(future)
        return future

    def fractions(self) -> Sequence[float]:
        fractions, begun = self._ray.get(self._board.read.remote())
        for place, times in begun.items():
            if times > MAX_LOSSES:
                # Ray begins again without end what ran out of memory.
                raise lost_for_good(self._works[place].name)
            if times - 1 > self._losses.get(place, 0):
                self._losses[place] = times - 1
                self._news.append(lost_once(self._works[place].name))
        found: Sequence[float] = fractions
        return found

    def news(self) -> Sequence[str]:
        news, self._news = self._news, []
        return news

    def name_of(self, error: BaseException) -> str:
        """The work that failed with this."""
        ended = zip(self._works, self._futures, strict=True)
        return next(w.name for w, f in ended if f.done() and f.exception() is error)

    def cancel(self) -> None:
        """Stop the workers; their checkpoints stay."""
        for ref in self._refs:
            self._ray.cancel(ref, force=True)


@contextmanager
def on_ray(address: str | None, cpus: int, out: Path, works: int) -> Iterator[Executor]:
    """The CPUs of a Ray cluster.

    Args:
        address: See `connected`.
        cpus: Of a cluster that is started here.
        out: A folder that all machines share.
        works: How many there will be.

    Raises:
        ValueError: Ray is not installed, the address is none, or a machine does not see the folder.
        ConnectionError: No cluster answers.
        ChildProcessError: A worker was lost too often.
    """
    with connected(address, min(cpus, works)) as found, _token(out) as token:
        errors = ray_module().exceptions
        if not found:
            raise ValueError("the Ray cluster has no CPU, and every training run takes one")
        tasks = _Tasks(found, works, token)
        try:
            yield tasks
        except errors.RayTaskError as error:
            tasks.cancel()
            raise error.cause from None
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError) as error:
            tasks.cancel()
            raise lost_for_good(tasks.name_of(error)) from None
        except BaseException:
            tasks.cancel()
            raise


@contextmanager
def _token(out: Path) -> Iterator[str]:
    token = secrets.token_hex(8)
    out.mkdir(parents=True, exist_ok=True)
    token_path(out, token).touch()
    try:
        yield token
    finally:
        token_path(out, token).unlink(missing_ok=True)
