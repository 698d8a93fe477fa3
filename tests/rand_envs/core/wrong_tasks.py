"""Tasks and layout spaces with something wrong in them, as slips and mischief make them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Sequence, Text, Tuple

from rand_envs import Layouts, Task, Transition
from tests.rand_envs.core.games import Hunt, Penalty, Places, Throw
from tests.spoiling import WRONG, Rng, some

ATTRIBUTES = (
    *("env_id", "unit", "max_steps", "wrong_answers", "layout_space", "observation_space"),
    *("action_space", "outcome_range", "painter", "players", "solver", "config"),
)
RULES = (
    *("initial", "observe", "step", "info", "final_info", "success", "outcome", "best_outcome"),
    *("known_value", "advance"),
)
OF_SPACES = (
    *("sample", "from_words", "sample_stratified", "enumerate", "mutate", "validate", "pack"),
    *("unpack", "variants", "sweep", "matches"),
)

OBJECTS: list[Any] = [
    *(object(), len, print, Hunt, Hunt(), np.zeros(3), np.float32(2), np.int64(-1), 1j, b"x"),
    *(Places(), Layouts(place=Discrete(2**62)), Layouts(x=MultiDiscrete([3, 1])), range(3)),
    *(
        Discrete(2**62),
        Discrete(3, start=-9),
        MultiDiscrete(np.array([[2, 3]])),
        MultiBinary((2, 2)),
    ),
    *(Box(-np.inf, np.inf, (2,)), Box(0, 255, (2, 2, 1), np.uint8), Box(0, 1, (0,))),
    *(Dict({"x": Discrete(2)}), Tuple([Discrete(2)]), Text(3), Sequence(Discrete(2))),
    *(
        (0, 1),
        (np.inf, -np.inf),
        (np.nan, 0),
        ("a", "b"),
        {"x": "os:system"},
        {"x": "rand_envs:Play"},
    ),
    *({3: len}, {"x": None}, "rand_envs.nowhere:x", "rand_envs:nothing", "::", "rand_envs:Task"),
]

ERRORS: list[BaseException] = [
    *(KeyError("x"), RuntimeError("first\nsecond"), ZeroDivisionError(), StopIteration()),
    *(
        AssertionError(),
        MemoryError(),
        RecursionError(),
        OSError(28, "full"),
        TypeError("x" * 10**4),
    ),
    *(
        NotImplementedError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"),
        FloatingPointError(),
    ),
]


def _flipped(array: Any) -> Any:
    return array[::-1].copy() if len(array) else array


CHANGES: list[Callable[[Any], Any]] = [
    lambda array: array[:-1].copy(),
    lambda array: np.concatenate([array, array[:1]]),
    lambda array: array[:, None],
    lambda array: array.astype(object),
    lambda array: array.tolist(),
    lambda array: array.astype(np.float16),
    lambda array: array * np.nan,
    lambda array: array + np.inf,
    lambda array: -array - 1,
    lambda array: array.astype(str),
    lambda array: array.reshape(-1)[0],
    lambda array: np.broadcast_to(array.reshape(-1)[:1], array.shape),
    lambda array: np.ma.masked_array(array, True),
    lambda array: np.zeros((len(array), 0)),
    lambda array: np.asfortranarray(np.stack([array, array], -1)),
    _flipped,
]
"""What else a rule may give than the array that it should."""


def wrongly(rng: Rng, method: str, right: Callable[..., Any]) -> Callable[..., Any]:
    """A method that raises, or gives something else than the right one."""
    kind = rng.integers(4)
    if kind == 0:
        error = ERRORS[rng.integers(len(ERRORS))]

        def raises(*_: Any) -> Any:
            raise error

        return raises
    if kind == 1:
        wrong = some(rng, WRONG) if rng.random() < 0.5 else OBJECTS[rng.integers(len(OBJECTS))]
        return lambda *_: wrong
    change, part = CHANGES[rng.integers(len(CHANGES))], int(rng.integers(9))
    return partial(_changed, right, change, part)


def _changed(right: Callable[..., Any], change: Any, part: int, *arguments: Any) -> Any:
    given = right(*arguments)
    if isinstance(given, Transition):
        parts = list(given)
        parts[part % 3] = change(parts[part % 3])
        return Transition(*parts)
    if isinstance(given, dict):
        return {key: change(value) for key, value in given.items()}
    return change(given)


def wrong_space(rng: Rng) -> Any:
    """A layout space with a wrong method, size or type."""
    space: Any = Places()
    name = OF_SPACES[rng.integers(len(OF_SPACES))]
    if rng.random() < 0.2:
        name = ["size", "dtype", "num_words"][rng.integers(3)]
        wrong = some(rng, WRONG) if rng.random() < 0.5 else OBJECTS[rng.integers(len(OBJECTS))]
        kind = type("Places", (Places,), {name: wrong})
        made: Any = object.__new__(kind)
        vars(made).update({key: value for key, value in vars(space).items() if key != name})
        return made
    setattr(space, name, wrongly(rng, name, getattr(space, name)))
    return space


def wrong_task(rng: Rng) -> type[Task[Any]]:
    """A class of tasks with one thing wrong, or two."""
    base = [Penalty, Hunt, Throw][rng.integers(3)]
    changed: dict[str, Any] = {}
    for _ in range(rng.integers(1, 3)):
        kind = rng.integers(3)
        if kind == 0:
            name = ATTRIBUTES[rng.integers(len(ATTRIBUTES))]
            wrong = OBJECTS[rng.integers(len(OBJECTS))] if rng.random() < 0.6 else some(rng, WRONG)
            changed[name] = wrong
        elif kind == 1:
            name = RULES[rng.integers(len(RULES))]
            right = getattr(base, name)
            changed[name] = _method(wrongly(rng, name, right))
        elif base is Hunt:
            changed["layout_space"] = wrong_space(rng)
    return type("Wrong", (base,), changed)


def _method(function: Callable[..., Any]) -> Any:
    """As a class needs it: a partial is not bound to its object."""

    def method(*arguments: Any) -> Any:
        return function(*arguments)

    return method
