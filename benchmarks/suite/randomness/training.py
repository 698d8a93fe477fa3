"""The same game, objective and time for every kind of randomness."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rand_agents import QNorm, QNormConfig, SeedSpec
from rand_agents.agents.aim import Aim
from rand_agents.games.game import Game
from rand_agents.games.registry import game_for, task_of
from rand_agents.policies.transformer import SeedTransformer
from rand_agents.training.qnorm import QNormStep
from rand_envs.core.arrays import Array
from rand_envs.core.player import Player

from ..job import TASKS, Recipe
from .players import DrawnPlayer, Dropout, Noisy

KINDS = ("seeds", "sampling", "dropout", "ensemble", "noisy")
MEMBERS = 8
"""Policies of an ensemble, each trained for its share of the time."""
DRAWS = 8
"""Random weights an update."""


@dataclass(frozen=True)
class Setting:
    """One game of the experiment.

    Attributes:
        task: Its name.
        recipe: Its size, policy and trainer.
        updates: Of each kind, so that all take about the same time.
    """

    task: str
    recipe: Recipe
    updates: Mapping[str, int]

    def game(self) -> Game[Any]:
        """What is played."""
        return game_for(task_of(TASKS[self.task], self.recipe.task))

    def config(self, kind: str) -> QNormConfig:
        """The trainer's options."""
        trainer = self.recipe.trainer
        assert isinstance(trainer, QNormConfig)
        objective = self.recipe.adversarial
        score = trainer.score
        if kind == "sampling":
            # What is trained is what is played: actions are drawn to the end.
            score = dataclasses.replace(score, entropy=None, temperature=1.0)
            bits = self.recipe.task.get("value_bits", 0)
            # Minus the logarithm of the probability of success, saturated to that of failure.
            objective = dataclasses.replace(objective, saturation=float(bits))
        return dataclasses.replace(trainer, objective=objective, score=score)


def trained(setting: Setting, kind: str, rng_seed: int) -> Player:
    """A player that randomises in one way."""
    if kind in ("dropout", "noisy"):
        return _with_noise(setting, kind, rng_seed)
    if kind == "ensemble":
        each = setting.updates[kind] // MEMBERS
        members = [
            _agent(setting, kind, rng_seed + 1000 * number, each) for number in range(MEMBERS)
        ]
        stacked = {
            name: torch.stack([member.model.weights[name].detach() for member in members])
            for name in members[0].model.weights
        }

        def chosen(rng: np.random.Generator, m: int) -> dict[str, Tensor]:
            which = torch.from_numpy(rng.integers(0, MEMBERS, m))
            return {name: weight[which] for name, weight in stacked.items()}

        return DrawnPlayer(setting.game(), members[0].model.config, chosen)
    agent = _agent(setting, kind, rng_seed, setting.updates[kind])
    if kind == "seeds":
        return agent
    own = {name: weight.detach()[None] for name, weight in agent.model.weights.items()}
    return DrawnPlayer(setting.game(), agent.model.config, lambda rng, m: own, sampled=True)


def _policy(setting: Setting, seeds: SeedSpec) -> Any:
    changes = {"seed_dim": seeds.dim} | setting.recipe.policy
    return dataclasses.replace(setting.game().default_policy(), **changes)


def _seeds(setting: Setting, kind: str) -> SeedSpec:
    recipe, own = setting.recipe, setting.game().default_seeds()
    if recipe.seed_draw == "distinct":
        own = dataclasses.replace(own, distribution="bits", draw="distinct")
    if recipe.seed_dim is not None:
        own = dataclasses.replace(own, dim=recipe.seed_dim)
    return own if kind == "seeds" else dataclasses.replace(own, draw="fixed")


def _agent(setting: Setting, kind: str, rng_seed: int, updates: int) -> QNorm:
    seeds, config = _seeds(setting, kind), setting.config(kind)
    agent = QNorm(
        _policy(setting, seeds), setting.game().task, config, seeds=seeds, rng_seed=rng_seed
    )
    return agent.learn(updates)


def _with_noise(setting: Setting, kind: str, rng_seed: int) -> DrawnPlayer:
    """Gradient steps on what is trained, through the weights that were drawn."""
    game, config, updates = setting.game(), setting.config(kind), setting.updates[kind]
    model = SeedTransformer(_policy(setting, _seeds(setting, kind)), rng_seed)
    noise = (Dropout if kind == "dropout" else Noisy)(model)
    step = QNormStep(noise.parameters, config)
    aim = Aim(game, config.objective, config.batch_size, None, config.stratified)
    rngs = [np.random.default_rng([rng_seed, number]) for number in range(3)]
    update = _exact if game.differentiable else _by_score
    for now in range(updates):
        layouts, drawn = aim.layouts(rngs[0]), noise.draw(rngs[1], DRAWS)
        update(step, aim, model, layouts, drawn, now / updates, rngs[2])
    return DrawnPlayer(game, model.config, noise.draw)


def _exact(
    step: QNormStep,
    aim: Aim,
    model: SeedTransformer,
    layouts: Array,
    drawn: dict[str, Tensor],
    progress: float,
    _rng: np.random.Generator,
) -> None:
    """Where costs have a gradient: all draws at once, as candidates with weights of their own."""
    zero = torch.zeros(1, model.config.seed_dim)
    costs = aim.game.costs(model, layouts, zero, drawn)
    step.update(aim.of(costs[..., 0].T, layouts), progress)


def _by_score(
    step: QNormStep,
    aim: Aim,
    model: SeedTransformer,
    layouts: Array,
    drawn: dict[str, Tensor],
    progress: float,
    rng: np.random.Generator,
) -> None:
    """Where they have none: each draw is played by itself, and what they cost joined."""
    config, zero = step.config, torch.zeros(1, model.config.seed_dim)
    temperature = config.score.temperature_at(progress)
    paths = max(1, config.score.paths * config.m // DRAWS)
    models, played = [], []
    for number in range(DRAWS):
        own = SeedTransformer(model.config)
        with torch.no_grad():
            for name, weights in drawn.items():
                own.weights[name].copy_(weights[number])
        models.append(own)
        played.append(
            aim.game.sample(
                own,
                layouts,
                zero,
                rng,
                paths=paths,
                temperature=temperature,
                branches=config.score.branches,
            )
        )
    costs = torch.cat([aim.of(episodes.costs, layouts) for episodes in played], -1)
    whole = costs.detach().requires_grad_()
    (slopes,) = torch.autograd.grad(config.objective.at(progress)(whole), whole)
    worth = step.thermostat.worth * costs.std(correction=0).item() / DRAWS
    entropy = 0.0
    parts = torch.split(slopes, paths, -1)
    for own, episodes, part in zip(models, played, parts, strict=True):
        entropy += episodes.backward(own, part, worth) / DRAWS
    step.thermostat.read(entropy / played[0].actions.most_entropy, progress)
    step.optimizer.zero_grad(set_to_none=True)
    names = list(drawn)
    slopes_of = [torch.stack([_gradient(own.weights[name]) for own in models]) for name in names]
    torch.autograd.backward([drawn[name] for name in names], slopes_of)
    step.descend(progress, temperature**0.5)


def _gradient(weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad
