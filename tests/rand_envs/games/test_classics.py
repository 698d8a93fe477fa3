"""The textbook players have the values that their proofs say, through the same `evaluate`."""

from itertools import product
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rand_agents import evaluate
from rand_envs import ColoringTask, GridTask, RecallTask
from rand_envs.games.coloring.classics import SelfSelectionColoring
from rand_envs.games.coloring.layouts import ColoringSpace
from rand_envs.games.coloring.windows import CycleWindows, ordered_windows, windows_along
from rand_envs.games.grid.classics import GridSweep, GridWalker, OptimalMix, RandomGridSweep
from rand_envs.games.recall.classics import SlotMemory
from rand_envs.minimax.grid.solution import load_solution
from rand_envs.minimax.grid.solver import solve_search_game

WALLS = np.zeros((3, 4), bool)
WALLS[1, 1:3] = True

SMALL = RecallTask(4, 2)  # 1024 layouts: evaluate plays them all


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# Slot memory


@pytest.mark.parametrize("slots", [0, 1, 3, 4])
def test_random_slots_succeed_with_m_of_n_on_the_worst_layout(slots: int) -> None:
    player = SlotMemory(SMALL, slots)
    worst = evaluate(player, num_seeds=200, num_fresh_seeds=3000, rng_seed=0).worst
    assert worst.kind == "estimate"
    assert worst.ci95[0] <= player.worst_case() == slots / 4 <= worst.ci95[1]


@pytest.mark.parametrize(("slots", "value"), [(0, 0.0), (3, 0.0), (4, 1.0)])
def test_the_first_slots_fail_on_some_layout_unless_they_are_all(slots: int, value: float) -> None:
    player = SlotMemory(SMALL, slots, random=False)
    report = evaluate(player)
    assert report.num_seeds == 1
    assert report.worst.estimate == player.worst_case() == value


@pytest.mark.parametrize("slots", [1, 3])
def test_the_majority_of_slot_memories_follows_the_binomial(slots: int) -> None:
    player = SlotMemory(SMALL, slots)
    report = evaluate(player, votes=(1, 4, 15), num_seeds=10)
    # Layouts whose answer is zeros are always right; all others are alike.
    other = player.task.layout_space.enumerate()
    queried = other["values"][np.arange(len(other)), other["query"]]
    share = queried.any(axis=1).mean()
    assert report.majority is not None
    for vote in report.majority:
        exact = 1 - share + share * player.majority_success(vote.votes)
        assert vote.average.estimate == pytest.approx(exact, abs=0.35 if vote.votes < 15 else 0.2)
    by_hand = [player.play(other[-1:], player.draw_seeds(rng(k), 5)).outcome for k in range(4000)]
    right = np.mean([outcome.sum() > 2.5 for outcome in by_hand])
    assert right == pytest.approx(player.majority_success(5), abs=0.03)


def test_the_majority_formula_by_hand() -> None:
    p = SlotMemory(SMALL, 3)
    assert p.majority_success(1) == pytest.approx(3 / 4)
    assert p.majority_success(2) == pytest.approx(9 / 16), "a tie is wrong"
    assert p.majority_success(3) == pytest.approx(0.75**3 + 3 * 0.75**2 * 0.25)
    assert p.majority_success(101) > 0.999999
    assert SlotMemory(SMALL, 1).majority_success(101) < 1e-6, "more votes hurt below one half"


def test_the_slot_memory_equals_answering_in_the_environment() -> None:
    task, player = RecallTask(3, 2), SlotMemory(RecallTask(3, 2), 2)
    layouts, seeds = task.layout_space.sample(rng(), 20), player.draw_seeds(rng(1), 5)
    play = player.play(layouts, seeds)
    for (i, layout), (j, seed) in product(enumerate(layouts), enumerate(seeds)):
        state = task.initial(layouts[i : i + 1])
        kept: dict[int, Any] = {}
        for _ in range(task.max_steps):
            shown = task.observe(state)[0]
            key, value, asked = int(shown[:3].argmax()), shown[3:5], shown[5]
            if not asked and key in np.argsort(seed)[:2]:
                kept[key] = value
            answer = kept.get(key, np.zeros(2)) if asked else np.zeros(2)
            state = task.step(state, np.array([answer])).state
        assert task.outcome(state)[0] == play.outcome[i, j], layout


