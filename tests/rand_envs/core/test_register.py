import json
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence

from rand_envs import GridTask, Sweep, Task, TaskEnv, TaskVectorEnv, register
from rand_envs.core.register import TASKS, make_env
from tests.rand_envs.core.games import Penalty


@pytest.fixture(autouse=True)
def _leave_no_game_behind() -> Iterator[None]:
    before = set(TASKS)
    yield
    for env_id in set(TASKS) - before:
        del TASKS[env_id]
        gym.registry.pop(env_id, None)


def named(env_id: Any, **more: Any) -> Any:
    """A game of another class for each call, under an id."""
    return type(f"Game{len(TASKS)}", (Penalty,), {"env_id": env_id, **more})


class Goals(Penalty):
    env_id = "Goals-v0"

    def __init__(self, goals: int = 1) -> None:
        self.goals = goals


def test_a_registered_game_can_be_made() -> None:
    assert register(Penalty) is Penalty
    env = gym.make("Penalty-v0", layouts={"keeper": 1})
    assert isinstance(env.unwrapped, TaskEnv)
    assert isinstance(env.unwrapped.task, Penalty)
    for corner, goal in ((0, 1.0), (1, 0.0), (2, 1.0)):
        env.reset()
        assert env.step(corner)[1:] == (goal, True, False, {"is_success": bool(goal)})


def test_it_is_a_decorator_and_passes_arguments_on() -> None:
    @register
    class Shootout(Goals):
        env_id = "tests/Shootout-v3"

    assert gym.make("tests/Shootout-v3", goals=4).get_wrapper_attr("task").config == {"goals": 4}
    assert TASKS["tests/Shootout-v3"] is Shootout


def test_gymnasium_accepts_it() -> None:
    register(Penalty)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make("Penalty-v0").unwrapped, skip_render_check=True)


def test_many_at_once_play_as_each_alone() -> None:
    register(Penalty)
    sync = gym.make_vec("Penalty-v0", 4, vectorization_mode="sync")
    own = gym.make_vec("Penalty-v0", 4, vectorization_mode="vector_entry_point")
    assert isinstance(own, TaskVectorEnv)
    assert data_equivalence(sync.reset(seed=0), own.reset(seed=0))
    for corner in (0, 1, 2, 0, 1):
        actions = np.full(4, corner)
        assert data_equivalence(own.step(actions), sync.step(actions))


def test_a_spec_survives_json() -> None:
    register(Goals)
    env = gym.make("Goals-v0", goals=2, layouts={"keeper": 2})
    assert env.spec is not None
    twin = gym.make(EnvSpec.from_json(env.spec.to_json()))
    twin.reset()
    assert twin.get_wrapper_attr("layout").keeper == 2
    assert twin.get_wrapper_attr("task").goals == 2


ARRAYS: list[tuple[str, dict[str, Any]]] = [
    ("RandGrid-v0", {"size": np.int64(3), "walls": np.eye(3, k=2, dtype=bool)}),
    ("RandGrid-v0", {"size": 3, "layouts": {"treasure": np.array([2, 1]), "walls": []}}),
    ("RandGrid-v0", {"size": 3, "layouts": [{"treasure": (np.int8(2), 1), "walls": []}]}),
    ("RandPatrol-v0", {"graph": 1 - np.eye(4, dtype=int), "horizon": np.int32(3)}),
    ("RandPatrol-v0", {"graph": ("cycle", np.int64(5))}),
]


@pytest.mark.parametrize(("env_id", "given"), ARRAYS)
def test_arrays_in_the_arguments_keep_no_spec_from_becoming_json(
    env_id: str, given: dict[str, Any]
) -> None:
    env: Any = gym.make(env_id, **given)
    twin: Any = gym.make(EnvSpec.from_json(env.spec.to_json()))
    for vector in (False, True):
        if vector:
            env = gym.make_vec(env_id, 1, vectorization_mode="vector_entry_point", **given)
            spec = json.loads(env.spec.to_json())
            kwargs = {k: v for k, v in spec["kwargs"].items() if k != "game"}
            assert spec["id"] == env_id
            twin = gym.make_vec(env_id, **kwargs)
        assert twin.unwrapped.task.config == env.unwrapped.task.config
        assert twin.reset(seed=4)[0].tolist() == env.reset(seed=4)[0].tolist()
        name = "layouts" if vector else "layout"
        assert getattr(twin.unwrapped, name) == getattr(env.unwrapped, name)


