"""RandGrid-v0: find a hidden treasure, go back to the start, and find it again."""

from typing import Any

import numpy as np
from gymnasium.spaces import Discrete, MultiDiscrete
from numpy.typing import ArrayLike, NDArray

from rand_envs.core.arrays import Array, finite_number, shown, whole_number
from rand_envs.core.compiled import compiled
from rand_envs.core.task import Advance, HoldingTask
from rand_envs.games.grid.layouts import Cell, GridLayout, GridSpace, as_cell

__all__ = ["MOVES", "GridLayout", "GridSpace", "GridTask"]

MOVES = np.array([(0, 1), (0, -1), (1, 0), (-1, 0)])
"""(rows, columns) that the actions right, left, up and down go; row 0 is at the bottom."""

MAX_STEPS = 10**9
"""The longest horizon, and the most episodes: the steps of all are counted in 64 bits."""
COUNTERS = [
    *((name, np.int64) for name in ["cell", "finds", "episode", "episode_steps", "steps"]),
    ("found", np.bool_),
]
SEARCHER = np.dtype([*COUNTERS, ("row", np.int64), ("column", np.int64)], align=True)
"""What a state is to compiled code, but for the walls; row and column are the treasure's."""


class GridTask(HoldingTask[GridLayout]):
    """Search for a treasure that the adversary hid, and show in later episodes what you learned.

    ## Description
    The player starts in the lower left corner of a grid and does not see the treasure.  When
    it is found, or after `horizon` steps, the player is put back on the start for the next
    episode, with the treasure where it was.  Whoever searches in a fixed order gets the
    treasure hidden at the end of it; a good player searches in a random order, remembers,
    and then goes straight to the treasure.

    ## Action Space
    `Discrete(4)`: 0 right, 1 left, 2 up, 3 down.  A move into the border or a wall stays.

    ## Observation Space
    `MultiDiscrete([rows, columns, 2])`: row and column of the player, row 0 at the bottom,
    and 1 if the last step found the treasure, else 0.

    ## Starting State
    The player is on `start`.  The treasure is uniform over the free cells but the start by
    default: see Arguments.  Walls are not observed.

    ## Rewards
    `step_reward` for every step, and `find_reward` on top when the treasure is found.

    ## Episode End
    Terminated at the end of the last of `num_episodes` episodes.  Never truncated.

    ## Information
    `episode_index`: from 0; `steps`: steps used over all episodes.  `is_success`:
    whether the treasure was found in every episode, False before the end.

    ## Arguments
    * `size` (5): side of a square grid, or (rows, columns).
    * `horizon` (25): the most steps of an episode.
    * `num_episodes` (2): episodes of an instance.
    * `step_reward` (-0.1), `find_reward` (1.0): see Rewards.
    * `start` ((0, 0)): the (row, column) where every episode starts.
    * `walls` (None): wall cells, a boolean array of shape (rows, columns), the same in every
      layout; or an integer, as many walls in every layout as the adversary's choice.  Every
      free cell can be reached.
    * `layouts` (None): None for random layouts, a `GridLayout` (or its JSON dictionary), or
      a `LayoutSource`.  `reset(options={"layout": ...})` sets it for one instance.
    * `render_mode` (None): "human", "rgb_array" or "ansi".

    ## Version History
    * v0: first version.

    ## The rules as a class
    A state is its layout, and `cell`, the player's place (row * columns + column); `found`,
    whether the last step found the treasure; `finds`, how often it was found; `episode`, the
    index of the episode; `episode_steps` and `steps`, those used in it and in all episodes.

    Args:
        size: of a square grid, or (rows, columns); at least two cells.
        horizon: the most steps of an episode.
        num_episodes: episodes of an instance.
        step_reward: reward of every step.
        find_reward: added when the treasure is found.
        start: the (row, column) where every episode starts.
        walls: None; wall cells, boolean of shape (rows, columns); or how many walls the
            adversary places.

    Raises:
        ValueError: an argument has the wrong type, or is out of range.
    """

    env_id = "RandGrid-v0"
    unit = "steps"
    adds_up = True
    painter = "rand_envs.games.grid.painter:GridPainter"
    players = {
        "sweep": "rand_envs.games.grid.classics:GridSweep",
        "random-sweep": "rand_envs.games.grid.classics:RandomGridSweep",
        "optimal": "rand_envs.games.grid.value:optimal_player",
    }
    solver = "rand_envs.games.grid.value:grid_value"

    def __init__(
        self,
        size: int | tuple[int, int] = 5,
        horizon: int = 25,
        num_episodes: int = 2,
        step_reward: float = -0.1,
        find_reward: float = 1.0,
        start: Cell = (0, 0),
        walls: ArrayLike | int | None = None,
    ) -> None:
        self.rows, self.columns = _grid_size(size)
        self.size = (self.rows, self.columns)
        self.horizon = whole_number("horizon", horizon, 1, MAX_STEPS)
        self.num_episodes = whole_number("num_episodes", num_episodes, 1, MAX_STEPS)
        self.step_reward = finite_number("step_reward", step_reward)
        self.find_reward = finite_number("find_reward", find_reward)
        self.start = as_cell("the start", start, self.rows, self.columns)
        self.walls = _grid_walls(walls, self.size)
        fixed = np.zeros(self.size, bool) if self.walls is None else self.walls
        self.layout_space = GridSpace(self.rows, self.columns, self.start, fixed)
        self.observation_space = MultiDiscrete([self.rows, self.columns, 2])
        self.action_space = Discrete(4)
        self.max_steps = self.horizon * self.num_episodes
        self._start = self.start[0] * self.columns + self.start[1]
        self.hold(COUNTERS, cell=self._start)
        # Moves within the border, looked up by (cell, action); walls are up to the layout.
        cells = np.stack(np.divmod(np.arange(self.rows * self.columns), self.columns), axis=1)
        moved = np.clip(cells[:, None] + MOVES, 0, np.array(self.size) - 1)
        self._cells = cells
        self._moves = moved @ (self.columns, 1)

    def move(self, state: Array, actions: Array) -> NDArray[np.int64]:
        """The cells, row * columns + column, that moves lead to, shape (n,)."""
        moved = np.empty(len(state), np.int64)
        legal = self.legal_actions.check(actions, len(state))
        _move(self._moves, self._walls_of(state), state["cell"], legal, moved)
        return moved

    def advance(self, state: Array, actions: Array, idle: NDArray[np.bool_]) -> Advance:
        """Move by `actions`, shape (n,); start the next episode where one ended.

        Observations are row, column and whether the last step found the treasure, int64.
        """
        n = len(state)
        seen, reward, over = np.empty((n, 3), np.int64), np.empty(n), np.empty(n, bool)
        facts = self._no_facts(n)
        _search(
            self._start,
            self.horizon,
            self.num_episodes,
            self.step_reward,
            self.find_reward,
            self._cells,
            self._moves,
            self._walls_of(state),
            self.head(state, SEARCHER),
            actions,
            idle,
            seen,
            reward,
            over,
            *facts.values(),
        )
        return Advance(state, seen, reward, over, facts)

    def _walls_of(self, state: Array) -> Array:
        return state["walls"].reshape(len(state), self.rows * self.columns)

    def info(self, state: Array) -> dict[str, Array]:
        """Index of the episode, and steps used over all episodes."""
        facts = self.facts(state, np.zeros(len(state), bool))
        del facts["is_success"]
        return facts

    def success(self, state: Array) -> NDArray[np.bool_]:
        """Whether the treasure was found in every episode, shape (n,)."""
        success: NDArray[np.bool_] = self.facts(state, np.ones(len(state), bool))["is_success"]
        return success

    def facts(self, state: Array, ended: NDArray[np.bool_]) -> dict[str, Array]:
        """Index of the episode, steps used over all episodes, and success where ended."""
        facts = self._no_facts(len(state))
        _tell_all(self.num_episodes, self.head(state, SEARCHER), ended, *facts.values())
        return facts

    def _no_facts(self, n: int) -> dict[str, Array]:
        numbers = np.empty((2, n), np.int64)
        # Not "episode": Monitor and RecordEpisodeStatistics put their statistics there.
        return {"episode_index": numbers[0], "steps": numbers[1], "is_success": np.empty(n, bool)}

    def best_outcome(self, layouts: Array) -> NDArray[np.float64] | None:
        """A shortest path in every episode, as far as the horizon lasts, shape (n,)."""
        steps = self.shortest(layouts).clip(max=self.horizon)
        return (self.num_episodes * steps).astype(np.float64)

    def shortest(self, layouts: Array) -> NDArray[np.int64]:
        """Steps of a shortest path from the start to the treasure, shape (n,)."""
        walls, group = np.unique(layouts["walls"], axis=0, return_inverse=True)
        distance = np.full((len(walls), self.rows * self.columns), -1, np.int64)
        frontier = np.zeros(distance.shape, bool)
        frontier[:, self._start] = True
        free = ~walls.reshape(len(walls), -1)
        for steps in range(self.rows * self.columns):
            distance[frontier] = steps
            reached = np.zeros_like(frontier)
            for moved in self._moves.T:
                pattern, cell = frontier.nonzero()
                reached[pattern, moved[cell]] = True
            frontier = reached & free & (distance < 0)
            if not frontier.any():
                break
        treasure = layouts["treasure"] @ (self.columns, 1)
        found: NDArray[np.int64] = distance[group.reshape(-1), treasure]
        return found

    def outcome(self, state: Array) -> NDArray[np.float64]:
        """Steps used over all episodes, shape (n,)."""
        return state["steps"].astype(np.float64)


