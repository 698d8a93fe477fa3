"""QNorm: one step against autograd of the plain formula, and what each objective learns."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rand_agents import ObjectiveConfig, QNorm, QNormConfig, SeedSpec
from rand_agents.games.accelerated.recall import RecallGame
from rand_agents.training.qnorm import QNormStep
from rand_envs import GridTask, RecallTask

TASK = RecallTask(2, 2)


def plain_q_norm(losses: torch.Tensor, q: float) -> torch.Tensor:
    return (losses.mean(-1) ** q).mean() ** (1 / q)


@pytest.mark.parametrize("max_grad_norm", [1e-3, 1e3], ids=["clipped", "whole"])
@pytest.mark.parametrize("q", [1.0, 3.0])
def test_one_step_follows_autograd_of_the_plain_formula(q: float, max_grad_norm: float) -> None:
    config = QNormConfig(ObjectiveConfig(q=q), m=4, batch_size=6, max_grad_norm=max_grad_norm)
    agent, twin = (QNorm("SeedTransformer", TASK, config, rng_seed=5) for _ in range(2))
    # The step draws from the streams named here, and from nowhere else.
    layouts = TASK.layout_space.sample(twin._rngs["layouts"], 6)
    seeds = torch.from_numpy(twin.seeds.sample(twin._rngs["seeds"], 4))
    parameters = list(twin.model.parameters())
    value = plain_q_norm(twin.game.costs(twin.model, layouts, seeds), q)
    found = torch.autograd.grad(value, parameters, allow_unused=True)
    gradients = [
        torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)
    ]
    norm = float(torch.cat([g.reshape(-1) for g in gradients]).norm())

    logs = agent._update(0.5)
    assert logs["train/objective"] == pytest.approx(float(value.detach()), rel=1e-4)
    assert logs["train/gradient_norm"] == pytest.approx(norm, rel=1e-3)
    scale = min(1.0, max_grad_norm / norm)
    assert (scale < 1) == (max_grad_norm < 1)
    optimizer = torch.optim.Adam(parameters, agent.config.learning_rate_at(0.5), (0.9, 0.95), 1e-5)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = scale * gradient
    optimizer.step()
    for ours, theirs in zip(agent.model.parameters(), parameters, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_learning_rates() -> None:
    config = QNormConfig(learning_rate=3e-3, final_learning_rate=3e-4, warmup=0.2)
    values = {0.0: 0.0, 0.1: 1.5e-3, 0.2: 3e-3, 0.6: 1.65e-3, 1.0: 3e-4}
    for progress, rate in values.items():
        assert config.learning_rate_at(progress) == pytest.approx(rate)
    assert QNormConfig(warmup=0.0).learning_rate_at(0.0) == 3e-3


def test_weight_decay_is_decoupled() -> None:
    parameter = torch.nn.Parameter(torch.tensor([2.0, -4.0]))
    config = QNormConfig(weight_decay=0.1, warmup=0.0, learning_rate=0.5, final_learning_rate=0.5)
    QNormStep([parameter], config).update(1.0 + 0.0 * parameter.sum().expand(2, 2), 0.0)
    torch.testing.assert_close(parameter.detach(), torch.tensor([2.0, -4.0]) * (1 - 0.5 * 0.1))


def doors(q: float) -> tuple[list[float], list[float]]:
    """Train any module to open the right one of three doors; the first is right twice as often.

    Its mean losses, 1 - P(right door), by door, and how often its argmax is each door.
    """
    torch.manual_seed(0)
    player = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.GELU(), torch.nn.Linear(16, 3))
    seeds, right = torch.randn(128, 2), torch.tensor([0, 0, 1, 2])
    config = QNormConfig(ObjectiveConfig(q=q), warmup=0.0, learning_rate=0.02)
    step = QNormStep(list(player.parameters()), config)
    for t in range(300):
        losses = 1.0 - (5 * player(seeds)).softmax(-1)[:, right].T
        step.update(losses, t / 300)
    with torch.no_grad():
        opened = torch.bincount(player(seeds).argmax(-1), minlength=3) / 128
    return losses.detach().mean(-1)[1:].tolist(), opened.tolist()


def test_the_mean_commits_to_the_commonest_layout_and_ignores_the_seed() -> None:
    losses, opened = doors(1.0)
    assert losses == pytest.approx([0.0, 1.0, 1.0], abs=1e-3)
    assert opened == [1.0, 0.0, 0.0]


def test_the_q_norm_uses_the_seed_and_reaches_the_value_of_the_game() -> None:
    losses, opened = doors(math.inf)
    assert losses == pytest.approx([2 / 3] * 3, abs=2e-3)
    assert min(opened) > 0.2
    # Between the two: (1 - b)^9 = 2 (1 - a)^9 where a + 2 b = 1.
    losses, opened = doors(10.0)
    assert losses[1] / losses[0] == pytest.approx(2 ** (1 / 9), abs=2e-3)
    assert sum(losses) == pytest.approx(2.0, abs=1e-4)
    assert min(opened) > 0.1


def test_nan_losses_are_an_error_before_anything_changes() -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    step = QNormStep([parameter], QNormConfig(warmup=0.0))
    with pytest.raises(FloatingPointError, match="objective became nan; a lower learning rate"):
        step.update((parameter * math.nan).expand(2, 3), 0.5)
    assert torch.equal(parameter.detach(), torch.ones(3))


def test_an_agent_whose_weights_are_nan_stops() -> None:
    agent = QNorm("SeedTransformer", TASK, QNormConfig(m=2, batch_size=4))
    with torch.no_grad():
        agent.model.weights["read_out"].fill_(math.nan)
    with pytest.raises(FloatingPointError):
        agent.learn(1)


@pytest.mark.parametrize(("draw", "count"), [("fixed", 1), ("independent", 5), ("sobol", 5)])
def test_a_fixed_seed_costs_one_seed(
    draw: Any, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = SeedSpec(10, "bits", draw)
    agent = QNorm("SeedTransformer", TASK, QNormConfig(m=5, batch_size=4), seeds=seeds)
    shapes = []
    costs = agent.game.costs

    def watched(*args: Any) -> torch.Tensor:
        shapes.append(costs(*args).shape)
        return costs(*args)

    monkeypatch.setattr(agent.game, "costs", watched)
    agent.learn(2)
    assert shapes == [(4, count)] * 2
    assert agent.env_steps == 2 * 4 * count * 3


def test_seeds_are_kept_for_some_updates_also_over_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = QNormConfig(m=3, batch_size=4, seeds_kept=3)
    agent = QNorm("SeedTransformer", TASK, config)
    used: list[torch.Tensor] = []
    costs = RecallGame.costs

    def watched(game: Any, model: Any, layouts: Any, seeds: torch.Tensor, *rest: Any) -> Any:
        used.append(seeds)
        return costs(game, model, layouts, seeds, *rest)

    monkeypatch.setattr(RecallGame, "costs", watched)
    agent.learn(7, callback=lambda *_: agent.num_timesteps < 5)
    QNorm.load(agent.save(tmp_path / "agent")).resume()
    assert len(used) == 7
    same = [torch.equal(a, b) for a, b in itertools.pairwise(used)]
    assert same == [True, True, False, True, True, False]


def test_the_seeds_of_a_step_are_shared_by_its_layouts() -> None:
    agent = QNorm("SeedTransformer", TASK, QNormConfig(m=3, batch_size=4))
    layouts = np.repeat(TASK.layout_space.enumerate()[:1], 4)
    seeds = torch.from_numpy(agent.draw_seeds(np.random.default_rng(0), 3))
    costs = agent.game.costs(agent.model, layouts, seeds)
    torch.testing.assert_close(costs, costs[:1].expand(4, 3))
    assert len(torch.unique(costs[0])) == 3


def test_it_learns_a_tiny_recall() -> None:
    config = QNormConfig(ObjectiveConfig(q=4.0), m=2, batch_size=32, learning_rate=1e-2)
    agent = QNorm("SeedTransformer", TASK, config, rng_seed=1)
    layouts = TASK.layout_space.enumerate()
    seeds = agent.draw_seeds(np.random.default_rng(0), 20)
    assert agent.play(layouts, seeds).outcome.mean() < 0.6  # chance is 1/4
    agent.learn(250)
    assert agent.play(layouts, seeds).outcome.mean() > 0.9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"m": 0}, "number of seeds m must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"seeds_kept": 0}, "seeds_kept must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0, got 0.0"),
        (
            {"max_grad_norm": math.nan},
            "max_grad_norm must be a number, got nan",
        ),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0, got -0.1"),
        ({"warmup": 1.0}, "warmup must be at least 0 and below 1, got 1.0"),
    ],
)
def test_illegal_options_are_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QNormConfig(**changes)


def test_the_grid_has_no_gradient_and_is_learned_from_sampled_play() -> None:
    agent = QNorm("SeedTransformer", GridTask(3, horizon=6))
    assert not agent.game.differentiable
    assert "train/entropy" in agent._update(0.0)
