"""The agents that come with the package score what their cards say."""

import numpy as np
import pytest
import torch

from benchmarks.suite.job import MODELS
from rand_agents import load_zoo, zoo_names
from rand_agents.zoo import zoo_card

SHIPPED = [f"{game}-{model}" for game in ("recall20", "coloring10") for model in MODELS]


EXACT = ["patrol5-adv-seeded", "paging6-adv-seeded"]


def test_the_zoo_has_the_four_models_of_the_papers_games_and_the_best_of_the_others() -> None:
    grid = (*MODELS, "pepg-adv-seeded")
    assert set(zoo_names()) == {*SHIPPED, *(f"grid5-{model}" for model in grid), *EXACT}


@pytest.mark.parametrize("name", EXACT)
def test_where_everything_can_be_played_the_card_says_it_exactly(name: str) -> None:
    agent, scores = load_zoo(name), zoo_card(name)["scores"]
    seeds = agent.seeds.every()
    assert seeds is not None
    means = agent.play(agent.task.layout_space.enumerate(), seeds).outcome.mean(1)
    worst = means.min() if agent.task.higher_is_better else means.max()
    assert scores["worst"]["kind"] == "exact"
    assert scores["worst"]["estimate"] == pytest.approx(worst, abs=1e-12)
    assert scores["average"]["estimate"] == pytest.approx(means.mean(), abs=1e-12)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_agent_scores_what_its_card_says(name: str) -> None:
    agent, card = load_zoo(name), zoo_card(name)
    assert agent.num_timesteps == card["updates"]
    rng = np.random.default_rng(0)
    layouts = agent.task.layout_space.sample(rng, 1000)
    seeds = agent.draw_seeds(rng, 1 if agent.seeds.is_fixed else 200)
    success = agent.play(layouts, seeds).outcome.mean(1)
    # Four standard errors, of the layouts drawn here and of those behind the card.
    variance = success.var() * (1 / len(success) + 1 / card["scores"]["num_layouts"])
    expected = card["scores"]["average"]["estimate"]
    assert success.mean() == pytest.approx(expected, abs=4 * variance**0.5 + 0.01)


def test_only_the_randomised_agent_withstands_the_adversary() -> None:
    found = {m: zoo_card(f"recall20-{m}")["scores"]["p95"]["estimate"] for m in MODELS}
    assert found.pop("adv-seeded") > 0.4
    assert set(found.values()) == {0.0}


def test_colouring_leaves_the_adversary_nothing() -> None:
    agent, scores = load_zoo("coloring10-adv-seeded"), zoo_card("coloring10-adv-seeded")["scores"]
    seeds = agent.draw_seeds(np.random.default_rng(0), 8)
    assert agent.game.play_all(agent.model, torch.from_numpy(seeds)).outcome.all()
    assert scores["worst"]["estimate"] == 1.0
    assert scores["certificate"]["worst"][0] > 0.99
