"""The score function's gradients against exact ones, from all there is to do in small games.

What holds: with weights of the costs that do not depend on the play, as in the mean over
layouts (q = 1), the estimate is unbiased, however many paths a seed has. For q > 1 the weights
are those of the sampled means, so that it is biased, but less and less with more paths.
"""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rand_agents import (
    MLPConfig,
    ObjectiveConfig,
    QNorm,
    QNormConfig,
    ScoreConfig,
    TransformerConfig,
    q_norm,
)
from rand_agents.games.generic import TaskGame
from rand_agents.games.path import histories, score
from rand_agents.games.path.episodes import Moment
from rand_agents.games.path.score import Episodes
from rand_agents.games.registry import model_of
from rand_agents.training.qnorm import QNormStep
from rand_envs.core.arrays import Array
from rand_envs.core.task import Task
from tests.rand_agents.games.strangers import Automaton, Penalty, every_code

SEEDS = torch.tensor([[0.3, -1.2], [1.0, 0.4]], dtype=torch.float64)


def game_of(task: Task[Any]) -> TaskGame[Any]:
    return TaskGame(task)


def linear(game: TaskGame[Any], rng_seed: int = 0) -> Any:
    config = MLPConfig(game.token_dim, game.output_dim, 2, hidden=())
    return model_of(config, rng_seed).double()


def attentive(game: TaskGame[Any], placement: Any = "first") -> Any:
    config = TransformerConfig(
        game.token_dim,
        game.output_dim,
        2,
        seed_placement=placement,
        num_blocks=1,
        key_size=2,
        value_size=2,
        model_size=3,
        attention="softmax",
        embedding="linear",
        layer_norm=True,
        max_length=game.context + 1,
    )
    return model_of(config, 3).double()


