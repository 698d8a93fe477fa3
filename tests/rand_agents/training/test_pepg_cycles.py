"""PEPG's cycles: where they begin, where they start from, that the best of them is kept."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rand_agents import PEPG, ObjectiveConfig, PEPGConfig, SearchConfig, SeedSpec
from rand_agents.games.registry import model_of
from rand_agents.training.pepg import POLISHING_KICK
from rand_envs import GridTask, RecallTask


def agent_with(**changes: Any) -> PEPG:
    search = SearchConfig(population=10, learning_rate=0.05, final_learning_rate=0.01, std=0.3)
    config = PEPGConfig(ObjectiveConfig(q=4.0), search, m=4, **changes)
    seeds = SeedSpec(2, "bits", "distinct")
    return PEPG("SeedTransformer", GridTask(3, horizon=9), config, seeds=seeds, rng_seed=3)


def weights(agent: PEPG) -> np.ndarray[Any, np.dtype[np.float32]]:
    flat = [weight.detach().reshape(-1).numpy() for weight in agent.model.parameters()]
    return np.concatenate(flat)


def objective(agent: PEPG) -> float:
    """Exact: all layouts under all seeds."""
    seeds = agent.seeds.every()
    assert seeds is not None
    means = agent.losses(agent.task.layout_space.enumerate(), seeds).astype(np.float64).mean(1)
    return float((means**4).mean() ** 0.25)


@given(st.integers(1, 60), st.integers(1, 400), st.data())
def test_every_cycle_has_its_updates_and_its_own_progress(
    cycles: int, length: int, data: st.DataObject
) -> None:
    agent = with_cycles(cycles)
    agent._total_timesteps = cycles * length
    update = data.draw(st.integers(0, cycles * length - 1))
    cycle, progress = agent._cycle_at(update)
    assert cycle == update // length
    assert progress == pytest.approx((update % length) / length, abs=1e-12)


@functools.cache
def with_cycles(cycles: int) -> PEPG:
    return agent_with(cycles=cycles)


def test_a_cycle_begins_at_the_best_centre_shrunk_and_perturbed() -> None:
    agent = agent_with(cycles=2, shrink=0.5, perturb=0.25)
    agent.learn(2, callback=lambda _locals, _globals: False)
    agent._setbacks = 0
    best = agent._best.copy()
    state = agent._rngs["noise"].bit_generator.state
    agent._begin_cycle(0)
    rng = np.random.default_rng()
    rng.bit_generator.state = state
    fresh = model_of(agent.model.config, int(rng.integers(2**31)))
    initial = np.concatenate([w.detach().reshape(-1).numpy() for w in fresh.parameters()])
    np.testing.assert_allclose(agent.search.center, 0.5 * best + 0.25 * initial, rtol=1e-5)
    np.testing.assert_array_equal(weights(agent), agent.search.center)
    # The search's own state is that of the start, and the best centre stays what it was.
    assert agent.search.steps == 0
    assert not agent.search.velocity.any()
    assert (agent.search.std == np.float32(0.3)).all()
    np.testing.assert_array_equal(agent._best, best)


def test_where_cycles_begin_goes_by_turns_until_one_is_better() -> None:
    agent = agent_with(cycles=2, shrink=0.8, perturb=0.0)
    rng = np.random.default_rng(0)
    one, other = agent.search.candidates(agent.search.noise(rng))[:2]
    both = agent.costs(np.stack([one, other])).double().mean(-1).pow(4).mean(-1)
    better, worse = (one, other) if both[0] < both[1] else (other, one)
    agent._best = better
    distances = []
    for _ in range(5):
        agent.search.center = worse
        agent._keep_better(0)
        agent._begin_cycle(0)
        distances.append(1.0 - agent.search.center[0] / better[0])
    np.testing.assert_allclose(distances, [0.06, 0.26, 0.1, 0.2, 0.06], rtol=1e-4)
    agent._best, agent.search.center = worse, better
    agent._keep_better(0)
    agent._begin_cycle(0)
    np.testing.assert_allclose(agent.search.center, 0.8 * better, rtol=1e-5)
    # Never beyond the origin.
    agent = agent_with(cycles=2, shrink=0.1, perturb=0.0)
    agent._setbacks = 2
    agent._begin_cycle(0)
    assert not agent.search.center.any()


def test_a_cycle_leaves_the_best_policy_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = agent_with(cycles=5, shrink=0.0, perturb=1.0)
    keep = agent._keep_better
    ends: list[tuple[float, Any]] = []
    left: list[float] = []

    def keep_better(cycle: int) -> None:
        ends.append((objective(agent), weights(agent)))
        keep(cycle)

    def at_ends(_locals: dict[str, Any], _globals: dict[str, Any]) -> bool:
        np.testing.assert_array_equal(weights(agent), agent.search.center)
        if agent.num_timesteps % 4 == 0:
            left.append(objective(agent))
            # The initial weights may be the best; otherwise it is one of the ends.
            for value, end in ends:
                if value == left[-1]:
                    np.testing.assert_array_equal(weights(agent), end)
        return True

    monkeypatch.setattr(agent, "_keep_better", keep_better)
    first = objective(agent)
    agent.learn(20, callback=at_ends)
    values = [value for value, _ in ends]
    # The cycles differ, so keeping the last would not do.
    assert len({round(value, 3) for value in values}) == 5
    assert np.diff(values).max() > 0
    np.testing.assert_allclose(left, np.minimum.accumulate([first, *values])[1:], rtol=1e-6)


def test_the_better_of_two_is_kept_and_of_equals_the_earlier() -> None:
    agent = agent_with(cycles=2)
    rng = np.random.default_rng(0)
    one, other = agent.search.candidates(agent.search.noise(rng))[:2]
    agent.search.center = one
    agent._load_center()
    first = objective(agent)
    agent.search.center = other
    agent._load_center()
    assert objective(agent) != pytest.approx(first)
    better, worse = (other, one) if objective(agent) < first else (one, other)
    for best, center, kept in ((one, other, better), (other, one, better), (worse, worse, worse)):
        agent._best, agent.search.center = best.copy(), center.copy()
        agent._keep_better(0)
        np.testing.assert_array_equal(agent._best, kept)
    agent._best, agent.search.center = one.copy(), one + np.float32(1e-7)
    agent._keep_better(0)
    np.testing.assert_array_equal(agent._best, one)


def test_schedules_start_again_in_every_cycle(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    agent = agent_with(cycles=3, polishing_cycles=1, training_horizon=12)
    rate = agent._learning_rate
    monkeypatch.setattr(agent, "_learning_rate", lambda at: seen.append(rate(at)) or rate(at))
    begun = agent.env_steps
    steps = []

    def count(_locals: dict[str, Any], _globals: dict[str, Any]) -> bool:
        nonlocal begun
        steps.append(agent.env_steps - begun)
        begun = agent.env_steps
        return True

    agent.learn(6, callback=count)
    np.testing.assert_allclose(seen, [0.05, 0.03] * 3)
    # Horizons of 12 and 9; at its end a cycle's centre is compared with the best policy. The cycle
    # that polishes has the game's own horizon, and compares its best candidate as well.
    generation = 10 * 8 * 4 * 2
    policy = 8 * 4 * 2 * 9
    long, short = generation * 12, generation * 9
    assert steps == [long, short + 2 * policy] * 2 + [short, short + 3 * policy]


def test_polishing_cycles_begin_near_the_best_policy() -> None:
    # Without steps and perturbations to speak of, a cycle ends where it begins.
    search = SearchConfig(population=10, learning_rate=1e-9, std=1e-6)
    options: dict[str, Any] = {"cycles": 6, "polishing_cycles": 3, "shrink": 0.5, "perturb": 0.0}
    config = PEPGConfig(ObjectiveConfig(q=4.0), search, m=4, **options)
    task = GridTask(3, horizon=9)
    agent = PEPG("SeedTransformer", task, config, seeds=SeedSpec(2, "bits", "distinct"))
    polishing: list[bool] = []
    ratios: list[float] = []

    def look(_locals: dict[str, Any], _globals: dict[str, Any]) -> bool:
        # In the middle of a cycle; the last of its updates ends at the best policy.
        if agent.num_timesteps % 2:
            polishing.append(agent.config.is_polishing(agent._cycle_at(agent.num_timesteps)[0]))
            ratios.append(float(np.linalg.norm(agent.search.center) / np.linalg.norm(agent._best)))
        else:
            assert agent.search.center is agent._best
        return True

    agent.learn(12, callback=look)
    assert polishing == [False] * 3 + [True] * 3
    # No better, so by turns, until they polish.
    distances = [0.0, 0.3, 1.3] + [POLISHING_KICK] * 3
    np.testing.assert_allclose(ratios, [1.0 - 0.5 * d for d in distances], atol=1e-3)


def test_the_better_of_two_is_so_by_the_weight_of_its_cycle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = agent_with(cycles=2, polishing_cycles=1, detour_weights=(0.1, 2.0))
    straight, soon = agent.search.center, agent.search.center + np.float32(1.0)
    costs = torch.tensor([[[5.0], [5.0]], [[4.0], [4.0]]])
    detours = torch.tensor([[[0.0], [0.0]], [[1.0], [1.0]]])
    monkeypatch.setattr(agent, "_played", lambda *_: [costs, detours])
    for cycle, kept in ((0, soon), (1, straight)):
        agent._best, agent.search.center = straight, soon
        agent._keep_better(cycle)
        assert agent._best is kept


def test_a_centre_that_is_no_number_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = agent_with(cycles=2)
    best, agent.search.center = agent.search.center, agent.search.center + np.float32(1.0)
    costs = torch.tensor([[[5.0], [5.0]], [[torch.nan], [8.0]]])
    monkeypatch.setattr(agent, "_played", lambda *_: [costs])
    agent._keep_better(0)
    assert agent._best is best


def test_only_runs_of_several_cycles_have_a_best_centre_in_their_files() -> None:
    # Files from before there were cycles can be gone on with.
    assert "best" not in agent_with()._trainer_tensors()
    assert "best" in agent_with(cycles=2)._trainer_tensors()


def test_a_run_killed_in_its_second_cycle_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    options: dict[str, Any] = {"cycles": 3, "polishing_cycles": 2, "detour_weights": (0.1, 1.0)}
    whole = agent_with(**options).learn(9)
    killed = agent_with(**options)

    elites: dict[int, Any] = {}

    def save_at_five(_locals: dict[str, Any], _globals: dict[str, Any]) -> bool:
        elites[killed.num_timesteps] = killed._elite[0]
        if killed.num_timesteps == 5:
            killed.save(tmp_path / "agent")
        return killed.num_timesteps < 7

    killed.learn(9, callback=save_at_five)
    resumed = PEPG.load(tmp_path / "agent.safetensors")
    assert resumed.num_timesteps == 5
    # Its best candidate so far comes from before.
    np.testing.assert_array_equal(resumed._elite[0], elites[5])
    resumed.resume()
    np.testing.assert_array_equal(weights(whole), weights(resumed))
    assert whole.env_steps == resumed.env_steps


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cycles": 0}, "the number of cycles must be at least 1, got 0"),
        ({"shrink": 1.5}, "shrink must be at least 0 and at most 1, got 1.5"),
        ({"perturb": -0.1}, "perturb must be at least 0, got -0.1"),
        ({"cycles": 2, "polishing_cycles": 2}, "fewer than the 2 cycles, got 2"),
        ({"detour_weights": (0.0, 1.0)}, "without polishing_cycles the two detour_weights"),
        (
            {"cycles": 2, "polishing_cycles": 1, "detour_weights": (0.0, 1.0)},
            "that differ must be above 0, .* got 0.0 and 1.0",
        ),
        ({"detour_loss_weight": 0.5}, "without polishing_cycles detour_loss_weight must be 0"),
        ({"detour_loss_weight": -0.5}, "detour_loss_weight must be a finite .*, got -0.5"),
        ({"detour_loss_weight": float("nan")}, "detour_loss_weight must be a finite .*, got nan"),
        ({"detour_weights": (-1.0, 1.0)}, "finite numbers of at least 0, got -1.0 and 1.0"),
        ({"detour_weights": (0.0, float("inf"))}, "finite numbers of at least 0, got 0.0 and inf"),
        ({"polishing_cycles": -1}, "polishing_cycles must be at least 0"),
    ],
)
def test_cycles_that_mean_nothing_are_an_error(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        agent_with(**changes)


def test_detours_weigh_more_from_one_polishing_cycle_to_the_next() -> None:
    weights = {"detour_weights": (0.1, 0.8), "detour_loss_weight": 0.5}
    agent = agent_with(cycles=5, polishing_cycles=3, **weights)
    candidates = agent.search.candidates(agent.search.noise(np.random.default_rng(0)))
    played = agent._played(candidates, 0, 1.0)
    means = played[0].double().mean(-1)
    plain = means.pow(4).mean(-1).pow(0.25)
    every = agent.seeds.every()
    assert every is not None
    _, detours, losses = agent.game.costs_and_detours(
        agent.model,
        agent.task.layout_space.enumerate(),
        torch.from_numpy(every),
        agent.unflatten(torch.from_numpy(candidates)),
    )
    assert detours.any()
    assert losses.any()
    for cycle, weight in enumerate((0.1, 0.1, 0.2, 0.4, 0.8)):
        expected = plain + weight * detours.double().mean((-2, -1))
        if cycle >= 2:
            expected += 0.5 * losses.double().mean((-2, -1))
        weighed = agent.config.value(cycle, 1.0, *played)
        torch.testing.assert_close(weighed, expected, rtol=1e-6, atol=0.0)


def test_a_polishing_cycle_may_end_with_its_best_candidate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = agent_with(cycles=2, polishing_cycles=1, training_horizon=12)
    played: list[tuple[int, float, Any]] = []
    play = agent._played

    def remember(candidates: Any, cycle: int, progress: float) -> Any:
        parts = play(candidates, cycle, progress)
        if len(candidates) == 10:
            values = agent.config.value(1, 1.0, *parts).tolist()
            played.extend(zip([agent.num_timesteps] * 10, values, candidates, strict=True))
        return parts

    def at_ends(_locals: dict[str, Any], _globals: dict[str, Any]) -> bool:
        if agent.num_timesteps == 8:
            # The first cycle ends with its centre or where it began.
            assert not any((candidate == weights(agent)).all() for *_, candidate in played)
        return True

    monkeypatch.setattr(agent, "_played", remember)
    agent.learn(16, callback=at_ends)
    late = [(value, candidate) for update, value, candidate in played if update >= 8]
    assert len(late) == 80
    value, best = min(late, key=lambda pair: pair[0])
    assert objective(agent) == pytest.approx(value, rel=1e-6)
    np.testing.assert_array_equal(weights(agent), best)


def test_games_without_detours_take_no_weight_of_them() -> None:
    config = PEPGConfig(cycles=2, polishing_cycles=1, batch_size=2, detour_weights=(0.1, 1.0))
    with pytest.raises(ValueError, match="RandRecall-v0 has no detours, so detour_weights and"):
        PEPG("SeedTransformer", RecallTask(3, 2), config)
    config = PEPGConfig(cycles=2, polishing_cycles=1, batch_size=2, detour_loss_weight=1.0)
    with pytest.raises(ValueError, match="RandRecall-v0 has no detours, so detour_weights and"):
        PEPG("SeedTransformer", RecallTask(3, 2), config)
