"""Every callback that Stable-Baselines3 ships, its loggers, and its folders of curves."""

import csv
import inspect
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common import callbacks as sb3
from stable_baselines3.common.logger import configure

from rand_agents import PEPG, QNorm, QNormConfig
from rand_agents.agents import learning
from rand_envs import ColoringTask, RecallTask

CONFIG = QNormConfig(m=3, batch_size=8)
PLAYED = 3 * 8
"""Instances of an update."""


def agent(**more: Any) -> QNorm:
    return QNorm("SeedTransformer", RecallTask(2, 2), CONFIG, **more)


def evaluating(**more: Any) -> sb3.EvalCallback:
    env = gym.make("RandRecall-v0", num_pairs=2, value_bits=2)
    return sb3.EvalCallback(env, eval_freq=2, n_eval_episodes=4, verbose=0, warn=False, **more)


class Counting(sb3.BaseCallback):
    """Of somebody's own: remembers what it was called for."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def _on_training_start(self) -> None:
        self.said.append(f"start {self.num_timesteps}")

    def _on_rollout_start(self) -> None:
        self.said.append("rollout")

    def _on_step(self) -> bool:
        self.said.append(f"step {self.num_timesteps}")
        return True

    def _on_training_end(self) -> None:
        self.said.append("end")


class Triggered(sb3.EventCallback):
    """An event at every second update."""

    def _on_step(self) -> bool:
        return self._on_event() if self.num_timesteps % 2 == 0 else True


def stop_at_two(locals_: dict[str, Any], globals_: dict[str, Any]) -> bool:
    return bool(locals_["self"].num_timesteps < 2)


# What each does in a run of six updates: how many are done.
WORKING: dict[str, tuple[Callable[[Path], Any], int]] = {
    "BaseCallback": (lambda _: Counting(), 6),
    "EventCallback": (lambda _: Triggered(sb3.ConvertCallback(stop_at_two)), 2),
    "CallbackList": (lambda _: sb3.CallbackList([Counting(), Counting()]), 6),
    "CheckpointCallback": (
        lambda out: sb3.CheckpointCallback(3, str(out), "mine", True, True, verbose=2),
        6,
    ),
    "ConvertCallback": (lambda _: sb3.ConvertCallback(stop_at_two), 2),
    "EvalCallback": (
        lambda out: evaluating(log_path=str(out), best_model_save_path=str(out)),
        6,
    ),
    "StopTrainingOnRewardThreshold": (
        lambda _: evaluating(callback_on_new_best=sb3.StopTrainingOnRewardThreshold(-1.0)),
        2,
    ),
    "EveryNTimesteps": (lambda _: sb3.EveryNTimesteps(3, sb3.ConvertCallback(stop_at_two)), 3),
    "LogEveryNTimesteps": (lambda _: sb3.LogEveryNTimesteps(2), 6),
    "StopTrainingOnMaxEpisodes": (lambda _: sb3.StopTrainingOnMaxEpisodes(PLAYED * 2 + 1), 3),
    "StopTrainingOnNoModelImprovement": (
        # No mean is above infinity, so that no evaluation is an improvement.
        lambda _: evaluating(callback_after_eval=never_improving()),
        4,
    ),
    "ProgressBarCallback": (lambda _: sb3.ProgressBarCallback(), 6),
}


def never_improving() -> sb3.StopTrainingOnNoModelImprovement:
    hook = sb3.StopTrainingOnNoModelImprovement(1)
    hook.last_best_mean_reward = np.inf
    hook._on_step = lambda: _keeping(hook)  # type: ignore[method-assign]
    return hook


def _keeping(hook: sb3.StopTrainingOnNoModelImprovement) -> bool:
    hook.last_best_mean_reward = np.inf
    return sb3.StopTrainingOnNoModelImprovement._on_step(hook)


def test_all_that_are_shipped_are_tried() -> None:
    shipped = {
        name
        for name, kind in inspect.getmembers(sb3, inspect.isclass)
        if issubclass(kind, sb3.BaseCallback)
    }
    assert shipped == set(WORKING)


@pytest.mark.parametrize("name", WORKING)
def test_each_works_inside_learn_and_resume(name: str, tmp_path: Path) -> None:
    make, updates = WORKING[name]
    learned = agent().learn(6, make(tmp_path / "out"))
    assert learned.num_timesteps == updates
    resumed = agent().learn(6, stop_at_two)
    resumed.resume(make(tmp_path / "again"))
    assert 2 < resumed.num_timesteps <= 6


def test_a_callback_is_called_as_it_is_in_stable_baselines() -> None:
    hook = Counting()
    agent().learn(2, hook)
    assert hook.said == ["start 0", "rollout", "step 1", "step 2", "end"]
    assert {"self", "total_timesteps", "tb_log_name", "dones"} <= set(hook.locals)


def test_checkpoints_can_be_loaded(tmp_path: Path) -> None:
    agent().learn(6, sb3.CheckpointCallback(3, str(tmp_path), "mine"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "mine_3_steps.zip",
        "mine_6_steps.zip",
    ]
    assert QNorm.load(tmp_path / "mine_3_steps.zip").num_timesteps == 3


def test_dones_are_all_that_was_played() -> None:
    """Of each instance the last step: m seeds on each layout of the batch."""
    hook = sb3.StopTrainingOnMaxEpisodes(10**9)
    agent().learn(5, hook)
    assert hook.n_episodes == 5 * PLAYED
    coloring = QNorm("SeedTransformer", ColoringTask(5), CONFIG).learn(5, hook)
    assert coloring.env_steps == 5 * PLAYED


def test_every_n_updates_are_logged(tmp_path: Path) -> None:
    learner = agent()
    learner.set_logger(configure(str(tmp_path), ["csv"]))
    learner.learn(6, sb3.LogEveryNTimesteps(2))
    lines = (tmp_path / "progress.csv").read_text().splitlines()
    place = lines[0].split(",").index("time/timesteps")
    assert [line.split(",")[place] for line in lines[1:]] == ["2", "4", "6"]
    assert "train/objective" in lines[0]


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (sb3.StopTrainingOnRewardThreshold(1.0), "Threshold looks at evaluations: give it to an E"),
        (sb3.StopTrainingOnNoModelImprovement(1), "Improvement looks at evaluations"),
        ([Counting(), sb3.StopTrainingOnRewardThreshold(1.0)], "looks at evaluations"),
        (sb3.CallbackList([sb3.StopTrainingOnRewardThreshold(1.0)]), "looks at evaluations"),
        (
            sb3.EveryNTimesteps(2, sb3.StopTrainingOnRewardThreshold(1.0)),
            "looks at evaluations",
        ),
        (5, "a callback must be Stable-Baselines3's or a function, got 5"),
        ([Counting(), "log"], "a callback must be Stable-Baselines3's or a function, got 'log'"),
    ],
)
def test_what_cannot_be_called_is_refused_before_training(callback: Any, message: str) -> None:
    learner = agent()
    trainings: list[Callable[[], Any]] = [
        lambda: learner.learn(2, callback),
        lambda: learner.resume(callback),
    ]
    for train in trainings:
        with pytest.raises(ValueError, match=message):
            train()
        assert (learner.num_timesteps, learner.total_timesteps, learner.env_steps) == (0, 0, 0)


# Loggers.


def folders(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


def curves(path: Path) -> int:
    return sum(1 for _ in path.glob("events.out.tfevents.*"))


def test_each_learn_has_its_folder_of_curves(tmp_path: Path) -> None:
    learner = agent(tensorboard_log=str(tmp_path))
    learner.learn(2, log_interval=1, tb_log_name="first")
    learner.learn(2, log_interval=1, tb_log_name="second")
    assert folders(tmp_path) == ["first_1", "second_1"]
    learner.learn(2, log_interval=1, tb_log_name="second")
    assert folders(tmp_path) == ["first_1", "second_1", "second_2"]
    learner.learn(2, log_interval=1, tb_log_name="second", reset_num_timesteps=False)
    assert folders(tmp_path) == ["first_1", "second_1", "second_2"]
    assert [curves(tmp_path / name) for name in folders(tmp_path)] == [1, 1, 2]


def test_a_resumed_run_goes_on_in_its_folder(tmp_path: Path) -> None:
    learner = agent(tensorboard_log=str(tmp_path))
    learner.learn(4, stop_at_two, tb_log_name="mine")
    learner.resume(log_interval=1)
    file = learner.save(tmp_path / "agent")
    assert curves(tmp_path / "mine_1") == 2
    loaded = QNorm.load(file, tensorboard_log=str(tmp_path / "of loaded"))
    loaded.learn(2, log_interval=1, tb_log_name="mine")
    assert folders(tmp_path / "of loaded") == ["mine_1"]
    loaded.resume(tb_log_name="mine")
    assert folders(tmp_path / "of loaded") == ["mine_1"]
    assert QNorm.load(file).tensorboard_log is None


def test_verbose_may_be_set_later(capsys: pytest.CaptureFixture[str]) -> None:
    learner = agent().learn(1, log_interval=1)
    assert capsys.readouterr().out == ""
    learner.verbose = 1
    learner.learn(1, log_interval=1)
    assert "objective" in capsys.readouterr().out
    learner.verbose = 0
    learner.learn(1, log_interval=1)
    assert capsys.readouterr().out == ""


def test_a_logger_of_ones_own_stays(tmp_path: Path) -> None:
    learner = agent(tensorboard_log=str(tmp_path / "curves"), verbose=1)
    own = configure(str(tmp_path / "own"), ["csv"])
    learner.set_logger(own)
    learner.learn(1).learn(1)
    assert learner.logger is own
    assert not (tmp_path / "curves").exists()


@pytest.mark.parametrize("verbose", [0, 1])
def test_learning_leaves_nothing_in_the_temporary_folder(
    verbose: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    learner = agent(verbose=verbose)
    learner.learn(2, log_interval=1).learn(2, log_interval=1)
    learner.resume()
    assert folders(tmp_path) == []
    assert learner.logger.get_dir() is None


def test_logs_come_by_time_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def logged(name: str, **more: Any) -> list[str]:
        learner = agent()
        learner.set_logger(configure(str(tmp_path / name), ["csv"]))
        learner.learn(3, **more)
        with (tmp_path / name / "progress.csv").open() as file:
            return [row["time/timesteps"] for row in csv.DictReader(file)]

    assert logged("quick") == ["3"]
    monkeypatch.setattr(learning, "SILENCE", 0.0)
    assert logged("slow") == ["1", "2", "3"]
    assert logged("as told", log_interval=2) == ["2"]


def test_a_log_begins_with_what_is_trained(capsys: pytest.CaptureFixture[str]) -> None:
    agent(verbose=1).learn(1)
    assert capsys.readouterr().out.startswith("QNorm on RandRecall-v0, for the q-norm of cost")
    pole = PEPG("MlpPolicy", "CartPole-v1")
    assert "unseeded: one fixed seed" in pole.summary
    assert "for the mean cost" in pole.summary
