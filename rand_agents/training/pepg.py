"""PEPG: parameter-exploring policy gradients, an evolution strategy with a learned std.

Also called PGPE (Sehnke et al., 2010); symmetric sampling with centred ranks as in EvoJAX.
"""

import copy
import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from rand_agents.agents.agent import Agent
from rand_agents.agents.aim import Aim
from rand_agents.agents.learning import NotFiniteError
from rand_agents.agents.schema import STREAMS, check_tensors
from rand_agents.games.game import Game
from rand_agents.games.generic import TaskGame
from rand_agents.games.registry import Environment, as_game
from rand_agents.training.configs import ObjectiveConfig, PEPGConfig, cosine
from rand_agents.training.evolution import Search, SearchConfig, Vector
from rand_envs.adversaries import MAX_EXHAUSTIVE
from rand_envs.core.arrays import Array

MAX_NUMBERS = 2**31
"""The most numbers of a population, which are 8 GiB."""

HINT = "a lower learning rate or a smaller std may help"


Scores = NDArray[np.float64]
"""Of k directions, there and back: the objective, the mean cost, and the first layout whose costs
are not all finite, infinity for none; shape (2, k, 3)."""


@dataclass(frozen=True)
class Generation:
    """What the candidates of a generation play, and how they differ.

    Attributes:
        number: Tells it from all others of the run.
        progress: How far the run is, in [0, 1).
        layouts: That all play, (n,).
        seeds: That all play them under, (m, seed_dim).
        noise: The directions, (population / 2, dimension).
    """

    number: int
    progress: float
    layouts: Array
    seeds: Tensor
    noise: Vector


class Players(Protocol):
    """Who plays the candidates of a generation."""

    def scores(self, agent: "PEPG", generation: Generation) -> Scores:
        """The scores of all directions of the generation that the agent has begun."""
        ...


class Here:
    """Plays all in this process, one block after the other."""

    def scores(self, agent: "PEPG", generation: Generation) -> Scores:
        """See `Players`."""
        return np.concatenate([agent.scores(generation, block) for block in agent.blocks()], 1)


class PEPG(Agent[PEPGConfig]):
    """Evolution of a seeded policy against the worst layout (arXiv 2408.10818, section 5).

    Needs no gradient of the game, so it plays every game; layouts and seeds are common to all
    candidates of a generation.
    """

    config_type = PEPGConfig
    players: Players = Here()
    """Who plays; `rand_agents.cluster.Actors` puts others in its place."""

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
        run = np.random.SeedSequence(self.rng_seed, spawn_key=(STREAMS.index("noise"),))
        self.run_key = run.generate_state(2, np.uint64)

    def _update(self, progress: float) -> dict[str, float]:
        generation = self.begin(progress)
        return self.finish(generation, self.players.scores(self, generation))

    def begin(self, progress: float) -> Generation:
        """Draw a generation, `progress` in [0, 1) into the run."""
        # Steps are counted on from one `learn` to the next, so no two generations are one.
        number = self.env_steps
        layouts, seeds = self._instances(self.config.search.population)
        noise = self.search.noise(self.run_key, number)
        return Generation(number, progress, layouts, seeds, noise)

    def blocks(self) -> list[slice]:
        """The directions that are played together.

        Whoever plays them and wherever, these are the batches, as a sum in another batch could be
        another one in its last bits.
        """
        size = max(1, self.config.candidates_at_once // 2)
        return [slice(i, i + size) for i in range(0, self.config.search.population // 2, size)]

    def scores(self, generation: Generation, block: slice) -> Scores:
        """Play some directions of a generation, there and back; see `Scores`."""
        candidates = self.search.candidates(generation.noise[block])
        costs = self._played(candidates, generation.layouts, generation.seeds)
        objective = self.config.objective.at(generation.progress)(costs)
        wrong = ~torch.isfinite(costs).all(-1)
        row = torch.where(wrong.any(-1), wrong.int().argmax(-1).double(), math.inf)
        columns = [objective.double(), costs.double().mean((-1, -2)), row]
        scores: Scores = torch.stack(columns, -1).cpu().numpy()
        return scores.reshape(2, -1, len(columns))

    def tell(self, generation: Generation, objective: NDArray[np.float64]) -> dict[str, float]:
        """Update centre and std from the objective of all candidates, (population,)."""
        # What overflows is told below.
        with np.errstate(over="ignore", invalid="ignore"):
            rate = self._learning_rate(generation.progress)
            logs = self.search.tell(generation.noise, -objective, rate)
        if not (np.isfinite(self.search.center).all() and np.isfinite(self.search.std).all()):
            raise NotFiniteError("a weight or its std became infinite or NaN", HINT)
        self._load_center()
        return logs

    def follow(
        self, generation: Generation, objective: NDArray[np.float64], update: int, progress: float
    ) -> Generation:
        """Do what the agent did that this is a copy of: end a generation, begin the next one.

        Args:
            generation: That ends.
            objective: Of all its candidates, (population,).
            update: Number of the next one.
            progress: Of the next one.
        """
        self.tell(generation, objective)
        self._aim.observe(self, update)
        return self.begin(progress)

    def copy(self) -> "PEPG":
        """For another process: without logger and environment, and it plays by itself."""
        twin = copy.copy(self)
        twin._logger, twin._env, twin.players = None, None, Here()
        return twin

    def finish(self, generation: Generation, scores: Scores) -> dict[str, float]:
        """Update centre and std from the scores of all directions; returns what to log."""
        objective, cost, row = scores.reshape(-1, scores.shape[-1]).T
        if not np.isfinite(objective).any():
            first = int(row.min()) if np.isfinite(row).any() else None
            raise NotFiniteError("every candidate's objective became NaN or infinite", HINT, first)
        logs = self.tell(generation, objective)
        return logs | {
            "train/objective_best": float(np.nanmin(objective)),
            "train/objective_mean": float(np.nanmean(objective)),
            "train/objective_worst": float(np.nanmax(objective)),
            "train/mean_cost": float(cost.mean()),
            "train/std_min": float(self.search.std.min()),
            "train/std_max": float(self.search.std.max()),
        }

    def _learning_rate(self, progress: float) -> float:
        c = self.config.search
        if c.final_learning_rate is None:
            return c.learning_rate
        return cosine(c.learning_rate, c.final_learning_rate, progress)

    def costs(self, candidates: Vector) -> Tensor:
        """Costs of flat parameter vectors, (P, dimension), on fresh draws: (P, n, m)."""
        return self._played(candidates, *self._instances(len(candidates)))

    def _instances(self, candidates: int) -> tuple[Array, Tensor]:
        """Layouts and seeds that so many candidates will play."""
        layouts = self._aim.layouts(self._rngs["layouts"])
        drawn = torch.from_numpy(self.draw_votes(self._rngs["seeds"], self._m)).to(self.device)
        self.env_steps += candidates * len(layouts) * self._m * self.task.max_steps
        return layouts, drawn

    def _played(self, candidates: Vector, layouts: Array, drawn: Tensor) -> Tensor:
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
