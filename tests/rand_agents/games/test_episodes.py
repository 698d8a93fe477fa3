"""Minds: rows of one candidate and seed that have seen the same are answered once."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rand_agents import MLPConfig, TransformerConfig
from rand_agents.games.generic import TaskGame
from rand_agents.games.path.contexts import ROOM
from rand_agents.games.path.episodes import Rollout
from rand_agents.games.registry import model_of
from rand_envs import GridTask
from rand_envs.core.arrays import Array
from rand_envs.core.task import Task
from tests.rand_agents.games.strangers import OBSERVATIONS, Automaton, Penalty


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def model_for(game: TaskGame[Any], policy: str) -> Any:
    if policy == "MlpPolicy":
        return model_of(MLPConfig(game.token_dim, game.output_dim, 2), 0).double()
    config = TransformerConfig(
        game.token_dim,
        game.output_dim,
        2,
        seed_placement=policy,  # type: ignore[arg-type]
        num_blocks=2,
        key_size=3,
        value_size=3,
        model_size=6,
        attention="softmax",
        embedding="linear",
        layer_norm=True,
        max_length=game.context + 1,
    )
    return model_of(config, 0).double()


def population(model: Any, count: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: w + 1.5 * torch.randn((count, *w.shape), generator=generator).double()
        for name, w in model.named_weights().items()
    }


def alone(
    game: TaskGame[Any], model: Any, weights: dict[str, Tensor], layout: Array, seed: Tensor
) -> tuple[float, list[bytes]]:
    """The outcome of one row played on its own, and what it saw at each step."""
    state, tokens, seen = game.task.initial(layout[None]), [], []
    ended = False
    while not ended:
        observation = game.task.observe(state)
        seen.append(observation.tobytes())
        tokens.append(game.observed(observation)[:, 0].double())
        outputs = model(torch.stack(tokens, 1), seed[None], weights)[:, -1:]
        state, _, over = game.task.step(state, game.choose(outputs, tokens[-1], None))
        ended = bool(over[0])
    return float(game.task.outcome(state)[0]), seen


CASES: dict[str, Task[Any]] = {
    **{f"random {seen}": Automaton(seen, max_steps=5, rng_seed=7) for seen in OBSERVATIONS},
    "layouts alike": Automaton("box", alike=1.0, ends=0.0),
    "layouts different": Automaton("box", "multibinary", alike=0.0, ends=0.4),
    "grid": GridTask((2, 3), horizon=4, num_episodes=2),
    "penalty": Penalty(),
    "longer than a cache's first room": Automaton(max_steps=2 * ROOM + 3, ends=0.02),
}


@pytest.mark.parametrize("policy", ["every", "first", "MlpPolicy"])
@pytest.mark.parametrize("name", CASES)
def test_minds_are_histories_and_outcomes_those_of_rows_alone(name: str, policy: str) -> None:
    game: TaskGame[Any] = TaskGame(CASES[name])
    model, (p, m) = model_for(game, policy), (3, 4)
    weights, layouts = population(model, p), game.task.layout_space.enumerate()
    seeds = torch.from_numpy(np.random.default_rng(0).normal(size=(m, 2)))
    world = game.world(layouts, seeds.numpy(), p)
    rollout = Rollout(world, game.codes, model, weights, seeds, None)
    moments = rollout.play(record=True)
    rows = [
        ((i, j), *alone(game, model, {k: w[i] for k, w in weights.items()}, layout, seeds[j]))
        for i in range(p)
        for layout in layouts
        for j in range(m)
    ]
    np.testing.assert_allclose(world.outcomes, [outcome for _, outcome, _ in rows], atol=1e-12)
    assert len(moments) == max(len(seen) for _, _, seen in rows)
    for t, moment in enumerate(moments):
        assert moment.rows.tolist() == [r for r, (*_, seen) in enumerate(rows) if len(seen) > t]
        histories = [(rows[r][0], *rows[r][2][: t + 1]) for r in moment.rows]
        # As many minds as histories, and each history of one candidate and seed is one mind.
        pairs = set(zip(histories, moment.minds.tolist(), strict=True))
        assert len(pairs) == len(set(histories)) == len(moment.tokens)
    costs = game.costs(model, layouts, seeds, weights)
    np.testing.assert_allclose(costs.reshape(-1), world.outcomes * game_sign(game) + bias(game))


def game_sign(game: TaskGame[Any]) -> float:
    return -1.0 if game.task.higher_is_better else 1.0


def bias(game: TaskGame[Any]) -> float:
    return 1.0 if game.task.higher_is_better else 0.0


def test_candidates_with_fewer_minds_are_answered_as_alone() -> None:
    game: TaskGame[Any] = TaskGame(Automaton("box", max_steps=6, ends=0.4, rng_seed=1))
    model = model_for(game, "first")
    weights, layouts = population(model, 6), game.task.layout_space.enumerate()
    seeds = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 2)))
    world = game.world(layouts, seeds.numpy(), 6)
    rollout = Rollout(world, game.codes, model, weights, seeds, None)
    moments = rollout.play(record=True)
    candidate = np.arange(len(world.outcomes)) // (len(layouts) * 5)
    counts = [
        [len(set(m.minds[candidate[m.rows] == i].tolist())) for i in range(6)] for m in moments
    ]
    assert any(len(set(count)) > 2 for count in counts), counts
    assert any(0 in count for count in counts), counts
    together = game.costs(model, layouts, seeds, weights)
    for i in range(6):
        own = {name: w[i : i + 1] for name, w in weights.items()}
        torch.testing.assert_close(together[i], game.costs(model, layouts, seeds, own)[0])


def test_layouts_that_look_alike_cost_one_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    game: TaskGame[Any] = TaskGame(Automaton("box", alike=1.0, ends=0.0))
    model, widths = model_for(game, "first"), []
    layouts = game.task.layout_space.enumerate()[np.zeros(500, int)]
    seeds = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 2)))
    world = game.world(layouts, seeds.numpy(), 2)
    rollout = Rollout(world, game.codes, model, population(model, 2), seeds, None)
    answer = rollout.contexts.answer

    def watched(parents: Tensor, *rest: Tensor) -> Tensor:
        widths.append(tuple(parents.shape))
        return answer(parents, *rest)

    monkeypatch.setattr(rollout.contexts, "answer", watched)
    rollout.play()
    assert widths == [(2, 3)] * 4


def test_equal_seeds_are_still_two_minds_that_draw_apart() -> None:
    game: TaskGame[Any] = TaskGame(Penalty())
    model = model_for(game, "every")
    layouts, seeds = game.task.layout_space.enumerate(), torch.zeros(400, 2).double()
    outcome = game.play(model, layouts, seeds, np.random.default_rng(0)).outcome
    # Layouts share the draw: each ball is kept in one corner. Seeds do not.
    np.testing.assert_array_equal(outcome.sum(0), np.ones(400))
    assert (outcome.mean(1) > 0.02).all()
