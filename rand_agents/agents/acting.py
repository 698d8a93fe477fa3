"""Acting: a seeded policy that plays, one observation at a time or whole batches of layouts."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rand_agents.games.game import Game
from rand_agents.policies.seeds import SeedSpec
from rand_envs.core.arrays import Array
from rand_envs.core.player import Play
from rand_envs.core.streams import Stream, checked_seed, generator
from rand_envs.core.task import Setting

PLAY_ROWS = 1 << 18
"""How many token positions `play` puts into one batch, to bound its memory."""


@dataclass
class PolicyState:
    """What a policy carries between calls of `predict`, for n parallel episodes.

    Attributes:
        seeds: The seed each episode drew at its start, shape (n, seed_dim).
        tokens: The context so far, padded, shape (n, T, token_dim).
        seen: How many tokens of the context each episode has, shape (n,).
    """

    seeds: Tensor
    tokens: Tensor
    seen: Tensor


class SeededPolicy:
    """A model, the game it plays, and the distribution of its seeds."""

    game: Game[Any]
    model: Any
    """A `SeedTransformer`, or a `SeedMLP` where the game takes one."""
    seeds: SeedSpec
    device: torch.device
    _rngs: dict[str, np.random.Generator]

    @property
    def task(self) -> Setting[Any]:
        """The game it plays."""
        return self.game.task

    def set_random_seed(self, seed: int) -> None:
        """Restart the generator that `predict` draws seeds and samples with, not the training's.

        Nothing else draws from it, not an environment whose `reset` gets the same integer either.
        """
        self._rngs["acting"] = generator(Stream.ACTING, checked_seed(seed))

    def predict(
        self,
        observation: Array | dict[str, Array],
        state: Any = None,
        episode_start: Array | None = None,
        deterministic: bool = True,
        *,
        seeds: Array | None = None,
    ) -> tuple[Array, Any]:
        """Actions for one observation or a batch, as in Stable-Baselines3.

        Args:
            observation: Shape (*space), or (n, *space) for n parallel episodes.
            state: What the last call returned; None at the very start.
            episode_start: Shape (n,), True where an episode begins: it draws a new seed and
                starts with an empty context.
            deterministic: Take the argmax of the output, as `evaluate` does, whose figures and
                the zoo's are of this; else sample it (real-valued actions are never sampled). The
                seed is random either way, unless it is fixed or given.
            seeds: The seed vectors of the episodes that begin now, shape (n, seed_dim), or
                (seed_dim,) for one that all have; None to draw them. Those of episodes that have
                begun before are ignored.

        Returns:
            Actions, and the state (seeds and context) for the next call.
        """
        batch = np.asarray(observation)
        single = batch.shape == self.task.observation_space.shape
        batch = batch[None] if single else batch
        if batch.shape[1:] != self.task.observation_space.shape:
            raise ValueError(
                f"observations of {self.task.env_id} have shape "
                f"{self.task.observation_space.shape}, got {batch.shape}"
            )
        state = self._begin(len(batch), state, episode_start, seeds)
        new = self.game.observed(batch)
        self._extend(state, new)
        like = self.model.weights["read_out"]
        with torch.no_grad():
            outputs = self.model(state.tokens.to(like), state.seeds.to(like)).cpu()
        offset = outputs.shape[-2] - state.tokens.shape[-2]
        ends = state.seen - new.shape[1]
        places = offset + ends.unsqueeze(-1) + torch.arange(new.shape[1])
        newest = outputs[torch.arange(len(batch)).unsqueeze(-1), places]
        actions = self.game.choose(newest, new, None if deterministic else self._rngs["acting"])
        return (actions[0] if single else actions), state

    def _begin(
        self, n: int, state: PolicyState | None, starts: Array | None, seeds: Array | None
    ) -> PolicyState:
        if state is None:
            starts = np.ones(n, np.bool_)
            empty = torch.zeros(n, 0, self.model.config.token_dim)
            nothing = torch.zeros(n, dtype=torch.long)
            state = PolicyState(torch.zeros(n, self.seeds.dim), empty, nothing)
        elif len(state.seen) != n:
            raise ValueError(f"the state is of {len(state.seen)} episodes, got {n} observations")
        else:
            state = PolicyState(state.seeds.clone(), state.tokens.clone(), state.seen.clone())
        begun = np.zeros(n, np.bool_) if starts is None else np.asarray(starts, np.bool_)
        if begun.size != n:
            raise ValueError(f"episode_start must have shape ({n},), got {begun.shape}")
        begun = begun.reshape(n)
        if begun.any():
            own = self._first_seeds(begun, seeds)
            state.seeds[torch.from_numpy(begun)] = own
            state.seen[torch.from_numpy(begun)] = 0
        return state

    def _first_seeds(self, begun: Array, seeds: Array | None) -> Tensor:
        """Of the episodes that begin, those of (n,) that are marked: (count, seed_dim)."""
        if seeds is None:
            drawn = self.draw_seeds(self._rngs["acting"], int(begun.sum()))
            return self.game.policy_seeds(torch.from_numpy(drawn))
        given = np.asarray(seeds, np.float32)
        shape = (len(begun), self.seeds.dim)
        if given.shape not in (shape, shape[1:]) or not np.isfinite(given).all():
            raise ValueError(
                f"seeds must be finite numbers of shape {shape} or {shape[1:]}, "
                f"got shape {given.shape}"
            )
        return torch.from_numpy(np.broadcast_to(given, shape)[begun])

    def _extend(self, state: PolicyState, new: Tensor) -> None:
        count = new.shape[1]
        if not self.model.remembers:
            state.tokens, state.seen = new, torch.full((len(new),), count)
            return
        if int(state.seen.max()) + count > self.game.context:
            raise ValueError(
                f"an episode of {self.task.env_id} gives a policy at most {self.game.context} "
                "tokens: pass episode_start=True where the next one begins"
            )
        missing = int(state.seen.max()) + count - state.tokens.shape[1]
        if missing > 0:
            room = state.tokens.new_zeros(len(new), missing, new.shape[-1])
            state.tokens = torch.cat([state.tokens, room], 1)
        places = state.seen.unsqueeze(-1) + torch.arange(count)
        state.tokens[torch.arange(len(new)).unsqueeze(-1), places] = new.to(state.tokens)
        state.seen += count

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """Draw m independent seeds, (m, seed_dim); equal to r0 where the seed is fixed.

        Where instances leave something to chance, see `Game.has_chance`, a last entry is for it.
        """
        spec = self.seeds
        if not spec.is_fixed:
            spec = dataclasses.replace(spec, draw="independent")
        return self._with_chance(rng, spec.sample(rng, m))

    def every_seed(self) -> Array | None:
        """All seeds there are, (count, seed_dim), equally likely; None where they are too many.

        None also where instances leave something to chance.
        """
        return None if self.game.has_chance else self.seeds.every()

    def draw_votes(self, rng: np.random.Generator, m: int) -> Array:
        """Draw the seeds of one majority vote or of a training step, (m, seed_dim).

        Whoever takes a vote chooses its seeds: where few seeds exist, none need vote twice.
        """
        return self._with_chance(rng, self.seeds.sample(rng, m))

    def _with_chance(self, rng: np.random.Generator, seeds: Array) -> Array:
        """Seeds, (m, seed_dim), and a number for what instances leave to chance, if they do."""
        if not self.game.has_chance:
            return seeds
        chance = rng.integers(1 << 24, size=(len(seeds), 1)) / (1 << 24)
        return np.concatenate([seeds, chance.astype(np.float32)], 1)

    @property
    def is_deterministic(self) -> bool:
        """Whether every play of a layout by argmax is the same."""
        return self.seeds.is_fixed and not self.game.has_chance

    def play(self, layouts: Array, seeds: Array) -> Play:
        """Play every layout, (n,), under every seed, (m, seed_dim), by argmax."""
        return self._play(layouts, seeds, None)

    @property
    def can_play_all(self) -> bool:
        """Whether `play_all` works: the layouts are few, and quicker to play all together."""
        return self.game.can_play_all(self.model)

    def play_all(self, seeds: Array) -> Play:
        """Play every layout there is under every seed, (m, seed_dim), by argmax."""
        return self.game.play_all(self.model, self._as_tensor(seeds))

    def losses(self, layouts: Array, seeds: Array) -> Array:
        """The cost that training makes small, of every layout, (n,), under every seed: (n, m)."""
        drawn = self._as_tensor(seeds)
        with torch.no_grad():
            parts = [
                self.game.costs(self.model, some, drawn).cpu().numpy()
                for some in self._chunks(layouts, len(seeds))
            ]
        return np.concatenate(parts)

    def _as_tensor(self, seeds: Array) -> Tensor:
        like: Tensor = self.model.weights["read_out"]
        return torch.from_numpy(np.array(seeds, np.float32)).to(like)

    def _chunks(self, layouts: Array, num_seeds: int) -> Iterator[Array]:
        count = max(1, PLAY_ROWS // (num_seeds * self.game.context))
        return (layouts[i : i + count] for i in range(0, len(layouts), count))

    def play_sampled(self, layouts: Array, seeds: Array, rng: np.random.Generator) -> Play:
        """Play as `play` does, but draw every action from the softmax or Bernoulli output."""
        return self._play(layouts, seeds, rng)

    def _play(self, layouts: Array, seeds: Array, sample_rng: np.random.Generator | None) -> Play:
        drawn = self._as_tensor(seeds)
        with torch.no_grad():
            parts = [
                self.game.play(self.model, some, drawn, sample_rng)
                for some in self._chunks(layouts, len(seeds))
            ]
        answers = [part.answer for part in parts if part.answer is not None]
        losses = [part.loss for part in parts if part.loss is not None]
        return Play(
            np.concatenate([part.outcome for part in parts]),
            np.concatenate(answers) if answers else None,
            np.concatenate([part.output for part in parts]),
            np.concatenate(losses) if losses else None,
        )
