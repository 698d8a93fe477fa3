"""Spoilt configurations, layouts, files and games: whatever is in them, the answer is a sentence.

`spoiling` changes data, `wrong_tasks` games. A case either works or is refused by a ValueError (or
Python's TypeError for an argument that there is not), in bounded memory.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rand_agents import MLPConfig, PEPGConfig, PSROConfig, QNormConfig, SeedSpec, TransformerConfig
from rand_agents.agents.files import Contents, read_agent, write_agent
from rand_agents.training.loading import load_agent
from rand_agents.zoo import agent_file
from rand_envs import GridTask, PatrolTask, check_task, minimax
from rand_envs.core.options import from_json
from rand_envs.core.sealed import UNSEALED, seal
from rand_envs.core.task import as_json
from rand_envs.minimax.__main__ import main as minimax_command
from rand_envs.minimax.players import player_from
from tests.conftest import CASES
from tests.rand_envs.core.wrong_tasks import wrong_task
from tests.rand_envs.games.stories import STORIES
from tests.spoiling import Rng, bounded_memory, is_sentence, spoilt

SHORT, LONG = 60, 20_000
LENGTHS = pytest.mark.parametrize(
    "cases", [SHORT, pytest.param(LONG, marks=pytest.mark.slow)], ids=["short", "long"]
)


def works_or_refuses(cases: int, case: Callable[[Rng], Any]) -> None:
    """Try so many cases; some must be refused, or there would be nothing to see."""
    refused = 0
    for number in range(cases):
        try:
            with bounded_memory():
                case(np.random.default_rng(number))
        except Exception as error:
            is_pythons = isinstance(error, TypeError) and "unexpected keyword" in str(error)
            if not (is_pythons or (isinstance(error, ValueError) and is_sentence(error))):
                error.add_note(f"case {number}")
                raise
            refused += 1
    assert refused > cases / 10


def some_game(rng: Rng) -> tuple[str, dict[str, Any]]:
    """The id and arguments of a game."""
    if rng.random() < 0.3:
        return list(CASES.values())[rng.integers(len(CASES))]
    env_id = list(STORIES)[rng.integers(len(STORIES))]
    return env_id, STORIES[env_id][1](rng)


@LENGTHS
def test_arguments_of_games(cases: int) -> None:
    def case(rng: Rng) -> None:
        env_id, arguments = some_game(rng)
        wrong = spoilt({name: as_json(value) for name, value in arguments.items()}, rng)
        env = gym.make(env_id, disable_env_checker=True, **(wrong if type(wrong) is dict else {}))
        env.reset(seed=0)
        env.step(env.action_space.sample())
        task = env.unwrapped.task  # type: ignore[attr-defined]
        assert type(task)(**json.loads(json.dumps(task.config))).config == task.config
        assert repr(task.layout_space)

    works_or_refuses(cases, case)


@LENGTHS
def test_layouts(cases: int) -> None:
    def case(rng: Rng) -> None:
        env_id, arguments = some_game(rng)
        env = gym.make(env_id, disable_env_checker=True, **arguments)
        space = env.unwrapped.task.layout_space  # type: ignore[attr-defined]
        layout = spoilt(space.unpack(space.sample(rng, 1))[0].to_json(), rng)
        env.reset(options={"layout": layout})
        env.step(env.action_space.sample())

    works_or_refuses(cases, case)


OPTIONS = (
    *(QNormConfig(), PSROConfig(), PEPGConfig(), MLPConfig(4, 2, 4), SeedSpec(3)),
    TransformerConfig(5, 4, 4, seed_placement="first"),
)


@LENGTHS
def test_options_of_trainers_policies_and_seeds(cases: int) -> None:
    def case(rng: Rng) -> None:
        options = OPTIONS[rng.integers(len(OPTIONS))]
        wrong = spoilt(json.loads(json.dumps(dataclasses.asdict(options))), rng)
        read = from_json("options", wrong, type(options))
        again = json.loads(json.dumps(dataclasses.asdict(read)))
        assert from_json("options", again, type(options)) == read

    works_or_refuses(cases, case)


def write_sealed(file: Path, data: Any) -> None:
    """As JSON with a checksum that is right, NaN and all."""
    text = json.dumps({"sha256": UNSEALED, **data} if isinstance(data, dict) else data)
    file.write_bytes(seal(text.encode()) if UNSEALED in text else text.encode())


@pytest.fixture(scope="module")
def solutions() -> list[Any]:
    return [
        minimax.load_solution(3).to_json(),
        minimax.solve_search_game(2, horizon=3).to_json(),
        minimax.bracket_search_game(3, seconds=0.1, width=5).to_json(),
        minimax.solve_task(PatrolTask(("line", 3), 3, 2)).to_json(),
        minimax.solve_task(GridTask(2, 3)).to_json(),
    ]


@LENGTHS
def test_solution_files(cases: int, solutions: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "solution.json"

    def verify(rng: Rng) -> None:
        write_sealed(file, spoilt(solutions[rng.integers(len(solutions))], rng))
        with pytest.raises(SystemExit) as ended:
            minimax_command(["verify", str(file)])
        if isinstance(ended.value.code, str):
            raise ValueError(ended.value.code)
        assert ended.value.code in (0, 1)

    def play(rng: Rng) -> None:
        write_sealed(file, spoilt(solutions[rng.integers(len(solutions))], rng))
        task, make = player_from(file)
        player = make(task)
        layouts = task.layout_space.sample(rng, 3)
        assert np.isfinite(player.play(layouts, player.draw_seeds(rng, 3)).outcome).all()

    works_or_refuses(cases, verify)
    works_or_refuses(cases, play)


@LENGTHS
def test_agent_files(cases: int, tmp_path: Path) -> None:
    whole, file = read_agent(agent_file("recall20-adv-seeded")), tmp_path / "agent.safetensors"

    def case(rng: Rng) -> None:
        facts = spoilt(whole.facts, rng)
        try:
            write_agent(file, Contents(whole.tensors, facts if type(facts) is dict else {}))
        except ValueError:
            # JSON has no NaN, and a name may be no text.
            return
        agent = load_agent(file)
        assert np.isfinite(agent.play(*some_play(agent)).outcome).all()

    works_or_refuses(cases, case)


def some_play(agent: Any) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return agent.task.layout_space.sample(rng, 2), agent.draw_seeds(rng, 2)


@LENGTHS
def test_definitions_of_tasks(cases: int) -> None:
    works_or_refuses(cases, lambda rng: check_task(wrong_task(rng)))


def test_what_is_nested_as_deeply_as_can_be_read(tmp_path: Path, solutions: list[Any]) -> None:
    deep = "[" * 900 + "]" * 900
    for data in solutions:
        for name in data:
            text = json.dumps({"sha256": UNSEALED, **data, name: "DEEP"})
            file = tmp_path / "solution.json"
            file.write_bytes(seal(text.replace('"DEEP"', deep).encode()))
            with pytest.raises(ValueError, match="nested deeper") as caught:
                player_from(file)
            assert is_sentence(caught.value)
