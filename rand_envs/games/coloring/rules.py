"""RandColoring-v0: colour a cycle so that neighbours differ, each vertex seeing little."""

import numpy as np
from gymnasium.spaces import MultiBinary, MultiDiscrete
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, whole_number
from rand_envs.core.compiled import compiled
from rand_envs.core.task import Advance, CompiledTask
from rand_envs.games.coloring.layouts import ColoringLayout, ColoringSpace


class ColoringTask(CompiledTask[ColoringLayout]):
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
    `conflicts`: the number of edges with one colour, -1 before the end.  `is_success`: False
    before the end.

    ## Arguments
    * `num_vertices` (10): number of vertices N, at least 3.
    * `num_colors` (3): number of colours, at least 2.
    * `layouts` (None): None for uniform layouts, a `ColoringLayout` (or its JSON
      dictionary), or a `LayoutSource`.  `reset(options={"layout": ...})` sets it for one
      episode.
    * `render_mode` (None): "human", "rgb_array" or "ansi".

    ## Version History
    * v0: first version.

    ## The rules as a class
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
    painter = "rand_envs.games.coloring.painter:ColoringPainter"
    players = {"self-selection": "rand_envs.games.coloring.classics:SelfSelectionColoring"}
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

    def initial(self, layouts: Array) -> Array:
        """States in which no vertex is coloured, shape (n,)."""
        state = np.empty(len(layouts), self._state_dtype)
        state["cycle"] = layouts["cycle"]
        state["conflicts"] = -1
        return state

    def advance(self, state: Array, actions: Array, idle: NDArray[np.bool_]) -> Advance:
        """Colour all vertices: `actions` are their colours, shape (n, N).

        Observations are adjacency matrices, int8, shape (n, N, N).
        """
        n, N = len(state), self.num_vertices
        adjacency, reward = np.zeros((n, N, N), np.int8), np.empty(n)
        _color(
            actions,
            idle,
            state["cycle"],
            state["conflicts"],
            adjacency,
            reward,
        )
        return Advance(state, adjacency, reward, ~idle)

    def info(self, state: Array) -> dict[str, Array]:
        """The number of conflicting edges, -1 before the end."""
        return {"conflicts": state["conflicts"].copy()}

    def success(self, state: Array) -> NDArray[np.bool_]:
        """Whether the colouring is proper, shape (n,)."""
        proper: NDArray[np.bool_] = state["conflicts"] == 0
        return proper


@compiled
def _color(
    colors: Array,
    idle: Array,
    cycle: Array,
    conflicts: Array,
    adjacency: Array,
    reward: Array,
) -> None:
    n, num_vertices = cycle.shape
    for i in range(n):
        before = np.uint64(cycle[i, num_vertices - 1])
        for place in range(num_vertices):
            # Indices without a sign need no look at whether they count from the end.
            vertex = np.uint64(cycle[i, place])
            adjacency[i, vertex, before] = 1
            adjacency[i, before, vertex] = 1
            before = vertex
        reward[i] = 0.0
        if not idle[i]:
            edges = 0
            color_before = colors[i, before]
            for place in range(num_vertices):
                color = colors[i, np.uint64(cycle[i, place])]
                edges += color == color_before
                color_before = color
            conflicts[i] = edges
            reward[i] = edges == 0
