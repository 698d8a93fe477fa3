"""All cycles at once equal cycles one by one, for trained-like policies too."""

from typing import Any

import numpy as np
import pytest
import torch

from rand_agents import QNorm, QNormConfig, TransformerConfig, evaluate
from rand_envs import ColoringTask, RecallTask
from rand_envs.adversaries import MAX_EXHAUSTIVE
from rand_envs.core.player import WholePlayer


def policy(num_vertices: int, **changes: Any) -> TransformerConfig:
    shape: dict[str, Any] = {
        "token_dim": num_vertices,
        "output_dim": 3,
        "seed_dim": num_vertices,
        "seed_placement": "own",
        "mask": "neighbours",
        "embedding": "linear",
        "model_size": 8,
        "key_size": 4,
        "value_size": 4,
    }
    return TransformerConfig(**shape | changes)


def mixed_agent(num_vertices: int, steps: int = 0, **changes: Any) -> QNorm:
    """An agent in float64, where no two logits tie, that fails on some cycles and not on all."""
    config = QNormConfig(m=4, batch_size=32, learning_rate=1e-2)
    agent = QNorm(policy(num_vertices, **changes), ColoringTask(num_vertices), config)
    if steps:
        agent.learn(steps)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in agent.model.double().parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    return agent


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_blocks": 1, "attention": "softmax", "num_heads": 2},
        {"num_blocks": 3, "layer_norm": True, "mlp_factor": 2},
        {"seed_placement": "every", "seed_dim": 2, "embedding": "gelu", "scale": True},
    ],
)
def test_all_cycles_of_seven_vertices(changes: Any) -> None:
    agent = mixed_agent(7, steps=60, **changes)
    seeds = agent.draw_seeds(np.random.default_rng(0), 10)
    whole = agent.play_all(seeds)
    direct = agent.play(agent.task.layout_space.enumerate(), seeds)
    assert np.array_equal(whole.outcome, direct.outcome)
    assert whole.answer is not None
    assert direct.answer is not None
    assert np.array_equal(whole.answer, direct.answer)
    assert 0 < direct.outcome.mean() < 1
    by_windows, by_cycles = (p.output.astype(np.float64).var(1).mean() for p in (whole, direct))
    assert by_windows == pytest.approx(by_cycles, rel=1e-5)


def test_a_random_part_of_the_cycles_of_ten_vertices() -> None:
    agent = mixed_agent(10, steps=150)
    seeds = agent.draw_seeds(np.random.default_rng(0), 6)
    whole = agent.play_all(seeds)
    assert whole.outcome.shape == (181_440, 6)
    assert whole.output.shape == (30_240, 6, 3)
    some = np.random.default_rng(1).choice(181_440, 400, replace=False)
    direct = agent.play(agent.task.layout_space.enumerate()[some], seeds)
    assert np.array_equal(whole.outcome[some], direct.outcome)
    assert 0 < direct.outcome.mean() < 1


def test_evaluation_plays_all_cycles_of_eight_vertices_and_more() -> None:
    agent = mixed_agent(9, steps=20)
    report = evaluate(agent, num_seeds=4, num_fresh_seeds=20, votes=(3,))
    assert report.num_layouts == 20_160 > MAX_EXHAUSTIVE
    assert report.exhaustive
    assert report.worst.kind == "estimate"
    assert report.constant_seed_variance == 0
    assert report.majority is not None


def test_who_can_play_all() -> None:
    agent = QNorm(policy(7), ColoringTask(7))
    assert isinstance(agent, WholePlayer)
    assert agent.can_play_all
    assert not QNorm(policy(4), ColoringTask(4)).can_play_all, "windows overlap themselves"
    assert not QNorm(policy(11), ColoringTask(11)).can_play_all, "too many cycles"
    recall = QNorm("SeedTransformer", RecallTask(2, 1))
    assert not recall.can_play_all
    with pytest.raises(ValueError, match="must be played one by one"):
        recall.play_all(np.zeros((1, 10)))