def exact_paths(
    game: TaskGame[Any], model: Any, layout: Array, seed: Tensor, temperature: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Probability, cost and log-probability of every sequence of actions under a layout.

    After its end a sequence goes on with actions as likely as each other, so that those which
    differ there only share its probability.
    """
    task, actions = game.task, game.codes.actions
    codes = every_code(actions._sizes.tolist() if not actions._is_bits else [2] * 2, task.max_steps)
    state = task.initial(np.repeat(layout[None], len(codes)))
    alive = np.ones(len(codes), bool)
    ways = len(codes) ** (1 / task.max_steps)
    logs = torch.zeros(len(codes), dtype=torch.float64)
    tokens: list[Tensor] = []
    for t in range(task.max_steps):
        tokens.append(game.observed(task.observe(state))[:, 0].double())
        outputs = model(torch.stack(tokens, 1), seed.expand(len(codes), -1))[:, -1]
        chosen = torch.from_numpy(codes[:, t])
        log = actions.log_probability(outputs / temperature, chosen)
        logs = logs + torch.where(torch.from_numpy(alive.copy()), log, -np.log(ways))
        after, _, over = task.step(state[alive], actions.actions(chosen[alive]))
        state[alive] = after
        alive[alive] = ~over
    costs = game.cost_of(torch.from_numpy(task.outcome(state)))
    return logs.exp(), costs, logs


def exact_means(game: TaskGame[Any], model: Any, layouts: Array, **options: float) -> Tensor:
    """Expected costs under `SEEDS`, (n, m), with gradients."""
    rows = []
    for layout in layouts:
        pairs = [exact_paths(game, model, layout, seed, **options)[:2] for seed in SEEDS]
        assert all(float(p.detach().sum()) == pytest.approx(1.0) for p, _ in pairs)
        rows.append(torch.stack([(p * cost).sum() for p, cost in pairs]))
    return torch.stack(rows)


def flat_gradient(model: Any) -> Array:
    own = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
    flat: Array = torch.cat([grad.reshape(-1) for grad in own]).numpy().copy()
    model.zero_grad(set_to_none=True)
    return flat


def estimates(
    game: TaskGame[Any],
    model: Any,
    layouts: Array,
    slopes: Tensor,
    paths: int,
    draws: int,
    *,
    temperature: float = 1.0,
    branches: int | None = None,
) -> Array:
    """Many estimates of the gradient of (slopes * means).sum(), (draws, parameters)."""
    rng = np.random.default_rng(0)
    spread = slopes.repeat_interleave(paths, 1) / paths
    found = []
    for _ in range(draws):
        episodes = game.sample(
            model, layouts, SEEDS, rng, paths=paths, temperature=temperature, branches=branches
        )
        episodes.backward(model, spread, 0.0)
        found.append(flat_gradient(model))
    return np.array(found)


def assert_unbiased(found: Array, exact: Array) -> None:
    """Within 4.5 standard errors in every parameter, and these small against the gradient."""
    error = found.std(0, ddof=1) / len(found) ** 0.5
    np.testing.assert_array_less(np.abs(found.mean(0) - exact), 4.5 * error + 1e-12)
    assert np.linalg.norm(error) < 0.25 * np.linalg.norm(exact)
    assert np.linalg.norm(found.mean(0) - exact) < 0.25 * np.linalg.norm(exact)


GAMES: dict[str, dict[str, Any]] = {
    "ends early": {"max_steps": 3, "ends": 0.4, "rng_seed": 2},
    "layouts share all histories": {"max_steps": 3, "ends": 0.0, "alike": 1.0, "rng_seed": 1},
    "layouts share nothing": {"max_steps": 3, "ends": 0.0, "alike": 0.0, "rng_seed": 3},
    "bits": {"max_steps": 2, "asked": "multibinary", "seen": "box", "rng_seed": 8},
    "parts": {"max_steps": 2, "asked": "multidiscrete", "seen": "multibinary", "rng_seed": 5},
}


@pytest.mark.parametrize("paths", [1, 3])
@pytest.mark.parametrize("policy", ["linear", "first", "every"])
@pytest.mark.parametrize("name", GAMES)
def test_the_mean_of_estimates_is_the_exact_gradient(name: str, policy: str, paths: int) -> None:
    game = game_of(Automaton(**GAMES[name]))
    model = linear(game) if policy == "linear" else attentive(game, policy)
    layouts = game.task.layout_space.enumerate()
    # Any weights, and the objective of q = 1 among them.
    slopes = torch.tensor([[1.0, 2.0], [0.5, 0.0], [1.0, 3.0], [2.0, 0.2]]).double()
    if policy == "linear":
        slopes = torch.full((4, 2), 1 / 8).double()
    torch.autograd.backward((slopes * exact_means(game, model, layouts)).sum())
    exact = flat_gradient(model)
    found = estimates(game, model, layouts, slopes, paths, draws=400 // paths)
    assert_unbiased(found, exact)


def test_at_another_temperature_it_is_the_gradient_of_that_policy() -> None:
    game = game_of(Automaton(**GAMES["ends early"]))
    model, layouts = linear(game), game.task.layout_space.enumerate()
    slopes = torch.full((4, 2), 1 / 8).double()
    torch.autograd.backward((slopes * exact_means(game, model, layouts, temperature=0.5)).sum())
    exact = flat_gradient(model)
    found = estimates(game, model, layouts, slopes, 2, draws=200, temperature=0.5)
    assert_unbiased(found, exact)


@pytest.mark.parametrize("branches", [1, 2])
@pytest.mark.parametrize("name", ["ends early", "layouts share nothing"])
def test_a_few_branches_of_each_path_stand_for_all(name: str, branches: int) -> None:
    game = game_of(Automaton(**GAMES[name]))
    model, layouts = attentive(game), game.task.layout_space.enumerate()
    slopes = torch.tensor([[1.0, 2.0], [0.5, 0.0], [1.0, 3.0], [2.0, 0.2]]).double()
    torch.autograd.backward((slopes * exact_means(game, model, layouts)).sum())
    exact = flat_gradient(model)
    found = estimates(game, model, layouts, slopes, 3, draws=150, branches=branches)
    assert_unbiased(found, exact)


def test_as_many_branches_as_there_are_change_nothing_but_rounding() -> None:
    game = game_of(Automaton(**GAMES["layouts share nothing"]))
    model, layouts = attentive(game), game.task.layout_space.enumerate()
    slopes = torch.full((4, 2), 1 / 8).double()
    whole, drawn = (
        estimates(game, model, layouts, slopes, 2, draws=5, branches=branches)
        for branches in (None, 3)
    )
    # The generator that draws branches draws the next update's actions, too.
    np.testing.assert_allclose(drawn[0], whole[0], atol=1e-12)


def test_probabilities_of_minds_by_hand() -> None:
    """Minds 0 and 1 have a seed each; 0 goes on in 0, 1 and 2, of which 0 lasts longest."""
    table = np.array([[0, 0, 0], [0, 1, -1], [0, 2, -1], [1, 3, -1]])
    root = np.array([0, 0, 0, 1])
    times = np.zeros(4)
    for draw in range(400):
        chosen, shares = histories.drawn(table, root, 1, np.random.default_rng(draw))
        assert len(chosen) == 3
        times[chosen] += 1 / 400
    assert shares[0].tolist() == [1.0, 1.0]
    assert shares[1].tolist() == [1.0, 0.5, 0.5, 1.0]
    assert shares[2].tolist() == [1.0]
    np.testing.assert_allclose(times, [1.0, 0.5, 0.5, 1.0], atol=0.1)


def test_all_histories_are_shared_or_none_but_the_first_token() -> None:
    for name, shared in (("layouts share all histories", True), ("layouts share nothing", False)):
        game = game_of(Automaton(**GAMES[name]))
        layouts = game.task.layout_space.enumerate()
        episodes = game.sample(linear(game), layouts, SEEDS, np.random.default_rng(0), paths=3)
        minds = [len(moment.tokens) for moment in episodes.moments]
        assert minds == [6] * 3 if shared else minds[-1] > 12


@pytest.mark.parametrize("paths", [1, 4])
def test_a_baseline_leaves_less_variance(paths: int, monkeypatch: pytest.MonkeyPatch) -> None:
    game = game_of(Automaton(**GAMES["ends early"]))
    model, layouts = linear(game), game.task.layout_space.enumerate()
    slopes = torch.full((4, 2), 1 / 8).double()
    with_baseline = estimates(game, model, layouts, slopes, paths, draws=200)
    monkeypatch.setattr(score, "_baseline", lambda to_go, plays: np.zeros_like(to_go))
    without = estimates(game, model, layouts, slopes, paths, draws=200)
    ratio = with_baseline.var(0).sum() / without.var(0).sum()
    print(f"variance with the baseline, as a share of that without, {paths} paths: {ratio:.3f}")
    assert ratio < 0.8
    np.testing.assert_allclose(with_baseline.mean(0), without.mean(0), atol=0.05)


def test_beyond_the_mean_more_paths_are_less_biased() -> None:
    """The q-norm's weights are those of sampled means, which only many paths make the true ones."""
    game = game_of(Automaton(**GAMES["ends early"]))
    model, layouts = linear(game), game.task.layout_space.enumerate()
    torch.autograd.backward(q_norm(exact_means(game, model, layouts).mean(-1), 6.0))
    exact = flat_gradient(model)
    biases = []
    for paths, draws in ((1, 600), (200, 30)):
        found = []
        rng = np.random.default_rng(1)
        for _ in range(draws):
            episodes = game.sample(model, layouts, SEEDS, rng, paths=paths)
            costs = episodes.costs.clone().requires_grad_()
            (slopes,) = torch.autograd.grad(q_norm(costs.mean(-1), 6.0), costs)
            episodes.backward(model, slopes, 0.0)
            found.append(flat_gradient(model))
        error = np.mean(found, 0) - exact
        biases.append(float(np.linalg.norm(error) / np.linalg.norm(exact)))
    print("relative bias at q = 6 with 1, 200 paths:", np.round(biases, 3))
    assert biases[1] < 0.06
    assert biases[1] < biases[0] / 2


def test_an_update_by_score_descends_this_estimate() -> None:
    game = game_of(Penalty())
    model = linear(game)
    episodes = game.sample(
        model, game.task.layout_space.enumerate(), SEEDS, np.random.default_rng(0), paths=5
    )
    # Under equal weights the mean cost does not depend on what is done here.
    costs = episodes.costs.clone().requires_grad_()
    value = q_norm(costs.mean(-1), 6.0)
    (slopes,) = torch.autograd.grad(value, costs)
    episodes.backward(model, slopes, 0.0)
    expected = float(np.linalg.norm(flat_gradient(model)))
    assert expected > 1e-3
    config = QNormConfig(ObjectiveConfig(q=6.0), score=ScoreConfig(entropy=0.0))
    step = QNormStep(list(model.parameters()), config)
    objective = config.objective.at(0.5)
    logs = step.update_by_score(model, episodes, episodes.costs, objective, 0.5)
    assert logs["train/gradient_norm"] == pytest.approx(expected)
    assert logs["train/objective"] == pytest.approx(value.item())


# Entropy.


def test_the_entropy_of_one_step_is_exact() -> None:
    game = game_of(Penalty())
    model, layouts = linear(game), game.task.layout_space.enumerate()
    logs = [exact_paths(game, model, layouts[0], seed)[2] for seed in SEEDS]
    value = torch.stack([-(log.exp() * log).sum() for log in logs]).mean()
    torch.autograd.backward(-0.7 * value)
    exact = flat_gradient(model)
    episodes = game.sample(model, layouts, SEEDS, np.random.default_rng(0), paths=2)
    mean = episodes.backward(model, torch.zeros(3, 4), 0.7)
    assert mean == pytest.approx(float(value.detach()))
    np.testing.assert_allclose(flat_gradient(model), exact, atol=1e-12)


@pytest.mark.parametrize("policy", ["linear", "first", "every"])
@pytest.mark.parametrize("name", GAMES)
def test_entropy_is_the_mean_over_what_rows_did(name: str, policy: str) -> None:
    """Its gradient is that at the histories played; that these change, too, is left out."""
    game = game_of(Automaton(**GAMES[name]))
    model = linear(game) if policy == "linear" else attentive(game, policy)
    layouts = game.task.layout_space.enumerate()
    episodes = game.sample(model, layouts, SEEDS, np.random.default_rng(0), paths=3)
    terms = []
    for row in range(4 * 6):
        tokens = [m.tokens[m.minds[m.rows == row][0]] for m in episodes.moments if row in m.rows]
        outputs = model(torch.stack(tokens)[None], SEEDS[[row % 6 // 3]])[0, -len(tokens) :]
        terms.append(game.codes.actions.entropy(outputs))
    value = torch.cat(terms).mean()
    torch.autograd.backward(value)
    exact = flat_gradient(model)
    mean = episodes.backward(model, torch.zeros(4, 6), -1.0)
    assert mean == pytest.approx(float(value.detach()))
    np.testing.assert_allclose(flat_gradient(model), exact, atol=1e-12)


def test_parts_of_a_gradient_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    game = game_of(Automaton(**GAMES["layouts share nothing"]))
    model, layouts = attentive(game), game.task.layout_space.enumerate()
    episodes = game.sample(model, layouts, SEEDS, np.random.default_rng(0), paths=3)
    slopes = torch.rand(4, 6, generator=torch.Generator().manual_seed(0)).double()
    whole = (episodes.backward(model, slopes, 0.1), flat_gradient(model))
    monkeypatch.setattr(histories, "TOKENS_AT_ONCE", 7)
    parts = (episodes.backward(model, slopes, 0.1), flat_gradient(model))
    assert parts[0] == pytest.approx(whole[0])
    np.testing.assert_allclose(parts[1], whole[1], atol=1e-12)


# Sampled play.


def test_each_layout_has_its_own_distribution_though_layouts_share_draws() -> None:
    game = game_of(Automaton(max_steps=3, ends=0.2, alike=0.7, rng_seed=6))
    model, layouts = attentive(game), game.task.layout_space.enumerate()
    paths = 6000
    episodes = game.sample(model, layouts, SEEDS, np.random.default_rng(2), paths=paths)
    assert len(episodes.moments[0].tokens) == 2 * paths
    for i, layout in enumerate(layouts):
        for j, seed in enumerate(SEEDS):
            with torch.no_grad():
                probability, cost, _ = exact_paths(game, model, layout, seed)
            values, which = np.unique(cost.numpy().round(6), return_inverse=True)
            expected = np.bincount(which, probability.numpy())
            drawn = episodes.costs[i, j * paths : (j + 1) * paths].numpy().round(6)
            share = (drawn[:, None] == values).mean(0)
            assert share.sum() == pytest.approx(1.0)
            error = np.sqrt(expected * (1 - expected) / paths)
            np.testing.assert_array_less(np.abs(share - expected), 5 * error + 1e-9)
            assert (expected > 0.02).sum() > 1


def test_layouts_that_look_alike_are_played_alike() -> None:
    game = game_of(Automaton(max_steps=3, ends=0.0, alike=1.0))
    layouts = game.task.layout_space.enumerate()
    episodes = game.sample(attentive(game), layouts, SEEDS, np.random.default_rng(2), paths=50)
    for moment in episodes.moments:
        np.testing.assert_array_equal(moment.minds.reshape(4, -1), np.tile(np.arange(100), (4, 1)))


# Histories.


def made(*parents: list[int]) -> Episodes:
    """Episodes whose minds continue those of the moment before; only the tree is given."""
    moments = [
        Moment(
            torch.zeros(len(own), 1),
            torch.zeros(len(own), 1, dtype=torch.long),
            np.array(own),
            np.arange(len(own)),
            np.arange(len(own)),
            np.zeros(len(own)),
        )
        for own in parents
    ]
    some: Any = None
    return Episodes(some, moments, torch.zeros(1, len(parents[0])), 1.0, torch.zeros(1, 1), 1)


@pytest.mark.parametrize(
    ("parents", "leaves"),
    [
        # One moment: every mind is a leaf.
        ([[0, 1]], [[0], [1]]),
        # A chain.
        ([[0], [0], [0]], [[0, 0, 0]]),
        # A fork.
        ([[0], [0, 0]], [[0, 0], [0, 1]]),
        # The second of three minds goes on, and forks; the others end.
        ([[0, 1, 2], [1, 1]], [[1, 0], [1, 1], [0, -1], [2, -1]]),
        # A fork, one branch of which ends before the other forks again.
        ([[0], [0, 0], [1, 1]], [[0, 1, 0], [0, 1, 1], [0, 0, -1]]),
    ],
)
def test_leaves_of_small_trees(parents: list[list[int]], leaves: list[list[int]]) -> None:
    assert histories.histories(made(*parents).moments).tolist() == leaves


# What cannot be learned so.


def test_actions_without_probabilities_ask_for_pepg() -> None:
    with pytest.raises(ValueError, match=r"to be learned from their probabilities, .*: use PEPG"):
        QNorm("MlpPolicy", "MountainCarContinuous-v0")
