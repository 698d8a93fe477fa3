"""PSRO: what its mix is worth, that seeds play it, and what it refuses."""

import dataclasses
import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from rand_agents import PSRO, ObjectiveConfig, PSROConfig, QNormConfig, SeedSpec
from rand_agents.games.path.tree import Tree
from rand_agents.games.registry import game_for
from rand_agents.policies.transformer import SeedTransformer
from rand_agents.training.mixing import Mixture
from rand_envs import GridTask, PagingTask, PatrolTask, Sweep
from rand_envs.core.arrays import Array
from rand_envs.minimax import game_value, solve_matrix_game
from rand_envs.minimax.even import AVERAGE

PAGING = PagingTask(num_requests=2)
SMALL = PSROConfig(rounds=3, paths=8, distillation=0.8, temperature=10.0)


def trained(task: Any, config: PSROConfig, updates: int, bits: int = 2) -> PSRO:
    policy = dataclasses.replace(game_for(task).default_policy(), seed_dim=bits, seed_gain=3.0)
    return PSRO(policy, task, config, seeds=SeedSpec(bits, "bits", "distinct")).learn(updates)


def played(agent: PSRO) -> Array:
    """Costs of each layout under each seed, by argmax, (n, m)."""
    layouts = agent.task.layout_space.enumerate()
    seeds = agent.seeds.every()
    assert seeds is not None
    outcome = torch.from_numpy(agent.play(layouts, seeds).outcome)
    return agent.game.cost_of(outcome).numpy()


@pytest.mark.parametrize("task", [PAGING, PatrolTask(horizon=4, attack_duration=2)])
def test_the_mix_of_what_was_found_is_worth_the_game_value(task: Any) -> None:
    agent = trained(task, dataclasses.replace(SMALL, distillation=0.1), 60)
    exact = game_value(task)
    assert exact is not None
    value = float(agent.game.cost_of(torch.tensor(exact.value, dtype=torch.float64)))
    # A share of the mean may be had at the expense of the worst layout.
    costs = agent._mixture.costs
    slack = AVERAGE * (costs.max() - costs.min())
    assert value - 1e-9 <= agent._mixture.value <= value + slack
    fair = solve_matrix_game(costs)
    assert fair.value == pytest.approx(value, abs=1e-9)


def test_each_seed_plays_the_strategy_that_was_chosen_for_it() -> None:
    agent = trained(PAGING, SMALL, 400)
    chosen = agent._mixture.costs[agent._chosen]
    np.testing.assert_array_equal(played(agent), chosen.T)
    assert len(np.unique(chosen, axis=0)) > 1
    # Two requests for three pages, two of them in the cache: the value is 1 by any means, and
    # no strategy alone has it.
    assert chosen.mean(0).max() < chosen.max(1).min()


def test_a_run_that_was_stopped_in_its_rounds_is_not_made_shorter() -> None:
    agent = PSRO("SeedTransformer", PAGING, SMALL).learn(20, callback=lambda *_: False)
    with pytest.raises(ValueError, match=r"after 1 updates .* with 2 in all .* resume\(\)"):
        agent.learn(1, reset_num_timesteps=False)
    assert agent.resume().num_timesteps == 20
    assert agent.learn(1, reset_num_timesteps=False).num_timesteps == 21


def test_a_fixed_seed_holds_the_best_single_strategy() -> None:
    policy = dataclasses.replace(game_for(PAGING).default_policy(), seed_dim=2)
    seeds = SeedSpec(2, "bits", "fixed")
    agent = PSRO(policy, PAGING, SMALL, seeds=seeds).learn(300)
    costs = agent._mixture.costs
    assert played(agent).shape == (9, 1)
    assert played(agent).max() == costs.max(1).min()


def test_q_of_one_finds_the_best_mean() -> None:
    config = dataclasses.replace(SMALL, objective=ObjectiveConfig(q=1.0))
    agent = trained(GridTask((2, 2), horizon=4), config, 400)
    costs = agent._mixture.costs
    assert agent._mixture.value == costs.mean(1).min()
    # Three cells after one another, and straight to each in the second episode.
    assert agent._mixture.value == pytest.approx((1 + 1 + 2 + 2 + 3 + 1) / 3)
    assert played(agent).mean() == pytest.approx(agent._mixture.value)


