"""A run on the command line: stopped, killed, resumed, made longer, with curves and time left."""

import os
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rand_agents import QNorm, load_agent
from rand_agents.__main__ import main
from rand_agents.app import running
from rand_agents.app.pace import Pace, clock
from tests.rand_agents.app.runs import TINY, run, same_state

each_run = pytest.mark.parametrize("name", list(TINY))


@each_run
def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one(
    name: str,
    tmp_path: Path,
    agents: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "agent.safetensors"
    kind = type(load_agent(agents[name]))
    update = kind._update

    def interrupted(agent: Any, progress: float) -> dict[str, float]:
        if agent.num_timesteps == 2:
            signal.raise_signal(signal.SIGINT)
        return update(agent, progress)

    monkeypatch.setattr(kind, "_update", interrupted)
    assert run(name, out) == 130
    monkeypatch.undo()
    # It is waited for, unless the machine is so busy that an update takes long.
    assert load_agent(out).num_timesteps in (2, 3)
    [command] = [line for line in capsys.readouterr().out.splitlines() if "--resume" in line]
    prefix, argv = shlex.split(command)[:3], shlex.split(command)[3:]
    assert prefix == ["python", "-m", "rand_agents"]
    assert main(argv) == 0
    assert same_state(out, agents[name])


def test_a_killed_run_goes_on_from_its_last_checkpoint(
    tmp_path: Path, agents: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "agent.safetensors"
    # Background jobs start with SIGINT ignored, so the handler before is what must come back.
    before = signal.getsignal(signal.SIGINT)
    update = QNorm._update

    def killed(agent: QNorm, progress: float) -> dict[str, float]:
        if agent.num_timesteps == 5:
            raise SystemExit("killed")
        return update(agent, progress)

    monkeypatch.setattr(QNorm, "_update", killed)
    with pytest.raises(SystemExit, match="killed"):
        run("recall", out)
    monkeypatch.undo()
    assert load_agent(out).num_timesteps == 4
    assert run("recall", out, "--resume") == 0
    assert same_state(out, agents["recall"])
    assert signal.getsignal(signal.SIGINT) is before


def test_resume_starts_a_run_that_has_no_file_and_leaves_a_finished_one_alone(
    tmp_path: Path, agents: dict[str, Path]
) -> None:
    out = tmp_path / "agent.safetensors"
    assert run("recall", out, "--resume") == 0
    assert same_state(out, agents["recall"])
    written = os.stat(out).st_mtime_ns
    assert run("recall", out, "--resume") == 0
    assert os.stat(out).st_mtime_ns == written


def test_an_existing_agent_is_not_overwritten_by_accident(
    tmp_path: Path,
    agents: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    failing: Callable[[list[str]], str],
) -> None:
    out = tmp_path / "agent.safetensors"
    out.write_bytes(agents["recall"].read_bytes())
    argv = [*TINY["recall"], "--updates", "6", "--out", str(out)]
    with monkeypatch.context() as patch:
        patch.setattr(QNorm, "_update", lambda *_: pytest.fail("it trained"))
        assert "--overwrite" in failing(argv)
        assert "--overwrite" in failing([*argv[:-1], str(out.with_suffix(""))])
        said = failing([*argv, "--resume", "--rng-seed", "1"])
        assert "--rng-seed 0, not 1" in said
        assert "--updates 6, not 5" in failing([*argv, "--resume", "--updates", "5"])
        assert "--game.num-pairs 2, not 3" in failing([*argv, "--resume", "--game.num-pairs", "3"])
        assert "--env RandRecall-v0" in failing([*TINY["grid"], "--resume", "--out", str(out)])
        assert "--found.share None, not 0.5" in failing([*argv, "--resume", "--found.share", "0.5"])
        assert "choose one" in failing([*argv, "--resume", "--overwrite"])
    assert same_state(out, agents["recall"])
    assert main([*argv, "--overwrite", "--rng-seed", "1"]) == 0
    assert load_agent(out).rng_seed == 1


@pytest.mark.parametrize("name", ["recall", "grid", "recall-found"])
def test_a_finished_run_is_made_longer_and_that_is_resumed_to_the_bit(
    name: str,
    tmp_path: Path,
    agents: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = load_agent(agents[name]).learn(4, reset_num_timesteps=False).save(tmp_path / "whole")
    out = tmp_path / "agent.safetensors"
    out.write_bytes(agents[name].read_bytes())
    longer = [*TINY[name], "--updates", "10", "--out", str(out), "--resume"]
    kind = type(load_agent(out))
    update = kind._update

    def interrupted(agent: Any, progress: float) -> dict[str, float]:
        if agent.num_timesteps == 8:
            signal.raise_signal(signal.SIGTERM)
        return update(agent, progress)

    monkeypatch.setattr(kind, "_update", interrupted)
    assert main(longer) == 130
    monkeypatch.undo()
    assert "going on to 10" in capsys.readouterr().out
    assert main(longer) == 0
    assert load_agent(out).num_timesteps == 10
    assert same_state(out, whole)


def test_what_is_longer_or_shorter_than_an_unfinished_run_is_another(
    tmp_path: Path, agents: dict[str, Path], failing: Callable[[list[str]], str]
) -> None:
    agent = load_agent(agents["recall"])
    agent.learn(6, lambda *_: agent.num_timesteps < 2)
    out = agent.save(tmp_path / "agent.safetensors")
    for updates in ("5", "7"):
        command = [*TINY["recall"], "--out", str(out), "--resume", "--updates", updates]
        assert f"--updates 6, not {updates}" in failing(command)
    agent.learn(2).save(out, weights_only=True)
    assert "weights alone" in failing([*command[:-1], "9"])


@pytest.mark.parametrize("name", ["recall", "grid", "grid-pepg"])
def test_an_update_that_takes_long_is_dropped_at_once(
    name: str, tmp_path: Path, agents: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "agent.safetensors"
    kind = type(load_agent(agents[name]))
    update = kind._update

    def interrupted(agent: Any, progress: float) -> dict[str, float]:
        if agent.num_timesteps == 3:
            # What an update may have done before the signal comes.
            update(agent, progress)
            signal.raise_signal(signal.SIGTERM)
            pytest.fail("the update went on")
        return update(agent, progress)

    monkeypatch.setattr(running, "SLOW", 0.0)
    monkeypatch.setattr(kind, "_update", interrupted)
    assert run(name, out) == 130
    monkeypatch.undo()
    assert load_agent(out).num_timesteps == 3
    assert run(name, out, "--resume") == 0
    assert same_state(out, agents[name])


def test_curves_go_where_it_is_said_and_go_on_there(
    tmp_path: Path, agents: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    out, curves = tmp_path / "agent.safetensors", tmp_path / "curves"
    assert run("recall", out, "--tensorboard", str(curves)) == 0
    assert f"tensorboard --logdir {curves}" in capsys.readouterr().out
    assert same_state(out, agents["recall"])
    command = [*TINY["recall"], "--updates", "8", "--out", str(out), "--resume"]
    assert main([*command, "--tensorboard", str(curves)]) == 0
    [folder] = curves.iterdir()
    events = sorted(folder.glob("events.out.tfevents.*"))
    assert len(events) == 2
    assert all(b"train/objective" in each.read_bytes() for each in events)


def test_what_is_trained_is_said_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("recall", tmp_path / "recall") == 0
    said = capsys.readouterr().out
    assert "QNorm on RandRecall-v0, for the q-norm of cost over layouts, q = 100" in said
    assert "seeds of 10" in said
    options = "--trainer pepg --pepg.search.population 4 --game.max-episode-steps 5 --updates 1"
    assert main(["train", "CartPole-v1", *options.split(), "--out", str(tmp_path / "pole")]) == 0
    said = capsys.readouterr().out
    assert "unseeded: one fixed seed" in said
    assert "for the mean cost" in said


def test_the_time_left_knows_that_parts_of_a_run_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("rand_agents.app.pace.time.monotonic", lambda: now[0])
    watched = Pace([("responses", 4), ("distillation", 10)], 0)
    assert (watched.left(), watched.phase) == ("?", "responses")
    now[0] += 300.0
    watched.tick(1)
    # The first one may have compiled.
    assert watched.left() == "?"
    for done in range(2, 5):
        now[0] += 10.0
        watched.tick(done)
        if done < 4:
            assert watched.left() == f"at least 0:{40 - 10 * done}"
    assert (watched.left(), watched.phase) == ("at least 0:00", "distillation")
    now[0] += 2.0
    watched.tick(5)
    assert watched.left() == "0:10"
    assert clock(3725.4) == "1:02:05"


def test_a_log_has_lines_with_what_is_gone_and_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rand_agents.app.pace.PATIENCE", 0.0)
    assert run("grid", tmp_path / "agent") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if " of 6 updates" in line]
    assert lines
    assert all(" gone, " in line and line.endswith(" left") for line in lines)
