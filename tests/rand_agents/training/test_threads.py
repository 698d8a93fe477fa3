"""What training gives does not depend on how many threads there are."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from threadpoolctl import threadpool_info

from rand_agents import PEPG, PEPGConfig, QNorm, QNormConfig, SearchConfig
from rand_agents.agents import learning
from rand_agents.agents.agent import Agent
from rand_agents.kernels.threads import allowed
from rand_envs import ColoringTask, GridTask, RecallTask

SEARCH = SearchConfig(population=8)
AGENTS: dict[str, Callable[[], Agent[Any]]] = {
    "recall": lambda: QNorm("SeedTransformer", RecallTask(4, 2), QNormConfig(m=32, batch_size=64)),
    "colouring": lambda: QNorm(
        "SeedTransformer", ColoringTask(6), QNormConfig(m=16, batch_size=32)
    ),
    "evolution": lambda: PEPG(
        "SeedTransformer", GridTask((2, 2), horizon=3), PEPGConfig(search=SEARCH, m=2)
    ),
}


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def weights_of(agent: Agent[Any]) -> torch.Tensor:
    named = agent.model.named_weights()
    return torch.cat([weight.detach().reshape(-1) for weight in named.values()])


@pytest.mark.parametrize("name", AGENTS)
def test_weights_are_the_same_with_one_thread_and_with_four(name: str, threads: Any) -> None:
    found = []
    for number in (1, 4):
        threads(number)
        found.append(weights_of(AGENTS[name]().learn(2)))
        assert torch.get_num_threads() == number
    assert torch.equal(*found)


def test_they_would_not_be_if_sums_were_split(
    threads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "one_thread", nullcontext)
    found = []
    for number in (1, 4):
        threads(number)
        found.append(weights_of(AGENTS["recall"]().learn(2)))
    assert not torch.equal(*found)


def test_sums_are_made_on_one_thread_and_roll_outs_may_have_all(threads: Any) -> None:
    threads(3)
    seen: list[Any] = []

    def look(locals_: dict[str, Any], globals_: dict[str, Any]) -> bool:
        pools = {pool["num_threads"] for pool in threadpool_info()}
        seen.append((torch.get_num_threads(), pools, allowed()))
        # Within another's training it is the same.
        if len(seen) == 1:
            AGENTS["colouring"]().learn(1, look)
        return True

    AGENTS["recall"]().learn(1, look)
    assert seen == [(1, {1}, 3)] * 2
    assert torch.get_num_threads() == allowed() == 3
