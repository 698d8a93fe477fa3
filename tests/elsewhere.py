"""A device that no machine lacks, for tests of what runs on graphics cards.

Its tensors say that they are on "meta", where PyTorch has no numbers, but here they have some,
which the CPU computes. As on a graphics card NumPy cannot see them, they do not mix with the
CPU's, and every time that the host asks for numbers is counted.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

DEVICE = torch.device("meta")
ATEN = torch.ops.aten
# What takes tensors of both sides: copies, and places in a tensor that come from the CPU.
CROSSES = (ATEN._to_copy.default, ATEN.copy_.default, ATEN.index.Tensor, ATEN.index_put_.default)
# What a device cannot answer with before the host has asked how much there is of it.
ASKS = (ATEN._local_scalar_dense.default, ATEN.nonzero.default, ATEN.masked_select.default)


class Far(Tensor):
    """A tensor elsewhere; `here` are its numbers."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> "Far":
        far: Far = Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=DEVICE,
        )
        far.here = here
        return far

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        raise AssertionError(f"{func} of a tensor that is elsewhere, outside of the test")


class Elsewhere(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside the block "meta" is such a device.

    Attributes:
        reads: How often the host asked for numbers, and waited for them.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.reads = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = dict(kwargs or {})
        tensors: list[Tensor] = []
        tree_map(lambda x: tensors.append(x) if isinstance(x, Tensor) else None, (args, given))
        any_far = any(isinstance(x, Far) for x in tensors)
        goes_far = any_far
        if given.get("device") is not None:
            goes_far = torch.device(given["device"]) == DEVICE
            given["device"] = torch.device("cpu")
        if func not in CROSSES and any_far:
            near = [x for x in tensors if not isinstance(x, Far) and x.dim() > 0]
            assert not near, f"{func} mixes devices"
        self._count(func, args, any_far, goes_far)
        result = func(*tree_map(_here, args), **tree_map(_here, given))
        if func._schema.is_mutable and isinstance(result, Tensor):
            return args[0]
        return tree_map(_far, result) if goes_far else result

    def _count(self, func: Any, args: Any, any_far: bool, goes_far: bool) -> None:
        asks = func in ASKS or (func is ATEN._to_copy.default and not goes_far)
        if func is ATEN.copy_.default:
            asks = not isinstance(args[0], Far)
        if func in (ATEN.index.Tensor, ATEN.index_put_.default):
            asks = any(x is not None and x.dtype == torch.bool for x in args[1])
        self.reads += any_far and asks


def _here(x: Any) -> Any:
    return x.here if isinstance(x, Far) else x


def _far(x: Any) -> Any:
    return Far(x) if isinstance(x, Tensor) else x
