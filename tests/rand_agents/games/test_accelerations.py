"""An acceleration does what the generic path does, on random policies, sizes and layouts."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from rand_agents import PEPG, MLPConfig, QNorm, TransformerConfig
from rand_agents.agents.agent import Agent
from rand_agents.games.generic import TaskGame
from rand_agents.games.registry import game_for, model_of
from rand_envs import ColoringTask, GridTask, RecallTask
from rand_envs.core.arrays import Array
from rand_envs.core.task import Task
from tests.rand_agents.games.test_rollout import (
    GRIDS,
    PEPG_TINY,
    draws,
    grid_policy,
    shaken,
    some_layouts,
)


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def game_of(agent: Agent[Any]) -> TaskGame[Any]:
    assert isinstance(agent.game, TaskGame)
    return agent.game


RECALL_POLICIES: dict[str, dict[str, Any]] = {
    "replication": {"embedding": "geglu"},
    "none": {"embedding": "none"},
    "linear": {"embedding": "linear", "num_blocks": 1},
    "gelu, scaled, one block": {"embedding": "gelu", "scale": True, "num_blocks": 1},
    "softmax": {"attention": "softmax", "embedding": "linear", "scale": True},
    "two heads": {"num_heads": 2, "key_size": 3, "value_size": 3},
    "everything": {
        "attention": "softmax",
        "layer_norm": True,
        "mlp_factor": 2,
        "max_length": 6,
        "num_blocks": 3,
    },
    "seed first": {"seed_placement": "first", "embedding": "linear"},
    "seed first, everything": {
        "seed_placement": "first",
        "embedding": "gelu",
        "attention": "softmax",
        "layer_norm": True,
        "mlp_factor": 2,
        "max_length": 6,
    },
}


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 3)])
@pytest.mark.parametrize("name", RECALL_POLICIES)
def test_recall_is_the_generic_path(name: str, size: tuple[int, int]) -> None:
    pairs, bits = size
    task = RecallTask(pairs, bits)
    policy = TransformerConfig(pairs + bits, bits, 4, **RECALL_POLICIES[name])
    policy = dataclasses.replace(policy, max_length=(pairs + 2) * bool(policy.max_length))
    layouts, seeds = task.layout_space.sample(np.random.default_rng(0), 40), draws(4, 5)
    successes = []
    for rng_seed in range(3):
        agent = shaken(QNorm(policy, task, rng_seed=rng_seed), rng_seed, 0.3)
        given = torch.from_numpy(seeds).double()
        fast = agent.game.play(agent.model, layouts, given).outcome
        slow = TaskGame.play(game_of(agent), agent.model, layouts, given).outcome
        np.testing.assert_array_equal(fast, slow)
        successes.append(slow.mean())
    assert 0 < np.mean(successes) < 1


@pytest.mark.parametrize("attention", ["softmax", "linear"])
@pytest.mark.parametrize("name", GRIDS)
def test_the_grid_is_the_generic_path_for_whole_populations(name: str, attention: Any) -> None:
    task = GridTask(**GRIDS[name])
    layouts, seeds = some_layouts(task), torch.from_numpy(4 * draws(3, 3) - 2).double()
    found = []
    for rng_seed, candidates in enumerate((1, 4)):
        policy = grid_policy(task, attention=attention)
        agent = shaken(PEPG(policy, task, PEPG_TINY, rng_seed=rng_seed), rng_seed, 0.5)
        # Without a strong sense of time, random policies run into a border and stay there.
        agent.model.weights["positions"] *= 4
        own = agent.model.named_weights()
        generator = torch.Generator().manual_seed(rng_seed)
        weights = {
            key: w + 0.5 * torch.randn((candidates, *w.shape), generator=generator).double()
            for key, w in own.items()
        }
        fast = agent.game.costs(agent.model, layouts, seeds, weights)
        slow = TaskGame.costs(game_of(agent), agent.model, layouts, seeds, weights)
        assert slow.shape == (candidates, len(layouts), 3)
        np.testing.assert_array_equal(fast, slow)
        alone = TaskGame.costs(game_of(agent), agent.model, layouts, seeds)
        np.testing.assert_array_equal(agent.game.costs(agent.model, layouts, seeds), alone)
        played = agent.game.play(agent.model, layouts, seeds)
        generic = TaskGame.play(game_of(agent), agent.model, layouts, seeds)
        np.testing.assert_array_equal(played.outcome, generic.outcome)
        np.testing.assert_array_equal(played.output, generic.output)
        found.append((slow < task.max_steps).double().mean())
    assert np.mean(found) < 1
    assert np.mean(found) > 0 or name == "never found"


def test_the_grid_without_positions_layer_norm_and_mlp_is_the_generic_path() -> None:
    task = GridTask(3, horizon=7, num_episodes=3, walls=1)
    plain: dict[str, Any] = {"layer_norm": False, "mlp_factor": 0, "max_length": 0}
    layouts, seeds = some_layouts(task), torch.from_numpy(4 * draws(3, 4) - 2).double()
    for embedding in ("linear", "gelu"):
        policy = grid_policy(task, **plain, embedding=embedding)
        agent = shaken(PEPG(policy, task, PEPG_TINY), 1, 1.0)
        np.testing.assert_array_equal(
            agent.game.play(agent.model, layouts, seeds).outcome,
            TaskGame.play(game_of(agent), agent.model, layouts, seeds).outcome,
        )


def test_sampled_grid_steps_are_distributed_as_in_the_generic_path() -> None:
    task = GridTask(2, horizon=3, num_episodes=2)
    agent = shaken(PEPG(grid_policy(task), task, PEPG_TINY), 3, 0.1)
    agent.model.weights["read_out"] *= 0.4
    m = 4000
    seeds = torch.from_numpy(np.repeat(draws(3, 1), m, 0)).double()
    arguments = (agent.model, task.layout_space.enumerate(), seeds)
    fast = agent.game.play(*arguments, np.random.default_rng(0)).outcome
    slow = TaskGame.play(game_of(agent), *arguments, np.random.default_rng(1)).outcome
    for ours, theirs in zip(fast, slow, strict=True):
        share, other = (np.bincount(x.astype(int), minlength=7) / m for x in (ours, theirs))
        error = np.sqrt((share * (1 - share) + other * (1 - other)) / m)
        assert (share > 0.05).sum() >= 2
        np.testing.assert_array_less(np.abs(share - other), 5 * error + 1e-9)


@pytest.mark.parametrize("seed_placement", ["own", "every"])
def test_coloring_is_its_rules_played_with_its_own_choice_of_actions(seed_placement: Any) -> None:
    # Here the generic path ends: that a vertex sees its neighbours only is no rule of the
    # game but the policy's own mask, so all observe, answer and choose at once.
    for size, colors in ((4, 3), (6, 3), (7, 2)):
        task = ColoringTask(size, colors)
        policy = TransformerConfig(
            size, colors, size, seed_placement=seed_placement, mask="neighbours", embedding="linear"
        )
        agent = shaken(QNorm(policy, task), size, 0.3)
        layouts = task.layout_space.sample(np.random.default_rng(0), 60)
        seeds = torch.from_numpy(draws(size, 4)).double()
        fast = agent.game.play(agent.model, layouts, seeds).outcome
        for j, seed in enumerate(seeds):
            state = task.initial(layouts)
            tokens = agent.game.observed(task.observe(state)).double()
            outputs = agent.model(tokens, seed.expand(len(layouts), -1))
            ended = task.step(state, agent.game.choose(outputs, tokens, None))
            assert ended.terminated.all()
            np.testing.assert_array_equal(task.outcome(ended.state), fast[:, j])
        assert size == 7 or 0 < fast.mean() < 1


@pytest.mark.parametrize(
    ("task", "hidden"),
    [
        (RecallTask(3, 2), (5,)),
        (GridTask((2, 3), horizon=4, num_episodes=2), (6, 4)),
        (ColoringTask(4), ()),
    ],
    ids=["recall", "grid", "coloring"],
)
def test_a_perceptron_plays_our_games_by_the_generic_path(
    task: Task[Any], hidden: tuple[int, ...]
) -> None:
    game = game_for(task, "MlpPolicy")
    assert type(game) is TaskGame
    model = model_of(MLPConfig(game.token_dim, game.output_dim, 3, hidden), 0).double()
    for weight in model.parameters():
        weight.mul_(3.0)
    layouts, seeds = task.layout_space.enumerate(), torch.from_numpy(draws(3, 4)).double()
    outcome = game.play(model, layouts, seeds).outcome
    for j, seed in enumerate(seeds):
        np.testing.assert_array_equal(outcome[:, j], stepped(game, model, layouts, seed))
    assert len(np.unique(outcome)) > 1


def stepped(game: Any, model: Any, layouts: Array, seed: torch.Tensor) -> Array:
    """Outcomes, (n,), of a policy without memory, stepped through the rules."""
    task = game.task
    state, alive = task.initial(layouts), np.ones(len(layouts), bool)
    while alive.any():
        tokens = game.observed(task.observe(state[alive])).double()
        actions = game.choose(model(tokens, seed.expand(len(tokens), -1)), tokens, None)
        after, _, terminated = task.step(state[alive], actions)
        state[alive] = after
        alive[alive] = ~terminated
    outcome: Array = task.outcome(state)
    return outcome
