"""Sources that fight back: how bad what they find is, and that they are oblivious."""

import json
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rand_agents import ObjectiveConfig, QNorm, QNormConfig, TransformerConfig
from rand_envs import Fixed, GridLayout, GridTask, RecallLayout, RecallTask, Sweep, Uniform
from rand_envs.adversaries.found import Found
from rand_envs.adversaries.search import (
    PlayerWithLosses,
    ascend,
    badness,
    climb,
    find_worst,
    search_worst,
)
from rand_envs.adversaries.sources import Adversary, Hedge, WorstFor
from rand_envs.adversaries.stored import restored
from rand_envs.core.player import Play
from rand_envs.games.grid.classics import GridSweep, OptimalMix, RandomGridSweep
from rand_envs.games.recall.classics import SlotMemory
from rand_envs.minimax.grid.search_grid import path_costs
from rand_envs.minimax.grid.solution import load_solution
from rand_envs.minimax.grid.solver import best_response

WALLED = GridTask(4, walls=2, horizon=40)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def rngs(n: int, seed: int = 0) -> list[np.random.Generator]:
    return [rng(seed + i) for i in range(n)]


def drawn(source: Adversary[Any], n: int, seed: int = 0) -> list[Any]:
    return source.space.unpack(source.draw(rngs(n, seed), np.arange(n)))


# The worst for a policy


def test_the_worst_layout_is_exact_where_all_can_be_tried() -> None:
    player = GridSweep(GridTask(4))
    source = WorstFor[GridLayout](player)
    assert source.kind == "exact"
    assert source.layout.treasure == (3, 0), "the end of the snake"
    assert drawn(source, 5) == [source.layout] * 5


def test_the_worst_layout_is_a_bound_where_it_was_searched_for() -> None:
    player = SlotMemory(RecallTask(6, 2), 2, random=False)
    source = WorstFor[RecallLayout](player, num_seeds=1)
    assert source.kind == "bound"
    packed = source.space.pack([source.layout])
    assert player.play(packed, np.zeros((1, 6))).outcome == 0


# Recall


@pytest.fixture(scope="module")
def forgetful() -> QNorm:
    """An agent whose memory is too small, trained for the worst layout: few are far below."""
    policy = TransformerConfig(7, 2, 10, key_size=2, value_size=2, model_size=24, seed_gain=4.0)
    config = QNormConfig(
        m=16, batch_size=128, learning_rate=5e-3, objective=ObjectiveConfig(q=30.0)
    )
    return QNorm(policy, RecallTask(5, 2), config).learn(100)


def test_the_search_in_recall_finds_the_worst_layout_of_all(forgetful: QNorm) -> None:
    space = forgetful.task.layout_space
    assert isinstance(forgetful, PlayerWithLosses)
    seeds = forgetful.draw_seeds(rng(1), 30)
    worst = badness(forgetful, space.enumerate(), seeds).max()
    risen_by = []
    for k in range(4):
        layouts = space.sample(rng(k), 8)
        scores = badness(forgetful, layouts, seeds)
        risen, risen_scores = ascend(forgetful, layouts[:2], rng(k), seeds)
        assert set(risen["query"]) == set(range(5))
        assert risen_scores == pytest.approx(badness(forgetful, risen, seeds))
        assert risen_scores.max() >= scores[:2].max()
        risen_by.append(risen_scores.max() - scores.max())
        both = [
            find(forgetful, layouts, scores, rng(k), seeds=seeds, rounds=4)
            for find in (search_worst, climb)
        ]
        assert both[0].kind == "bound"
        searched, alone = (badness(forgetful, found.layouts[:1], seeds)[0] for found in both)
        assert searched == pytest.approx(worst)
        assert searched >= alone
    assert max(risen_by) > 0


def test_losses_show_the_way_where_failures_do_not() -> None:
    # Fails just where all values are ones, which single flips never lead to without losses.
    class Picky:
        task = RecallTask(8, 2)

        def draw_seeds(self, rng: np.random.Generator, m: int) -> Any:
            return np.zeros((m, 1))

        def play(self, layouts: Any, seeds: Any) -> Play:
            ones = layouts["values"].all(axis=(1, 2))
            right = np.repeat(~ones[:, None], len(seeds), 1)
            return Play(right.astype(float), None, right[..., None].astype(np.float32))

    class Telling(Picky):
        def losses(self, layouts: Any, seeds: Any) -> Any:
            return np.repeat(layouts["values"].sum(axis=(1, 2))[:, None], len(seeds), 1)

    starts = RecallTask(8, 2).layout_space.sample(rng(), 2)
    seeds = np.zeros((1, 1))
    assert ascend(Picky(), starts, rng(), seeds)[1].max() == -1
    assert ascend(Telling(), starts, rng(), seeds)[1].min() == 0
    assert (
        len(ascend(GridSweep(GridTask(3)), GridTask(3).layout_space.enumerate(), rng(), seeds)[0])
        == 0
    )


