"""Batched play equals the environment's own rules, played step by step through `predict`."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rand_agents import PEPG, PEPGConfig, QNorm, QNormConfig, SearchConfig, TransformerConfig
from rand_agents.agents.acting import PolicyState
from rand_agents.agents.agent import Agent
from rand_agents.games.accelerated.grid_rollout import NEVER, GridRollout
from rand_agents.games.accelerated.grid_tables import path_lengths, transition_table
from rand_agents.games.path.spaces import draw_category
from rand_envs import ColoringTask, GridTask, RecallTask
from rand_envs.core.arrays import Array
from rand_envs.core.task import rules_of
from rand_envs.minimax.grid.search_grid import SearchGrid


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


PEPG_TINY = PEPGConfig(search=SearchConfig(population=2), m=1, batch_size=1)


def shaken(agent: Agent[Any], rng_seed: int, noise: float) -> Agent[Any]:
    """The agent in float64, where no two logits tie, with noise on all weights."""
    generator = torch.Generator().manual_seed(rng_seed)
    with torch.no_grad():
        for weight in agent.model.double().parameters():
            weight += noise * torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    return agent


def grid_policy(task: GridTask, **changes: Any) -> TransformerConfig:
    policy = TransformerConfig(
        token_dim=task.rows + task.columns + 1,
        output_dim=4,
        seed_dim=3,
        seed_placement="first",
        num_heads=2,
        key_size=4,
        value_size=4,
        model_size=12,
        attention="softmax",
        embedding="linear",
        layer_norm=True,
        mlp_factor=2,
        max_length=1 + task.max_steps,
        scale=True,
    )
    return dataclasses.replace(policy, **changes)


def blind_agent(task: GridTask, actions: str) -> PEPG:
    """Does what the letters R, L, U, D say, one after another, whatever it sees."""
    config = TransformerConfig(
        task.rows + task.columns + 1,
        4,
        1,
        seed_placement="first",
        model_size=4,
        attention="softmax",
        embedding="linear",
        max_length=1 + task.max_steps,
    )
    agent = PEPG(config, task, PEPGConfig(m=2))
    with torch.no_grad():
        for weight in agent.model.parameters():
            weight.zero_()
        for place, action in enumerate(actions):
            agent.model.weights["positions"][1 + place, "RLUD".index(action)] = 1.0
        agent.model.weights["read_out"].copy_(torch.eye(4))
    return agent


def steps_by_predict(
    agent: Agent[Any], layouts: Array, seeds: Array
) -> Iterator[tuple[Array, Array, Array]]:
    """Plays with the environment; states (n * m,), actions and who acted, after each step."""
    n, m = len(layouts), len(seeds)
    task = rules_of(agent.task)
    state = task.initial(np.repeat(layouts, m))
    empty = torch.zeros(n * m, 0, agent.model.config.token_dim, dtype=torch.float64)
    context: Any = PolicyState(
        torch.from_numpy(np.tile(seeds, (n, 1))).double(), empty, torch.zeros(n * m).long()
    )
    alive = np.ones(n * m, bool)
    for _ in range(task.max_steps):
        # Those that ended stay in the batch; their actions are not played.
        actions, context = agent.predict(task.observe(state), context, None, deterministic=True)
        after, _, terminated = task.step(state[alive], actions[alive])
        state[alive] = after
        yield state, actions, alive.copy()
        alive[alive] = ~terminated
        if not alive.any():
            return
    raise AssertionError("longer than the longest instance")


def by_predict(agent: Agent[Any], layouts: Array, seeds: Array) -> tuple[Array, Array]:
    """Outcomes (n, m), and the last action (n, m, *action), of playing with the environment."""
    *_, (state, actions, _) = steps_by_predict(agent, layouts, seeds)
    shape = (len(layouts), len(seeds))
    outcome = rules_of(agent.task).outcome(state).reshape(shape)
    return outcome, actions.reshape(*shape, *actions.shape[1:])


def draws(dim: int, m: int, rng_seed: int = 0) -> Array:
    return np.random.default_rng(rng_seed).random((m, dim)).astype(np.float32)


RECALL = RecallTask(3, 2)
RECALL_POLICIES = {
    "replication": TransformerConfig(5, 2, 4),
    "table 1": TransformerConfig(5, 2, 4, embedding="none"),
    "seed first": TransformerConfig(5, 2, 4, seed_placement="first"),
    "softmax": TransformerConfig(5, 2, 4, attention="softmax", layer_norm=True, max_length=4),
}


@pytest.mark.parametrize("name", RECALL_POLICIES)
def test_recall_is_what_the_environment_says(name: str) -> None:
    agent = shaken(QNorm(RECALL_POLICIES[name], RECALL), 1, 0.2)
    layouts = RECALL.layout_space.enumerate()
    seeds = draws(4, 3).round()
    play = agent.game.play(agent.model, layouts, torch.from_numpy(seeds).double())
    outcome, bits = by_predict(agent, layouts, seeds)
    assert 0 < outcome.mean() < 1
    np.testing.assert_array_equal(play.outcome, outcome)
    np.testing.assert_array_equal(play.answer, bits @ (1, 2))
    np.testing.assert_array_equal(play.output > 0.5, bits)


@pytest.mark.parametrize("seed_placement", ["own", "every"])
def test_coloring_is_what_the_environment_says(seed_placement: Any) -> None:
    task = ColoringTask(6)
    policy = TransformerConfig(
        6, 3, 6, seed_placement=seed_placement, mask="neighbours", embedding="linear"
    )
    agent = shaken(QNorm(policy, task), 1, 0.3)
    layouts, seeds = task.layout_space.enumerate(), draws(6, 4)
    play = agent.game.play(agent.model, layouts, torch.from_numpy(seeds).double())
    outcome, colors = by_predict(agent, layouts, seeds)
    assert 0 < outcome.mean() < 1
    np.testing.assert_array_equal(play.outcome, outcome)
    along = np.take_along_axis(colors, np.repeat(layouts["cycle"][:, None], 4, 1), -1)
    probabilities = play.output.reshape(60, 4, 6, 3)
    np.testing.assert_array_equal(probabilities.argmax(-1), along)


def test_costs_of_recall_are_the_cross_entropy_of_what_play_shows() -> None:
    agent = QNorm(RECALL_POLICIES["replication"], RECALL)
    layouts, seeds = RECALL.layout_space.enumerate(), torch.from_numpy(draws(4, 3))
    p = agent.game.play(agent.model, layouts, seeds).output
    bits = layouts["values"][np.arange(len(layouts)), layouts["query"]][:, None]
    expected = -np.log(np.where(bits == 1, p, 1 - p)).mean(-1)
    costs = agent.game.costs(agent.model, layouts, seeds).detach().numpy()
    np.testing.assert_allclose(costs, expected, rtol=1e-4)


def test_costs_of_coloring_sum_over_the_edges_of_the_layout() -> None:
    task = ColoringTask(5)
    agent = QNorm("SeedTransformer", task)
    layouts, seeds = task.layout_space.enumerate(), torch.from_numpy(draws(5, 2))
    p = agent.game.play(agent.model, layouts, seeds).output.reshape(12, 2, 5, 3)
    expected = sum(-np.log(1 - (p[:, :, i] * p[:, :, i - 1]).sum(-1)) for i in range(5))
    costs = agent.game.costs(agent.model, layouts, seeds).detach().numpy()
    np.testing.assert_allclose(costs, expected, rtol=1e-4)


# The grid.

GRIDS: dict[str, dict[str, Any]] = {
    "one episode": {"size": 3, "horizon": 8, "num_episodes": 1},
    "two episodes": {"size": (2, 3), "horizon": 5, "num_episodes": 2},
    "three episodes": {"size": (3, 2), "horizon": 4, "num_episodes": 3, "start": (1, 1)},
    "never found": {"size": 4, "horizon": 1, "num_episodes": 3},
    "fixed walls": {
        "size": 3,
        "horizon": 9,
        "walls": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], bool),
    },
    "many walls": {"size": (3, 3), "horizon": 7, "num_episodes": 3, "walls": 2},
}


def some_layouts(task: GridTask) -> Array:
    if task.layout_space.size is None:
        return np.concatenate(
            [task.layout_space.sample(np.random.default_rng(0), 10), task.layout_space.enumerate()]
        )[::7]
    return task.layout_space.enumerate()


@pytest.mark.parametrize("attention", ["softmax", "linear"])
@pytest.mark.parametrize("name", GRIDS)
def test_grid_roll_outs_are_what_the_environment_says(name: str, attention: Any) -> None:
    task = GridTask(**GRIDS[name])
    layouts, seeds = some_layouts(task), 4 * draws(3, 4) - 2
    if name == "never found":
        layouts = layouts[layouts["treasure"].sum(-1) > 1]
    if name == "many walls":
        patterns = np.unique(layouts["walls"], axis=0)
        assert 3 < len(patterns) < len(layouts)
    found = []
    for rng_seed in range(6):
        policy = grid_policy(task, attention=attention)
        agent = shaken(PEPG(policy, task, PEPG_TINY, rng_seed=rng_seed), rng_seed, 0.5)
        # Without a strong sense of time, random policies run into a border and stay there.
        agent.model.weights["positions"] *= 4
        play = agent.game.play(agent.model, layouts, torch.from_numpy(seeds).double())
        outcome, _ = by_predict(agent, layouts, seeds)
        np.testing.assert_array_equal(play.outcome, outcome)
        found.append((outcome < task.max_steps).mean())
    assert np.mean(found) == 0 if name == "never found" else 0.1 < np.mean(found) < 1


def test_a_grid_policy_that_knows_the_way_takes_it() -> None:
    # A single row: going right finds treasure k in k steps, in both episodes.
    task = GridTask((1, 5), horizon=6)
    agent = PEPG(grid_policy(task), task, PEPG_TINY)
    with torch.no_grad():
        agent.model.weights["read_out"].zero_()
        agent.model.weights["read_out_bias"].copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    layouts, seeds = task.layout_space.enumerate(), draws(3, 2)
    expected = np.array([[2.0], [4.0], [6.0], [8.0]]).repeat(2, 1)
    np.testing.assert_array_equal(agent.play(layouts, seeds).outcome, expected)
    own = {name: w.detach().unsqueeze(0) for name, w in agent.model.named_weights().items()}
    rollout = GridRollout(task, agent.model, own, layouts, torch.from_numpy(seeds))
    visits = rollout.first_visits()[0, 0].tolist()
    assert visits[1:] == [1, 2, 3, 4]
    assert visits[0] == NEVER


def shortest_by_steps(task: GridTask, layouts: Array) -> Array:
    """Steps to the treasure when every free neighbour of what was reached is reached next."""
    found = np.zeros(len(layouts), int)
    for i, layout in enumerate(layouts):
        moves = transition_table(task, layout["walls"][None])[0]
        reached, goal = {task.start[0] * task.columns + task.start[1]}, layout["treasure"]
        while goal[0] * task.columns + goal[1] not in reached:
            reached |= {int(cell) for place in reached for cell in moves[place]}
            found[i] += 1
    return found


@pytest.mark.parametrize("name", ["two episodes", "three episodes", "fixed walls"])
def test_details_tell_how_many_finds_are_followed_by_shortest_paths_alone(name: str) -> None:
    task = GridTask(**GRIDS[name])
    layouts, seeds = task.layout_space.enumerate(), 4 * draws(3, 3) - 2
    shortest = shortest_by_steps(task, layouts).repeat(3)
    direct: list[bool] = []
    for rng_seed in range(6):
        agent = shaken(PEPG(grid_policy(task), task, PEPG_TINY, rng_seed=rng_seed), rng_seed, 0.5)
        agent.model.weights["positions"] *= 4
        episode, later = np.zeros(len(shortest), int), np.zeros(len(shortest), int)
        found = np.zeros(len(shortest), bool)
        for state, _, alive in steps_by_predict(agent, layouts, seeds):
            # A step counts in the episode that it was taken in.
            later += alive & (episode > 0)
            found |= (episode == 0) & (state["finds"] == 1)
            episode = state["episode"].copy()
        expected = (later == (task.num_episodes - 1) * shortest)[found]
        details = agent.game.details(agent.model, torch.from_numpy(seeds).double())
        assert details is not None
        assert details["direct"] == (expected.mean() if expected.size else None)
        outcome, _ = by_predict(agent, layouts, seeds)
        assert np.max(details["steps"]) == pytest.approx(outcome.mean(1).max(), abs=1e-3)
        direct += expected.tolist()
    assert 0 < np.mean(direct) < 1


def test_the_share_of_direct_episodes_in_a_row_by_hand() -> None:
    # Treasure 1 is found in a step, and again. Treasure 2 is found in two, but then not in two.
    for actions, share in (
        ("RRLRRRRR", 0.5),
        ("RRRRRRRR", 1.0),
        ("RULLLLLL", 0.0),
        ("LLLLLLLL", None),
    ):
        agent = blind_agent(GridTask((1, 3), horizon=4), actions)
        details = agent.game.details(agent.model, torch.zeros(2, 1))
        assert details is not None
        assert details["direct"] == share


@pytest.mark.parametrize("name", ["two episodes", "fixed walls", "many walls"])
def test_path_lengths_are_those_of_a_search_from_each_cell(name: str) -> None:
    task = GridTask(**GRIDS[name])
    walls = np.unique(some_layouts(task)["walls"], axis=0)
    lengths = path_lengths(transition_table(task, walls))
    for mask, found in zip(walls, lengths, strict=True):
        for row, column in np.argwhere(~mask):
            grid = SearchGrid.create(task.size, mask, (row, column))
            others = [r * task.columns + c for r, c in grid.cells]
            from_here = found[others, row * task.columns + column]
            np.testing.assert_array_equal(from_here, grid.distances)


def test_cells_that_cannot_be_reached_are_as_far_as_there_are_cells() -> None:
    # A corridor of two, and a cell that nothing leads to or away from.
    moves = np.array([[[1, 0, 0, 0], [1, 0, 1, 1], [2, 2, 2, 2]]])
    lengths = path_lengths(moves)
    np.testing.assert_array_equal(lengths, [[[0, 1, 3], [1, 0, 3], [3, 3, 0]]])


def test_a_grid_population_is_a_loop_over_candidates() -> None:
    task = GridTask(3, horizon=6, num_episodes=3, walls=1)
    agent = PEPG(grid_policy(task), task, PEPG_TINY)
    center = torch.nn.utils.parameters_to_vector(agent.model.parameters()).detach()
    vectors = center + 0.7 * torch.randn(5, len(center), generator=torch.Generator().manual_seed(0))
    weights = agent.unflatten(vectors.double())
    layouts = task.layout_space.sample(np.random.default_rng(0), 12)
    seeds = torch.from_numpy(draws(3, 3)).double()
    agent.model.double()
    together = agent.game.costs(agent.model, layouts, seeds, weights)
    assert together.shape == (5, 12, 3)
    assert torch.unique(together.flatten(1).mean(1)).numel() > 1
    for i in range(5):
        own = {name: w[i] for name, w in weights.items()}
        agent.model.load_state_dict({f"weights.{name}": w for name, w in own.items()})
        torch.testing.assert_close(
            agent.game.costs(agent.model, layouts, seeds), together[i], rtol=0, atol=0
        )


def test_a_batch_in_parts_is_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    task = GridTask(3, horizon=6)
    agent = PEPG(grid_policy(task), task, PEPG_TINY)
    layouts, seeds = task.layout_space.enumerate(), draws(3, 4)
    whole = agent.play(layouts, seeds).outcome
    monkeypatch.setattr("rand_agents.agents.acting.PLAY_ROWS", 100)
    np.testing.assert_array_equal(agent.play(layouts, seeds).outcome, whole)


# Sampled outputs.


def assert_frequency(frequency: Array, probability: Array, draws: int) -> None:
    """Within five standard errors."""
    error = np.sqrt(probability * (1 - probability) / draws)
    np.testing.assert_array_less(np.abs(frequency - probability), 5 * error + 1e-9)


def test_sampled_grid_steps_have_the_right_distribution() -> None:
    task = GridTask(2, horizon=3, num_episodes=2)
    agent = shaken(PEPG(grid_policy(task), task, PEPG_TINY), 3, 0.1)
    agent.model.weights["read_out"] *= 0.4
    seed = draws(3, 1)
    layouts = task.layout_space.enumerate()
    sequences = np.array(list(itertools.product(range(4), repeat=6)))
    m = 4000
    play = agent.game.play(
        agent.model,
        layouts,
        torch.from_numpy(np.repeat(seed, m, 0)).double(),
        np.random.default_rng(0),
    )
    for i, layout in enumerate(layouts):
        probability, steps = exact_steps(agent, np.repeat(layout[None], 4096), sequences, seed)
        assert probability.sum() == pytest.approx(1.0)
        expected = np.bincount(steps, probability, minlength=7)
        observed = np.bincount(play.outcome[i].astype(int), minlength=7) / m
        assert (expected > 0.01).sum() >= 2
        assert_frequency(observed, expected, m)


def exact_steps(
    agent: Agent[Any], layouts: Array, sequences: Array, seed: Array
) -> tuple[Array, Array]:
    """Probability of each sequence of actions, and the steps it uses."""
    task = rules_of(agent.task)
    state, alive = task.initial(layouts), np.ones(len(layouts), bool)
    probability = np.ones(len(layouts))
    tokens: list[Tensor] = []
    for t in range(sequences.shape[1]):
        tokens.append(agent.game.observed(task.observe(state))[:, 0].double())
        with torch.no_grad():
            logits = agent.model(torch.stack(tokens, 1), torch.from_numpy(seed).double())[:, -1]
        chosen = logits.softmax(-1).numpy()[np.arange(len(layouts)), sequences[:, t]]
        probability *= np.where(alive, chosen, 0.25)
        after, _, terminated = task.step(state[alive], sequences[alive, t])
        state[alive] = after
        alive[alive] = ~terminated
    return probability, state["steps"]


def test_sampled_recall_succeeds_with_the_product_of_its_bits() -> None:
    agent = shaken(QNorm(RECALL_POLICIES["replication"], RECALL), 0, 0.2)
    layouts, m = RECALL.layout_space.enumerate()[::31], 4000
    seeds = torch.from_numpy(np.repeat(draws(4, 1), m, 0)).double()
    play = agent.game.play(agent.model, layouts, seeds, np.random.default_rng(1))
    bits = layouts["values"][np.arange(len(layouts)), layouts["query"]]
    p = play.output[:, 0].astype(np.float64)
    assert_frequency(play.outcome.mean(1), np.where(bits == 1, p, 1 - p).prod(-1), m)


def test_sampled_coloring_succeeds_with_the_exact_probability() -> None:
    task = ColoringTask(4)
    agent = shaken(QNorm("SeedTransformer", task), 0, 0.2)
    layouts, m = task.layout_space.enumerate(), 4000
    seeds = torch.from_numpy(np.repeat(draws(4, 1), m, 0)).double()
    play = agent.game.play(agent.model, layouts, seeds, np.random.default_rng(1))
    p = play.output[:, 0].reshape(3, 4, 3).astype(np.float64)
    colorings = np.array(list(itertools.product(range(3), repeat=4)))
    proper = colorings[(colorings != np.roll(colorings, 1, 1)).all(1)]
    exact = p[:, np.arange(4), proper].prod(-1).sum(-1)
    assert_frequency(play.outcome.mean(1), exact, m)


def test_drawn_categories_follow_the_softmax_and_argmax_needs_no_generator() -> None:
    logits = torch.tensor([0.0, 1.0, -1.0]).expand(20_000, 3)
    drawn = draw_category(logits, np.random.default_rng(0)).numpy()
    assert_frequency(np.bincount(drawn) / 20_000, logits[0].softmax(-1).double().numpy(), 20_000)
    assert (draw_category(logits, None) == 1).all()


def test_sampled_predictions_follow_the_output() -> None:
    agent = QNorm(RECALL_POLICIES["replication"], RECALL, QNormConfig(), rng_seed=1)
    n = 4000
    observation = np.repeat(
        RECALL.observe(RECALL.initial(RECALL.layout_space.enumerate()[:1])), n, 0
    )
    seeds = torch.from_numpy(np.repeat(draws(4, 1), n, 0))
    empty = PolicyState(seeds, torch.zeros(n, 0, 5), torch.zeros(n).long())
    actions, _ = agent.predict(observation, empty, None, deterministic=False)
    with torch.no_grad():
        output = agent.model(agent.game.observed(observation[:1]), seeds[:1])[0, -1].sigmoid()
    assert_frequency(actions.mean(0), output.double().numpy(), n)
