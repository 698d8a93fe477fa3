"""Works in processes of this machine."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from rand_agents.executors.work import (
    BEGUN,
    MAX_LOSSES,
    Executor,
    Work,
    lost_for_good,
    lost_once,
)
from rand_envs.core.arrays import Json

SPAWN = multiprocessing.get_context("spawn")

_fractions: Any = None
"""How much of each work is done, in memory that the processes share; 0 before it begins."""


def _start_worker(fractions: Any = None) -> None:
    # Ctrl-C is of the whole group: the main process ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # One thread each: the processes share the cores, and threads of several would fight.
    torch.set_num_threads(1)
    global _fractions
    _fractions = fractions


def _end_with_parent() -> None:
    """Wait for the main process to end, however it does, and end this one."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _pool(processes: int, fractions: Any = None) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, SPAWN, initializer=_start_worker, initargs=(fractions,))


def _terminate(pool: ProcessPoolExecutor) -> None:
    """End its processes; their checkpoints stay."""
    for worker in list((pool._processes or {}).values()):
        worker.terminate()


@contextmanager
def workers(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Processes to work in; they end with this one, and at once where the work fails."""
    pool = _pool(processes)
    try:
        yield pool
    except BaseException:
        _terminate(pool)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _work(place: int, work: Work, out: Path) -> Json:
    _fractions[place] = BEGUN

    def report(fraction: float) -> None:
        _fractions[place] = fraction

    return work.run(out, report)


class _Processes:
    """A thread for each process, which has it do one work after another.

    A pool of several processes breaks as a whole where one is lost, and does not tell which. So
    each has a pool of its own, and where it is lost the thread goes on with another one.
    """

    def __init__(self, count: int, works: int) -> None:
        self.count = count
        self._fractions = SPAWN.RawArray("d", works)
        self._threads = ThreadPoolExecutor(count)
        self._own = threading.local()
        self._pools: list[ProcessPoolExecutor] = []
        self._lock = threading.Lock()
        self._is_ending = False
        self._news: deque[str] = deque()

    def submit(self, place: int, work: Work, out: Path) -> Future[Json]:
        return self._threads.submit(self._done, place, work, out)

    def _done(self, place: int, work: Work, out: Path) -> Json:
        """Do a work, in a thread that waits for the process."""
        for losses in range(MAX_LOSSES):
            if losses:
                self._news.append(lost_once(work.name))
            try:
                return self._begun(place, work, out).result()
            except BrokenProcessPool:
                del self._own.pool
        raise lost_for_good(work.name)

    def _begun(self, place: int, work: Work, out: Path) -> Future[Json]:
        with self._lock:
            if self._is_ending:
                raise InterruptedError("the works were ended")
            if not hasattr(self._own, "pool"):
                self._own.pool = _pool(1, self._fractions)
                self._pools.append(self._own.pool)
            begun: Future[Json] = self._own.pool.submit(_work, place, work, out)
            return begun

    def fractions(self) -> Sequence[float]:
        return list(self._fractions)

    def news(self) -> Sequence[str]:
        return [self._news.popleft() for _ in range(len(self._news))]

    def terminate(self) -> None:
        """End the works."""
        with self._lock:
            self._is_ending = True
            for pool in self._pools:
                _terminate(pool)

    def shutdown(self) -> None:
        """Wait for the processes to end, after what they do now."""
        self._threads.shutdown(cancel_futures=True)
        for pool in self._pools:
            pool.shutdown()


@contextmanager
def local(processes: int, works: int) -> Iterator[Executor]:
    """Up to so many processes of this machine; a work whose process is lost is begun again."""
    executor = _Processes(min(processes, works), works)
    try:
        yield executor
    except BaseException:
        executor.terminate()
        raise
    finally:
        executor.shutdown()
