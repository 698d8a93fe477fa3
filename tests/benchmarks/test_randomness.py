"""The experiment on kinds of randomness: every kind learns, is scored, and is random as it says."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.suite.randomness.experiment import SETTINGS, scores, summarise, table
from benchmarks.suite.randomness.figure import draw
from benchmarks.suite.randomness.players import Dropout, Noisy
from benchmarks.suite.randomness.training import KINDS, MEMBERS, trained
from rand_agents.agents.agent import Agent
from rand_agents.policies.transformer import SeedTransformer, TransformerConfig

MODEL = SeedTransformer(TransformerConfig(token_dim=3, output_dim=2, seed_dim=1), 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("task", ["recall", "patrol"])
def test_every_kind_learns_and_plays(task: str, kind: str) -> None:
    setting = dataclasses.replace(SETTINGS[task], updates=dict.fromkeys(KINDS, MEMBERS))
    player = trained(setting, kind, 3)
    if isinstance(player, Agent):
        assert player.num_timesteps == MEMBERS
    assert isinstance(player, Agent) == (kind == "seeds")
    found = scores(player, 5)
    low, high = player.task.outcome_range
    assert low <= found["worst"]["estimate"] <= high
    # The worst layout is worse than the average one, and the same player is scored the same.
    assert found["worst"]["estimate"] <= found["average"]["estimate"] + 0.1
    assert scores(player, 5) == found
    assert (found["vote"] is not None) == (task == "recall")


def test_noise_has_the_weights_that_are_trained_as_its_mean() -> None:
    rng = np.random.default_rng(0)
    for noise in (Dropout(MODEL), Noisy(MODEL)):
        drawn = noise.draw(rng, 4000)
        for name, weight in noise.trained.items():
            assert drawn[name].shape == (4000, *weight.shape)
            spread = drawn[name].std(0).max().item() / 4000**0.5
            error = (drawn[name].mean(0) - weight).abs().max().item()
            assert error <= 5 * spread + 1e-6, name
    # Something is random, and its gradient reaches what is trained.
    noisy = Noisy(MODEL)
    total = sum(weights.square().sum() for weights in noisy.draw(rng, 2).values())
    assert isinstance(total, torch.Tensor)
    torch.autograd.backward(total)
    assert all(p.grad is not None for p in noisy.parameters)
    assert any(s.grad.abs().max() > 0 for s in noisy.spread.values() if s.grad is not None)


def test_runs_become_rows_and_a_figure(tmp_path: Path) -> None:
    figure = {"estimate": 0.5, "ci95": [0.4, 0.6]}
    score = {"unit": "success", "all_layouts": True, "average": figure, "worst": figure}
    results = [
        {
            "task": "patrol",
            "kind": kind,
            "rng_seed": run,
            "updates": 7,
            "train_seconds": 1.0,
            "machine": {},
            "scores": score | {"vote": None},
        }
        for kind in KINDS
        for run in range(2)
    ]
    summary = summarise(results, ("patrol",))
    task = summary["tasks"]["patrol"]
    assert task["ground_truth"] == {"value": 0.6, "kind": "exact"}
    assert task["kinds"]["noisy"]["worst"]["runs"] == [0.5, 0.5]
    assert table(summary).row_count == len(KINDS)
    svg = draw(summary, tmp_path / "kinds.svg").paths[0].read_text()
    assert "worst layout: success, %" in svg
