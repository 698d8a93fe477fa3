"""A typed face of numba's compiler, so that compiled functions keep their signatures."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and numbers; the machine code is cached beside the source.

    Indices are not looked at, as in C. Code that is in no file is compiled anew every time.
    """
    numbas = cast(Callable[..., Callable[[Any], Any]], numba.njit)
    try:
        made = numbas(cache=True)(function)
    except RuntimeError:
        made = numbas()(function)
    return cast(Callable[P, R], made)
