"""Several processes train the agent that one would, and the first of them alone speaks."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from rand_agents import PEPG, PSRO, QNorm, QNormConfig, load_agent
from rand_agents.agents.ranks import Ranks
from rand_envs import GridTask, RecallTask
from tests.rand_agents.training.several import MAKE, Trained, run, train

CASES = [*((2, name) for name in MAKE), (4, "recall")]
SMALL = RecallTask(2, 2)


def work(rank: int, folder: Path) -> None:
    count = dist.get_world_size()
    names = [name for each, name in CASES if each == count]
    torch.save({name: vars(train(name)) for name in names}, folder / f"{rank} of {count}")
    if count == 2:
        _refuse_others()
        _resume(rank, folder)


def _refuse_others() -> None:
    agent = QNorm(
        "SeedTransformer", SMALL, QNormConfig(m=2, batch_size=4), rng_seed=dist.get_rank()
    )
    with pytest.raises(ValueError, match="that of process 1 is another than that of process 0"):
        agent.learn(1)


def _resume(rank: int, folder: Path) -> None:
    """A run that ended after two of four updates, and one that did not."""
    path = folder / "stopped.safetensors"
    agents = [QNorm("SeedTransformer", SMALL, QNormConfig(m=2, batch_size=4)) for _ in range(2)]
    agents[0].learn(4)
    agents[1].learn(4, lambda *_: agents[1].num_timesteps < 2)
    assert agents[1].num_timesteps == 2
    if rank == 0:
        agents[1].save(path)
    dist.barrier()
    resumed = load_agent(path).resume()
    assert resumed.snapshot() == agents[0].snapshot()


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, str], list[Trained]]:
    """What each process of one, two and four had in the end."""
    folder = tmp_path_factory.mktemp("ranks")
    found = {(1, name): [train(name)] for name in MAKE}
    for count in (2, 4):
        run(work, count, folder)
        files = [torch.load(folder / f"{rank} of {count}") for rank in range(count)]
        found |= {(count, n): [Trained(**file[n]) for file in files] for n in files[0]}
    return found


@pytest.mark.parametrize(("count", "name"), CASES)
def test_the_gradient_is_that_of_one_process(count: int, name: str, ends: Any) -> None:
    [alone], first = ends[1, name], ends[count, name][0]
    error = (first.gradient - alone.gradient).norm() / alone.gradient.norm()
    assert alone.gradient.norm() > 1e-3
    assert error <= 1e-6
    # Adam divides by the size of a gradient, however small it is.
    assert (first.weights - alone.weights).abs().max() <= 1e-5
    assert first.objective == pytest.approx(alone.objective, rel=1e-5)


@pytest.mark.parametrize(("count", "name"), CASES)
def test_processes_have_the_same_weights_and_the_first_calls_back(
    count: int, name: str, ends: Any
) -> None:
    first, *others = ends[count, name]
    assert all(torch.equal(other.weights, first.weights) for other in others)
    assert all(other.objective == first.objective for other in others)
    assert [end.calls for end in (first, *others)] == [3] + [0] * (count - 1)


def test_a_process_that_is_gone_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("Connection closed by peer [127.0.0.1]:1234")

    monkeypatch.setattr(dist, "broadcast", broken)
    with pytest.raises(ConnectionError, match="another process of this training is gone"):
        Ranks(0, 2).follow(True)


def test_what_cannot_be_divided_is_refused_before_training() -> None:
    agent = QNorm("SeedTransformer", SMALL, QNormConfig(m=2, batch_size=8))
    with pytest.raises(ValueError, match="8 layouts an update cannot be divided between 3 proc"):
        agent.join(Ranks(0, 3))
    # Sampled play is not divided by layouts.
    QNorm("SeedTransformer", GridTask(2, horizon=3)).join(Ranks(0, 2))
    for kind in (PSRO, PEPG):
        with pytest.raises(ValueError, match=f"{kind.__name__} trains in one process, .* of 2"):
            kind("SeedTransformer", GridTask(2, horizon=3)).join(Ranks(0, 2))
