"""How many threads compute: one where sums depend on it, all there are where nothing does.

Torch and the BLAS of NumPy and SciPy split sums between threads, so that results differ in their
last bits with the number of threads, and training enlarges that. Compiled loops that give whole
roll-outs to threads may have them all.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

_lock = threading.Lock()
_inside = 0
_allowed = 0


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums are made by one thread until the end of the block, also in another thread's code."""
    global _inside, _allowed
    with _lock:
        if _inside == 0:
            _allowed = torch.get_num_threads()
            torch.set_num_threads(1)
        _inside += 1
    try:
        with threadpool_limits(1):
            yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                torch.set_num_threads(_allowed)


def allowed() -> int:
    """Threads for what does not depend on their number: torch's, `one_thread` or not."""
    return _allowed if _inside else torch.get_num_threads()
