"""QNorm: gradient steps on the q-norm over layouts of the mean loss over seeds."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rand_agents.agents.agent import Agent
from rand_agents.agents.aim import Aim
from rand_agents.agents.learning import NotFiniteError
from rand_agents.agents.ranks import Ranks
from rand_agents.agents.schema import check_tensors
from rand_agents.games.game import Game
from rand_agents.games.path.score import Episodes
from rand_agents.games.registry import Environment, as_game
from rand_agents.kernels.divided import divided
from rand_agents.training.configs import ObjectiveConfig, QNormConfig
from rand_agents.training.entropy import ScoreConfig, Thermostat
from rand_agents.training.objectives import Objective
from rand_envs.core.arrays import Array

HINT = "a lower learning rate may help"


class QNormStep:
    """The update itself, for the parameters of any module.

    Give it losses per (layout, seed), shape (n, m), that depend on the parameters: of all layouts,
    or of this process's own where several `ranks` divide them.
    """

    def __init__(self, parameters: list[torch.nn.Parameter], config: QNormConfig) -> None:
        """Make Adam's state for `parameters`."""
        self.config = config
        self.parameters = parameters
        self.ranks = Ranks()
        score = config.score
        self.thermostat = Thermostat(None if score.entropy is None else score.entropy_at)
        self.optimizer = torch.optim.AdamW(
            parameters,
            lr=config.learning_rate,
            betas=(config.beta1, config.beta2),
            eps=config.adam_eps,
            weight_decay=config.weight_decay,
            # Where tensors have shapes alone there is no fused step.
            fused=parameters[0].device.type != "meta",
        )
        # What Adam makes of nothing at its first step: then every file has all of it.
        for parameter in parameters:
            self.optimizer.state[parameter] = {
                "step": torch.zeros((), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }

    def update(self, losses: Tensor, progress: float) -> dict[str, float]:
        """Step down the gradient of the objective; raises FloatingPointError on NaN losses."""
        value, whole = self._of_all(losses, progress)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        return self.descend(progress, value=value, losses=whole)

    def update_in_parts(
        self, parts: Sequence[Callable[[], Tensor]], progress: float
    ) -> dict[str, float]:
        """The same step in the memory of one part.

        Each part computes the losses of some of the seeds, (n, m_i). It is called twice, first
        for the losses alone, which give the weight of each in the objective's gradient.
        """
        with torch.no_grad():
            losses = [part() for part in parts]
        own = torch.cat(losses, -1).requires_grad_()
        value, whole = self._of_all(own, progress)
        (slopes,) = torch.autograd.grad(value, own)
        self.optimizer.zero_grad(set_to_none=True)
        sizes = [part.shape[-1] for part in losses]
        for part, slope in zip(parts, torch.split(slopes, sizes, -1), strict=True):
            torch.autograd.backward(part(), slope)
        return self.descend(progress, value=value, losses=whole)

    def _of_all(self, losses: Tensor, progress: float) -> tuple[Tensor, Tensor]:
        """The objective of all processes' losses, and these, or their means over seeds, (n, 1)."""
        objective = self.config.objective.at(progress)
        if self.ranks.count == 1:
            return objective(losses), losses
        plain = losses.detach().mean(-1)
        means = self.ranks.whole(torch.stack([objective.means(losses), plain], -1))
        return objective.of(means[:, 0]), means[:, 1:]

    def update_by_score(
        self, model: Any, episodes: Episodes, costs: Tensor, objective: Objective, progress: float
    ) -> dict[str, float]:
        """Step down an estimate of the objective's gradient, from sampled play.

        Where there are several `ranks`, all of them have played the same, and divide its gradient.

        Args:
            model: The policy whose parameters they are.
            episodes: What it played.
            costs: What the objective is of, for each of them, shape (n, m * paths).
            objective: What is minimised.
            progress: In [0, 1] of the run.
        """
        whole = costs.detach().requires_grad_()
        value = objective(whole)
        facts = _read(_facts(value, whole))
        _check_finite(facts, whole)
        (slopes,) = torch.autograd.grad(value, whole)
        self.optimizer.zero_grad(set_to_none=True)
        worth = self.thermostat.worth * costs.std(correction=0).item()
        part = self.ranks.rank, self.ranks.count
        entropy = self.ranks.sum(episodes.backward(model, slopes, worth, part))
        self.thermostat.read(entropy / episodes.actions.most_entropy, progress)
        # The colder, the more an action's probability changes with a weight.
        slower = math.sqrt(episodes.temperature)
        return facts | {"train/entropy": entropy} | self.descend(progress, slower)

    def tensors(self) -> dict[str, Tensor]:
        """The optimiser's state and the thermostat's, to be saved."""
        state: dict[int, dict[str, Tensor]] = self.optimizer.state_dict()["state"]
        named = {f"{i}.{name}": t for i, slots in state.items() for name, t in slots.items()}
        return named | {"thermostat": torch.tensor(self.thermostat.state, dtype=torch.float64)}

    def load(self, tensors: dict[str, Tensor], is_new: bool = False) -> None:
        """Go on from what `tensors` gave; ValueError if that is something else.

        Args:
            tensors: The state.
            is_new: Whether there may be no update yet.
        """
        own = self.tensors()
        # Early files of trainers without a schedule may have no thermostat, and files of new runs
        # no state of Adam's.
        idle = {"thermostat": own["thermostat"]} if self.config.score.entropy is None else {}
        stored = idle | tensors
        check_tensors("optimiser", stored, own if len(stored) > 1 or not is_new else stored)
        for name, tensor in stored.items():
            if not name.endswith("exp_avg") and (tensor < 0).any():
                raise ValueError(f"{name} in the file's optimiser must not be negative")
            if name.endswith("step") and tensor != tensor.round():
                raise ValueError(f"{name} in the file's optimiser must be whole")
        self.thermostat.state = stored.pop("thermostat").tolist()
        if not stored:
            return
        slots: dict[int, dict[str, Tensor]] = {}
        for key, tensor in stored.items():
            index, name = key.split(".", 1)
            slots.setdefault(int(index), {})[name] = tensor
        whole: dict[str, Any] = self.optimizer.state_dict()
        self.optimizer.load_state_dict(whole | {"state": slots})

    def descend(
        self,
        progress: float,
        slower: float = 1.0,
        value: Tensor | None = None,
        losses: Tensor | None = None,
    ) -> dict[str, float]:
        """Step down the gradient that the parameters have, clipped, at a slower or full rate.

        All that the host needs to know of an update it reads here: once before the weights
        change, and once after.

        Args:
            progress: In [0, 1] of the run.
            slower: Factor of the learning rate.
            value: The objective, to be checked before anything changes, and of which `losses`.
            losses: Shape (n, ...).
        """
        self.ranks.add_gradients(self.parameters)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.config.max_grad_norm)
        facts = {"train/gradient_norm": norm}
        if value is not None and losses is not None:
            told = _read(facts | _facts(value, losses))
            _check_finite(told, losses)
        else:
            told = _read(facts)
        if not math.isfinite(told["train/gradient_norm"]):
            # Sampled costs stay finite, whatever the weights are.
            raise NotFiniteError(f"the gradient's norm became {told['train/gradient_norm']}", HINT)
        rate = slower * self.config.learning_rate_at(progress)
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()
        sound = torch.stack([torch.isfinite(weights).all() for weights in self.parameters])
        if not _read({"sound": sound.all()})["sound"]:
            raise NotFiniteError("a weight became infinite or NaN", HINT)
        return told | {"train/learning_rate": rate}


