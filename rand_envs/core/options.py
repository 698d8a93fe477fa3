"""Options and numbers where they enter, whoever made them: NumPy, JSON, a command line.

What is checked here is Python's own from then on, so that it can be saved.
"""

import dataclasses
import math
import numbers
from collections.abc import Sequence
from contextlib import suppress
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from rand_envs.core.arrays import shown, whole_number

MAX_COUNT = 2**20
"""The largest integer of an option: more of anything is a slip, or meant to exhaust a machine."""

MAX_RNG_SEED = 2**64 - 1
"""The largest integer seed of a generator that PyTorch takes too."""


def convert_options(options: Any, infinite: Sequence[str] = ()) -> None:
    """Make the fields of a frozen dataclass what its annotations say, in `__post_init__`.

    Integers, real numbers and truth values of NumPy become Python's, an integer becomes a float
    where one is asked for, a list a tuple, and a dictionary the dataclass that it describes.

    Args:
        options: The dataclass.
        infinite: Which fields may be infinite.

    Raises:
        ValueError: A field is not of its type, it is NaN or infinite, or an integer above 2**20
            that is no `rng_seed`.
    """
    hints = get_type_hints(type(options))
    for field in dataclasses.fields(options):
        name = field.name
        value = _converted(name, getattr(options, name), hints[name])
        if isinstance(value, float) and math.isinf(value) and name not in infinite:
            raise ValueError(f"{name} must be a finite number, got {value}")
        object.__setattr__(options, name, value)


def rng_seed_number(rng_seed: Any, name: str = "rng_seed") -> int:
    """Return an integer seed as an int; ValueError unless it is from 0 to 2**64 - 1."""
    return whole_number(name, rng_seed, 0, MAX_RNG_SEED)


def real_number(name: str, value: Any) -> float:
    """Return `value` as a float, infinity included; ValueError unless it is a real number.

    JSON, which has no infinity, says "inf" or "-inf".
    """
    if isinstance(value, str) and value in ("inf", "-inf"):
        return float(value)
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        with suppress(OverflowError):
            number = float(value)
            if not math.isnan(number):
                return number
    raise ValueError(f"{name} must be a number, got {shown(value)}")


def restore_generator(rng: np.random.Generator, state: Any) -> None:
    """Set the state of a generator of `np.random.default_rng` to one from a file.

    Raises:
        ValueError: It is not the state of such a generator.
    """
    try:
        inner = state["state"]
        whole: dict[str, Any] = {
            "bit_generator": "PCG64",
            "state": {
                "state": whole_number("its state", inner["state"], 0, 2**128 - 1),
                "inc": whole_number("its increment", inner["inc"], 0, 2**128 - 1),
            },
            "has_uint32": whole_number("has_uint32", state["has_uint32"], 0, 1),
            "uinteger": whole_number("uinteger", state["uinteger"], 0, 2**32 - 1),
        }
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"a generator's state is malformed: {error}") from None
    if whole != state or whole["state"]["inc"] % 2 == 0:
        raise ValueError("a generator's state is malformed: it is not one of PCG64's")
    rng.bit_generator.state = whole


def _converted(name: str, value: Any, kind: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        return _one_of(name, value, get_args(kind))
    if get_origin(kind) is Literal:
        # Which words are legal is said by the class itself.
        if not isinstance(value, str):
            raise ValueError(f"{name} must be one of {get_args(kind)}, got {shown(value)}")
        return str(value)
    if get_origin(kind) is Sequence:
        if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
            raise ValueError(f"{name} must be a list, got {shown(value)}")
        return tuple(_converted(f"each of {name}", each, get_args(kind)[0]) for each in value)
    if dataclasses.is_dataclass(kind):
        return _described(name, value, kind)
    if kind is bool:
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name} must be true or false, got {shown(value)}")
        return bool(value)
    if kind is int:
        if name.endswith("rng_seed"):
            return rng_seed_number(value, name)
        if not isinstance(value, numbers.Integral) or isinstance(value, bool):
            raise ValueError(f"{name} must be an integer, got {shown(value)}")
        # What is least is said by the class itself.
        return whole_number(name, value, min(int(value), 1), MAX_COUNT)
    if kind is float:
        return real_number(name, value)
    raise TypeError(f"{name} is declared as {kind!r}, which no option can be")


def _one_of(name: str, value: Any, kinds: tuple[Any, ...]) -> Any:
    """An option that may be None."""
    if value is None and NoneType in kinds:
        return None
    (kind,) = (each for each in kinds if each is not NoneType)
    return _converted(name, value, kind)


def _described(name: str, value: Any, kind: Any) -> Any:
    if not isinstance(value, dict):
        if not isinstance(value, kind):
            raise ValueError(f"{name} must be of {kind.__name__}, got {shown(value)}")
        return value
    return from_json(name, value, kind)


def from_json(name: str, data: Any, kind: Any) -> Any:
    """The dataclass of options that JSON data describe.

    Raises:
        ValueError: The data are no dictionary, an option is unknown or lacks, or one is illegal.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{name} must be described by a dictionary, got {shown(data)}")
    fields = dataclasses.fields(kind)
    unknown = set(data) - {field.name for field in fields}
    missing = {
        field.name
        for field in fields
        if field.default is field.default_factory is dataclasses.MISSING
    } - set(data)
    for names, what in ((unknown, "does not know"), (missing, "lacks")):
        if names:
            raise ValueError(f"{name} {what} {', '.join(sorted(map(repr, names)))}")
    return kind(**data)
