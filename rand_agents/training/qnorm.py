"""QNorm: gradient steps on the q-norm over layouts of the mean loss over seeds."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rand_agents.games.game import Game
from rand_agents.games.path.score import Episodes
from rand_agents.games.registry import Environment, as_game
from rand_agents.training.agent import Agent
from rand_agents.training.aim import Aim
from rand_agents.training.configs import ObjectiveConfig, QNormConfig
from rand_agents.training.entropy import ScoreConfig, Thermostat
from rand_agents.training.learning import NotFiniteError
from rand_agents.training.objectives import Objective
from rand_agents.training.schema import check_tensors
from rand_envs.core.arrays import Array

HINT = "a lower learning rate may help"


class QNormStep:
    """The update itself, for the parameters of any module.

    Give it losses per (layout, seed), shape (n, m), that depend on the parameters.
    """

    def __init__(self, parameters: list[torch.nn.Parameter], config: QNormConfig) -> None:
        """Make Adam's state for `parameters`."""
        self.config = config
        self.parameters = parameters
        score = config.score
        self.thermostat = Thermostat(None if score.entropy is None else score.entropy_at)
        self.optimizer = torch.optim.AdamW(
            parameters,
            lr=config.learning_rate,
            betas=(config.beta1, config.beta2),
            eps=config.adam_eps,
            weight_decay=config.weight_decay,
            fused=True,
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
        value = _finite(self.config.objective.at(progress)(losses), losses)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        return self._facts(losses, value) | self.descend(progress)

    def update_in_parts(
        self, parts: Sequence[Callable[[], Tensor]], progress: float
    ) -> dict[str, float]:
        """The same step in the memory of one part.

        Each part computes the losses of some of the seeds, (n, m_i). It is called twice, first
        for the losses alone, which give the weight of each in the objective's gradient.
        """
        with torch.no_grad():
            losses = [part() for part in parts]
        whole = torch.cat(losses, -1).requires_grad_()
        value = _finite(self.config.objective.at(progress)(whole), whole)
        (slopes,) = torch.autograd.grad(value, whole)
        self.optimizer.zero_grad(set_to_none=True)
        sizes = [part.shape[-1] for part in losses]
        for part, slope in zip(parts, torch.split(slopes, sizes, -1), strict=True):
            torch.autograd.backward(part(), slope)
        return self._facts(whole, value) | self.descend(progress)

    def update_by_score(
        self, model: Any, episodes: Episodes, costs: Tensor, objective: Objective, progress: float
    ) -> dict[str, float]:
        """Step down an estimate of the objective's gradient, from sampled play.

        Args:
            model: The policy whose parameters they are.
            episodes: What it played.
            costs: What the objective is of, for each of them, shape (n, m * paths).
            objective: What is minimised.
            progress: In [0, 1] of the run.
        """
        whole = costs.detach().requires_grad_()
        value = _finite(objective(whole), whole)
        (slopes,) = torch.autograd.grad(value, whole)
        self.optimizer.zero_grad(set_to_none=True)
        worth = self.thermostat.worth * costs.std(correction=0).item()
        entropy = episodes.backward(model, slopes, worth)
        self.thermostat.read(entropy / episodes.actions.most_entropy, progress)
        # The colder, the more an action's probability changes with a weight.
        slower = math.sqrt(episodes.temperature)
        facts = self._facts(whole, value) | {"train/entropy": entropy}
        return facts | self.descend(progress, slower)

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

    def descend(self, progress: float, slower: float = 1.0) -> dict[str, float]:
        """Step down the gradient that the parameters have, clipped, at a slower or full rate."""
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.config.max_grad_norm)
        if not math.isfinite(norm.item()):
            # Sampled costs stay finite, whatever the weights are.
            raise NotFiniteError(f"the gradient's norm became {norm.item()}", HINT)
        rate = slower * self.config.learning_rate_at(progress)
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()
        if not all(bool(torch.isfinite(weights).all()) for weights in self.parameters):
            raise NotFiniteError("a weight became infinite or NaN", HINT)
        return {"train/gradient_norm": norm.item(), "train/learning_rate": rate}

    @staticmethod
    def _facts(losses: Tensor, value: Tensor) -> dict[str, float]:
        return {
            "train/objective": value.item(),
            "train/loss": losses.mean().item(),
            "train/worst_loss": losses.mean(-1).max().item(),
        }


def _finite(value: Tensor, losses: Tensor) -> Tensor:
    """The objective, of losses (n, ...); `NotFiniteError` unless it is a number."""
    if not math.isfinite(value.item()):
        wrong = ~torch.isfinite(losses.detach()).flatten(1).all(1)
        row = int(wrong.int().argmax()) if bool(wrong.any()) else None
        raise NotFiniteError(f"the objective became {value.item()}", HINT, row)
    return value


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

    def _update(self, progress: float) -> dict[str, float]:
        layouts = self._aim.layouts(self._rngs["layouts"])
        if not self.game.differentiable:
            return self._update_by_score(layouts, progress)
        parts = [
            partial(self._losses, layouts, seeds)
            for seeds in torch.split(self._draw(), self.config.seeds_at_once)
        ]
        self.env_steps += len(layouts) * self._m * self.task.max_steps
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
