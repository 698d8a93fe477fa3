"""PEPG: parameter-exploring policy gradients, an evolution strategy with a learned std.

Also called PGPE (Sehnke et al., 2010); symmetric sampling with centred ranks as in EvoJAX.
"""

import json
import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from rand_agents.adversary import MAX_EXHAUSTIVE, is_enumerable
from rand_agents.algorithm import Agent, cosine
from rand_agents.games import game_for, model_of, task_of
from rand_agents.gym_game import GymGame
from rand_agents.objectives import Objective, ObjectiveConfig, QNormObjective, check_q
from rand_agents.search import Search, SearchConfig, Vector
from rand_agents.tokens import Game
from rand_envs.task import Array

HORIZON_FALL = 0.5
"""The part of a run in which the training horizon falls to the game's own."""
DISTANCES = (1.0, 1.3, 1.7)
"""How far from the best centre cycles begin, by turns while none is better than it."""


@dataclass(frozen=True)
class PEPGConfig:
    """Options of `PEPG`.

    Attributes:
        objective: What is minimised; q = inf is the brute-force adversary.
        search: The evolution strategy.
        m: Seeds a generation, shared by all candidates and layouts.
        batch_size: Layouts a generation, shared by all candidates; None plays every layout.
        candidates_at_once: Candidates evaluated in one batch, to bound memory.
        training_horizon: How long episodes may last when training begins, where the game has a
            horizon; it falls to the game's own in the first half of the run. A treasure found
            late then costs less than one never found: there is a slope where the game itself
            has none. None leaves the game as it is.
        effective_horizon: Two numbers of steps, between which the effective horizon of
            discounting rises geometrically; after that nothing is discounted any more.
            Discounted costs reward finding a treasure soon under some seeds more than finding
            it late under all. None never discounts.
        horizon_rise: Fraction of the run over which the effective horizon rises.
        cycles: A run is so many short ones, each with every schedule from its start to its end
            and a search of its own. All but the first begin near the best centre so far, see
            `shrink`. The run ends with the best of them.
        shrink: What the best centre is multiplied by when a cycle begins, before `perturb`
            times fresh initial weights are added (shrink and perturb, Ash and Adams, 2020).
            After a cycle that was no better the next begins farther away, see `DISTANCES`.
        perturb: See `shrink`; where that is 0, cycles start anew, after setbacks from larger
            weights than the first.
        polishing_cycles: So many of the last cycles minimise the q-norm with `polishing_q`, if it
            is smaller than the objective's: a large q leaves mistakes where they are in layouts
            that are not among the worst.
        polishing_q: See `polishing_cycles`.
    """

    objective: ObjectiveConfig = field(default_factory=lambda: ObjectiveConfig(q=math.inf))
    search: SearchConfig = field(default_factory=SearchConfig)
    m: int = 10
    batch_size: int | None = None
    candidates_at_once: int = 100
    training_horizon: int | None = None
    effective_horizon: tuple[float, float] | None = None
    horizon_rise: float = 0.6
    cycles: int = 1
    shrink: float = 0.8
    perturb: float = 0.5
    polishing_cycles: int = 0
    polishing_q: float = 4.0

    def __post_init__(self) -> None:
        if isinstance(self.objective, dict):
            object.__setattr__(self, "objective", ObjectiveConfig(**self.objective))
        if isinstance(self.search, dict):
            object.__setattr__(self, "search", SearchConfig(**self.search))
        if self.m < 1:
            raise ValueError(f"the number of seeds m must be at least 1, got {self.m}")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.candidates_at_once < 1:
            raise ValueError(
                f"candidates_at_once must be at least 1, got {self.candidates_at_once}"
            )
        if self.cycles < 1:
            raise ValueError(f"the number of cycles must be at least 1, got {self.cycles}")
        if not 0.0 <= self.shrink <= 1.0:
            raise ValueError(f"shrink must be at least 0 and at most 1, got {self.shrink}")
        if not self.perturb >= 0.0:
            raise ValueError(f"perturb must be at least 0, got {self.perturb}")
        check_q(self.polishing_q)
        if not 0 <= self.polishing_cycles < self.cycles:
            raise ValueError(
                f"polishing_cycles must be at least 0 and fewer than the {self.cycles} cycles, "
                f"got {self.polishing_cycles}"
            )
        if self.polishing_cycles and self.objective.kind != "q-norm":
            raise ValueError("polishing cycles need the q-norm as the objective")
        if not 0.0 < self.horizon_rise <= 1.0:
            raise ValueError(f"horizon_rise must be above 0 and at most 1, got {self.horizon_rise}")
        if self.effective_horizon is not None:
            # A file gives a list.
            start, end = self.effective_horizon
            object.__setattr__(self, "effective_horizon", (start, end))
            if not 0 < start <= end < math.inf:
                raise ValueError(
                    "effective_horizon must be two finite numbers of steps above 0, the second "
                    f"not below the first, got {start} and {end}"
                )

    def discounted(self, costs: Tensor, progress: float) -> Tensor:
        """Costs c in steps as training sees them at `progress` in [0, 1] of a run.

        With effective horizon h, the sum of c steps each discounted by exp(-1 / h) against the
        one before it, taken as an integral: h (1 - exp(-c / h)).
        """
        if self.effective_horizon is None or progress >= self.horizon_rise:
            return costs
        start, end = self.effective_horizon
        h = start * (end / start) ** (progress / self.horizon_rise)
        seen: Tensor = -h * torch.expm1(-costs / h)
        return seen


