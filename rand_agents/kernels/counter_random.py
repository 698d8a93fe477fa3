"""Random numbers of compiled code: functions of a key and a counter, whoever draws them when."""

from typing import Any

import numpy as np

from rand_agents.kernels.lanes import compiled

_STEP, _FIRST, _SECOND = (
    np.uint64(word) for word in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
_ONE, _SHIFTS = np.uint64(1), tuple(np.uint64(bits) for bits in (30, 27, 31, 11))
_UNIT = 2.0**-53


@compiled
def mixed(key: Any, counter: Any) -> Any:
    """The word at a place of the key's sequence: SplitMix64 (Steele, Lea and Flood 2014)."""
    word = np.uint64(key) + _STEP * (np.uint64(counter) + _ONE)
    word = (word ^ (word >> _SHIFTS[0])) * _FIRST
    word = (word ^ (word >> _SHIFTS[1])) * _SECOND
    return word ^ (word >> _SHIFTS[2])


@compiled
def gumbel(word: Any) -> Any:
    """A standard Gumbel number from a uniform word.

    Where each of some logits has one added, the largest is a draw from their softmax.
    """
    uniform = (float(word >> _SHIFTS[3]) + 0.5) * _UNIT
    return -np.log(-np.log(uniform))
