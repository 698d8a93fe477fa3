import copy
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rand_envs import (
    ColoringTask,
    Fixed,
    GridLayout,
    GridTask,
    LayoutSource,
    RecallTask,
    Sweep,
    Task,
    Uniform,
)
from rand_envs.core.register import make_vector_env
from rand_envs.core.sources import as_source, pack_for

SPACE = GridTask(3).layout_space
CELLS = [GridLayout((i // 3, i % 3)) for i in range(1, 9)]


def draws(source: LayoutSource[Any], n: int, env_ids: Any = None) -> list[GridLayout]:
    rngs = [np.random.default_rng(i) for i in range(n)]
    return source.space.unpack(source.draw(rngs, np.arange(n) if env_ids is None else env_ids))


def test_uniform_draws_by_each_environments_own_generator() -> None:
    together = [np.random.default_rng(i) for i in range(4)]
    alone = [np.random.default_rng(i) for i in range(4)]
    source = Uniform(SPACE)
    for _ in range(3):
        drawn = source.draw(together, np.arange(4))
        each = [source.draw([rng], np.zeros(1, int)) for rng in alone]
        assert np.array_equal(drawn, np.concatenate(each))
    assert len(set(draws(source, 100))) == 8


def test_fixed_gives_each_environment_its_own() -> None:
    assert draws(Fixed(SPACE, CELLS[3]), 3) == [CELLS[3]] * 3
    source = Fixed(SPACE, CELLS[:3])
    assert draws(source, 5) == [CELLS[i] for i in (0, 1, 2, 0, 1)]
    assert draws(source, 2, [1, 2]) == [CELLS[1], CELLS[2]]
    assert draws(Fixed(SPACE, {"treasure": [2, 2]}), 1) == [GridLayout((2, 2))]


def test_fixed_needs_a_layout() -> None:
    with pytest.raises(ValueError, match="at least one layout"):
        Fixed(SPACE, [])


def test_sweep_gives_all_in_turn() -> None:
    source = Sweep(SPACE)
    assert draws(source, 3) + draws(source, 4) + draws(source, 3) == CELLS + CELLS[:2]
    source.restart()
    assert draws(source, 20) == (CELLS * 3)[:20]


def test_the_cursor_of_a_sweep_is_pickled_and_copied() -> None:
    source = Sweep(SPACE)
    draws(source, 3)
    for twin in (pickle.loads(pickle.dumps(source)), copy.deepcopy(source)):
        assert draws(twin, 2) == CELLS[3:5]
    assert draws(source, 1) == [CELLS[3]]


def test_environments_share_one_source() -> None:
    source = Sweep(SPACE)
    envs = [gym.make("RandGrid-v0", size=3, layouts=source) for _ in range(3)]
    seen = []
    for env in envs * 2:
        env.reset(seed=0)
        seen.append(env.get_wrapper_attr("layout"))
    assert seen == CELLS[:6]
    assert envs[0].get_wrapper_attr("source") is source


def test_a_source_of_ones_own_persists_through_autoreset() -> None:
    class FarAway(LayoutSource[GridLayout]):
        def __init__(self) -> None:
            super().__init__(SPACE)
            self.asked: list[list[int]] = []

        def draw(self, rngs: Any, env_ids: Any) -> Any:
            self.asked.append(np.asarray(env_ids).tolist())
            return self.space.pack([CELLS[-1]] * len(rngs))

    source = FarAway()
    envs = make_vector_env("RandGrid-v0", 3, size=3, horizon=2, num_episodes=1, layouts=source)
    envs.reset(seed=0)
    for _ in range(6):
        envs.step([1, 1, 1])
        assert envs.layouts == [CELLS[-1]] * 3
    assert source.asked == [[0, 1, 2]] * 3


def test_what_an_environment_takes_for_layouts() -> None:
    assert isinstance(as_source(None, SPACE), Uniform)
    assert draws(as_source(CELLS[2], SPACE), 2) == [CELLS[2]] * 2
    assert draws(as_source({"treasure": [0, 1]}, SPACE), 1) == [CELLS[0]]
    assert draws(as_source(CELLS[:2], SPACE, 2), 2) == CELLS[:2]
    sweep = Sweep(SPACE)
    assert as_source(sweep, SPACE) is sweep


def test_packing_for_environments() -> None:
    assert SPACE.unpack(pack_for(3, CELLS[1], SPACE)) == [CELLS[1]] * 3
    assert SPACE.unpack(pack_for(2, CELLS[1:3], SPACE)) == CELLS[1:3]
    with pytest.raises(ValueError, match="each of the 3 environments, got 2"):
        pack_for(3, CELLS[:2], SPACE)


@pytest.mark.parametrize(
    "task",
    [
        GridTask(4),
        GridTask(3, start=(1, 1)),
        GridTask(3, walls=1),
        GridTask(3, walls=np.arange(9).reshape(3, 3) == 4),
        ColoringTask(),
        RecallTask(),
    ],
)
def test_sources_of_other_games_are_refused(task: Any) -> None:
    with pytest.raises(ValueError, match="must be for the layouts of the environment"):
        as_source(Uniform(task.layout_space), SPACE)


def test_sources_of_an_equal_game_are_taken() -> None:
    builds: list[Callable[[], Task[Any]]] = [
        lambda: GridTask(3),
        lambda: GridTask(3, walls=2),
        ColoringTask,
        RecallTask,
    ]
    for build in builds:
        source = Uniform(build().layout_space)
        assert as_source(source, build().layout_space) is source
