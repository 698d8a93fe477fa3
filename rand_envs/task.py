"""What every game provides: layouts, a layout space, and rules on batches.

A batch of layouts is one NumPy structured array of shape (n,) with the dtype of
its layout space; a batch of states likewise.  One layout on its own is a frozen
dataclass (`Layout`): a value that can be validated, hashed and written as JSON.
"""

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Json = dict[str, Any]

MAX_ENUMERATED = 2_000_000
"""The most layouts that `LayoutSpace.enumerate` lists."""


class Layout(ABC):
    """All that the adversary chooses of one instance. Subclasses are frozen dataclasses."""

    @abstractmethod
    def to_json(self) -> Json:
        """Return a dictionary that `LayoutSpace.validate` turns back into an equal layout."""


L = TypeVar("L", bound=Layout)


class LayoutSpace(ABC, Generic[L]):
    """The set of legal layouts of one task."""

    dtype: np.dtype[Any]
    """Structured dtype of a batch of layouts."""
    num_words: int
    """How many random 64-bit words one uniform layout is made of."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """Number of legal layouts; None where it has no closed form and is not counted."""

    @abstractmethod
    def from_words(self, words: NDArray[np.uint64]) -> Array:
        """Turn uniform random words, shape (n, num_words), into n layouts."""

    @abstractmethod
    def enumerate(self) -> Array:
        """Every legal layout once, shape (size,). ValueError where there are too many."""

    @abstractmethod
    def mutate(self, rng: np.random.Generator, layouts: Array) -> Array:
        """A small random change of each layout, legal again; same shape as `layouts`."""

    @abstractmethod
    def validate(self, layout: L | Mapping[str, Any]) -> L:
        """Return the legal layout in canonical form; ValueError says what is wrong."""

    @abstractmethod
    def pack(self, layouts: Sequence[L | Mapping[str, Any]]) -> Array:
        """Validate layouts and turn them into one structured array of shape (n,)."""

    @abstractmethod
    def unpack(self, layouts: Array) -> list[L]:
        """The layouts of a structured array, shape (n,), as values."""

    def matches(self, other: "LayoutSpace[Any]") -> bool:
        """Whether a batch of the other space's layouts is one of this space's."""
        return type(self) is type(other) and self.dtype == other.dtype

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Draw n layouts, shape (n,), from the distribution of `from_words`."""
        if n < 1:
            raise ValueError(f"the number of layouts must be at least 1, got {n}")
        return self.from_words(random_words([rng], n * self.num_words).reshape(n, -1))

    def sample_stratified(self, rng: np.random.Generator, n: int) -> Array:
        """Draw n layouts that cover the space more evenly, where a space knows how to.

        Each layout on its own is distributed as by `sample`, but they are not independent.
        """
        return self.sample(rng, n)

    def sample_each(self, rngs: Sequence[np.random.Generator]) -> Array:
        """Draw one layout from each generator, shape (len(rngs),)."""
        return self.from_words(random_words(rngs, self.num_words))


def random_words(rngs: Sequence[np.random.Generator], count: int) -> NDArray[np.uint64]:
    """Draw `count` 64-bit words from each generator, shape (len(rngs), count).

    Raises:
        ValueError: a Mersenne Twister, whose words have 32 bits only.
    """
    if isinstance(rngs[0].bit_generator, np.random.MT19937):
        raise ValueError("the generator must give 64-bit words, as np.random.default_rng does")
    # Raw words cost a tenth of Generator.bytes or .integers, and resets are all about that cost.
    drawn = [rng.bit_generator.random_raw(count) for rng in rngs]
    return np.concatenate(drawn).reshape(len(rngs), count)