def test_slots_are_checked() -> None:
    with pytest.raises(ValueError, match="slots must be an integer from 0 to 4, got 5"):
        SlotMemory(SMALL, 5)


# Self-selection


def gaps(cycle: Any, seed: Any) -> list[int]:
    """Lengths of the runs of withdrawn vertices between selected ones; empty if all withdrew."""
    n = len(cycle)
    chosen = seed[cycle] < 0.5
    stays = [
        chosen[i] and not any(chosen[j] and cycle[j] > cycle[i] for j in ((i - 1) % n, (i + 1) % n))
        for i in range(n)
    ]
    places = np.flatnonzero(stays)
    return [int(b - a - 1) for a, b in zip(places, [*places[1:], *(places[:1] + n)], strict=True)]


@pytest.mark.parametrize(("num_vertices", "rounds"), [(7, 1), (7, 2), (7, 3), (6, 2), (4, 1)])
def test_a_colouring_is_proper_just_where_all_gaps_are_short(
    num_vertices: int, rounds: int
) -> None:
    player = SelfSelectionColoring(ColoringTask(num_vertices), rounds)
    layouts = player.task.layout_space.sample(rng(), 40)
    seeds = player.draw_seeds(rng(1), 30)
    outcome = player.play(layouts, seeds).outcome
    for i, j in product(range(40), range(30)):
        found = gaps(layouts["cycle"][i], seeds[j])
        assert outcome[i, j] == (bool(found) and max(found) <= 2 * rounds - 1)
    assert (num_vertices % 2 == 1 and rounds == 1) or 0 < outcome.mean() < 1


def test_the_whole_cycle_is_coloured_where_the_rounds_reach_around() -> None:
    player = SelfSelectionColoring(ColoringTask(5), 5)
    cycles = player.task.layout_space.enumerate()
    # Only where nobody selects itself is there nothing to start from.
    assert player.exact_success(cycles) == pytest.approx(np.full(12, 1 - 1 / 32))


def test_a_colour_depends_on_its_window_alone() -> None:
    task = ColoringTask(10)
    for rounds in (1, 2, 3):
        player = SelfSelectionColoring(task, rounds)
        inside, outside = np.arange(player.window), np.arange(player.window, 10)
        for k in range(50):
            order, seeds = rng(k).permutation(10), player.draw_seeds(rng(k), 20)
            far = order.copy()
            far[outside] = rng(k + 1).permutation(order[outside])
            other = seeds.copy()
            other[:, order[outside]] = rng(k + 2).random((20, len(outside)))
            colors = []
            for cycle, seed in ((order, seeds), (far, other)):
                window = windows_along(cycle[None], player.window)[0, rounds]
                assert np.array_equal(window, order[inside])
                shares = player.play(np.array([(cycle,)], task.layout_space.dtype), seed).output
                colors.append(shares.reshape(20, 10, 3)[:, rounds].argmax(-1))
            assert np.array_equal(*colors)


def test_the_exact_success_is_what_evaluation_finds() -> None:
    player = SelfSelectionColoring(ColoringTask(6), 2)
    cycles = player.task.layout_space.enumerate()
    exact = player.exact_success(cycles)
    report = evaluate(player, num_seeds=300, num_fresh_seeds=3000)
    assert report.worst.kind == "estimate"
    assert report.worst.ci95[0] <= exact.min() <= report.worst.ci95[1]
    assert report.average.ci95[0] <= exact.mean() <= report.average.ci95[1]
    # Ids that rise along the cycle make selected vertices withdraw in a row.
    assert exact.min() < exact.max()


def test_rounds_help() -> None:
    cycles = ColoringTask(8).layout_space.enumerate()[::50]
    success = [SelfSelectionColoring(ColoringTask(8), t).exact_success(cycles) for t in (1, 2, 3)]
    assert (success[0] < success[1]).all()
    assert (success[1] < success[2]).all()


