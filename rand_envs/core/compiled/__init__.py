"""Functions of arrays and numbers as machine code, made when one is first called."""

import functools
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Compiled(Generic[P, R]):
    """A function that is compiled at its first call: until then numba, a second, is not imported.

    Attributes:
        py_func: The function as it was written.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        """Compile nothing yet."""
        self.py_func = function
        functools.update_wrapper(self, function)

    @functools.cached_property
    def dispatcher(self) -> Any:
        """What numba has made of it."""
        from rand_envs.core.compiled.keeping import kept

        return kept()(self.py_func)

    @property
    def _numba_type_(self) -> Any:
        """By this compiled code that names the function finds it."""
        return self.dispatcher._numba_type_

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function returns."""
        result: R = self.dispatcher(*args, **kwargs)
        return result

    def __reduce__(self) -> Any:
        """Numba knows how to send a function to another process."""
        return _received, (self.dispatcher,)


class Intrinsic:
    """What compiled code has an instruction for, see `numba.extending.intrinsic`.

    Like what is compiled, it is made when first asked for.
    """

    def __init__(self, define: Callable[..., Any]) -> None:
        """Import nothing yet."""
        self._define = define

    @functools.cached_property
    def _numba_type_(self) -> Any:
        from numba.core.registry import cpu_target
        from numba.extending import intrinsic

        context = cpu_target.typing_context
        made = intrinsic(self._define)
        context.refresh()
        return context.resolve_value_type(made)

    def __call__(self, *args: Any) -> Any:
        """Only compiled code can call it."""
        raise TypeError(f"{self._define.__name__} is called by compiled code alone")


def compiled(function: Callable[P, R]) -> Compiled[P, R]:
    """Compile a function of arrays and numbers at its first call; it keeps its signature."""
    return Compiled(function)


def _received(dispatcher: Any) -> Compiled[Any, Any]:
    again = Compiled[Any, Any](dispatcher.py_func)
    again.__dict__["dispatcher"] = dispatcher
    return again