# Hedge


def test_hedge_against_best_responses_tends_to_the_optimal_treasure() -> None:
    solution = load_solution(3)
    value, space = solution.upper, GridTask(3).layout_space
    rounds, loss_range = 2000, 10.0
    assert space.size is not None
    source = Hedge(space, Hedge.rate_for(space.size, rounds, loss_range))
    paid = 0.0
    for _ in range(rounds):
        steps, losses = _answer(solution, source.probabilities)
        assert steps == pytest.approx(source.probabilities @ losses)
        assert np.ptp(losses) <= loss_range
        paid += steps
        source.update(losses)
    lower, _ = _answer(solution, source.average)
    assert lower <= value + 1e-9
    assert value - lower <= source.regret_bound(loss_range) / rounds < 0.25
    assert paid / rounds <= lower + 1e-9, "the best response is concave in the mixture"
    assert _answer(solution, np.full(8, 1 / 8))[0] == pytest.approx(6.75)
    optimal = solution.treasure_distribution.reshape(-1)[1:]
    assert np.abs(source.average - optimal).sum() / 2 < 0.25


def _answer(solution: Any, treasure: Any) -> tuple[float, Any]:
    """Mean steps of the best response, and its steps on every treasure cell, row by row."""
    steps, path = best_response(3, np.append(0.0, treasure).reshape(3, 3))
    return steps, path_costs(solution.grid, path, 2, None)


def test_hedge_weighs_by_the_losses() -> None:
    source = Hedge(GridTask((1, 4)).layout_space, np.log(2))
    assert source.average == pytest.approx([1 / 3] * 3)
    source.update([0, 1, 2])
    assert source.probabilities == pytest.approx([1 / 7, 2 / 7, 4 / 7])
    source.update([2, 1, 0])
    assert source.probabilities == pytest.approx([1 / 3] * 3)
    assert source.average == pytest.approx(np.array([10, 13, 19]) / 42)
    source.update([0, 1000, 1000])
    cells = [layout.treasure[1] for layout in drawn(source, 400)]
    assert set(cells) == {2, 3}
    assert np.mean(np.array(cells) == 2) == pytest.approx(0.5, abs=0.1)


def test_what_hedge_refuses() -> None:
    space = GridTask(3).layout_space
    with pytest.raises(ValueError, match="learning rate must be above 0, got 0"):
        Hedge(space, 0)
    with pytest.raises(ValueError, match="losses must be 8 finite numbers"):
        Hedge(space, 1.0).update([0.0] * 7)
    with pytest.raises(ValueError, match="losses must be 8 finite numbers"):
        Hedge(space, 1.0).update([np.nan] * 8)
    with pytest.raises(ValueError, match="at most 2000000 layouts"):
        Hedge(RecallTask().layout_space, 1.0)


# All of them


def hedge() -> Hedge[Any]:
    source = Hedge(GridTask(3).layout_space, 0.1)
    source.update(np.arange(8.0))
    return source


def found() -> Found[Any]:
    source = Found(WALLED.layout_space, size=8, num_seeds=4)
    source.learn(RandomGridSweep(WALLED))
    return source


SOURCES: dict[str, tuple[Callable[[], Adversary[Any]], dict[str, Any]]] = {
    "worst": (lambda: WorstFor(RandomGridSweep(GridTask(3))), {"size": 3}),
    "hedge": (hedge, {"size": 3}),
    "found": (found, {"size": 4, "walls": 2, "horizon": 40}),
}


@pytest.fixture(params=list(SOURCES))
def named(request: Any) -> tuple[Callable[[], Adversary[Any]], dict[str, Any]]:
    return SOURCES[request.param]


def test_sources_survive_json_and_pickle(named: Any) -> None:
    source = named[0]()
    text = json.dumps(source.to_json())
    twins = [
        type(source).from_json(source.space, json.loads(text)),
        pickle.loads(pickle.dumps(source)),
    ]
    for twin in twins:
        assert twin.kind == source.kind
        assert drawn(twin, 20) == drawn(source, 20)
        assert json.dumps(twin.to_json()) == text
    with pytest.raises(ValueError, match="not of"):
        type(source).from_json(source.space, {"source": "Uniform"})


