"""Searchers of RandGrid-v0: sweeps in a fixed or random order, and the optimal mix.

All of them act step by step, on what the environment shows, and remember the treasure: later
episodes go straight to it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from itertools import permutations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rand_envs.core.arrays import Array
from rand_envs.core.player import Play
from rand_envs.games.grid.rules import MOVES, GridTask
from rand_envs.minimax.grid.search_grid import cut_to_horizon
from rand_envs.minimax.grid.solution import SearchGameSolution
from rand_envs.minimax.grid.verify import faults_of_mixes

Ints = NDArray[np.int64]

ROWS = 1 << 16
"""How many (layout, seed) pairs are played at once, to bound the memory."""

FAR = 1 << 30


@dataclass
class Trail:
    """What walkers remember, for n instances at once; cells are row * columns + column.

    Attributes:
        plan: which order or path the seed picked, shape (n,).
        episode: index of the episode, shape (n,).
        time: steps taken in it, shape (n,).
        cell: where the walker stood before its last move, shape (n,).
        target: where that move went, unless into a wall, shape (n,).
        visited: cells it has stood on, shape (n, cells).
        blocked: cells it knows to be walls, shape (n, cells).
        parent: the cell from which each visited cell was first entered, shape (n, cells).
        distance: steps of known ways to the goal of this episode, shape (n, cells).
        chasing: whether it is on its way to that goal, shape (n,).
    """

    plan: Ints
    episode: Ints
    time: Ints
    cell: Ints
    target: Ints
    visited: NDArray[np.bool_]
    blocked: NDArray[np.bool_]
    parent: Ints
    distance: Ints
    chasing: NDArray[np.bool_]

    def rows(self, index: Array) -> "Trail":
        """The memories at an index, copied."""
        return Trail(*(getattr(self, field.name)[index] for field in fields(self)))


class GridWalker(ABC):
    """Searches until the treasure is found, and goes straight to it ever after.

    Straight means by a shortest way: through free cells where the task fixes the walls, which
    the walker then knows; else through cells it has visited.
    """

    resumes: ClassVar[bool]
    """Whether a search that the horizon cut off goes on where it was, in the next episode."""

    def __init__(self, task: GridTask) -> None:
        self.task = task
        self._cells = task.rows * task.columns
        self._start = task.start[0] * task.columns + task.start[1]
        # Where each action leads in a grid without walls, shape (cells, 4), by the task's rules.
        cell, action = np.divmod(np.arange(4 * self._cells), 4)
        state = task.initial(np.zeros(len(cell), task.layout_space.dtype))
        state["cell"] = cell
        self._moves = task.move(state, action).reshape(-1, 4)
        walls = task.walls if isinstance(task.walls, np.ndarray) else np.zeros(task.size, bool)
        self._walls = walls.reshape(-1)
        self._knows_walls = not isinstance(task.walls, int)

    @abstractmethod
    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """Draw m seeds, shape (m, 1)."""

    @abstractmethod
    def plans(self, seeds: Array) -> Ints:
        """Which of the walker's orders or paths each seed, (n, 1), picks, shape (n,)."""

    @abstractmethod
    def search(self, trail: Trail, cell: Ints) -> Ints:
        """Actions of walkers that stand on `cell`, (n,), and look for the treasure."""

    def begin(self, seeds: Array) -> Trail:
        """The memory at the start of n instances, one for each of the seeds, shape (n, 1)."""
        return self._begin(self.plans(seeds))

    def _begin(self, plans: Ints) -> Trail:
        n = len(plans)
        zeros, table = np.zeros(n, np.int64), np.zeros((n, self._cells), np.int64)
        visited = table == 1
        visited[:, self._start] = True
        start = np.full(n, self._start)
        return Trail(
            plans, zeros, zeros.copy(), start, start.copy(), visited,
            np.repeat(self._walls[None], n, axis=0), table + self._start, table.copy(), zeros == 1,
        )  # fmt: skip

    def act(self, trail: Trail, observation: Array) -> Ints:
        """Choose actions, shape (n,), on observations, (n, 3); `trail` remembers in place."""
        cell: Ints = observation[:, 0] * self.task.columns + observation[:, 1]
        found = observation[:, 2] == 1
        began = found | (trail.time == self.task.horizon)
        self._note(trail, cell, found, began)
        if began.any():
            self._set_out(trail, np.flatnonzero(began), found)
        trail.chasing &= trail.distance[np.arange(len(cell)), cell] > 0
        action = np.where(trail.chasing, self._approach(trail, cell), self.search(trail, cell))
        trail.cell, trail.target = cell, self._moves[cell, action]
        trail.time += 1
        return action

    def play(self, layouts: Array, seeds: Array) -> Play:
        """Play every layout, (n,), under every seed, (m, 1), by the task's own rules."""
        # Seeds that pick the same plan play the same.
        plans, picked = np.unique(self.plans(seeds), return_inverse=True)
        count = max(1, ROWS // len(plans))
        parts = [self._play(layouts[i : i + count], plans) for i in range(0, len(layouts), count)]
        steps = np.concatenate(parts)[:, picked]
        return Play(steps, None, steps.astype(np.float32)[..., None])

    def _play(self, layouts: Array, plans: Ints) -> NDArray[np.float64]:
        state = self.task.initial(np.repeat(layouts, len(plans)))
        trail = self._begin(np.tile(plans, len(layouts)))
        steps, at = np.empty(len(state)), np.arange(len(state))
        while len(at):
            action = self.act(trail, self.task.observe(state))
            state, _, over = self.task.step(state, action)
            steps[at[over]] = self.task.outcome(state[over])
            if over.any():
                at, state, trail = at[~over], state[~over], trail.rows(~over)
        return steps.reshape(len(layouts), len(plans))

    def _note(
        self, trail: Trail, cell: Ints, found: NDArray[np.bool_], began: NDArray[np.bool_]
    ) -> None:
        """Learn from the last move; where an episode began, its end is hidden unless found."""
        row = np.arange(len(cell))
        known = np.where(found, trail.target, cell)
        new = (found | ~began) & ~trail.visited[row, known]
        trail.visited[row[new], known[new]] = True
        trail.parent[row[new], known[new]] = trail.cell[new]
        bumped = ~began & (trail.time > 0) & (cell == trail.cell) & (trail.target != cell)
        trail.blocked[row[bumped], trail.target[bumped]] = True

    def _set_out(self, trail: Trail, row: Ints, found: NDArray[np.bool_]) -> None:
        """Begin an episode: the goal is the treasure, or else where the search was cut off."""
        goal = np.where(found, trail.target, trail.cell)[row]
        passable = trail.visited[row]
        if self._knows_walls:
            passable |= found[row, None] & ~self._walls
        distance = np.full(passable.shape, FAR)
        distance[np.arange(len(row)), goal] = 0
        before = np.zeros_like(distance)
        while not np.array_equal(before, distance):
            before = distance
            nearest = distance[:, self._moves].min(axis=2) + 1
            distance = np.where(passable, np.minimum(distance, nearest), FAR)
        trail.distance[row] = distance
        trail.chasing[row] = found[row] | self.resumes
        trail.episode[row] += 1
        trail.time[row] = 0

    def _approach(self, trail: Trail, cell: Ints) -> Ints:
        ahead = np.take_along_axis(trail.distance, self._moves[cell], axis=1)
        action: Ints = ahead.argmin(axis=1)
        return action


class _Sweep(GridWalker):
    """Goes to the first unvisited neighbour in an order of the four moves, else back.

    That is a depth-first search.  Unknown walls are found by walking into them.
    """

    resumes = True
    orders: Ints
    """The orders of the moves to pick from, shape (orders, 4)."""

    def search(self, trail: Trail, cell: Ints) -> Ints:
        """The first move to a cell neither visited nor blocked, else the one back."""
        targets = self._moves[cell]
        shut = trail.visited | trail.blocked
        order = self.orders[trail.plan]
        open_ = ~np.take_along_axis(shut, np.take_along_axis(targets, order, 1), 1)
        onward = np.take_along_axis(order, open_.argmax(axis=1)[:, None], 1)[:, 0]
        back = targets == np.take_along_axis(trail.parent, cell[:, None], 1)
        action: Ints = np.where(open_.any(axis=1), onward, back.argmax(axis=1))
        return action


class GridSweep(_Sweep):
    """Sweeps the grid in one fixed order, whatever the seed.

    From the lower left corner of a grid without walls the order right, left, up, down is the
    snake: along each row and back along the next.  The adversary hides the treasure at its end.

    Args:
        task: the game.
        order: the four actions, 0 to 3, in the order in which they are tried.

    Raises:
        ValueError: `order` is not an order of the four actions.
    """

    def __init__(self, task: GridTask, order: tuple[int, int, int, int] = (0, 1, 2, 3)) -> None:
        super().__init__(task)
        if sorted(order) != list(range(len(MOVES))):
            raise ValueError(f"order must hold each of the actions 0 to 3 once, got {order!r}")
        self.orders = np.array([order])

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """Zeros, shape (m, 1): there is nothing to draw."""
        return np.zeros((m, 1))

    def plans(self, seeds: Array) -> Ints:
        """Always the only order there is."""
        return np.zeros(len(seeds), np.int64)


class RandomGridSweep(_Sweep):
    """Sweeps the grid in one of the 24 orders of the four moves, picked by the seed."""

    def __init__(self, task: GridTask) -> None:
        super().__init__(task)
        self.orders = np.array(list(permutations(range(len(MOVES)))))

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """One uniform number, shape (m, 1)."""
        return rng.random((m, 1))

    def plans(self, seeds: Array) -> Ints:
        """The order in whose share of [0, 1) the seed lies, shape (n,)."""
        return (seeds[:, 0] * len(self.orders)).astype(np.int64)


class OptimalMix(GridWalker):
    """Walks one of the paths of a solved search game, with the solution's probabilities.

    Its worst case is the upper bound of the solution, which no player can beat by more than
    the solution's gap.

    Args:
        solution: of the search game on the task's grid.  One of infinite patience also plays
            with a horizon: its paths are cut off there, which may cost more than its value.
        task: the game; None for the solution's own, with the default horizon of 25 if it has
            infinite patience.

    Raises:
        ValueError: the task has another grid, start, horizon or number of episodes, or the
            solution's paths or probabilities are not legal.
    """

    resumes = False

    def __init__(self, solution: SearchGameSolution, task: GridTask | None = None) -> None:
        if faults := faults_of_mixes(solution):
            raise ValueError(f"the solution cannot be played: {faults[0]}")
        grid = solution.grid
        walls = np.zeros(grid.shape, bool)
        walls[tuple(np.array(grid.walls, int).reshape(-1, 2).T)] = True
        super().__init__(task or _task_of(solution, walls))
        self._check(solution, walls)
        horizon, episodes = self.task.horizon, self.task.num_episodes
        paths = solution.paths
        if solution.horizon is None:
            paths = tuple(cut_to_horizon(grid, path[0], horizon, episodes) for path in paths)
        # Beyond the end of a path any move will do: the treasure was found before.
        self._plans = np.zeros((len(paths), episodes, horizon), np.int64)
        for plan, path in zip(self._plans, paths, strict=True):
            for actions, walk in zip(plan, path, strict=False):
                cells = np.array(walk) @ (self.task.columns, 1)
                moves = (self._moves[cells[:-1]] == cells[1:, None]).argmax(axis=1)
                actions[: len(moves)] = moves[:horizon]
        self._ends = solution.probabilities.cumsum()

    def _check(self, solution: SearchGameSolution, walls: NDArray[np.bool_]) -> None:
        task, grid = self.task, solution.grid
        same: dict[str, Any] = {
            "size": (task.size, grid.shape),
            "walls": (task.walls if task.walls is not None else np.zeros_like(walls), walls),
            "start": (task.start, grid.start),
            "number of episodes": (task.num_episodes, solution.num_episodes),
            "horizon": (task.horizon, solution.horizon or task.horizon),
        }
        for name, (played, solved) in same.items():
            if not np.array_equal(played, solved):
                raise ValueError(f"the solution is of a game with another {name} than the task's")

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """One uniform number, shape (m, 1)."""
        return rng.random((m, 1))

    def plans(self, seeds: Array) -> Ints:
        """The path in whose share of [0, 1) the seed lies, shape (n,)."""
        return np.minimum(np.searchsorted(self._ends, seeds[:, 0], "right"), len(self._ends) - 1)

    def search(self, trail: Trail, cell: Ints) -> Ints:
        """The next move of the path."""
        actions: Ints = self._plans[trail.plan, trail.episode, trail.time]
        return actions


def _task_of(solution: SearchGameSolution, walls: NDArray[np.bool_]) -> GridTask:
    horizon = 25 if solution.horizon is None else solution.horizon
    return GridTask(
        solution.grid.shape,
        horizon,
        solution.num_episodes,
        start=solution.grid.start,
        walls=walls if walls.any() else None,
    )