@compiled
def _target(moves: Array, walls: Array, i: int, cell: int, action: int) -> int:
    """Where a move leads: nowhere if there is a wall."""
    # Indices without a sign need no look at whether they count from the end.
    target: int = moves[np.uint64(cell), np.uint64(action)]
    return cell if walls[i, np.uint64(target)] else target


@compiled
def _move(moves: Array, walls: Array, cell: Array, actions: Array, moved: Array) -> None:
    for i in range(len(cell)):
        moved[i] = _target(moves, walls, i, cell[i], actions[i])


@compiled
def _search(
    start: int,
    horizon: int,
    num_episodes: int,
    step_reward: float,
    find_reward: float,
    cells: Array,
    moves: Array,
    walls: Array,
    state: Array,
    actions: Array,
    idle: Array,
    seen: Array,
    reward: Array,
    over: Array,
    episode: Array,
    steps: Array,
    success: Array,
) -> None:
    for i in range(len(state)):
        me = state[i]
        reward[i], over[i] = 0.0, False
        if not idle[i]:
            # Without branches, as processors cannot guess what happens.
            cell = _target(moves, walls, i, me.cell, actions[i])
            at = np.uint64(cell)
            found = (cells[at, 0] == me.row) & (cells[at, 1] == me.column)
            ended = found | (me.episode_steps + 1 == horizon)
            last = ended & (me.episode == num_episodes - 1)
            again = ended != last
            me.cell = start if again else cell
            me.episode_steps = 0 if again else me.episode_steps + 1
            me.episode += again
            me.found = found
            me.finds += found
            me.steps += 1
            reward[i] = step_reward + find_reward * found
            over[i] = last
        at = np.uint64(me.cell)
        seen[i, 0], seen[i, 1], seen[i, 2] = cells[at, 0], cells[at, 1], me.found
        _tell(num_episodes, me, over[i], i, episode, steps, success)