def test_stored_sources_are_for_their_own_space() -> None:
    with pytest.raises(ValueError, match="treasure"):
        WorstFor.from_json(GridTask(2).layout_space, WorstFor(GridSweep(GridTask(3))).to_json())
    with pytest.raises(ValueError, match="the space has 3 layouts, the data 8"):
        Hedge.from_json(GridTask(2).layout_space, hedge().to_json())


def test_stored_numbers_that_no_source_has_are_refused() -> None:
    known, source = WorstFor(GridSweep(GridTask(3))).to_json(), hedge()
    with pytest.raises(ValueError, match='its kind must be "exact" or "bound", got \'sure\''):
        WorstFor.from_json(GridTask(3).layout_space, known | {"kind": "sure"})
    for wrong in ([0.0] * 7, [float("nan")] * 8, [[0.0]] * 8):
        with pytest.raises(ValueError, match="summed must be one finite number for each layout"):
            Hedge.from_json(source.space, source.to_json() | {"summed": wrong})


def test_what_a_file_cannot_hold_draws_nothing() -> None:
    source = restored(GridTask(3).layout_space, {"source": "Mine", "is_missing": True})
    with pytest.raises(ValueError, match="trained on layouts of Mine, which its file cannot hold"):
        source.draw([np.random.default_rng(0)], [0])


@pytest.mark.parametrize("name", [*SOURCES, "uniform", "fixed", "sweep"])
def test_layouts_depend_neither_on_actions_nor_on_the_policys_seeds(name: str) -> None:
    cells = [{"treasure": (0, 1)}, {"treasure": (2, 2)}]
    simple: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
        "uniform": (lambda: Uniform(GridTask(3).layout_space), {"size": 3}),
        "fixed": (lambda: Fixed(GridTask(3).layout_space, cells), {"size": 3}),
        "sweep": (lambda: Sweep(GridTask(3).layout_space), {"size": 3}),
    }
    build, config = (SOURCES | simple)[name]
    # Environments that share a sweep take its layouts in the order in which they end.
    count = 1 if name == "sweep" else 3
    config = config | {"horizon": 4, "num_episodes": 1}
    sequences = []
    for policy_seed in (1, 2):
        envs = gym.make_vec("RandGrid-v0", count, "vector_entry_point", layouts=build(), **config)
        envs.reset(seed=7)
        policy = rng(policy_seed)
        inner: Any = envs.unwrapped
        seen: list[list[Any]] = [[] for _ in range(count)]
        for _ in range(60):
            for i, layout in enumerate(inner.layouts):
                seen[i].append(layout)
            envs.step(policy.integers(4, size=count))
        sequences.append([_in_order(layouts) for layouts in seen])
    for first, second in zip(*sequences, strict=True):
        shared = min(len(first), len(second))
        assert shared > 1 or name in ("worst", "fixed")
        assert first[:shared] == second[:shared]


def _in_order(layouts: list[Any]) -> list[Any]:
    """Layouts as they follow on each other: neither for how many steps nor how often in a row."""
    return [b for a, b in zip([None, *layouts], layouts, strict=False) if a != b]


def test_drawing_neither_plays_nor_learns(named: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source = named[0]()
    before = json.dumps(source.to_json())

    def played(*_: Any) -> Any:
        raise AssertionError("a draw must not play")

    monkeypatch.setattr(RandomGridSweep, "play", played)
    monkeypatch.setattr(RandomGridSweep, "draw_seeds", played)
    first = drawn(source, 10)
    drawn(source, 5, seed=50)
    assert drawn(source, 10) == first, "what was drawn in between changes nothing"
    assert json.dumps(source.to_json()) == before


def test_what_is_found_depends_on_the_seeds_distribution_alone() -> None:
    player = RandomGridSweep(GridTask(3))
    first = WorstFor[GridLayout](player).layout
    player.play(GridTask(3).layout_space.enumerate(), player.draw_seeds(rng(9), 5))
    assert WorstFor[GridLayout](player).layout == first
    fixed = WorstFor[GridLayout](GridSweep(GridTask(3))).layout
    assert fixed.treasure == (2, 2)


def test_the_optimal_mix_is_hurt_no_more_than_its_value() -> None:
    solution = load_solution(4)
    player = OptimalMix(solution)
    found = find_worst(player, rng(), seeds=player.draw_seeds(rng(1), 50))
    fresh = player.play(found.layouts[:1], player.draw_seeds(rng(2), 4000)).outcome
    assert fresh.mean() <= solution.upper + 4 * fresh.std() / 4000**0.5


def test_sources_take_legal_sizes_only() -> None:
    with pytest.raises(ValueError, match="num_seeds must be an integer of at least 1, got 0"):
        WorstFor(GridSweep(GridTask(3)), num_seeds=0)
