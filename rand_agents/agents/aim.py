"""What a trainer aims at: the layouts of an update, and what the objective is of."""

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from rand_agents.games.game import Game
from rand_envs.adversaries import MAX_EXHAUSTIVE
from rand_envs.core.arrays import Array
from rand_envs.core.player import Player
from rand_envs.core.sources import LayoutSource


class Objective(Protocol):
    """Options of a trainer's objective, as far as it matters here what it is of."""

    @property
    def of(self) -> str:
        """Of what: "cost" or "regret"."""
        ...

    @property
    def takes_signs(self) -> bool:
        """Whether losses may be below 0."""
        ...


class Aim:
    """The layouts that updates play, and costs or regrets of them.

    Args:
        game: What is played.
        objective: Of what.
        batch_size: Layouts an update; None plays every layout.
        source: Who picks them; None for uniform ones.
        stratified: Whether uniform ones are drawn evenly where the space can.

    Raises:
        ValueError: The objective has no meaning in the game, or without a batch size the
            layouts are too many.
    """

    def __init__(
        self,
        game: Game[Any],
        objective: Objective,
        batch_size: int | None,
        source: LayoutSource[Any] | None = None,
        stratified: bool = False,
    ) -> None:
        self.game, self.objective, self.source = game, objective, source
        self.space = game.task.layout_space
        self.stratified = stratified
        self._check_objective()
        self._check_source()
        size = self.space.size
        self.every: Array | None = None
        if batch_size is None:
            if size is None or size > MAX_EXHAUSTIVE:
                raise ValueError(
                    f"a batch_size is needed here: the layouts of {game.task.env_id} are too many "
                    f"to play all, more than {MAX_EXHAUSTIVE}"
                )
            batch_size = size
            self.every = self.space.enumerate() if source is None else None
        self.batch_size = batch_size
        self.last: Array | None = None

    def layouts(self, rng: np.random.Generator) -> Array:
        """The layouts of an update, (n,); kept as `last`."""
        self.last = self._drawn(rng)
        return self.last

    def _drawn(self, rng: np.random.Generator) -> Array:
        if self.every is not None:
            return self.every
        if self.source is not None:
            return self.source.batch(rng, self.batch_size, self.stratified)
        sample = self.space.sample_stratified if self.stratified else self.space.sample
        return sample(rng, self.batch_size)

    def probe(self, rng: np.random.Generator) -> Array:
        """Layouts to look at between updates, which no source is asked for, (n,)."""
        return self.space.sample(rng, self.batch_size) if self.every is None else self.every

    def observe(self, player: Player, update: int) -> None:
        """Let a source that fights back learn from the player, as often as it wants to."""
        if self.source is None or update < self.source.learn_from:
            return
        if (update - self.source.learn_from) % self.source.learn_every == 0:
            self.source.learn(player)

    def of(self, costs: Tensor, layouts: Array) -> Tensor:
        """Costs, (*lead, n, m), or regrets where the objective is of them."""
        if self.objective.of == "cost":
            return costs
        return costs - self._least_costs(layouts).to(costs)

    def _least_costs(self, layouts: Array) -> Tensor:
        """Costs of one who knew each layout, (n, 1)."""
        best = self.game.task.best_outcome(layouts)
        if best is None:
            raise ValueError(
                f"regret needs best_outcome, which {self.game.task.env_id} does not give"
            )
        return self.game.cost_of(torch.from_numpy(best)).unsqueeze(-1)

    def _check_objective(self) -> None:
        env_id, objective = self.game.task.env_id, self.objective
        if objective.of == "regret":
            self._least_costs(self.space.sample(np.random.default_rng(0), 1))
        elif self.game.signed_costs and not objective.takes_signs:
            raise ValueError(
                f"the q-norm needs costs of at least 0, and minus a return in {env_id} can be "
                "below: give the environment an outcome_range, the lowest and the highest "
                'return, or use q=1 (the mean), q=inf (the maximum), or kind="cvar"'
            )

    def _check_source(self) -> None:
        if self.source is not None and not self.space.matches(self.source.space):
            raise ValueError(
                f"the layout source must be for the layouts of {self.game.task.env_id}, "
                f"{self.space!r}, and is for others, {self.source.space!r}"
            )
