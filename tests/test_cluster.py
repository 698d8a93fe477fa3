"""Ray: training runs on a cluster, and evolution by actors, are what they are without."""

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import tyro
from rich.console import Console
from stable_baselines3.common.callbacks import BaseCallback

from benchmarks.suite import killed
from benchmarks.suite.experiments import select
from benchmarks.suite.job import TASKS, jobs
from benchmarks.suite.main import Arguments
from benchmarks.suite.timing.actors import Parts, most_that_pay, per_actor
from benchmarks.suite.worker import TrainingRun
from rand_agents import PEPG, ObjectiveConfig, PEPGConfig, QNorm
from rand_agents.agents.files import Contents
from rand_agents.cluster import evolution as evolution_by_actors
from rand_agents.cluster import on_actors
from rand_agents.cluster.connection import STARTS, _init, connected, ray_module
from rand_agents.executors.following import run_all
from rand_agents.executors.ray_tasks import on_ray
from rand_agents.training.evolution import SearchConfig
from rand_agents.training.pepg import Generation, Here, Scores
from rand_envs import GridTask, PatrolTask
from rand_envs.adversaries import FoundConfig
from rand_envs.core.sealed import read_json
from tests.rand_agents.app.runs import run, same_state

ray: Any = pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[cluster]'")


@pytest.fixture(scope="module")
def cluster() -> Iterator[int]:
    """A local Ray of two workers, for all tests here: it takes seconds to start."""
    with connected(None, 2) as cpus:
        yield cpus


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def printed(to: Console) -> str:
    file = to.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


# Training runs.


def test_with_a_worker_killed_in_the_middle_results_are_those_of_processes(
    cluster: int, tmp_path: Path
) -> None:
    assert cluster == 2
    to = console()
    planned = jobs(select("smoke", tuple(TASKS)), 0, models=("adv-seeded",))
    assert killed.compare(planned, tmp_path, 2, to), printed(to)
    [name, begun] = read_json(tmp_path / "ray" / "killed.json").values()
    first, second = begun
    assert first < 0.1
    assert 0.4 < second < 0.6, "it went on from the last checkpoint"
    assert f"{name} lost its worker and goes on from its last checkpoint" in printed(to)
    assert "All 5 results and agents are equal" in printed(to)
    assert not list((tmp_path / "ray").glob(".driver-*"))


def test_a_worker_that_is_lost_three_times_ends_it_with_a_sentence(
    cluster: int, tmp_path: Path
) -> None:
    [job] = jobs(select("smoke", ("recall",)), 0, models=("erm-fixed",))
    work = killed.Killed(TrainingRun(job), times=10)
    with pytest.raises(
        ChildProcessError, match=r"the worker of recall-erm-fixed-0 was lost 3 times"
    ):
        run_all([work], tmp_path, partial(on_ray, None, 2, tmp_path), console())
    assert len(read_json(tmp_path / "killed.json")["begun_at"]) == 3


def test_a_folder_that_is_not_shared_is_refused(cluster: int, tmp_path: Path) -> None:
    [job] = jobs(select("smoke", ("recall",)), 0, models=("erm-fixed",))
    (tmp_path / "other").mkdir()

    def elsewhere(works: int) -> Any:
        return on_ray(None, 2, tmp_path, works)

    with pytest.raises(ValueError, match="must be a folder that all machines of the cluster share"):
        run_all([TrainingRun(job)], tmp_path / "other", elsewhere, console())
    assert not list((tmp_path / "other").iterdir()), "nothing was trained"


def test_one_address_is_taken_and_words_after_it_are_refused() -> None:
    assert tyro.cli(Arguments, args=[]).ray is None
    assert tyro.cli(Arguments, args=["--ray", "--processes", "2"]).ray == ()
    assert tyro.cli(Arguments, args=["--ray", "auto"]).ray == ("auto",)
    with pytest.raises(ValueError, match="one address at most"):
        Arguments(ray=("a:1", "b:2"))
    with pytest.raises(ValueError, match="not --verify"):
        Arguments(ray=(), verify=Path())


@pytest.mark.parametrize(
    ("address", "error", "says"),
    [
        ("127.0.0.1:9", ConnectionError, r"no Ray cluster answers at 127\.0\.0\.1:9"),
        ("somewhere", ValueError, "must be HOST:PORT"),
        ("host:99999", ValueError, "must be HOST:PORT"),
    ],
)
def test_an_address_that_does_not_answer_is_told(
    address: str, error: type[Exception], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Who is connected stays so.
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(error, match=says), connected(address, 1):
        pass


@pytest.mark.parametrize(
    ("address", "where", "tries"),
    [(None, "here", STARTS), ("auto", "here", 1), ("a:1", "at a:1", 1)],
)
def test_a_ray_that_does_not_start_is_told_and_a_local_one_tried_again(
    address: str | None, where: str, tries: int
) -> None:
    called: list[str] = []

    class Slow:
        def init(self, place: str, **options: Any) -> None:
            called.append(place)
            raise RuntimeError("it was too slow\nand more")

        def shutdown(self) -> None:
            called.append("shutdown")

    with pytest.raises(ConnectionError, match=f"^no Ray cluster answers {where}: it was too slow$"):
        _init(Slow(), address, {})
    assert called == [address or "local", "shutdown"] * tries


def test_without_ray_a_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"Ray is not installed here: pip install .*cluster"):
        ray_module()


