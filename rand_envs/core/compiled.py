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
