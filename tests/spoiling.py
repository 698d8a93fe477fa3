"""Data as damage and mischief make them: any JSON, with some of it changed."""

import contextlib
import copy
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Rng = np.random.Generator

DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]

WRONG: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        7,
        100,
        1000,
        10**4,
        10**6,
        2**31,
        2**63,
        -(2**63),
        2**64,
        10**30,
        10**400,
    ),
    *(0.5, 1.0, -0.1, 1e9, 1e308, float("nan"), float("inf"), -float("inf")),
    *("", "x", "0", "inf", "None", "\ud800", "é", "[1]", "os:system", "../x", "a\nb", "x" * 1000),
    *([], [[]], [0], [0, 0], [1, 2, 3], [None], ["x"], [[0, 0], [0]], {}, {"a": 1}, {"": []}),
    *([0.5, float("nan")], [10**30], list(range(1000)), DEEP),
]
"""What stands where something else belongs."""


def some(rng: Rng, of: list[Any]) -> Any:
    return copy.deepcopy(of[rng.integers(len(of))])


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value within JSON data, the whole first."""
    yield path
    if isinstance(data, dict | list):
        for key in list(data) if isinstance(data, dict) else range(len(data)):
            yield from places(data[key], (*path, key))


def spoilt(data: Any, rng: Rng) -> Any:
    """A copy of JSON data, changed in one to three places, deep ones as often as shallow."""
    data = copy.deepcopy(data)
    for _ in range(rng.integers(1, 4)):
        ways = list(places(data))
        depth = rng.integers(max(map(len, ways)) + 1)
        ways = [way for way in ways if len(way) == depth]
        data = _changed(data, ways[rng.integers(len(ways))], rng)
    return data


def _changed(data: Any, way: tuple[Any, ...], rng: Rng) -> Any:
    if not way:
        # The whole, seldom: there is little to find.
        return some(rng, WRONG) if rng.random() < 0.1 else _within(data, rng)
    key, *rest = way
    if rest:
        data[key] = _changed(data[key], tuple(rest), rng)
    elif rng.random() < 0.15:
        del data[key]
    elif rng.random() < 0.3:
        data[key] = _within(data[key], rng)
    else:
        data[key] = some(rng, WRONG)
    return data


def _within(value: Any, rng: Rng) -> Any:
    """A value of the same kind, but another one."""
    if isinstance(value, dict):
        return value | {str(some(rng, ["x", "a", "schema", "0"])): some(rng, WRONG)}
    if isinstance(value, list):
        twice = some(rng, value) if value else 0
        return [*value, twice] if rng.random() < 0.5 else value[: rng.integers(len(value) + 1)]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return some(
            rng,
            [
                -value,
                value + 1,
                value - 1,
                value * 100,
                value * 10**6,
                max(-99, min(value, 99)) / 2,
            ],
        )
    if isinstance(value, str):
        return value[: rng.integers(len(value) + 1)] + some(rng, ["", "x", "\0"])
    return some(rng, WRONG)


def is_sentence(error: BaseException) -> bool:
    """Whether an error says what is wrong, in one line that can be read."""
    told = str(error)
    return len(told) > 10 and "\n" not in told and len(told) < 3000


@contextlib.contextmanager
def bounded_memory(more: int = 2**30) -> Iterator[None]:
    """Let no more memory be asked for than there is now and so many bytes: MemoryError."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
