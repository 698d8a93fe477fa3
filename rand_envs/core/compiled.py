"""A typed face of numba's compiler, so that compiled functions keep their signatures."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and numbers; the machine code is cached beside the source."""
    compile_cached = cast(Callable[[Any], Any], numba.njit(cache=True))
    return cast(Callable[P, R], compile_cached(function))


def compiled_rule(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a rule of a task: as `compiled`, and an index out of range is an IndexError.

    For what a task's methods do to a whole batch, one instance after the other: see `PatrolTask`.
    Compiled code knows no structured arrays with fields of booleans in rows; it takes single
    fields, `state["walls"]`. It is compiled once for every combination of types.
    """
    compile_checked = cast(Callable[[Any], Any], numba.njit(cache=True, boundscheck=True))
    return cast(Callable[P, R], compile_checked(function))