def _with_horizon(game: Game, horizon: int) -> Game:
    if horizon == game.task.config["horizon"]:
        return game
    return game_for(task_of(game.task.env_id, game.task.config | {"horizon": horizon}))


class PEPG(Agent[PEPGConfig]):
    """Evolution of a seeded policy against the worst layout (arXiv 2408.10818, section 5).

    Needs no gradient of the game, so it plays every game; layouts and seeds are common to all
    candidates of a generation.
    """

    config_type = PEPGConfig

    def _default_config(self) -> PEPGConfig:
        """Outside this project's games there is no adversary: the mean over some resets."""
        if not isinstance(self.game, GymGame):
            return PEPGConfig()
        search = SearchConfig(population=64, learning_rate=0.1, std=0.3, std_learning_rate=0.1)
        return PEPGConfig(ObjectiveConfig(q=1.0), search, m=1, batch_size=4)

    @classmethod
    def training_game(cls, game: Game, config: PEPGConfig) -> Game:
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

    def _game_at(self, progress: float) -> Game:
        """The game at `progress` in [0, 1) of the run."""
        longest = self.config.training_horizon
        if longest is None:
            return self.game
        own = self.task.config["horizon"]
        left = max(0.0, 1.0 - progress / HORIZON_FALL)
        return _with_horizon(self.game, own + math.ceil((longest - own) * left))

    def _setup(self) -> None:
        objective = self.config.objective
        if self.game.signed_costs and not objective.takes_signs:
            raise ValueError(
                f"the q-norm needs costs of at least 0, and minus a return in {self.task.env_id} "
                'can be below: use q=1 (the mean), q=inf (the maximum), or kind="cvar"'
            )
        for name, none in (("effective_horizon", None), ("polishing_cycles", 0)):
            if self.game.signed_costs and getattr(self.config, name) != none:
                raise ValueError(
                    f"{name} needs costs of at least 0, and minus a return in "
                    f"{self.task.env_id} can be below: it must be {none}"
                )
        center = parameters_to_vector(self.model.parameters()).detach().cpu().numpy()
        self.search = Search(center, self.config.search)
        self._best = self.search.center
        self._setbacks = 0
        self._m = 1 if self.seeds.is_fixed else self.config.m
        self._all_layouts: Array | None = None
        if self.config.batch_size is None:
            if not is_enumerable(self):
                raise ValueError(
                    f"PEPG needs a batch_size here: the layouts of {self.task.env_id} are too many "
                    f"to play all, more than {MAX_EXHAUSTIVE}"
                )
            self._all_layouts = self.task.layout_space.enumerate()

    def _update(self, progress: float) -> dict[str, float]:
        # Every schedule is one of the cycle.
        cycle, progress = self._cycle_at(self.num_timesteps)
        if self.num_timesteps:
            before, _ = self._cycle_at(self.num_timesteps - 1)
            if before < cycle:
                self._keep_better(before)
                self._begin_cycle()
        logs = self._generation(cycle, progress)
        if self.config.cycles > 1 and self.num_timesteps + 1 == self.total_timesteps:
            self._keep_better(cycle)
            self.search.center = self._best
            self._load_center()
        return logs

    def _cycle_at(self, update: int) -> tuple[int, float]:
        """The number of the cycle that an update of the run is in, and the progress of that."""
        scaled = update * self.config.cycles
        cycle = scaled // self.total_timesteps
        return cycle, scaled / self.total_timesteps - cycle

    def _is_polishing(self, cycle: int) -> bool:
        return cycle >= self.config.cycles - self.config.polishing_cycles

    def _begin_cycle(self) -> None:
        """Start the search anew, near the best centre so far; farther away after setbacks."""
        fresh = model_of(self.model.config, int(self._rngs["noise"].integers(2**31)))
        weights = parameters_to_vector(fresh.parameters()).detach().numpy()
        distance = DISTANCES[self._setbacks % len(DISTANCES)]
        shrink = max(0.0, 1.0 - distance * (1.0 - self.config.shrink))
        center = shrink * self._best + distance * self.config.perturb * weights
        self.search = Search(center.astype(np.float32), self.config.search)
        self._load_center()

    def _keep_better(self, cycle: int) -> None:
        """Compare a cycle's centre with the best so far, on the game itself and the same seeds."""
        costs = self.costs(np.stack([self._best, self.search.center]))
        best, center = self._objective_at(cycle, 1.0)(costs).tolist()
        # Of equals the earlier one: weights that change without need only grow.
        if center < best:
            self._best, self._setbacks = self.search.center, 0
        else:
            self._setbacks += 1

    def _objective_at(self, cycle: int, progress: float) -> Objective:
        objective = self.config.objective
        if self._is_polishing(cycle):
            return QNormObjective(min(self.config.polishing_q, objective.q))
        return objective.at(progress)

    def _generation(self, cycle: int, progress: float) -> dict[str, float]:
        search = self.search
        noise = search.noise(self._rngs["noise"])
        costs = self.costs(search.candidates(noise), progress)
        seen = self.config.discounted(costs, progress)
        objective = self._objective_at(cycle, progress)(seen).double().cpu().numpy()
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

        They are those of the game at `progress` in [0, 1] of a run, see `training_horizon`.
        """
        layouts = self._layouts(self._rngs["layouts"])
        drawn = torch.from_numpy(self.seeds.sample(self._rngs["seeds"], self._m)).to(self.device)
        game = self._game_at(progress)
        self.env_steps += len(candidates) * len(layouts) * self._m * game.task.max_steps
        vectors = torch.from_numpy(candidates).to(self.device)
        count = self.config.candidates_at_once
        with torch.no_grad():
            costs = [
                game.costs(self.model, layouts, drawn, self.unflatten(vectors[i : i + count]))
                for i in range(0, len(vectors), count)
            ]
        return torch.cat(costs)

    def _layouts(self, rng: np.random.Generator) -> Array:
        if self._all_layouts is not None:
            return self._all_layouts
        return self.task.layout_space.sample(rng, self.config.batch_size or 1)

    def _diagnose(self) -> dict[str, float | str]:
        """The layout worst for the centre, and its mean cost on seeds that did not select it.

        A generator of its own leaves training as it is, however often something is logged.
        """
        entropy = np.random.SeedSequence(self.rng_seed, spawn_key=(4, self.num_timesteps))
        rng = np.random.default_rng(entropy)
        layouts = self._layouts(rng)
        means = self.losses(layouts, self.seeds.sample(rng, self._m)).mean(-1)
        worst = layouts[[int(means.argmax())]]
        described = self.task.layout_space.unpack(worst)[0].to_json()
        return {
            "train/worst_cost": float(self.losses(worst, self.seeds.sample(rng, self._m)).mean()),
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