def test_several_runs_of_train_are_on_ray_what_each_is_alone(
    cluster: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / f"agent-{rng_seed}.safetensors" for rng_seed in (0, 1)]
    assert run("recall", tmp_path / "agent", "--runs", "2", "--ray") == 0
    assert "2 runs, of rng_seeds 0 to 1, on Ray." in capsys.readouterr().out
    assert sorted(tmp_path.iterdir()) == files
    for rng_seed, file in enumerate(files):
        alone = tmp_path / "alone.safetensors"
        assert run("recall", alone, "--rng-seed", str(rng_seed), "--overwrite") == 0
        assert same_state(file, alone)


def test_what_is_to_be_replaced_stays_where_no_cluster_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    before = tmp_path / "agent-0.safetensors"
    before.write_bytes(b"of weeks")
    options = ["--runs", "2", "--overwrite", "--ray", "127.0.0.1:9"]
    assert run("recall", tmp_path / "agent", *options) == 2
    assert "no Ray cluster answers at 127.0.0.1:9" in capsys.readouterr().err
    assert [(path, path.read_bytes()) for path in tmp_path.iterdir()] == [(before, b"of weeks")]


# Evolution.


def evolution(**changes: Any) -> PEPG:
    """A few directions in blocks of two, and layouts that are found to hurt meanwhile."""
    task = PatrolTask(horizon=4)
    search = SearchConfig(population=10, std=0.3, learning_rate=0.1)
    config = PEPGConfig(ObjectiveConfig(q=4.0), search, m=3, batch_size=6, candidates_at_once=4)
    source = FoundConfig(share=0.5, learn_every=2).source(task.layout_space, 0)
    return PEPG("SeedTransformer", task, config, layouts=source, rng_seed=3)


class Log(BaseCallback):
    """Keeps what every generation was like; may kill an actor in between."""

    def __init__(self, kill: Callable[[int], Any] = lambda update: None) -> None:
        super().__init__()
        self.logs: list[Any] = []
        self.kill = kill

    def _on_step(self) -> bool:
        self.logs.append(dict(self.locals["logs"]))
        self.kill(self.num_timesteps)
        return True


def same(first: Contents, second: Contents) -> None:
    assert first.facts == second.facts
    for name, tensor in first.tensors.items():
        assert torch.equal(tensor, second.tensors[name]), name


def test_a_replica_is_told_objectives_alone_and_follows_to_the_bit() -> None:
    """What an actor does, beside the agent in one process."""
    replica, fingerprint = evolution_by_actors.Replica(), evolution_by_actors.fingerprint
    played: list[int] = []

    class Beside(Here):
        objective: Any = None

        def scores(self, agent: PEPG, generation: Generation) -> Scores:
            found, message = super().scores(agent, generation), None
            if self.objective is None:
                replica.take(agent.copy(), replace(generation, noise=generation.noise[:0]))
            else:
                message = (self.objective, agent.num_timesteps, generation.progress)
            said, scores = replica.play(message, agent.blocks())
            assert said == fingerprint(agent, generation)
            assert np.concatenate(scores, 1).tobytes() == found.tobytes()
            self.objective = found[..., 0].ravel()
            played.append(agent.num_timesteps)
            return found

    agent = evolution()
    agent.players = Beside()
    agent.learn(5)
    assert played == [0, 1, 2, 3, 4]
    assert replica.agent is not agent
    assert replica.agent.search.center.tobytes() != evolution().search.center.tobytes()


def test_generations_of_any_number_of_actors_are_those_of_none(
    cluster: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, log = evolution(), Log()
    here.learn(4, log)
    alone, seen = evolution(), Log()
    with on_actors(alone, 1):
        alone.learn(4, seen)
    assert seen.logs == log.logs
    same(alone.contents(), here.contents())
    assert not np.array_equal(here.search.center, evolution().search.center)
    assert isinstance(alone.players, Here)

    here.learn(2)
    agent = evolution()
    with on_actors(agent, 2) as actors:
        # One of them is lost on the way.
        kill = Log(lambda update: update == 2 and ray.kill(actors.handles[1]))
        agent.learn(4, kill)
        # Another run of the same agent.
        agent.learn(2)
        assert kill.logs == log.logs
        same(agent.contents(), here.contents())
        with pytest.raises(RuntimeError, match="search is not the agent's"):
            agent.learn(
                2, lambda *_: bool(np.multiply(agent.search.std, 2, agent.search.std).any())
            )
        monkeypatch.setattr(evolution_by_actors, "MAX_LOSSES", 2)
        with pytest.raises(ChildProcessError, match="an actor was lost 2 times"):
            agent.learn(2, Log(lambda _: ray.kill(actors.handles[1])))


def test_what_actors_cannot_play_is_refused(cluster: int) -> None:
    sentence = "3 actors need a CPU each, and the cluster has 2"
    with pytest.raises(ValueError, match=sentence), on_actors(evolution(), 3):
        pass
    other: Any = QNorm("SeedTransformer", GridTask((2, 2), horizon=3))
    with pytest.raises(ValueError, match="not of QNorm on RandGrid-v0"), on_actors(other, 1):
        pass


def test_as_many_actors_pay_as_make_a_generation_shortest() -> None:
    overhead = {1: 0.002, 2: 0.003, 4: 0.005}
    parts = Parts(10, 0.4, 0.1, 0.5, {}, overhead, sent=1, received=1, state=1)
    call = per_actor(parts)
    assert call == pytest.approx(0.001)
    seconds = {n: parts.play / n + parts.follow + n * call for n in range(1, 100)}
    assert most_that_pay(parts, call) == min(seconds, key=lambda n: seconds[n]) == 20
