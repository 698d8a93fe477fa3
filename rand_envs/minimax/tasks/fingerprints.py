"""Finding equal rows of large tables: 128-bit fingerprints, and the distinct ones among them.

A set has the sum of its members' fingerprints as its own (Zobrist 1970). Two of a million
different rows or sets share a fingerprint with a probability of about 1e-27.
"""

import math

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array

Prints = NDArray[np.uint64]
"""Fingerprints, shape (n, 2)."""

_LANES = ((0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93), (0xC2B2AE3D27D4EB4F, 0xFF51AFD7ED558CCD))


def fingerprints(*tables: Array) -> Prints:
    """Fingerprint the rows of tables side by side.

    Args:
        tables: arrays of the same length n, structured or not, without Python objects.

    Returns:
        Shape (n, 2); equal where all bytes but the padding of structures are.
    """
    words = np.concatenate([_words(table) for table in tables])
    prints = np.empty((words.shape[1], 2), np.uint64)
    for lane, (seed, factor) in enumerate(_LANES):
        mixed = np.full(words.shape[1], seed, np.uint64)
        for word in words:
            mixed ^= word
            mixed *= np.uint64(factor)
            mixed ^= mixed >> np.uint64(32)
        prints[:, lane] = _finished(mixed)
    return prints


def distinct(prints: Prints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the distinct rows of fingerprints, numbered in the order of their first rows.

    Returns:
        The first row of each distinct one, ascending, shape (k,); and the number in [0, k) of
        every row's, shape (n,).
    """
    n = len(prints)
    order = np.lexsort((prints[:, 1], prints[:, 0]))
    ordered = prints[order]
    new = np.ones(n, bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    # lexsort is stable, so the first of each run is the first row of its kind.
    first = order[new]
    of_row = np.empty(n, np.int64)
    of_row[order] = first[np.cumsum(new) - 1]
    first.sort()
    number = np.empty(n, np.int64)
    number[first] = np.arange(len(first))
    return first, number[of_row]


def first_of_equals(values: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether each entry differs from all before it in its row; same shape."""
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    new = np.ones(values.shape, bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.empty(values.shape, bool)
    np.put_along_axis(first, order, new, axis=1)
    return first


def _words(table: Array) -> NDArray[np.uint64]:
    """The bytes of each row without padding, as columns of 64-bit words, shape (words, n)."""
    if table.dtype.names is not None:
        return np.concatenate([_words(table[name]) for name in table.dtype.names])
    width = math.prod(table.shape[1:]) * table.dtype.itemsize
    padded = np.zeros((len(table), -(-width // 8) * 8), np.uint8)
    padded[:, :width] = np.ascontiguousarray(table).view(np.uint8).reshape(len(table), width)
    return np.ascontiguousarray(padded.view(np.uint64).T)


def _finished(mixed: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit over all others (the finaliser of splitmix64, Steele et al. 2014)."""
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