def _facts(value: Tensor, losses: Tensor) -> dict[str, Tensor]:
    """What is logged of an objective, and of its losses, (n, ...)."""
    return {
        "train/objective": value.detach(),
        "train/loss": losses.detach().mean(),
        "train/worst_loss": losses.detach().mean(-1).max(),
    }


def _read(facts: dict[str, Tensor]) -> dict[str, float]:
    """Numbers from wherever they were computed, in one message."""
    return dict(zip(facts, torch.stack(list(facts.values())).cpu().tolist(), strict=True))


def _check_finite(facts: dict[str, float], losses: Tensor) -> None:
    """Raise `NotFiniteError` unless the objective of losses, (n, ...), is a number."""
    value = facts["train/objective"]
    if not math.isfinite(value):
        wrong = ~torch.isfinite(losses.detach()).flatten(1).all(1)
        row = int(wrong.int().argmax()) if bool(wrong.any()) else None
        raise NotFiniteError(f"the objective became {value}", HINT, row)


class QNorm(Agent[QNormConfig]):
    """Gradient training on the q-norm over inputs of the mean over seeds (arXiv 2408.10818).

    q = 1 is ordinary training on the mean (ERM); q towards infinity trains for the worst
    layout. The gradient is exact in games whose costs have one, recall and colouring. In every
    other game it is estimated by the score function, see `rand_agents.games.path.score`: actions
    are drawn from the output while it trains, with an entropy that falls until that is nearly play
    by argmax.
    """

    config_type = QNormConfig

    @classmethod
    def default_config(cls, game: Game[Any] | Environment) -> QNormConfig:
        """The paper's for recall where costs have a gradient; else one of minutes."""
        game = as_game(game)
        if game.differentiable:
            return QNormConfig()
        rises = game.has_adversary and not game.signed_costs
        objective = ObjectiveConfig(q=1.0)
        if rises:
            objective = ObjectiveConfig(q=40.0, q_start=4.0, q_rise=0.8)
        elif game.has_adversary:
            objective = ObjectiveConfig(kind="cvar", alpha=0.1)
        size = game.task.layout_space.size
        few = size is not None and size <= 256
        m, batch_size = 32, (None if few else 64)
        if game.is_stepped:
            m, batch_size = (4, 8) if game.has_adversary else (8, 4)
        return QNormConfig(
            objective,
            m=m,
            batch_size=batch_size,
            learning_rate=1e-2,
            final_learning_rate=1e-3,
            score=ScoreConfig(entropy=0.6),
        )

    def _setup(self) -> None:
        config = self.config
        if not self.game.differentiable:
            self.game.check_sampled()
        self._aim = Aim(
            self.game, config.objective, config.batch_size, self.layouts, config.stratified
        )
        self._step = QNormStep(list(self.model.parameters()), self.config)
        # Identical seeds give identical losses, so a fixed seed needs only one.
        self._m = 1 if self.is_deterministic else self.config.m
        self._drawn: Tensor | None = None

    def _draw(self) -> Tensor:
        """The seeds of this update, (m, seed_dim)."""
        if self._drawn is None or self.num_timesteps % self.config.seeds_kept == 0:
            self._drawn = torch.from_numpy(self.draw_votes(self._rngs["seeds"], self._m))
        return self._drawn.to(self.device)

    def join(self, ranks: Ranks) -> None:
        """Share the work of updates with other processes; ValueError where it cannot be divided."""
        if self.game.differentiable and self._aim.batch_size % ranks.count:
            raise ValueError(
                f"{self._aim.batch_size} layouts an update cannot be divided between "
                f"{ranks.count} processes: choose a batch_size that is a multiple of {ranks.count}"
            )
        self._step.ranks = ranks

    def _update(self, progress: float) -> dict[str, float]:
        layouts = self._aim.layouts(self._rngs["layouts"])
        if not self.game.differentiable:
            return self._update_by_score(layouts, progress)
        own = self._step.ranks.own(layouts)
        parts = [
            partial(self._losses, own, seeds)
            for seeds in torch.split(self._draw(), self.config.seeds_at_once)
        ]
        self.env_steps += len(layouts) * self._m * self.task.max_steps
        with divided(self._step.ranks):
            if len(parts) == 1:
                return self._step.update(parts[0](), progress)
            return self._step.update_in_parts(parts, progress)

    def _losses(self, layouts: Array, seeds: Tensor) -> Tensor:
        costs = self.game.costs(self.model, layouts, seeds)
        return self._aim.of(costs, layouts)

    def _update_by_score(self, layouts: Array, progress: float) -> dict[str, float]:
        """One seed that is all there is is played as often as several would be."""
        episodes = self.game.sample(
            self.model,
            layouts,
            self._draw(),
            self._rngs["noise"],
            paths=self.config.score.paths * self.config.m // self._m,
            temperature=self.config.score.temperature_at(progress),
            branches=self.config.score.branches,
        )
        self.env_steps += episodes.costs.numel() * self.task.max_steps
        costs = self._aim.of(episodes.costs, layouts)
        objective = self.config.objective.at(progress)
        return self._step.update_by_score(self.model, episodes, costs, objective, progress)

    def _trainer_tensors(self) -> dict[str, Tensor]:
        named = self._step.tensors()
        if self.config.seeds_kept == 1:
            return named
        none = torch.zeros(0, self.seeds.dim)
        return named | {"seeds": none if self._drawn is None else self._drawn}

    def _load_trainer_tensors(self, tensors: dict[str, Tensor]) -> None:
        begun = self.num_timesteps % self.config.seeds_kept > 0
        # Early files have none where new ones are to be drawn.
        seeds = tensors.pop("seeds", None)
        if seeds is None and begun:
            raise ValueError("there are no seeds of the last updates in the file")
        self._drawn = None
        if seeds is not None and len(seeds):
            check_tensors("seeds", {"all": seeds}, {"all": torch.empty(self._m, self.seeds.dim)})
            self._drawn = seeds
        self._step.load(tensors, is_new=self.num_timesteps == 0)