@compiled
def _tell_all(
    num_episodes: int, state: Array, ended: Array, episode: Array, steps: Array, success: Array
) -> None:
    for i in range(len(state)):
        _tell(num_episodes, state[i], ended[i], i, episode, steps, success)


@compiled
def _tell(
    num_episodes: int, me: Any, ended: bool, i: int, episode: Array, steps: Array, success: Array
) -> None:
    episode[i], steps[i] = me.episode, me.steps
    success[i] = ended & (me.finds == num_episodes)


def _grid_size(size: Any) -> tuple[int, int]:
    pair = size if isinstance(size, tuple | list) else (size, size)
    if len(pair) != 2:
        raise ValueError(f"size must be an integer or a (rows, columns) pair, got {shown(size)}")
    rows, columns = (whole_number("size", length, 1, 1_000) for length in pair)
    if rows * columns < 2:
        raise ValueError("size must give at least two cells, got one")
    return rows, columns


def _grid_walls(walls: ArrayLike | int | None, size: tuple[int, int]) -> Array | int | None:
    if walls is None or isinstance(walls, int | np.integer):
        return None if walls is None else whole_number("walls", walls, 0, size[0] * size[1] - 2)
    try:
        fixed = np.array(walls)
    except ValueError:
        fixed = np.empty(0)
    if fixed.dtype != np.bool_ or fixed.shape != size:
        raise ValueError(
            "walls must be None, a number of walls, or a boolean array of shape "
            f"{size}, got {shown(walls)}"
        )
    return fixed
