"""RandColoring-v0: colour a cycle so that neighbours differ, each vertex seeing little."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from gymnasium.spaces import MultiBinary, MultiDiscrete
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from rand_envs.env import TaskEnv, TaskVectorEnv
from rand_envs.sources import LayoutsArgument
from rand_envs.task import (
    MAX_ENUMERATED,
    Array,
    Json,
    Layout,
    LayoutSpace,
    Task,
    Transition,
    copied,
    layout_fields,
    whole_number,
)


@dataclass(frozen=True)
class ColoringLayout(Layout):
    """A Hamiltonian cycle on labelled vertices, as the vertices in order.

    In canonical form it starts at vertex 0 and its second vertex is below its last.
    """

    cycle: tuple[int, ...]

    def to_json(self) -> Json:
        """Return {"cycle": list of vertices}."""
        return {"cycle": list(self.cycle)}


class ColoringSpace(LayoutSpace[ColoringLayout]):
    """All cycles through `num_vertices` labelled vertices, each in canonical form."""

    def __init__(self, num_vertices: int) -> None:
        self.num_vertices = num_vertices
        self.dtype = np.dtype([("cycle", np.int64, (num_vertices,))])
        self.num_words = num_vertices - 1

    @property
    def size(self) -> int:
        """Number of cycles, (N - 1)! / 2."""
        return factorial(self.num_vertices - 1) // 2

    def from_words(self, words: NDArray[np.uint64]) -> Array:
        """Order the vertices 1, ..., N - 1 by their words."""
        return self._build(1 + words.argsort(axis=1))

    def enumerate(self) -> Array:
        """Every cycle once, in lexicographic order."""
        if self.size > MAX_ENUMERATED:
            raise ValueError(
                f"at most {MAX_ENUMERATED} layouts can be listed, and there are {self.size} "
                f"cycles on {self.num_vertices} vertices"
            )
        orders = 1 + _permutations(self.num_vertices - 1)
        return self._build(orders[orders[:, 0] < orders[:, -1]])

    def mutate(self, rng: np.random.Generator, layouts: Array) -> Array:
        """Reverse a random part of each cycle (2-opt); a triangle stays as it is."""
        last = self.num_vertices - 1
        parts = [
            (first, end)
            for first in range(1, last)
            for end in range(first + 1, last + 1)
            if (first, end) != (1, last)
        ]
        if not parts:
            return layouts.copy()
        first, end = np.array(parts)[rng.integers(len(parts), size=len(layouts))].T[:, :, None]
        place = np.arange(self.num_vertices)[None, :]
        source = np.where((first <= place) & (place <= end), first + end - place, place)
        return self._build(np.take_along_axis(layouts["cycle"], source, axis=1)[:, 1:])

    def validate(self, layout: ColoringLayout | Mapping[str, Any]) -> ColoringLayout:
        """Return the cycle in canonical form; ValueError says what is wrong."""
        (cycle,) = layout_fields(layout, ColoringLayout, ["cycle"])
        N = self.num_vertices
        try:
            vertices = np.asarray(cycle)
        except ValueError:
            vertices = np.empty(0)
        is_integer = vertices.shape == (N,) and vertices.dtype.kind in "iu"
        if not is_integer or sorted(vertices.tolist()) != list(range(N)):
            raise ValueError(
                f"the cycle of a colouring layout must hold each of the vertices 0 to {N - 1} "
                f"once, got {cycle!r}"
            )
        order = np.roll(vertices, -int(vertices.argmin()))
        return self.unpack(self._build(order[None, 1:]))[0]

    def pack(self, layouts: Sequence[ColoringLayout | Mapping[str, Any]]) -> Array:
        """Validate layouts and turn them into one structured array of shape (n,)."""
        return np.array([(self.validate(layout).cycle,) for layout in layouts], self.dtype)

    def unpack(self, layouts: Array) -> list[ColoringLayout]:
        """The layouts of a structured array, shape (n,), as values."""
        return [ColoringLayout(tuple(cycle)) for cycle in layouts["cycle"].tolist()]

    def _build(self, orders: Array) -> Array:
        """Close orders of 1, ..., N - 1, shape (n, N - 1), to canonical cycles."""
        backwards = orders[:, :1] > orders[:, -1:]
        layouts = np.zeros(len(orders), self.dtype)
        layouts["cycle"][:, 1:] = np.where(backwards, orders[:, ::-1], orders)
        return layouts


class ColoringTask(Task[ColoringLayout]):
    """The rules of RandColoring-v0.

    A state is its layout, and `conflicts`, the number of edges whose ends have the same
    colour, -1 before the vertices are coloured.

    Args:
        num_vertices: number of vertices N of the cycle.
        num_colors: number of colours.

    Raises:
        ValueError: a size is not an integer, or out of range.
    """

    env_id = "RandColoring-v0"
    unit = "success"
    max_steps = 1

    def __init__(self, num_vertices: int = 10, num_colors: int = 3) -> None:
        self.num_vertices = whole_number("num_vertices", num_vertices, 3, 10_000)
        self.num_colors = whole_number("num_colors", num_colors, 2, 10_000)
        self.layout_space = ColoringSpace(self.num_vertices)
        self.observation_space = MultiBinary((self.num_vertices, self.num_vertices))
        self.action_space = MultiDiscrete([self.num_colors] * self.num_vertices)
        self._state_dtype = np.dtype(
            [("cycle", np.int64, (self.num_vertices,)), ("conflicts", np.int64)]
        )

    @property
    def config(self) -> Json:
        """The keyword arguments of this task, JSON-ready."""
        return {"num_vertices": self.num_vertices, "num_colors": self.num_colors}

    def initial(self, layouts: Array) -> Array:
        """States in which no vertex is coloured, shape (n,)."""
        state = np.empty(len(layouts), self._state_dtype)
        state["cycle"] = layouts["cycle"]
        state["conflicts"] = -1
        return state

    def observe(self, state: Array) -> Array:
        """Adjacency matrices, int8, shape (n, N, N)."""
        cycle = state["cycle"]
        following = np.roll(cycle, -1, axis=1)
        rows = np.arange(len(state))[:, None]
        adjacency = np.zeros((len(state), self.num_vertices, self.num_vertices), np.int8)
        adjacency[rows, cycle, following] = 1
        adjacency[rows, following, cycle] = 1
        return adjacency

    def step(self, state: Array, actions: Array) -> Transition:
        """Colour all vertices: `actions` are their colours, shape (n, N)."""
        after = copied(state)
        along = np.take_along_axis(actions, state["cycle"], axis=1)
        conflicts = (along == np.roll(along, -1, axis=1)).sum(axis=1)
        after["conflicts"] = conflicts
        return Transition(after, (conflicts == 0).astype(np.float64), np.ones(len(state), bool))

    def info(self, state: Array) -> dict[str, Array]:
        """No facts before the end."""
        return {}

    def final_info(self, state: Array) -> dict[str, Array]:
        """Success, and the number of conflicting edges."""
        return {"is_success": self.success(state), "conflicts": state["conflicts"].copy()}

    def success(self, state: Array) -> NDArray[np.bool_]:
        """Whether the colouring is proper, shape (n,)."""
        proper: NDArray[np.bool_] = state["conflicts"] == 0
        return proper

    def outcome(self, state: Array) -> NDArray[np.float64]:
        """1 where the colouring is proper, else 0, shape (n,)."""
        return self.success(state).astype(np.float64)


def _permutations(count: int) -> NDArray[np.int64]:
    """All orders of 0, ..., count - 1 in lexicographic order, shape (count!, count)."""
    if count == 0:
        return np.zeros((1, 0), np.int64)
    rest = _permutations(count - 1)
    firsts = [
        np.column_stack([np.full(len(rest), first), rest + (rest >= first)])
        for first in range(count)
    ]
    return np.concatenate(firsts)


class ColoringEnv(TaskEnv[ColoringLayout]):
    """Colour a cycle in one step: the adversary picks which labels are neighbours.

    ## Description
    N labelled vertices lie on a cycle in an order the adversary picks.  The player gives
    every vertex a colour at once, and wins if no edge has the same colour at both ends.
    Made for local players, which decide on each vertex from its neighbourhood alone: the
    environment shows the whole graph, and locality is the policy's own mask.

    ## Action Space
    `MultiDiscrete([num_colors] * num_vertices)`: the colour of each vertex.

    ## Observation Space
    `MultiBinary((num_vertices, num_vertices))`: the adjacency matrix.

    ## Starting State
    The uncoloured cycle, uniform over all (N - 1)! / 2 cycles by default: see Arguments.

    ## Rewards
    1 if the colouring is proper, else 0.

    ## Episode End
    Terminated after one step.  Never truncated.

    ## Information
    At the end `is_success`, and `conflicts`: the number of edges with one colour.

    ## Arguments
    * `num_vertices` (10): number of vertices N, at least 3.
    * `num_colors` (3): number of colours, at least 2.
    * `layouts` (None): None for uniform layouts, a `ColoringLayout` (or its JSON
      dictionary), or a `LayoutSource`.  `reset(options={"layout": ...})` sets it for one
      episode.
    * `render_mode` (None): "human", "rgb_array" or "ansi".

    ## Version History
    * v0: first version.
    """

    def __init__(
        self,
        num_vertices: int = 10,
        num_colors: int = 3,
        layouts: LayoutsArgument[ColoringLayout] = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(ColoringTask(num_vertices, num_colors), layouts, render_mode)


class ColoringVectorEnv(TaskVectorEnv[ColoringLayout]):
    """A batch of `ColoringEnv`, equal element by element to a `SyncVectorEnv` of them."""

    def __init__(
        self,
        num_envs: int = 1,
        num_vertices: int = 10,
        num_colors: int = 3,
        layouts: LayoutsArgument[ColoringLayout] = None,
        render_mode: str | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        task = ColoringTask(num_vertices, num_colors)
        super().__init__(task, num_envs, layouts, render_mode, autoreset_mode)
