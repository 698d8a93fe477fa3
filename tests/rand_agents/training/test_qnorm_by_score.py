"""QNorm in games whose costs have no gradient: from sampled play to known values."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from rand_agents import (
    PEPG,
    ObjectiveConfig,
    PEPGConfig,
    QNorm,
    QNormConfig,
    ScoreConfig,
    SeedSpec,
    load_agent,
)
from rand_agents.policies.architecture import TransformerConfig
from rand_agents.training.entropy import Thermostat
from rand_envs import Found, Player, RecallTask, Uniform
from rand_envs.core.arrays import Array
from rand_envs.games.paging import PagingTask
from rand_envs.games.patrol import PatrolTask
from tests.rand_agents.games.strangers import Automaton, Penalty

PATROL = PatrolTask(("cycle", 4), horizon=3, attack_duration=2)
SMALL = QNormConfig(
    ObjectiveConfig(q=8.0, q_start=2.0), m=4, batch_size=None, score=ScoreConfig(paths=3)
)


def worst_case(agent: QNorm, m: int = 5000) -> float:
    """The smallest mean outcome of all layouts, on seeds that trained nothing."""
    layouts = agent.task.layout_space.enumerate()
    seeds = agent.draw_seeds(np.random.default_rng(10**6), m)
    return float(agent.play(layouts, seeds).outcome.mean(1).min())


# Known values.


@pytest.mark.parametrize("policy", ["SeedTransformer", "MlpPolicy"])
def test_a_seeded_penalty_comes_near_the_value_of_a_third(policy: str) -> None:
    config = dataclasses.replace(QNorm(policy, Penalty()).config, m=32)
    agent = QNorm(policy, Penalty(), config, rng_seed=3).learn(200)
    assert 0.25 <= worst_case(agent) <= 1 / 3


@pytest.mark.parametrize("policy", ["SeedTransformer", "MlpPolicy"])
def test_a_penalty_with_a_fixed_seed_is_kept_by_whoever_knows_it(policy: str) -> None:
    config = QNormConfig(ObjectiveConfig(q=1.0), m=8, batch_size=None, learning_rate=1e-2)
    agent = QNorm(policy, Penalty(), config, seeds=SeedSpec(4, draw="fixed")).learn(100)
    assert worst_case(agent, 2) == 0.0
    layouts = Penalty().layout_space.enumerate()
    assert agent.play(layouts, np.zeros((1, 4), np.float32)).outcome.sum() == 1.0


def test_patrol_by_seeds_is_better_than_any_fixed_one() -> None:
    """On a cycle of four, attacked for two of three steps, the value is 1/2, of a fixed walk 0."""
    config = dataclasses.replace(QNorm("SeedTransformer", PATROL).config, m=32)
    agent = QNorm("SeedTransformer", PATROL, config, rng_seed=1).learn(250)
    assert 0.35 < worst_case(agent, 2000) <= 0.5


# Interruptions and files.

MAKE: dict[str, Any] = {
    "transformer": lambda: QNorm("SeedTransformer", PATROL, SMALL, rng_seed=2),
    "perceptron": lambda: QNorm("MlpPolicy", PATROL, SMALL, rng_seed=2),
    "sampled layouts": lambda: QNorm(
        "SeedTransformer", PagingTask(), dataclasses.replace(SMALL, batch_size=9)
    ),
    "seeds kept": lambda: QNorm("MlpPolicy", PATROL, dataclasses.replace(SMALL, seeds_kept=3)),
}


@pytest.mark.parametrize("name", MAKE)
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(name: str, tmp_path: Path) -> None:
    whole = MAKE[name]().learn(7)
    killed = MAKE[name]()
    killed.learn(7, callback=lambda *_: killed.num_timesteps < 4)
    resumed = QNorm.load(killed.save(tmp_path / "agent")).resume()
    assert resumed.num_timesteps == 7
    assert resumed.env_steps == whole.env_steps > 0
    for ours, theirs in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert MAKE[name]().learn(7).env_steps == whole.env_steps


def test_the_same_seed_trains_the_same_policy_and_another_one_another() -> None:
    one, same, other = (
        QNorm("MlpPolicy", PATROL, SMALL, rng_seed=k).learn(3).model.weights["read_out"]
        for k in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", MAKE)
def test_a_file_gives_back_the_agent_and_its_options(name: str, tmp_path: Path) -> None:
    agent = MAKE[name]().learn(2)
    loaded: Any = load_agent(agent.save(tmp_path / "agent"))
    assert loaded.config == agent.config
    assert loaded.config.score.paths == 3
    assert loaded.model.config == agent.model.config
    assert loaded.task.config == json.loads(json.dumps(agent.task.config))
    layouts = agent.task.layout_space.sample(np.random.default_rng(0), 30)
    seeds = agent.draw_seeds(np.random.default_rng(1), 20)
    np.testing.assert_array_equal(
        agent.play(layouts, seeds).outcome, loaded.play(layouts, seeds).outcome
    )


def test_an_agent_of_an_automaton_survives_its_file(tmp_path: Path) -> None:
    task = Automaton("box", "multibinary", rng_seed=3)
    agent = QNorm("MlpPolicy", task, SMALL).learn(2)
    loaded = QNorm.load(agent.save(tmp_path / "agent"), task)
    assert loaded.task.config == task.config
    assert loaded.task.config["rng_seed"] == 3
    with pytest.raises(ValueError, match="holds an agent for test/Automaton-v0"):
        QNorm.load(tmp_path / "agent", Automaton())


def test_weights_that_became_nan_stop_the_run_before_anything_changes() -> None:
    agent = MAKE["transformer"]()
    with torch.no_grad():
        agent.model.weights["read_out"][0, 0] = math.nan
    before = agent.model.weights["read_out_bias"].detach().clone()
    with pytest.raises(FloatingPointError, match="norm became nan; a lower learning rate may help"):
        agent.learn(1)
    assert torch.equal(agent.model.weights["read_out_bias"].detach(), before)


def test_a_logged_update_says_the_entropy() -> None:
    agent = QNorm("MlpPolicy", Penalty(), SMALL)
    logs = agent._update(0.0)
    assert 0.9 < logs["train/entropy"] <= math.log(3)
    assert logs["train/loss"] == pytest.approx(2 / 3, abs=1e-6)


def test_the_entropy_that_is_wanted_falls_to_nothing() -> None:
    config = ScoreConfig(entropy=0.2, cooling=0.5)
    wanted = [config.entropy_at(progress) for progress in (0.0, 0.375, 0.5, 1.0)]
    assert wanted == pytest.approx([0.2, 0.025, 0.0, 0.0])


def test_a_thermostat_pays_for_what_lacks_and_never_charges() -> None:
    lacking, exceeding = (Thermostat(ScoreConfig(entropy=0.5).entropy_at) for _ in range(2))
    before = lacking.worth
    for update in range(100):
        lacking.read(0.1, update / 1000)
        exceeding.read(0.9, update / 1000)
    # After a hundred updates that lacked 0.4, or a little less as the schedule falls.
    assert before + 2.0 < lacking.worth < before + 0.4 * (3.0 + 100 * 0.06)
    assert exceeding.worth == 0.0
    # Nothing was saved up by what was too much.
    exceeding.read(0.1, 0.1)
    assert exceeding.worth > 0.0


def test_without_a_schedule_entropy_is_left_alone() -> None:
    thermostat = Thermostat(None)
    for update in range(100):
        assert thermostat.worth == 0.0
        thermostat.read(0.3, update / 100)
    with pytest.raises(ValueError, match="without a schedule"):
        ScoreConfig(entropy=None).entropy_at(0.5)


def test_the_temperature_falls_by_equal_factors() -> None:
    config = ScoreConfig(temperature=0.01, cooling=0.5)
    at = (0.0, 0.25, 0.5, 1.0)
    assert [config.temperature_at(p) for p in at] == pytest.approx([1.0, 0.1, 0.01, 0.01])


def test_play_is_as_random_as_is_wanted() -> None:
    score = ScoreConfig(paths=16, entropy=0.6, temperature=1.0)
    config = dataclasses.replace(SMALL, score=score)
    agent = QNorm("SeedTransformer", Automaton(max_steps=3, rng_seed=2), config)
    lacks: list[float] = []
    read = agent._step.thermostat.read

    def watched(share: float, progress: float) -> None:
        lacks.append(config.score.entropy_at(progress) - share)
        read(share, progress)

    agent._step.thermostat.read = watched  # type: ignore[method-assign]
    agent.learn(600)
    print("lacking:", np.round(lacks[::30], 3))
    assert np.maximum(lacks[200:400], 0.0).mean() < 0.05
    assert np.maximum(lacks[-20:], 0.0).mean() < 0.05
    # It would be surer of its play, were it left alone.
    alone = QNorm(
        "SeedTransformer",
        Automaton(max_steps=3, rng_seed=2),
        dataclasses.replace(config, score=dataclasses.replace(score, entropy=None)),
    )
    entropies: list[float] = []
    alone._step.thermostat.read = lambda share, _: entropies.append(share)  # type: ignore[method-assign, assignment]
    alone.learn(600)
    held = [config.score.entropy_at(k / 600) - lack for k, lack in enumerate(lacks)]
    assert np.mean(held[200:400]) > np.mean(entropies[200:400]) + 0.05


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"paths": 0}, "paths must be at least 1, got 0"),
        ({"branches": 0}, "branches must be None or at least 1, got 0"),
        ({"entropy": -0.1}, "entropy must be None, or from 0 to 1, got -0.1"),
        ({"entropy": math.nan}, "entropy must be a number, got nan"),
        ({"temperature": 0.0}, "temperature must be above 0 and at most 1, got 0.0"),
        ({"cooling": 1.5}, "cooling must be above 0 and at most 1, got 1.5"),
    ],
)
def test_illegal_options_are_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ScoreConfig(**changes)


# Regret.


def regrets(agent: Any, m: int = 200) -> Array:
    layouts = agent.task.layout_space.enumerate()
    seeds = agent.draw_seeds(np.random.default_rng(10**6), m)
    best: Array = agent.task.best_outcome(layouts)
    regret: Array = agent.play(layouts, seeds).outcome.mean(1) - best
    return regret


@pytest.mark.parametrize("trainer", ["QNorm", "PEPG"])
def test_regret_is_what_is_minimised_if_asked_for(trainer: str) -> None:
    task = PagingTask(num_requests=4)
    best = task.best_outcome(task.layout_space.enumerate())
    assert len(set(best.tolist())) > 2
    means = []
    kinds: tuple[Literal["cost", "regret"], ...] = ("cost", "regret")
    for of in kinds:
        objective = ObjectiveConfig(q=1.0, of=of)
        if trainer == "PEPG":
            agent: Any = PEPG("SeedTransformer", task, PEPGConfig(objective, m=4, batch_size=None))
            means.append(float(agent.costs(agent.search.center[None]).mean()))
        else:
            agent = QNorm("SeedTransformer", task, dataclasses.replace(SMALL, objective=objective))
            means.append(agent._update(0.0)["train/objective"])
    # The same play, so that they differ by what was possible.
    assert means[0] - means[1] == pytest.approx(best.mean())


def test_training_for_regret_takes_the_edge_off_the_worst_sequence() -> None:
    """In the mean over sequences no pager is better than another; in the worst case it is."""
    task = PagingTask(num_requests=4)
    objective = ObjectiveConfig(q=16.0, q_start=4.0, of="regret")
    config = QNormConfig(objective, m=8, batch_size=None, learning_rate=1e-2)
    agent = QNorm("SeedTransformer", task, config, rng_seed=3)
    before, after = regrets(agent), regrets(agent.learn(80))
    print("worst and mean regret:", before.max(), before.mean(), "then", after.max(), after.mean())
    assert before.mean() == pytest.approx(1 / 3)
    assert after.mean() == pytest.approx(1 / 3)
    assert after.max() < before.max() - 0.4


def test_regret_without_a_best_outcome_is_an_error() -> None:
    config = dataclasses.replace(SMALL, objective=ObjectiveConfig(q=1.0, of="regret"))
    with pytest.raises(ValueError, match="needs best_outcome, which test/Penalty-v0 does not give"):
        QNorm("MlpPolicy", Penalty(), config)
    with pytest.raises(ValueError, match='of "cost" or "regret", got \'pity\''):
        ObjectiveConfig(of="pity")  # type: ignore[arg-type]


def test_a_layout_space_too_large_to_play_whole_asks_for_a_batch_size() -> None:
    with pytest.raises(ValueError, match="a batch_size is needed here: the layouts"):
        QNorm("MlpPolicy", PagingTask(num_requests=9), dataclasses.replace(SMALL, batch_size=None))


def test_recall_keeps_its_exact_gradient_unless_a_perceptron_plays_it() -> None:
    task = RecallTask(2, 2)
    policy = TransformerConfig(4, 2, 4)
    assert QNorm(policy, task, QNormConfig(m=2, batch_size=4)).game.differentiable
    logs = QNorm("MlpPolicy", task, SMALL)._update(0.0)
    assert "train/entropy" in logs


def test_a_run_whose_layouts_fight_back_is_resumed_to_the_bit(tmp_path: Path) -> None:
    """The adversary's state and how often it learns are in the file."""

    def started() -> QNorm:
        source = Found(PATROL.layout_space, size=8, share=0.5)
        source.learn_every, source.learn_from = 3, 2
        config = dataclasses.replace(QNorm.default_config(PATROL), m=4, batch_size=8)
        return QNorm("MlpPolicy", PATROL, config, layouts=source, rng_seed=0)

    whole = started().learn(10)
    cut = started().learn(10, lambda found, _: found["self"].num_timesteps < 4)
    assert cut.num_timesteps == 4
    resumed = QNorm.load(cut.save(tmp_path / "cut"), env=PATROL).resume()
    assert isinstance(resumed.layouts, Found)
    assert isinstance(whole.layouts, Found)
    assert (resumed.layouts.learn_every, resumed.layouts.learn_from) == (3, 2)
    assert resumed.layouts.to_json() == whole.layouts.to_json()
    for name, weight in whole.model.named_weights().items():
        assert weight.equal(resumed.model.named_weights()[name])


def test_a_source_learns_when_it_wants_to() -> None:
    class Counting(Uniform[Any]):
        learn_every, learn_from = 3, 4

        def learn(self, player: Player) -> None:
            learned.append(player.num_timesteps)  # type: ignore[attr-defined]

    learned: list[int] = []
    config = dataclasses.replace(QNorm.default_config(PATROL), m=4, batch_size=8)
    source = Counting(PATROL.layout_space)
    QNorm("MlpPolicy", PATROL, config, layouts=source).learn(12)
    assert learned == [4, 7, 10]
