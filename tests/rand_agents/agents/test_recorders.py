"""What records play and training elsewhere: Minari, videos, Stable-Baselines3's loggers."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import minari
import numpy as np
import pytest
from gymnasium.wrappers import RecordVideo
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure

from rand_agents import PEPG, PEPGConfig, QNorm, QNormConfig, SearchConfig
from rand_envs.core.register import TASKS

IDS = sorted(name for name, kind in TASKS.items() if kind.__module__.startswith("rand_envs."))
SMALL: dict[str, dict[str, Any]] = {
    "RandGrid-v0": {"size": 2, "horizon": 3},
    "RandRecall-v0": {"num_pairs": 2, "value_bits": 2},
}


def small(env_id: str, **more: Any) -> gym.Env[Any, Any]:
    return gym.make(env_id, **SMALL.get(env_id, {}), **more)


def agent_of(env: gym.Env[Any, Any]) -> PEPG:
    search = SearchConfig(population=4)
    return PEPG("SeedTransformer", env, PEPGConfig(search=search, m=1, batch_size=2))


def played(agent: PEPG, env: gym.Env[Any, Any], episodes: int) -> list[list[float]]:
    """The rewards of each episode."""
    returns: list[list[float]] = []
    for _ in range(episodes):
        seen, _ = env.reset(seed=len(returns))
        state, start, over, rewards = None, np.ones(1, bool), False, []
        while not over:
            action, state = agent.predict(seen, state, start)
            seen, reward, over, _, _ = env.step(action)
            start = np.zeros(1, bool)
            rewards.append(float(reward))
        returns.append(rewards)
    return returns


@pytest.mark.parametrize("env_id", IDS)
def test_minari_records_what_an_agent_plays(
    env_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    env = minari.DataCollector(small(env_id), record_infos=True)
    rewards = played(agent_of(small(env_id)), env, 3)
    data = env.create_dataset(f"{env_id.lower()}/test-v0", author="a test")
    recorded = list(minari.load_dataset(data.id))
    assert [episode.rewards.tolist() for episode in recorded] == rewards
    for episode in recorded:
        assert episode.terminations.tolist() == [False] * (len(episode) - 1) + [True]
        assert len(episode.infos["is_success"]) == len(episode) + 1
    made_again = data.recover_environment()
    assert made_again.unwrapped.task.env_id == env_id
    env.close()


@pytest.mark.filterwarnings("ignore:.*Overwriting existing videos")
def test_a_video_shows_an_agent(tmp_path: Path) -> None:
    film = RecordVideo(small("RandGrid-v0", render_mode="rgb_array"), str(tmp_path))
    evaluate_policy(agent_of(small("RandGrid-v0")), film, 1, warn=False)
    film.close()  # type: ignore[no-untyped-call]
    assert any(file.stat().st_size > 0 for file in tmp_path.glob("*.mp4"))


def test_every_format_of_stable_baselines_loggers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = QNorm("SeedTransformer", small("RandRecall-v0"), QNormConfig(m=2, batch_size=2))
    agent.set_logger(configure(str(tmp_path), ["stdout", "csv", "json", "log", "tensorboard"]))
    agent.learn(2, log_interval=1)
    assert "train/objective" in (tmp_path / "progress.csv").read_text()
    assert (tmp_path / "progress.json").read_text().count("train/objective") == 2
    assert "objective" in (tmp_path / "log.txt").read_text()
    assert "objective" in capsys.readouterr().out
    assert list(tmp_path.glob("events.out.tfevents.*"))