def test_all_cycles_at_once_equal_one_by_one() -> None:
    player = SelfSelectionColoring(ColoringTask(7), 2)
    seeds = player.draw_seeds(rng(), 20)
    whole = player.play_all(seeds)
    direct = player.play(player.task.layout_space.enumerate(), seeds)
    assert np.array_equal(whole.outcome, direct.outcome)
    assert whole.answer is not None
    assert direct.answer is not None
    assert np.array_equal(whole.answer, direct.answer)
    assert whole.output.var(1).mean() == pytest.approx(direct.output.var(1).mean())


@pytest.mark.parametrize(("num_vertices", "size"), [(5, 5), (6, 3), (7, 5)])
def test_every_cycle_shows_its_windows(num_vertices: int, size: int) -> None:
    whole = CycleWindows(num_vertices, size)
    cycles = ColoringSpace(num_vertices).enumerate()["cycle"]
    assert np.array_equal(whole.windows[whole.seen].transpose(1, 0, 2), windows_along(cycles, size))
    assert len(np.unique(ordered_windows(num_vertices, size), axis=0)) == len(whole.windows)


def test_what_self_selection_needs() -> None:
    with pytest.raises(ValueError, match="at least 3 colours, got 2"):
        SelfSelectionColoring(ColoringTask(5, 2), 2)
    with pytest.raises(ValueError, match="rounds must be an integer of at least 1, got 0"):
        SelfSelectionColoring(ColoringTask(5), 0)
    with pytest.raises(ValueError, match="up to 16 vertices, got 17"):
        SelfSelectionColoring(ColoringTask(17), 2).exact_success(np.zeros(0))
    assert not SelfSelectionColoring(ColoringTask(11), 2).can_play_all
    assert not SelfSelectionColoring(ColoringTask(4), 2).can_play_all
    with pytest.raises(ValueError, match="windows of 5 of 4 vertices"):
        CycleWindows(4, 5)


# Grid


def exact_costs(player: OptimalMix, probabilities: Any) -> Any:
    """Mean steps on every layout, (n,), with each path's share taken once."""
    middles = probabilities.cumsum() - probabilities / 2
    layouts = player.task.layout_space.enumerate()
    return player.play(layouts, middles[:, None]).outcome @ probabilities


@pytest.mark.parametrize(
    ("size", "horizon", "value"), [(3, None, 8), (4, None, 278 / 23), (5, 25, 52 / 3)]
)
def test_the_optimal_mix_costs_the_game_value(size: int, horizon: Any, value: float) -> None:
    solution = load_solution(size, horizon)
    player = OptimalMix(solution)
    assert exact_costs(player, solution.probabilities).max() == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize(("size", "value"), [(3, 8), (4, 278 / 23)])
def test_evaluation_finds_the_game_value(size: int, value: float) -> None:
    report = evaluate(OptimalMix(load_solution(size)), num_seeds=400, num_fresh_seeds=4000)
    assert report.worst.kind == "estimate"
    assert report.worst.ci95[0] <= value <= report.worst.ci95[1]


def test_the_optimal_mix_respects_walls() -> None:
    solution = solve_search_game((3, 4), WALLS, start=(0, 1))
    player = OptimalMix(solution)
    assert isinstance(player.task.walls, np.ndarray)
    assert np.array_equal(player.task.walls, WALLS)
    costs = exact_costs(player, solution.probabilities)
    assert costs.max() == pytest.approx(solution.upper, abs=1e-6)


def test_the_snake_pays_for_its_last_cell() -> None:
    player = GridSweep(GridTask(3))
    steps = player.play(player.task.layout_space.enumerate(), np.zeros((1, 1))).outcome[:, 0]
    # Found along the rows, right, left, right, and then again by a shortest way.
    assert steps.tolist() == [1 + 1, 2 + 2, 5 + 1, 4 + 2, 3 + 3, 6 + 2, 7 + 3, 8 + 4]


