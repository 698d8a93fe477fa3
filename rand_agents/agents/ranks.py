"""One agent trained by several processes, which `torchrun` starts and PyTorch's group joins.

Every process draws the whole batch, from the same generators, and makes the same update. What is
divided is the work in between: the layouts where costs have a gradient, else the histories that
the gradient of sampled play goes through. Two messages make the update that of the whole batch:
the mean losses of all layouts, from which each process computes the objective and the slopes of
its own, and the sum of the gradients. The policies are small and their passes compiled, which
`DistributedDataParallel` cannot wrap; its one gain, sending while the backward pass still runs,
is nothing where all gradients fit one message.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rand_envs.core.arrays import Array


@dataclass(frozen=True)
class Ranks:
    """The processes that train an agent together, and which of them this is.

    Attributes:
        rank: This one's number; the first alone writes and prints.
        count: How many there are; 1 where nothing is sent.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def here(cls) -> "Ranks":
        """Those of PyTorch's process group, if this process is in one."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return cls()

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def own(self, layouts: Array) -> Array:
        """This process's part of (n, ...), where n is a multiple of `count`."""
        size = len(layouts) // self.count
        return layouts[self.rank * size : (self.rank + 1) * size]

    def whole(self, own: Tensor) -> Tensor:
        """The parts of all processes, each (n / count, ...), in order; follows the own gradient."""
        if self.count == 1:
            return own
        parts = [torch.empty_like(own) for _ in range(self.count)]
        _send(dist.all_gather, parts, own.detach().contiguous())
        parts[self.rank] = own
        return torch.cat(parts)

    def add_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Make every gradient the sum over all processes."""
        if self.count == 1:
            return
        own = [weight.grad for weight in parameters if weight.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in own])
        _send(dist.all_reduce, flat)
        parts = torch.split(flat, [gradient.numel() for gradient in own])
        for gradient, summed in zip(own, parts, strict=True):
            gradient.copy_(summed.view_as(gradient))

    def sum(self, number: float) -> float:
        """The sum over all processes."""
        if self.count == 1:
            return number
        total = torch.tensor(number, dtype=torch.float64)
        _send(dist.all_reduce, total)
        return total.item()

    def follow(self, goes_on: bool) -> bool:
        """What the first process says."""
        if self.count == 1:
            return goes_on
        said = torch.tensor(int(goes_on))
        _send(dist.broadcast, said, 0)
        return bool(said)

    def check_same(self, state: Callable[[], bytes]) -> None:
        """Raise ValueError unless all processes have the same state."""
        if self.count == 1:
            return
        digest = torch.tensor(list(hashlib.sha256(state()).digest()))
        others = self.whole(digest.unsqueeze(0))
        different = [rank for rank in range(self.count) if not torch.equal(others[rank], others[0])]
        if different:
            raise ValueError(
                "processes of one group train one agent, with one batch divided between them, but "
                f"that of process {different[0]} is another than that of process 0: give all the "
                "same options, rng_seed and file"
            )


def _send(collective: Callable[..., Any], *arguments: Any) -> None:
    """Call one of PyTorch's collectives; ConnectionError where another process is gone."""
    try:
        collective(*arguments)
    except RuntimeError as error:
        raise ConnectionError(
            "another process of this training is gone: go on from the last checkpoint"
        ) from error


def is_one_of_several() -> bool:
    """Whether `torchrun` started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def place_on_machine() -> int:
    """Which of the processes that `torchrun` started on this machine this is."""
    return int(os.environ.get("LOCAL_RANK", "0")) if is_one_of_several() else 0


@contextmanager
def joined() -> Iterator[Ranks]:
    """The processes that `torchrun` started, if it did: a group until the end of the block.

    Raises:
        ConnectionError: They do not find each other.
    """
    if not is_one_of_several() or dist.is_initialized():
        yield Ranks.here()
        return
    try:
        # Without a name it is gloo for the CPU, and nccl for graphics cards.
        dist.init_process_group()
    except (RuntimeError, ValueError) as error:
        raise ConnectionError(f"the processes do not find each other: {error}") from error
    try:
        yield Ranks.here()
    finally:
        dist.destroy_process_group()
