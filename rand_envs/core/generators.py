"""Many random generators side by side, whose words are drawn at once."""

import ctypes
from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.compiled import Intrinsic, compiled

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


class Generators(Sequence[np.random.Generator]):
    """Generators as `np.random.default_rng` makes them, one for each sub-environment.

    Each gives the words that it gives on its own. A thousand calls of generators cost more than
    everything else that happens in a step, so compiled code calls NumPy's function for the next
    word, where NumPy's own C interface for random numbers says that it is.
    """

    def __init__(self, generators: Iterable[np.random.Generator]) -> None:
        self._all = list(generators)
        self._at: NDArray[np.int64] = np.arange(len(self._all))
        self._states = np.array([_state_of(rng) for rng in self._all], np.uint64)
        self._next = _next_word_of(self._all[0]) if self._all else 0

    def __len__(self) -> int:
        return len(self._at)

    @overload
    def __getitem__(self, index: int) -> np.random.Generator: ...
    @overload
    def __getitem__(self, index: slice) -> "Generators": ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.at(index)
        return self._all[self._at[index]]

    def __setitem__(self, index: int, rng: np.random.Generator) -> None:
        place = self._at[index]
        self._all[place], self._states[place] = rng, _state_of(rng)

    def at(self, index: NDArray[np.int64] | slice) -> "Generators":
        """Some of them, the same objects."""
        some = object.__new__(Generators)
        some._all, some._states, some._next = self._all, self._states, self._next
        some._at = self._at[index]
        return some

    def words(self, count: int) -> NDArray[np.uint64]:
        """Draw `count` 64-bit words from each, shape (len(self), count)."""
        drawn = np.empty((len(self), count), np.uint64)
        if len(self):
            _draw(self._next, self._states, self._at, drawn)
        return drawn

    def __reduce__(self) -> tuple[type["Generators"], tuple[list[np.random.Generator]]]:
        # Copies are elsewhere in memory.
        return Generators, (list(self),)


def _state_of(rng: np.random.Generator) -> int:
    """Where the state is that NumPy's functions take: the first field of C's `bitgen_t`."""
    if not isinstance(rng.bit_generator, np.random.PCG64):
        raise ValueError(f"generators must be those of np.random.default_rng, got {rng}")
    interface = _pointer(rng.bit_generator.capsule, b"BitGenerator")
    return int(ctypes.c_void_p.from_address(interface).value or 0)


def _next_word_of(rng: np.random.Generator) -> int:
    """Where the function is that gives a state's next word."""
    function = rng.bit_generator.ctypes.next_uint64
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@Intrinsic
def _next_word(typing: Any, function: Any, state: Any) -> Any:
    """Call a function by its address: to be given ctypes' functions takes numba a microsecond."""
    from llvmlite import ir
    from numba import types

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word = ir.IntType(64)
        kind = ir.FunctionType(word, [word]).as_pointer()
        return builder.call(builder.inttoptr(values[0], kind), [values[1]])

    return types.uint64(types.uint64, types.uint64), generate


@compiled
def _draw(function: int, states: NDArray[Any], at: NDArray[Any], drawn: NDArray[Any]) -> None:
    n, count = drawn.shape
    whole = n - n % 4
    # Words of one generator wait for each other, so that four go side by side.
    for i in range(0, whole, 4):
        a, b, c, d = states[at[i]], states[at[i + 1]], states[at[i + 2]], states[at[i + 3]]
        for k in range(count):
            drawn[i, k] = _next_word(function, a)
            drawn[i + 1, k] = _next_word(function, b)
            drawn[i + 2, k] = _next_word(function, c)
            drawn[i + 3, k] = _next_word(function, d)
    for i in range(whole, n):
        for k in range(count):
            drawn[i, k] = _next_word(function, states[at[i]])
