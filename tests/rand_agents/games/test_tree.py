"""The tree of sampled play: what it holds, and the best strategy in it."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from rand_agents import SeedTransformer
from rand_agents.games.generic import TaskGame
from rand_agents.games.path.episodes import Ints, Moment
from rand_agents.games.path.plans import Plans
from rand_agents.games.path.tree import Floats, Strategy, Tree, together
from rand_agents.games.registry import game_for
from rand_envs import GridTask, PagingTask, PatrolTask
from rand_envs.core.arrays import Array
from rand_envs.core.task import Task

TASKS: dict[str, Task[Any]] = {
    "paging": PagingTask(num_requests=3),
    "patrol": PatrolTask(horizon=3),
    "grid": GridTask((2, 2), horizon=3),
}
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def played(task: Task[Any], paths: int, temperature: float = 3.0) -> tuple[list[Moment], Floats]:
    game = game_for(task)
    model = SeedTransformer(game.default_policy(), 3)
    seeds = torch.zeros(1, game.default_seeds().dim)
    rng = np.random.default_rng(5)
    layouts = task.layout_space.enumerate()
    episodes = game.sample(model, layouts, seeds, rng, paths=paths, temperature=temperature)
    return episodes.moments, episodes.costs.double().numpy()


def planned(task: Task[Any], paths: int) -> Tree:
    """The tree of play that ends where a row knows its layout."""
    game = game_for(task)
    assert isinstance(game, TaskGame)
    plans = Plans(task, game.codes, game.cost_of)
    model = SeedTransformer(game.default_policy(), 3)
    seeds = torch.zeros(1, game.default_seeds().dim)
    rng, layouts = np.random.default_rng(5), task.layout_space.enumerate()
    episodes = game.sample(model, layouts, seeds, rng, paths=paths, temperature=3.0, plans=plans)
    return Tree(episodes.moments, episodes.costs.double().numpy(), plans, episodes.end)


def replayed(task: Task[Any], strategy: Strategy) -> Floats:
    """What it costs in each layout, step by step by the rules, from what is seen."""
    game = game_for(task)
    assert isinstance(game, TaskGame)
    answers = [
        {
            (parent, token.numpy().tobytes()): (number, code)
            for number, (parent, token, code) in enumerate(
                zip(step.parents.tolist(), step.tokens, step.codes, strict=True)
            )
        }
        for step in strategy.steps
    ]
    costs = []
    for layout in task.layout_space.enumerate():
        state, mind = task.initial(np.array([layout])), 0
        for known in answers:
            token = game.codes.observations.encode(task.observe(state))[0]
            mind, code = known[mind, token.tobytes()]
            state, _, over = task.step(state, game.codes.actions.actions(code[None]))
            if over[0]:
                break
        costs.append(float(game.cost_of(torch.from_numpy(task.outcome(state)))[0]))
    return np.array(costs)


def every_history(
    moments: list[Moment], costs: Floats
) -> Iterator[tuple[int, list[bytes], list[bytes]]]:
    """Of each layout and path: the layout, and what was seen and done, step by step."""
    paths = costs.shape[1]
    for row in range(costs.size):
        seen: list[bytes] = []
        done: list[bytes] = []
        for moment in moments:
            if row in moment.rows:
                mind = moment.minds[list(moment.rows).index(row)]
                seen.append(moment.tokens[mind].numpy().tobytes())
                done.append(moment.codes[mind].numpy().tobytes())
        yield row // paths, seen, done


def least(moments: list[Moment], costs: Floats, weights: Floats) -> float:
    """The least weighted cost of a strategy, by recursion over plain tuples."""
    total = costs.reshape(-1)
    games = {
        (layout, tuple(zip(seen, done, strict=True))): weights[layout] * total[row]
        for row, (layout, seen, done) in enumerate(every_history(moments, costs))
    }

    def value(history: tuple[tuple[bytes, bytes], ...]) -> float:
        """Of all layouts that go on after a history."""
        ended = sum(float(cost) for (_, whole), cost in games.items() if whole == history)
        here = len(history)
        later = {whole for _, whole in games if whole[:here] == history and len(whole) > here}
        sights = {whole[here][0] for whole in later}
        best = 0.0
        for sight in sights:
            tried = {whole[here][1] for whole in later if whole[here][0] == sight}
            best += min(value((*history, (sight, action))) for action in tried)
        return ended + best

    return value(())


@every_task
def test_the_best_strategy_is_that_of_a_plain_recursion(task: Task[Any]) -> None:
    moments, costs = played(task, 12)
    tree = Tree(moments, costs)
    rng = np.random.default_rng(1)
    for _ in range(3):
        weights = rng.dirichlet(np.ones(len(costs)))
        best = tree.best(weights).costs @ weights
        assert best == pytest.approx(least(moments, costs, weights), abs=1e-12)
        # Recombined, paths are at least as good as the best of them is alone.
        assert best <= (weights @ costs).min() + 1e-12


@every_task
@pytest.mark.parametrize("is_planned", [False, True])
def test_a_strategy_costs_what_it_says_by_the_rules(task: Task[Any], is_planned: bool) -> None:
    tree = planned(task, 20) if is_planned else Tree(*played(task, 20))
    rng = np.random.default_rng(2)
    for _ in range(4):
        strategy = tree.strategy(tree.best(rng.dirichlet(np.ones(task.layout_space.size or 0))))
        np.testing.assert_allclose(replayed(task, strategy), strategy.costs)


def test_what_a_row_knows_costs_the_least_it_can_after_the_same_history() -> None:
    task = TASKS["grid"]
    layouts = task.layout_space.enumerate()
    tree = planned(task, 200)
    best = tree.best(np.ones(3))
    # Three cells after one another, and straight to each in the second episode.
    assert best.costs.sum() == (1 + 1) + (2 + 2) + (3 + 1)
    known = task.best_outcome(layouts)
    assert known is not None
    assert np.all(best.costs >= known)


def test_of_equal_choices_the_most_frequent_one_is_taken() -> None:
    # From its start, patrol's outcome does not depend on the last step where nothing is attacked.
    moments, costs = played(TASKS["patrol"], 40, temperature=1.0)
    tree = Tree(moments, np.zeros_like(costs))
    strategy = tree.strategy(tree.best(np.ones(len(costs))))
    first: Ints = np.bincount(moments[0].codes[moments[0].minds].numpy()[:, 0])
    assert strategy.steps[0].codes[0, 0] == first.argmax()


def test_strategies_side_by_side_keep_their_histories() -> None:
    tree = Tree(*played(TASKS["paging"], 20))
    rng = np.random.default_rng(3)
    several = [tree.strategy(tree.best(rng.dirichlet(np.ones(27)))) for _ in range(3)]
    joined = together(several)
    for number, strategy in enumerate(several):
        place: Array = np.array([number])
        for step, own in itertools.zip_longest(joined, strategy.steps):
            mine = np.isin(step.parents, place)
            assert torch.equal(step.tokens[torch.from_numpy(mine)], own.tokens)
            assert torch.equal(step.codes[torch.from_numpy(mine)], own.codes)
            np.testing.assert_array_equal(step.parents[mine], place[own.parents])
            place = np.flatnonzero(mine)
