"""Batched roll-outs of the grid: candidates x layouts x seeds.

The world is deterministic and the policy acts by argmax, so until the treasure is found all
layouts with the same walls share one trajectory for each (candidate, seed). One searching
roll-out therefore gives the finding time of every treasure; the episodes after it branch from
its cached context. Treasures that it never finds share the next search as well.

On the CPU this plan runs as compiled code, see `grid_kernel`; the batched torch code here serves
other devices and sampled actions, and is tested equal.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rand_agents.games.accelerated.grid_tables import cell_tokens, transition_table
from rand_agents.games.path.spaces import draw_category
from rand_agents.kernels.grid_kernel import Draws, Policies, Rules, draws_of, play
from rand_agents.kernels.lane_transformer import pack, shape_of
from rand_agents.policies.transformer import Cache, SeedTransformer, Weights
from rand_envs.core.arrays import Array
from rand_envs.games.grid.rules import GridTask

NEVER = 1 << 30
"""First-visit time of a cell that was not visited."""


@dataclass
class _Search:
    """Searching roll-outs, shape (P, R): one row for each walls pattern and seed."""

    cache: Cache
    group: Tensor


@dataclass
class _Chase:
    """Roll-outs that know their treasure, shape (P, K): the episodes after finding it."""

    cache: Cache
    group: Tensor
    treasure: Tensor
    slot: Tensor
    position: Tensor
    clock: Tensor
    remaining: Tensor
    found: Tensor

    def rows(self, index: tuple[Tensor, ...], room: int) -> "_Chase":
        """The rows at an index of (P, K), their caches copied with room for more tokens."""
        return _Chase(
            self.cache.rows(index, room),
            self.group[index],
            self.treasure[index],
            self.slot[index],
            self.position[index],
            self.clock[index],
            self.remaining[index],
            self.found[index],
        )


def _grouped(mask: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Index that puts each candidate's true entries of mask (P, R) first, and which are real."""
    width = int(mask.sum(-1).max())
    order = mask.int().argsort(dim=-1, descending=True, stable=True)[:, :width]
    candidates = torch.arange(len(mask), device=mask.device).unsqueeze(-1).expand_as(order)
    return (candidates, order), mask.gather(-1, order)


