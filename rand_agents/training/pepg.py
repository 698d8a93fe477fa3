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
from rand_agents.games.registry import Environment, as_game, game_for, model_of
from rand_agents.training.agent import Agent, cosine
from rand_agents.training.aim import Aim
from rand_agents.training.evolution import Search, SearchConfig, Vector
from rand_agents.training.objectives import ObjectiveConfig
from rand_agents.training.pepg_config import PEPGConfig
from rand_envs.adversaries import MAX_EXHAUSTIVE

HORIZON_FALL = 0.5
"""The part of a run in which the training horizon falls to the game's own."""
KICKS = (1.0, 0.3, 1.3, 0.5)
"""How far from the best policy the next cycle begins, by turns while none is better than it.

The first follows a cycle that was better.
"""
POLISHING_KICK = 0.3
"""The same for every polishing cycle."""


def _with_horizon(game: Game[Any], horizon: int) -> Game[Any]:
    if horizon == game.task.config["horizon"]:
        return game
    rules: Any = type(game.task)
    return game_for(rules(**game.task.config | {"horizon": horizon}))


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

    @classmethod
    def training_game(cls, game: Game[Any], config: PEPGConfig) -> Game[Any]:
        """The game when training begins; ValueError where its horizon is no longer one."""
        horizon, task = config.training_horizon, game.task
        if horizon is None:
            return game
        own = task.config.get("horizon")
        if own is None:
            raise ValueError(f"{task.env_id} has no horizon, so training_horizon must be None")
        if horizon < own:
            raise ValueError(
                f"training_horizon must be at least the game's horizon {own}, got {horizon}"
            )
        return _with_horizon(game, horizon)

    def _game_at(self, cycle: int, progress: float) -> Game[Any]:
        """The game at `progress` in [0, 1) of a cycle."""
        longest = self.config.training_horizon
        if longest is None or self.config.is_polishing(cycle):
            return self.game
        own = self.task.config["horizon"]
        left = max(0.0, 1.0 - progress / HORIZON_FALL)
        return _with_horizon(self.game, own + math.ceil((longest - own) * left))

    def _setup(self) -> None:
        self._aim = Aim(self.game, self.config.objective, self.config.batch_size, self.layouts)
        if self.game.signed_costs and self.config.effective_horizon is not None:
            raise ValueError(
                "effective_horizon needs costs of at least 0, and minus a return in "
                f"{self.task.env_id} can be below: it must be None"
            )
        priced = any(self.config.detour_weights) or self.config.detour_loss_weight
        if priced and not self.game.has_detours:
            raise ValueError(
                f"{self.task.env_id} has no detours, so detour_weights and detour_loss_weight "
                "must be 0"
            )
        center = parameters_to_vector(self.model.parameters()).detach().cpu().numpy()
        self.search = Search(center, self.config.search)
        self._best = self.search.center
        self._setbacks = 0
        self._elite = self._best, math.inf
        self._m = 1 if self.is_deterministic else self.config.m

    def _update(self, progress: float) -> dict[str, float]:
        # Every schedule is one of the cycle.
        cycle, progress = self._cycle_at(self.num_timesteps)
        if self.num_timesteps and self._cycle_at(self.num_timesteps - 1)[0] < cycle:
            self._begin_cycle(cycle)
        logs = self._generation(cycle, progress)
        if self.config.cycles > 1 and self._cycle_at(self.num_timesteps + 1)[0] > cycle:
            self._keep_better(cycle)
            self.search.center = self._best
            self._load_center()
        return logs

    def _cycle_at(self, update: int) -> tuple[int, float]:
        """The number of the cycle that an update of the run is in, and the progress of that."""
        scaled = update * self.config.cycles
        cycle = scaled // self.total_timesteps
        return cycle, scaled / self.total_timesteps - cycle

    def _begin_cycle(self, cycle: int) -> None:
        """Start the search anew, near the best policy so far."""
        fresh = model_of(self.model.config, int(self._rngs["noise"].integers(2**31)))
        weights = parameters_to_vector(fresh.parameters()).detach().numpy()
        polishing = self.config.is_polishing(cycle)
        distance = POLISHING_KICK if polishing else KICKS[self._setbacks % len(KICKS)]
        shrink = max(0.0, 1.0 - distance * (1.0 - self.config.shrink))
        center = shrink * self._best + distance * self.config.perturb * weights
        self.search = Search(center.astype(np.float32), self.config.search)
        self._load_center()

    def _keep_better(self, cycle: int) -> None:
        """Compare what a cycle found with the best so far: the game itself, the same seeds."""
        elite, value = self._elite
        found = [self._best, self.search.center] + [elite] * (value < math.inf)
        played = self._played(np.stack(found), cycle, 1.0)
        values = self.config.value(cycle, 1.0, *played)
        # Of equals the earlier one: weights that change without need only grow.
        best = min(range(len(found)), key=values.nan_to_num(math.inf).tolist().__getitem__)
        self._best, self._setbacks = found[best], 0 if best else self._setbacks + 1
        self._elite = self._best, math.inf

    def _keep_elite(self, candidates: Vector, cycle: int, *played: Tensor) -> None:
        """Remember the best candidate of the cycle, see `PEPGConfig.polishing_cycles`."""
        values = self.config.value(cycle, 1.0, *played).nan_to_num(math.inf)
        best = int(values.argmin())
        if float(values[best]) < self._elite[1]:
            self._elite = candidates[best].copy(), float(values[best])

    def _generation(self, cycle: int, progress: float) -> dict[str, float]:
        search = self.search
        noise = search.noise(self._rngs["noise"])
        candidates = search.candidates(noise)
        costs, *priced = self._played(candidates, cycle, progress)
        if self.config.is_polishing(cycle):
            self._keep_elite(candidates, cycle, costs, *priced)
        objective = self.config.value(cycle, progress, costs, *priced).cpu().numpy()
        if np.isnan(objective).all():
            raise FloatingPointError("every candidate's objective became NaN; try a smaller std")
        logs = search.tell(noise, -objective, self._learning_rate(progress))
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

    def costs(self, candidates: Vector, progress: float = 1.0) -> Tensor:
        """Costs of flat parameter vectors, (P, dimension), on fresh seeds: (P, n, m).

        They are those of the game at `progress` in [0, 1] of the first cycle, see
        `training_horizon`.
        """
        return self._played(candidates, 0, progress)[0]

    def _played(self, candidates: Vector, cycle: int, progress: float) -> list[Tensor]:
        """`costs` in a cycle; also the detours among them and their losses if one has a price."""
        layouts = self._aim.layouts(self._rngs["layouts"])
        drawn = torch.from_numpy(self.draw_votes(self._rngs["seeds"], self._m)).to(self.device)
        game, with_detours = self._game_at(cycle, progress), any(self.config.prices(cycle))
        self.env_steps += len(candidates) * len(layouts) * self._m * game.task.max_steps
        vectors = torch.from_numpy(candidates).to(self.device)
        count = self.config.candidates_at_once
        played: list[tuple[Tensor, ...]] = []
        with torch.no_grad():
            for first in range(0, len(vectors), count):
                weights = self.unflatten(vectors[first : first + count])
                if with_detours:
                    played.append(game.costs_and_detours(self.model, layouts, drawn, weights))
                else:
                    played.append((game.costs(self.model, layouts, drawn, weights),))
        costs, *priced = (torch.cat(parts) for parts in zip(*played, strict=True))
        return [self._aim.of(costs, layouts), *priced]

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
        if self.config.cycles > 1:
            # A copy, since a file cannot hold one array under two names.
            tensors |= {"best": self._best.copy(), "setbacks": np.array(self._setbacks)}
            elite, value = self._elite
            if value < math.inf:
                tensors |= {"elite": elite.copy(), "elite_value": np.array(value)}
        return {name: torch.from_numpy(v) for name, v in tensors.items()} | {
            "steps": torch.tensor(s.steps)
        }

    def _load_trainer_tensors(self, tensors: dict[str, Tensor]) -> None:
        s = self.search
        if any(tensors[name].shape != s.center.shape for name in ("center", "std")):
            raise ValueError("the file's search state does not fit the policy it describes")
        s.center, s.std = tensors["center"].numpy(), tensors["std"].numpy()
        s.velocity, s.square = tensors["velocity"].numpy(), tensors["square"].numpy()
        s.steps = int(tensors["steps"])
        if self.config.cycles > 1:
            self._best = tensors["best"].numpy()
            self._setbacks = int(tensors["setbacks"])
            if "elite" in tensors:
                self._elite = tensors["elite"].numpy(), float(tensors["elite_value"])
