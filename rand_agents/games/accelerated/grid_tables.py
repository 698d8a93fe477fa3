"""A grid as tables: where each action leads, how far cells are, what a policy sees of them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rand_envs.core.arrays import Array
from rand_envs.games.grid.rules import GridTask


def transition_table(task: GridTask, walls: Array) -> NDArray[np.int64]:
    """The cell that each action leads to, (g, cells, 4), for wall patterns (g, rows, columns)."""
    shape = (len(walls), task.rows * task.columns, 4)
    pattern, cell, action = (index.reshape(-1) for index in np.indices(shape))
    layouts = np.zeros(len(pattern), task.layout_space.dtype)
    layouts["walls"] = walls[pattern]
    state = task.initial(layouts)
    state["cell"] = cell
    return task.move(state, action).reshape(shape)


def path_lengths(moves: NDArray[np.int64]) -> NDArray[np.int64]:
    """Steps of a shortest path to each cell from every cell, (g, target cells, cells).

    `moves` is the table of `transition_table`, (g, cells, 4). From where a target cannot be
    reached, as many as there are cells.
    """
    patterns, cells, _ = moves.shape
    steps = np.tile(cells * (1 - np.eye(cells, dtype=np.int64)), (patterns, 1, 1))
    pattern = np.arange(patterns)[:, None, None, None]
    target = np.arange(cells)[:, None, None]
    while True:
        # One step, and on from there as is known so far.
        shorter = np.minimum(steps, 1 + steps[pattern, target, moves[:, None]].min(-1))
        if (shorter == steps).all():
            return steps
        steps = shorter


def cell_tokens(task: GridTask) -> Tensor:
    """Token of each observation, row 2 * cell + found flag: (2 * cells, rows + columns + 1)."""
    rows, columns = task.rows, task.columns
    cell = torch.arange(rows * columns).repeat_interleave(2)
    row = torch.nn.functional.one_hot(cell // columns, rows)
    column = torch.nn.functional.one_hot(cell % columns, columns)
    found = torch.tensor([0, 1]).repeat(rows * columns).unsqueeze(-1)
    return torch.cat([row, column, found], -1).float()
