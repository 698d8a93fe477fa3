"""PEPG: parameter-exploring policy gradients, an evolution strategy with a learned std.

Also called PGPE (Sehnke et al., 2010); symmetric sampling with centred ranks as in EvoJAX.
"""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from rand_agents.games.game import Game
from rand_agents.games.generic import TaskGame
from rand_agents.games.registry import Environment, as_game
from rand_agents.training.agent import Agent
from rand_agents.training.aim import Aim
from rand_agents.training.configs import ObjectiveConfig, PEPGConfig, cosine
from rand_agents.training.evolution import Search, SearchConfig, Vector
from rand_agents.training.learning import NotFiniteError
from rand_agents.training.schema import check_tensors
from rand_envs.adversaries import MAX_EXHAUSTIVE

MAX_NUMBERS = 2**31
"""The most numbers of a population, which are 8 GiB."""

HINT = "a lower learning rate or a smaller std may help"


class PEPG(Agent[PEPGConfig]):
    """Evolution of a seeded policy against the worst layout (arXiv 2408.10818, section 5).

    Needs no gradient of the game, so it plays every game; layouts and seeds are common to all
    candidates of a generation.
    """

    config_type = PEPGConfig

    @classmethod
    def default_config(cls, game: Game[Any] | Environment) -> PEPGConfig:
        """The paper's, where a game is accelerated; else a search of minutes.

        Without an adversary it is for the mean over some resets; layouts that are too many to be
        played all are drawn.
        """
        game = as_game(game)
        size = game.task.layout_space.size
        few = size is not None and size <= MAX_EXHAUSTIVE
        objective = ObjectiveConfig(q=math.inf if game.signed_costs else 8.0)
        fast = SearchConfig(64, learning_rate=0.1, std=0.3, std_learning_rate=0.1)
        small = dataclasses.replace(fast, population=32)
        if not game.has_adversary:
            return PEPGConfig(ObjectiveConfig(q=1.0), fast, m=1, batch_size=4)
        if game.is_stepped:
            return PEPGConfig(objective, small, m=1, batch_size=8)
        if type(game) is TaskGame:
            batch_size = None if few else 64
            return PEPGConfig(objective, small, m=32, batch_size=batch_size)
        if few:
            return PEPGConfig()
        objective = ObjectiveConfig(q=10.0)
        return PEPGConfig(objective, SearchConfig(population=100), batch_size=64)

    def _setup(self) -> None:
        self._aim = Aim(self.game, self.config.objective, self.config.batch_size, self.layouts)
        center = parameters_to_vector(self.model.parameters()).detach().cpu().numpy()
        if len(center) * self.config.search.population > MAX_NUMBERS:
            raise ValueError(
                f"a population of {self.config.search.population} policies with {len(center)} "
                f"weights each does not fit into memory: at most {MAX_NUMBERS} numbers do"
            )
        self.search = Search(center, self.config.search)
        self._m = 1 if self.is_deterministic else self.config.m

    def _update(self, progress: float) -> dict[str, float]:
        search = self.search
        noise = search.noise(self._rngs["noise"])
        costs = self.costs(search.candidates(noise))
        objective = self.config.objective.at(progress)(costs).cpu().double().numpy()
        if not np.isfinite(objective).any():
            wrong = ~torch.isfinite(costs).all(-1).all(0)
            row = int(wrong.int().argmax()) if bool(wrong.any()) else None
            raise NotFiniteError("every candidate's objective became NaN or infinite", HINT, row)
        # What overflows is told below.
        with np.errstate(over="ignore", invalid="ignore"):
            logs = search.tell(noise, -objective, self._learning_rate(progress))
        if not (np.isfinite(search.center).all() and np.isfinite(search.std).all()):
            raise NotFiniteError("a weight or its std became infinite or NaN", HINT)
        self._load_center()
        return logs | {
            "train/objective_best": float(np.nanmin(objective)),
            "train/objective_mean": float(np.nanmean(objective)),
            "train/objective_worst": float(np.nanmax(objective)),
            "train/mean_cost": costs.mean().item(),
            "train/std_min": float(search.std.min()),
            "train/std_max": float(search.std.max()),
        }

    def _learning_rate(self, progress: float) -> float:
        c = self.config.search
        if c.final_learning_rate is None:
            return c.learning_rate
        return cosine(c.learning_rate, c.final_learning_rate, progress)

    def costs(self, candidates: Vector) -> Tensor:
        """Costs of flat parameter vectors, (P, dimension), on fresh draws: (P, n, m)."""
        layouts = self._aim.layouts(self._rngs["layouts"])
        drawn = torch.from_numpy(self.draw_votes(self._rngs["seeds"], self._m)).to(self.device)
        self.env_steps += len(candidates) * len(layouts) * self._m * self.task.max_steps
        vectors = torch.from_numpy(candidates).to(self.device)
        with torch.no_grad():
            played = [
                self.game.costs(self.model, layouts, drawn, self.unflatten(some))
                for some in torch.split(vectors, self.config.candidates_at_once)
            ]
        return self._aim.of(torch.cat(played), layouts)

    def _diagnose(self) -> dict[str, float | str]:
        """The layout worst for the centre, and its mean cost on seeds that did not select it.

        A generator of its own leaves training as it is, however often something is logged.
        """
        entropy = np.random.SeedSequence(self.rng_seed, spawn_key=(4, self.num_timesteps))
        rng = np.random.default_rng(entropy)
        layouts = self._aim.probe(rng)
        means = self.losses(layouts, self.draw_votes(rng, self._m)).mean(-1)
        worst = layouts[[int(means.argmax())]]
        described = self.task.layout_space.unpack(worst)[0].to_json()
        return {
            "train/worst_cost": float(self.losses(worst, self.draw_votes(rng, self._m)).mean()),
            "train/worst_layout": json.dumps(described),
        }

    def unflatten(self, vectors: Tensor) -> dict[str, Tensor]:
        """Weights with a leading population axis from flat vectors, (P, dimension)."""
        own = self.model.named_weights()
        ends = np.cumsum([weight.numel() for weight in own.values()])
        return {
            name: vectors[:, end - weight.numel() : end].reshape(-1, *weight.shape)
            for (name, weight), end in zip(own.items(), ends.tolist(), strict=True)
        }

    def _load_center(self) -> None:
        center = torch.from_numpy(self.search.center).to(self.device)
        with torch.no_grad():
            for name, values in self.unflatten(center.unsqueeze(0)).items():
                self.model.weights[name].copy_(values[0])

    def _trainer_tensors(self) -> dict[str, Tensor]:
        s = self.search
        tensors = {"center": s.center, "std": s.std, "velocity": s.velocity, "square": s.square}
        return {name: torch.from_numpy(v) for name, v in tensors.items()} | {
            "steps": torch.tensor(s.steps)
        }

    def _load_trainer_tensors(self, tensors: dict[str, Tensor]) -> None:
        s = self.search
        check_tensors("search", tensors, self._trainer_tensors())
        for name in ("std", "square", "steps"):
            if (tensors[name] < 0).any():
                raise ValueError(f"{name} in the file's search must not be negative")
        s.center, s.std = tensors["center"].numpy(), tensors["std"].numpy()
        s.velocity, s.square = tensors["velocity"].numpy(), tensors["square"].numpy()
        s.steps = int(tensors["steps"])