def test_a_random_sweep_is_better_than_any_of_its_orders() -> None:
    task = GridTask(3)
    randomised = evaluate(RandomGridSweep(task), num_fresh_seeds=2000).worst
    fixed = [
        evaluate(GridSweep(task, order)).worst.estimate
        for order in ((0, 1, 2, 3), (2, 3, 0, 1), (3, 1, 2, 0))
    ]
    assert randomised.ci95[1] < min(fixed)
    assert randomised.ci95[0] > 8, "no player beats the game value"


def test_a_short_horizon_is_taken_up_in_the_next_episode() -> None:
    task = GridTask(3, horizon=6, num_episodes=3)
    steps = GridSweep(task).play(task.layout_space.pack([{"treasure": (2, 2)}]), np.zeros((1, 1)))
    # Six steps reach (2, 0); the next episode walks there, four steps short of the horizon.
    assert steps.outcome[0, 0] == 6 + 4 + 4


def in_environment(player: GridWalker, env: Any, layout: Any, seed: Any) -> int:
    observation, info = env.reset(options={"layout": layout}, seed=0)
    trail, over = player.begin(seed[None]), False
    while not over:
        action = player.act(trail, np.asarray(observation)[None])[0]
        observation, _, over, _, info = env.step(int(action))
    return int(info["steps"])


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (RandomGridSweep, {"size": 3}),
        (GridSweep, {"size": (2, 4), "start": (1, 2), "horizon": 5, "num_episodes": 3}),
        (RandomGridSweep, {"size": (3, 4), "walls": WALLS, "horizon": 8}),
        (RandomGridSweep, {"size": 4, "walls": 4, "horizon": 20}),
    ],
)
def test_sweeps_take_the_same_steps_in_the_environment(kind: Any, config: Any) -> None:
    player = kind(GridTask(**config))
    env = gym.make("RandGrid-v0", **config)
    layouts = player.task.layout_space.sample(rng(), 12)
    seeds = player.draw_seeds(rng(1), 3)
    steps = player.play(layouts, seeds).outcome
    for i, layout in enumerate(player.task.layout_space.unpack(layouts)):
        for j, seed in enumerate(seeds):
            assert in_environment(player, env, layout, seed) == steps[i, j]


def test_the_optimal_mix_takes_the_same_steps_in_the_environment() -> None:
    solution = load_solution(5, 25)
    player, env = OptimalMix(solution), gym.make("RandGrid-v0")
    layouts = player.task.layout_space.enumerate()
    seeds = player.draw_seeds(rng(), 3)
    steps = player.play(layouts, seeds).outcome
    for i, layout in enumerate(player.task.layout_space.unpack(layouts)):
        for j, seed in enumerate(seeds):
            assert in_environment(player, env, layout, seed) == steps[i, j]


def test_sweeps_find_every_treasure_behind_unknown_walls() -> None:
    task = GridTask(4, walls=5, horizon=60)
    layouts = task.layout_space.sample(rng(), 200)
    for player in (GridSweep(task), RandomGridSweep(task)):
        steps = player.play(layouts, player.draw_seeds(rng(), 10)).outcome
        assert steps.max() < 2 * 60


def test_a_mix_is_for_its_own_game() -> None:
    solution = load_solution(3)
    for other, name in (
        (GridTask(4), "size"),
        (GridTask(3, walls=np.arange(9).reshape(3, 3) == 4), "walls"),
        (GridTask(3, walls=1), "walls"),
        (GridTask(3, start=(1, 1)), "start"),
        (GridTask(3, num_episodes=3), "number of episodes"),
    ):
        with pytest.raises(ValueError, match=f"another {name} than the task's"):
            OptimalMix(solution, other)
    with pytest.raises(ValueError, match="another horizon"):
        OptimalMix(load_solution(5, 25), GridTask(5, horizon=20))
    with pytest.raises(ValueError, match="each of the actions 0 to 3 once"):
        GridSweep(GridTask(3), (0, 1, 2, 2))