def test_layouts_weigh_the_same_before_anything_is_found_and_hurt_later() -> None:
    mixture = Mixture(9, 4)
    np.testing.assert_array_equal(mixture.weights(), np.full(9, 1 / 9))
    game = game_for(PAGING)
    agent = trained(PAGING, SMALL, 10)
    layouts = PAGING.layout_space.enumerate()
    episodes = game.sample(
        agent.model, layouts, torch.zeros(1, 2), np.random.default_rng(0), paths=30, temperature=9.0
    )
    mixture.respond(Tree(episodes.moments, episodes.costs.double().numpy()))
    weights = mixture.weights()
    assert weights.sum() == pytest.approx(1.0)
    worst = mixture.costs[0].argmax()
    assert weights[worst] > 1 / 9
    assert weights.min() >= 0.0


def test_a_tree_of_all_play_gives_a_choice_worth_the_game_value() -> None:
    task = PagingTask(num_requests=5)
    game, layouts = game_for(task), task.layout_space.enumerate()
    policy = dataclasses.replace(game.default_policy(), seed_dim=1)
    model = SeedTransformer(policy)
    episodes = game.sample(
        model, layouts, torch.zeros(1, 1), np.random.default_rng(0), paths=30, temperature=1e6
    )
    tree = Tree(episodes.moments, episodes.costs.double().numpy())
    mixture = Mixture(len(layouts), 1)
    mixture.respond(tree)
    chosen = mixture.chosen(16)
    # The mix is worth it too, but sixteen strategies as likely as each other are not that mix.
    before = mixture.costs[chosen].mean(0).max()
    first = chosen.copy()
    while mixture.improve(tree, chosen, range(16)):
        pass
    assert mixture.costs[chosen].mean(0).max() == 3.0 < before
    # From nothing it finds one as good, but keeps another only where it is better.
    known = len(mixture)
    assert mixture.anew(tree, chosen) is chosen
    assert len(mixture) == known
    made = mixture.anew(tree, first)
    assert made.min() >= known
    assert mixture.costs[made].mean(0).max() == 3.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": ObjectiveConfig(q=40.0)}, "q must be 1 or infinity"),
        ({"objective": ObjectiveConfig("cvar")}, "q must be 1 or infinity"),
        (
            {"objective": ObjectiveConfig(q=math.inf, saturation=1.0)},
            "costs do not saturate, got 1.0",
        ),
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"distillation": 1.0}, "distillation must be above 0 and below 1, got 1.0"),
        ({"paths": 0}, "paths must be at least 1, got 0"),
        ({"final_entropy": 0.9}, "final_entropy must be from 0 to entropy, 0.25, got 0.9"),
        ({"temperature": 0.0}, "temperature must be above 0, got 0.0"),
        (
            {"learning_rate": math.nan},
            "learning_rate must be a number, got nan",
        ),
    ],
)
def test_illegal_options_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PSROConfig(**changes)


def test_games_it_cannot_play_are_refused_with_what_can() -> None:
    with pytest.raises(ValueError, match=r"RandRecall-v0 have a gradient.*use QNorm"):
        PSRO("SeedTransformer", "RandRecall-v0")
    with pytest.raises(ValueError, match=r"rules on batches that leave nothing to chance.*QNorm"):
        PSRO("SeedTransformer", gym.make("CartPole-v1"))
    with pytest.raises(ValueError, match="seeds that can be listed"):
        PSRO("SeedTransformer", PAGING, seeds=SeedSpec(4, "gaussian"))
    with pytest.raises(ValueError, match="PSRO plays every layout"):
        PSRO("SeedTransformer", PAGING, layouts=Sweep(PAGING.layout_space))
    with pytest.raises(ValueError, match="needs a policy that sees the whole instance"):
        PSRO("MlpPolicy", PAGING)
    with pytest.raises(ValueError, match="too many to play all"):
        PSRO("SeedTransformer", PagingTask(num_requests=30))
    assert isinstance(PSROConfig().response(), QNormConfig)