def test_a_spec_of_a_game_that_was_not_imported_says_so() -> None:
    register(Penalty)
    spec = gym.make("Penalty-v0").spec
    assert spec is not None
    del TASKS["Penalty-v0"], gym.registry["Penalty-v0"]
    with pytest.raises(ValueError, match="Penalty-v0 must be the id of a registered task: import"):
        gym.make(spec)
    with pytest.raises(ValueError, match="registered are RandColoring-v0, "):
        make_env("Penalty-v0")


def test_a_source_of_its_layouts_can_be_given() -> None:
    register(Penalty)
    envs = gym.make_vec(
        "Penalty-v0",
        3,
        vectorization_mode="vector_entry_point",
        layouts=Sweep(Penalty.layout_space),
    )
    envs.reset()
    assert isinstance(envs.unwrapped, TaskVectorEnv)
    assert [layout.keeper for layout in envs.unwrapped.layouts] == [0, 1, 2]


def test_the_same_class_again_replaces_it() -> None:
    def cell(goals: int) -> type[Task[Any]]:
        """A notebook's cell, run again after a change."""

        class Shot(Penalty):
            env_id = "Shot-v0"
            wrong_answers = goals

        return register(Shot)

    first, second = cell(1), cell(2)
    assert first is not second
    assert gym.make("Shot-v0").get_wrapper_attr("task").wrong_answers == 2
    del gym.registry["Shot-v0"]
    cell(3)
    assert gym.make("Shot-v0").get_wrapper_attr("task").wrong_answers == 3


@pytest.mark.parametrize(
    ("env_id", "owner", "free"),
    [
        ("RandGrid-v0", "by rand_envs.games.grid.rules.GridTask", "RandGrid-v1"),
        ("CartPole-v1", "in Gymnasium", "CartPole-v2"),
    ],
)
def test_an_id_has_one_owner(env_id: str, owner: str, free: str) -> None:
    made_before = gym.make(env_id).unwrapped.__class__
    with pytest.raises(ValueError, match=rf"{env_id} of .*Game\d is taken {owner}: .* as {free}"):
        register(named(env_id))
    assert gym.make(env_id).unwrapped.__class__ is made_before


def test_a_subclass_needs_an_id_of_its_own() -> None:
    class Smaller(GridTask):
        pass

    with pytest.raises(ValueError, match=r"RandGrid-v0 of .*Smaller is taken by .*GridTask"):
        register(Smaller)
    assert TASKS["RandGrid-v0"] is GridTask


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (3, "only a subclass of rand_envs.Task can be registered, got 3"),
        (dict, "only a subclass of rand_envs.Task"),
        (Penalty(), "only a subclass of rand_envs.Task"),
        (named("Penalty"), "must have the form \"Name-v0\", got 'Penalty'"),
        (named("Penalty v0"), 'must have the form "Name-v0"'),
        (named(None), 'needs an env_id such as "Name-v0", got None'),
    ],
)
def test_what_is_no_game_is_refused(task: Any, message: str) -> None:
    before = set(TASKS)
    with pytest.raises(ValueError, match=message):
        register(task)
    assert set(TASKS) == before


def test_an_unfinished_game_is_refused() -> None:
    class Unfinished(Task[Any]):
        env_id = "Unfinished-v0"

        def observe(self, state: Any) -> Any:
            return state

    with pytest.raises(ValueError, match="Unfinished must define initial, step"):
        register(Unfinished)
    assert "Unfinished-v0" not in gym.registry


@pytest.mark.parametrize("name", ["layouts", "num_envs", "max_episode_steps", "game"])
def test_arguments_that_gymnasium_takes_are_refused(name: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def __init__(self, {name}=1): self.{name} = {name}", scope)
    with pytest.raises(ValueError, match=f"other names than those of gym.make .* got {name}"):
        register(named("Clash-v0", __init__=scope["__init__"]))
