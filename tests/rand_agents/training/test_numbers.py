"""Numbers of NumPy anywhere: training, saving and loading are as with Python's own."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rand_agents import (
    PEPG,
    PSRO,
    ObjectiveConfig,
    PEPGConfig,
    PSROConfig,
    QNorm,
    QNormConfig,
    SearchConfig,
    SeedSpec,
    evaluate,
)
from rand_agents.agents.agent import Agent
from rand_agents.policies.mlp import MLPConfig
from rand_agents.policies.transformer import TransformerConfig
from rand_agents.training.entropy import ScoreConfig
from rand_agents.training.loading import load_agent
from rand_envs import GridTask, RecallTask
from rand_envs.adversaries import Found, FoundConfig

Number = Callable[[Any], Any]


def of_numpy(value: Any) -> Any:
    """The same options or number, of NumPy's types."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changes = {f.name: of_numpy(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **changes)
    kinds: dict[type, Any] = {bool: np.bool_, int: np.int64, float: np.float64, str: np.str_}
    return kinds.get(type(value), lambda same: same)(value)


def recall(of: Number) -> Agent[Any]:
    config = of(QNormConfig(ObjectiveConfig(q=8.0, q_start=2.0), m=3, batch_size=8, seeds_kept=2))
    space = RecallTask(2, 2).layout_space
    return QNorm(
        of(TransformerConfig(4, 2, 3)),
        RecallTask(2, 2),
        config,
        seeds=of(SeedSpec(3)),
        layouts=of(FoundConfig(size=4, num_seeds=2)).source(space, of(1)),
        rng_seed=of(2),
    )


def grid(of: Number) -> Agent[Any]:
    config = of(PEPGConfig(search=SearchConfig(population=4), m=2))
    return PEPG("SeedTransformer", GridTask(2, horizon=4), config, rng_seed=of(3))


def matrix(of: Number) -> Agent[Any]:
    config = of(PSROConfig(rounds=2, paths=4, branches=3))
    return PSRO("SeedTransformer", GridTask(2, horizon=4), config, rng_seed=of(4))


@pytest.mark.parametrize("make", [recall, grid, matrix])
def test_numpys_numbers_train_and_save_as_pythons(
    make: Callable[[Number], Agent[Any]], tmp_path: Path
) -> None:
    ours = make(lambda value: value).learn(3).save(tmp_path / "ours")
    theirs = make(of_numpy).learn(of_numpy(3)).save(tmp_path / "theirs")
    assert theirs.read_bytes() == ours.read_bytes()
    assert load_agent(theirs).num_timesteps == 3


@pytest.mark.parametrize(
    "options",
    [
        QNormConfig(),
        PSROConfig(),
        PEPGConfig(),
        SearchConfig(),
        ObjectiveConfig(),
        ScoreConfig(),
        SeedSpec(3),
        FoundConfig(),
        TransformerConfig(3, 2, 1),
        MLPConfig(3, 2, 1),
    ],
    ids=lambda options: type(options).__name__,
)
def test_every_option_takes_numpys_numbers_and_no_others(options: Any) -> None:
    again = of_numpy(options)
    assert again == options
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        assert type(getattr(again, field.name)) is type(value)
        wrongs: tuple[Any, ...] = ("1", float("nan"), [[]], 1j)
        for wrong in wrongs:
            if isinstance(value, str) and isinstance(wrong, str):
                continue
            with pytest.raises(ValueError, match=r"must be|needs"):
                dataclasses.replace(options, **{field.name: wrong})


@pytest.mark.parametrize("wrong", [None, "1", 1.5, -1, 2**64])
def test_what_is_no_integer_seed_is_refused_at_once(wrong: Any) -> None:
    task = RecallTask(2, 2)
    for make in (
        lambda: QNorm("SeedTransformer", task, rng_seed=wrong),
        lambda: SeedSpec(3, r0_rng_seed=wrong),
        lambda: Found(task.layout_space, rng_seed=wrong),
        lambda: evaluate(recall(lambda value: value), rng_seed=wrong),
    ):
        with pytest.raises(ValueError, match="rng_seed must be an integer from 0 to"):
            make()


@pytest.mark.parametrize("wrong", [None, "1", 1.5, 0, 2**54])
def test_what_is_no_number_of_updates_is_refused_at_once(wrong: Any) -> None:
    with pytest.raises(ValueError, match="total_timesteps must be an integer from 1 to"):
        recall(lambda value: value).learn(wrong)


def test_an_evaluation_with_numpys_numbers_is_written(tmp_path: Path) -> None:
    agent = recall(lambda value: value)
    numbers: dict[str, Any] = {"num_seeds": 3, "num_fresh_seeds": 4, "rng_seed": 5}
    ours = evaluate(agent, votes=(3,), **numbers)
    given = {name: of_numpy(value) for name, value in numbers.items()}
    theirs = evaluate(agent, votes=(of_numpy(3),), **given)
    for name, report in {"ours": ours, "theirs": theirs}.items():
        report.save(tmp_path / name)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
