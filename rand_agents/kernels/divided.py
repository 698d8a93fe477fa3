"""Batches that processes have divided: what a kernel decides about all of one, it asks the others.

Nothing else here knows of other processes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor


class Division(Protocol):
    """Equal parts of a batch, of which this process has one."""

    @property
    def rank(self) -> int:
        """The number of the own part."""
        ...

    @property
    def count(self) -> int:
        """How many parts there are."""
        ...

    def whole(self, own: Tensor) -> Tensor:
        """The parts of all processes, in order."""
        ...


_division: Division | None = None


@contextmanager
def divided(division: Division) -> Iterator[None]:
    """Until the end of the block, batches are parts of larger ones, unless there is one part."""
    global _division
    _division = division if division.count > 1 else None
    try:
        yield
    finally:
        _division = None


def of_whole_batch(own: NDArray[Any]) -> tuple[NDArray[Any], slice]:
    """Numbers of the whole batch, (n, ...), and where in it those of this process are."""
    if _division is None:
        return own, slice(None)
    whole: NDArray[Any] = _division.whole(torch.from_numpy(own)).numpy()
    begin = _division.rank * len(own)
    return whole, slice(begin, begin + len(own))
