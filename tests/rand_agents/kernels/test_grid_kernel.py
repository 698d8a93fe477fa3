"""Compiled roll-outs of the grid are those of torch; `test_rollout` has both meet the rules."""

from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
import pytest
import torch

from rand_agents import PEPG, TransformerConfig
from rand_agents.games.accelerated.grid_rollout import GridRollout
from rand_agents.kernels.lane_functions import exponential, gelu
from rand_agents.kernels.lanes import LANES, load, store
from rand_envs import GridTask
from tests.rand_agents.games.test_rollout import GRIDS, PEPG_TINY, draws, grid_policy, some_layouts


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


ARCHITECTURES: dict[str, dict[str, Any]] = {
    "softmax": {},
    "linear": {"attention": "linear", "layer_norm": False},
    "bare": {"layer_norm": False, "mlp_factor": 0, "max_length": 0, "scale": False},
    "uneven": {"num_blocks": 3, "num_heads": 3, "key_size": 5, "value_size": 9, "model_size": 13},
    "tiny": {"num_blocks": 1, "num_heads": 1, "key_size": 1, "value_size": 2, "model_size": 3},
    "gelu": {"embedding": "gelu", "mlp_factor": 1, "seed_gain": 3.0},
}


def random_rollout(
    task: GridTask, policy: TransformerConfig, m: int, dtype: torch.dtype, rng_seed: int = 0
) -> GridRollout:
    """Seven random candidates that play some layouts under m seeds."""
    agent = PEPG(policy, task, PEPG_TINY, rng_seed=rng_seed)
    center = torch.nn.utils.parameters_to_vector(agent.model.parameters()).detach()
    noise = torch.randn(7, len(center), generator=torch.Generator().manual_seed(rng_seed))
    weights = {name: w.to(dtype) for name, w in agent.unflatten(center + 0.5 * noise).items()}
    if "positions" in weights:
        weights["positions"] = 4 * weights["positions"]
    seeds = torch.from_numpy(4 * draws(3, m, rng_seed) - 2).to(dtype)
    layouts = some_layouts(task)
    return GridRollout(task, agent.model.to(dtype), weights, layouts, seeds)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", GRIDS)
def test_compiled_roll_outs_are_those_of_torch(
    name: str, architecture: str, dtype: torch.dtype
) -> None:
    task = GridTask(**GRIDS[name])
    policy = grid_policy(task, **ARCHITECTURES[architecture])
    rollout = random_rollout(task, policy, 5, dtype)
    assert rollout.is_compiled
    compiled, by_torch = rollout.steps(), rollout.torch_steps()
    assert [steps.dtype for steps in compiled] == [steps.dtype for steps in by_torch]
    torch.testing.assert_close(compiled, by_torch, rtol=0, atol=0)
    assert torch.unique(torch.stack(list(compiled)).sum(0)).numel() > 1 or name == "never found"


def test_compiled_roll_outs_do_not_depend_on_threads_or_what_they_share_a_batch_with() -> None:
    task = GridTask(3, horizon=7, num_episodes=3, walls=1)
    rollout = random_rollout(task, grid_policy(task), 40, torch.float32)
    one = rollout.steps()
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        torch.testing.assert_close(rollout.steps(), one, rtol=0, atol=0)
    finally:
        torch.set_num_threads(threads)
    rollout.seeds, rollout.m = rollout.seeds[17:18], 1
    alone = tuple(part[..., 17:18] for part in one)
    torch.testing.assert_close(rollout.steps(), alone, rtol=0, atol=0)


def test_layouts_share_the_search_and_branches_share_its_context() -> None:
    # Going right: the seed and four steps find all treasures, then k steps return to treasure k.
    task = GridTask((1, 5), horizon=6)
    agent = PEPG(grid_policy(task), task, PEPG_TINY)
    agent.model.weights["read_out"].zero_()
    agent.model.weights["read_out_bias"].copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    own = {name: w.unsqueeze(0) for name, w in agent.model.named_weights().items()}
    layouts = task.layout_space.enumerate()
    rollout = GridRollout(task, agent.model, own, layouts, torch.from_numpy(draws(3, 2)))
    rollout.steps()
    assert rollout.token_evaluations == 2 * ((1 + 4) + (1 + 2 + 3 + 4))


@numba.njit
def every_row(x: Any, exponentials: Any, errors: Any) -> None:
    for i in range(0, len(x), LANES):
        store(exponential(load(x, i)), exponentials, i)
    gelu(errors, len(x) // LANES)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-7), (np.float64, 2e-8)])
def test_compiled_functions_are_exact_to_their_tolerance(dtype: Any, tolerance: float) -> None:
    x = np.linspace(-40, 0, 16_000).astype(dtype)
    ours, y = np.empty_like(x), np.linspace(-12, 12, 16_000).astype(dtype)
    shaped = y.copy()
    every_row(x, ours, shaped)
    np.testing.assert_allclose(ours, np.exp(x.astype(np.float64)), tolerance)
    exact = torch.nn.functional.gelu(torch.from_numpy(y).double()).numpy()
    np.testing.assert_allclose(shaped, exact, tolerance, tolerance)