class GridRollout:
    """Plays a batch of layouts under a batch of seeds with many candidate policies at once."""

    def __init__(
        self,
        task: GridTask,
        model: SeedTransformer,
        weights: Weights,
        layouts: Array,
        seeds: Tensor,
        sample_rng: np.random.Generator | None = None,
        temperature: float = 1.0,
        is_cut: bool = False,
    ) -> None:
        """Prepare n layouts, m seeds and weights with one leading axis of P candidates."""
        self.temperature, self.is_cut = temperature, is_cut
        self.task, self.model, self.weights = task, model, weights
        self.seeds, self.sample_rng = seeds, sample_rng
        self.candidates = weights["read_out"].shape[0]
        self.n, self.m = len(layouts), len(seeds)
        walls, group = np.unique(layouts["walls"], axis=0, return_inverse=True)
        device = seeds.device
        self.group = torch.from_numpy(group.reshape(-1)).to(device)
        self.moves = torch.from_numpy(transition_table(task, walls)).to(device)
        treasure = layouts["treasure"] @ np.array([task.columns, 1])
        self.treasure = torch.from_numpy(treasure).to(device)
        self.start = task.start[0] * task.columns + task.start[1]
        self.capacity = 1 + task.max_steps
        self.tokens = cell_tokens(task).to(seeds)
        shared = self.tokens.expand(self.candidates, *self.tokens.shape)
        self.embedded = model.embed_step(weights, shared)
        self.candidate = torch.arange(self.candidates, device=device).unsqueeze(-1)
        self.token_evaluations = 0

    @property
    def is_compiled(self) -> bool:
        """Whether `steps` runs as compiled code: on the CPU."""
        plain = self.embedded.dtype in (torch.float32, torch.float64)
        return plain and self.embedded.is_cpu

    def steps(self) -> tuple[Tensor, Tensor]:
        """Steps until the treasure is found, and steps after that: each (P, n, m).

        Both are over all episodes; a treasure that is never found is found with the last step.
        """
        return self.compiled_steps() if self.is_compiled else self.torch_steps()

    def compiled_steps(self) -> tuple[Tensor, Tensor]:
        """`steps` by compiled code on the CPU."""
        return self.played()[:2]

    def played(self) -> tuple[Tensor, Tensor, Draws | None]:
        """`steps` by compiled code, and what was drawn, see `grid_kernel.Draws`."""
        config, moves = self.model.config, self.moves.numpy()
        wanted = np.zeros(moves.shape[:2], np.bool_)
        wanted[self.group.numpy(), self.treasure.numpy()] = True
        rules = Rules(self.task.horizon, self.task.num_episodes, self.start, moves, wanted)
        seeds = self.model.embed_seed_token(
            self.weights, self.seeds.expand(self.candidates, -1, -1)
        )
        positions = seeds.new_zeros(self.candidates, self.capacity, config.width)
        if config.max_length:
            positions = self.weights["positions"]
        tensors = (pack(config, self.weights), self.embedded, seeds, positions)
        policies = Policies(*(tensor.detach().contiguous().numpy() for tensor in tensors))
        draws = None
        if self.sample_rng is not None:
            draws = draws_of(rules, policies, self.sample_rng, self.temperature, self.is_cut)
        steps, tokens = play(shape_of(config, self.capacity), rules, policies, draws)
        self.token_evaluations += int(tokens.sum())
        found, after = (
            torch.from_numpy(part)[:, self.group, self.treasure].float() for part in steps
        )
        return found, after, draws

    def torch_steps(self) -> tuple[Tensor, Tensor]:
        """`steps` on any device, all candidates and layouts side by side."""
        until = torch.zeros(self.candidates, self.n * self.m, device=self.seeds.device)
        after = torch.zeros_like(until)
        unfound = torch.ones_like(until, dtype=torch.bool)
        search = self._begin()
        for episode in range(self.task.num_episodes):
            base = search.cache.seen.clone()
            visits = self._search(search)
            row = self.group.unsqueeze(-1) * self.m + torch.arange(self.m, device=until.device)
            row = row.reshape(-1).expand(self.candidates, -1)
            cell = self.treasure.repeat_interleave(self.m)
            first = visits[self.candidate, row, cell]
            now = unfound & (first < NEVER)
            until += torch.where(unfound, first.clamp(max=self.task.horizon), 0)
            unfound &= ~now
            remaining = self.task.num_episodes - 1 - episode
            if remaining and now.any():
                index, real = _grouped(now)
                at = (index[0], row[index])
                room = remaining * self.task.horizon
                cache = search.cache.rows(at, room, base[at] + first[index] * real)
                chase = _Chase(
                    cache,
                    search.group[at],
                    cell[index[1]],
                    index[1],
                    torch.full_like(index[1], self.start),
                    torch.zeros_like(index[1]),
                    remaining * real,
                    torch.ones_like(index[1]),
                )
                self._chase(chase, after)
            if not unfound.any():
                break
        shape = (self.candidates, self.n, self.m)
        return until.reshape(shape), after.reshape(shape)

    def first_visits(self) -> Tensor:
        """First-visit times in the first episode, (P, walls patterns * m, cells)."""
        return self._search(self._begin())

    def _begin(self) -> _Search:
        groups = len(self.moves)
        batch = (self.candidates, groups * self.m)
        cache = self.model.empty_cache(batch, self.capacity)
        seeds = self.seeds.repeat(groups, 1).expand(self.candidates, -1, -1)
        self._step(self.model.embed_seed_token(self.weights, seeds), cache)
        group = torch.arange(groups, device=seeds.device).repeat_interleave(self.m)
        return _Search(cache, group.expand(batch))

    def _step(self, embedded: Tensor, cache: Cache) -> Tensor:
        self.token_evaluations += cache.seen.numel()
        return self.model.step(self.weights, embedded, cache)

    def _logits(self, position: Tensor, found: Tensor, cache: Cache) -> Tensor:
        """Observe; all arguments of shape (P, rows), logits (P, rows, 4)."""
        return self._step(self.embedded[self.candidate, 2 * position + found], cache)

    def _move(self, group: Tensor, position: Tensor, logits: Tensor) -> Tensor:
        """Act, and return the next cells."""
        return self.moves[
            group, position, draw_category(logits / self.temperature, self.sample_rng)
        ]

    def _search(self, search: _Search) -> Tensor:
        """Search for one episode; first-visit times, (P, R, cells). Changes the cache."""
        group = search.group
        shape = (*group.shape, self.moves.shape[1])
        visits = torch.full(shape, NEVER, device=group.device)
        position = torch.full_like(group, self.start)
        nothing = torch.zeros_like(group)
        wanted = torch.zeros(self.moves.shape[:2], dtype=torch.bool, device=group.device)
        wanted[self.group, self.treasure] = True
        for clock in range(1, self.task.horizon + 1):
            logits = self._logits(position, nothing, search.cache)
            position = self._move(group, position, logits)
            place = position.unsqueeze(-1)
            visits.scatter_(-1, place, visits.gather(-1, place).clamp(max=clock))
            if not (wanted[group] & (visits == NEVER)).any():
                break
        return visits

    def _chase(self, rows: _Chase, after: Tensor) -> None:
        """Play the remaining episodes of each row; adds to `after`, (P, n * m)."""
        limit = int(rows.remaining.max()) * self.task.horizon
        for step in range(limit):
            active = rows.remaining > 0
            if not active.any():
                return
            # Finished branches leave the batch once that makes it much narrower.
            if int(active.sum(-1).max()) < 0.75 * active.shape[-1]:
                index, real = _grouped(active)
                rows = rows.rows(index, limit - step)
                rows.remaining *= real
                active = real
            logits = self._logits(rows.position, rows.found, rows.cache)
            position = self._move(rows.group, rows.position, logits)
            after.scatter_add_(-1, rows.slot, active.to(after))
            rows.clock += 1
            rows.found = (position == rows.treasure).long()
            ended = (rows.found > 0) | (rows.clock == self.task.horizon)
            rows.remaining -= (ended & active).long()
            rows.position = torch.where(ended, self.start, position)
            rows.clock = torch.where(ended, 0, rows.clock)
