"""Options: whoever made a number, it is Python's own once it has entered, or it is refused."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest

from rand_envs.core.options import convert_options, from_json, rng_seed_number


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5

    def __post_init__(self) -> None:
        convert_options(self)


@dataclass(frozen=True)
class Options:
    count: int
    rate: float = 1.0
    limit: float = 1.0
    maybe: int | None = None
    flag: bool = False
    word: Literal["one", "two"] = "one"
    widths: Sequence[int] = (1, 2)
    rng_seed: int = 0
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        convert_options(self, infinite=["limit"])


def test_numbers_of_numpy_become_pythons_own() -> None:
    given: list[Any] = [
        np.int64(3),
        np.float32(0.25),
        np.float64("inf"),
        np.uint8(7),
        np.True_,
        np.str_("two"),
        np.array([4, 5]),
        np.uint64(2**64 - 1),
    ]
    options = Options(*given)
    expected = Options(3, 0.25, float("inf"), 7, True, "two", (4, 5), 2**64 - 1)
    assert options == expected
    stored = json.dumps(dataclasses.asdict(options))
    assert stored == json.dumps(dataclasses.asdict(expected))
    assert from_json("it", json.loads(stored), Options) == expected
    assert type(Options(1, rate=2).rate) is float
    # JSON has no infinity.
    assert Options(1, limit="inf").limit == float("inf")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 2.5}, "count must be an integer, got 2.5"),
        ({"count": True}, "count must be an integer, got True"),
        ({"count": "3"}, "count must be an integer, got '3'"),
        ({"count": None}, "count must be an integer, got None"),
        ({"count": 10**9}, "count must be an integer from 1 to 1048576, got 1000000000"),
        ({"rate": "1"}, "rate must be a number, got '1'"),
        ({"rate": None}, "rate must be a number, got None"),
        ({"rate": float("nan")}, "rate must be a number, got nan"),
        ({"rate": np.float32("inf")}, "rate must be a finite number, got inf"),
        ({"rate": "-inf"}, "rate must be a finite number, got -inf"),
        ({"limit": "infinity"}, "limit must be a number, got 'infinity'"),
        ({"rate": 10**400}, "rate must be a number, got 1000"),
        ({"rate": [1.0]}, r"rate must be a number, got \[1.0\]"),
        ({"limit": float("nan")}, "limit must be a number, got nan"),
        ({"maybe": 0.5}, "maybe must be an integer, got 0.5"),
        ({"flag": 1}, "flag must be true or false, got 1"),
        ({"word": 1}, "word must be one of"),
        ({"widths": "12"}, "widths must be a list, got '12'"),
        ({"widths": [1, 2.5]}, "each of widths must be an integer, got 2.5"),
        ({"rng_seed": None}, "rng_seed must be an integer from 0 to .*, got None"),
        ({"rng_seed": -1}, "rng_seed must be an integer from 0 to .*, got -1"),
        ({"inner": 3}, "inner must be of Inner, got 3"),
        ({"inner": {"rate": "x"}}, "rate must be a number, got 'x'"),
        ({"inner": {"what": 1}}, "inner does not know 'what'"),
    ],
)
def test_what_is_no_such_number_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        Options(**{"count": 1} | change)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([1], "it must be described by a dictionary, got"),
        ({}, "it lacks 'count'"),
        ({"count": 1, "b": 2, "a": 3}, "it does not know 'a', 'b'"),
    ],
)
def test_data_that_describe_no_options_are_refused(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        from_json("it", data, Options)


def test_a_kind_that_no_option_can_be_is_a_mistake_of_the_declaration() -> None:
    @dataclass(frozen=True)
    class Wrong:
        table: dict[str, int]

        def __post_init__(self) -> None:
            convert_options(self)

    with pytest.raises(TypeError, match="table is declared as dict"):
        Wrong({})


def test_integer_seeds_are_integers() -> None:
    assert type(rng_seed_number(np.int64(5))) is int
    for wrong in (None, "1", 1.5, -1, 2**64, True):
        with pytest.raises(ValueError, match="rng_seed must be an integer from 0 to"):
            rng_seed_number(wrong)