def words_below(words: NDArray[np.uint64], bound: int) -> NDArray[np.int64]:
    """Map uniform words to integers in [0, bound); the bias is below bound / 2**32."""
    high = words >> np.uint64(32)
    return ((high * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)


def copied(batch: Array) -> Array:
    """Copy a structured array as bytes: NumPy's own copy goes field by field, ten times slower."""
    raw = np.dtype((np.void, batch.dtype.itemsize))
    copy: Array = batch.view(raw).copy().view(batch.dtype)
    return copy


def whole_number(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return `value` as an int; ValueError unless it is an integer in [low, high]."""
    legal = f"from {low} to {high}" if high is not None else f"of at least {low}"
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_integer or value < low or (high is not None and value > high):
        raise ValueError(f"{name} must be an integer {legal}, got {value!r}")
    return int(value)


def finite_number(name: str, value: Any) -> float:
    """Return `value` as a float; ValueError unless it is a finite real number."""
    is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_real or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return float(value)


def layout_fields(layout: Any, kind: type[Layout], names: Sequence[str]) -> list[Any]:
    """Return the named fields of a layout given as a `kind` or as its JSON dictionary.

    A name that ends in "?" may be missing from a dictionary; its field is then None.

    Raises:
        ValueError: `layout` is neither, a field is missing, or there is an unknown one.
    """
    fields = [name.rstrip("?") for name in names]
    if isinstance(layout, kind):
        return [getattr(layout, name) for name in fields]
    needed = {name for name in names if not name.endswith("?")}
    if not isinstance(layout, Mapping) or not needed <= set(layout) <= set(fields):
        wanted = f"a {kind.__name__} or a dictionary with the keys {', '.join(fields)}"
        raise ValueError(f"a layout must be {wanted}, got {layout!r}")
    return [layout.get(name) for name in fields]


class Transition(NamedTuple):
    """What one step of a batch gives; all of shape (n,) and in fresh memory."""

    state: Array
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]


class Setting(ABC, Generic[L]):
    """What is known of a game without its rules: its id, its spaces, its layouts, its length."""

    env_id: str
    """The id it is registered under, such as "RandGrid-v0"."""
    unit: str
    """Unit of its outcomes: "success" (0 or 1), "steps" (fewer is better), or "return"."""
    layout_space: LayoutSpace[L]
    observation_space: gym.Space[Any]
    action_space: gym.Space[Any]
    max_steps: int
    """The longest an instance can last, in steps."""

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger outcome is the better one."""
        return self.unit != "steps"

    @property
    @abstractmethod
    def config(self) -> Json:
        """The keyword arguments, JSON-ready, that `type(self)(**config)` builds this task from."""


class Task(Setting[L]):
    """The rules of one game, as pure functions on batches of n instances.

    Tasks are deterministic: all that an instance leaves open is in its layout.
    They never change their arguments.
    """

    @abstractmethod
    def initial(self, layouts: Array) -> Array:
        """First states, shape (n,), of a batch of layouts, shape (n,)."""

    @abstractmethod
    def observe(self, state: Array) -> Array:
        """What the player sees, shape (n, *observation_space.shape); fresh memory."""

    @abstractmethod
    def step(self, state: Array, actions: Array) -> Transition:
        """Play legal actions, shape (n, *action_space.shape), in states that are not over."""

    @abstractmethod
    def info(self, state: Array) -> dict[str, Array]:
        """Facts for `info`, each of shape (n,); fresh memory."""

    def final_info(self, state: Array) -> dict[str, Array]:
        """Facts that `info` gains when an instance ends, each of shape (n,); fresh memory."""
        return {"is_success": self.success(state)}

    @abstractmethod
    def success(self, state: Array) -> NDArray[np.bool_]:
        """Whether each ended instance was a success, shape (n,)."""

    @abstractmethod
    def outcome(self, state: Array) -> NDArray[np.float64]:
        """Result of each ended instance in `unit`, shape (n,)."""


def rules_of(setting: Setting[L]) -> Task[L]:
    """The same setting as one whose rules are known; ValueError if they are not."""
    if not isinstance(setting, Task):
        raise ValueError(
            f"{setting.env_id} is not a game of rand_envs, whose layouts can be evaluated and "
            "watched; its mean return is what Stable-Baselines3's evaluate_policy tells"
        )
    return setting
