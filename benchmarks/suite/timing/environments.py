"""Steps of vector environments beside Gymnasium's CartPole, and the memory they hold."""

import os
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import gymnasium as gym
from gymnasium.vector import SyncVectorEnv, VectorEnv
from rich.table import Table

from rand_envs.core.register import TASKS

NUM_ENVS = 1024
CARTPOLE = "CartPole-v1"
STEPS = 308
"""Of a measurement: as often as not an instance of every game has ended by then."""
ROUNDS = 7
MAZE = "gymnax MetaMaze"

Run = Callable[[], None]
"""Plays `STEPS` steps of all sub-environments."""


def native(env_id: str, num_envs: int = NUM_ENVS, **config: Any) -> VectorEnv[Any, Any, Any]:
    """A vector environment that has played its first steps."""
    envs = gym.make_vec(env_id, num_envs, vectorization_mode="vector_entry_point", **config)
    envs.reset(seed=0)
    envs.action_space.seed(0)
    for _ in range(3):
        envs.step(envs.action_space.sample())
    return envs


def stepping(envs: VectorEnv[Any, Any, Any], steps: int = STEPS) -> Run:
    """Steps with actions that were drawn before, autoreset included."""
    actions = [envs.action_space.sample() for _ in range(64)]

    def run() -> None:
        for k in range(steps):
            envs.step(actions[k % 64])

    return run


def seconds(run: Run) -> float:
    """Processor time: what others do on the machine does not count."""
    begin = time.process_time()
    run()
    return time.process_time() - begin


def side_by_side(runs: dict[str, Run], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Seconds of each, one after the other, round by round, after a round that does not count."""
    measured = [{name: seconds(run) for name, run in runs.items()} for _ in range(rounds + 1)]
    return {name: [of_round[name] for of_round in measured[1:]] for name in runs}


def held(env_id: str, num_envs: int = NUM_ENVS, **config: Any) -> float:
    """Bytes that a vector environment holds for each sub-environment after its first steps."""
    native(env_id, 1, **config)  # What is there once for all is loaded before.
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = native(env_id, num_envs, **config)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / kept.num_envs


def maze() -> Run | None:
    """gymnax's MetaMaze, all steps in one compiled loop, which suits it best; None without it."""
    one_thread = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ.setdefault("XLA_FLAGS", one_thread)
    try:
        import gymnax
        import jax
    except ImportError:
        return None
    env, params = gymnax.make("MetaMaze-misc")
    keys = jax.random.split(jax.random.key(0), NUM_ENVS)
    draw = jax.vmap(env.action_space(params).sample)
    actions = jax.vmap(draw)(jax.random.split(jax.random.key(1), (STEPS, NUM_ENVS)))
    _, start = jax.vmap(env.reset, in_axes=(0, None))(keys, params)

    def step(state: Any, action: Any) -> tuple[Any, Any]:
        seen, state, reward, *_ = jax.vmap(env.step, in_axes=(0, 0, 0, None))(
            keys, state, action, params
        )
        return state, (seen.sum(), reward.sum())

    play = jax.jit(lambda state: jax.lax.scan(step, state, actions))
    wait: Callable[[Any], Any] = jax.block_until_ready

    def run() -> None:
        wait(play(start))

    return run


def environments() -> Table:
    """Native vector environments beside CartPole's and `SyncVectorEnv`s of the same."""
    runs = {env_id: stepping(native(env_id)) for env_id in (CARTPOLE, *TASKS)}
    other = maze()
    if other is not None:
        runs[MAZE] = other
    times = side_by_side(runs)
    table = Table("environment", "steps/s (range)", "x CartPole", "x SyncVectorEnv", "bytes each")
    table.title = (
        f"{NUM_ENVS} sub-environments, random actions, autoreset included, processor time of one "
        f"core, medians of {ROUNDS} rounds"
    )
    for name, taken in times.items():
        rates = sorted(NUM_ENVS * STEPS / each for each in taken)
        rate = statistics.median(rates)
        ratio = statistics.median(c / t for c, t in zip(times[CARTPOLE], taken, strict=True))
        beside = "-" if name == MAZE else f"{rate / sync_rate(name):.1f}"
        memory = "-" if name == MAZE else f"{held(name):,.0f}"
        table.add_row(
            name,
            f"{rate:,.0f} ({rates[0]:,.0f} to {rates[-1]:,.0f})",
            f"{ratio:.2f}",
            beside,
            memory,
        )
    if other is None:
        # The backslash keeps rich from reading the brackets as a style.
        table.caption = f"{MAZE} was not measured: pip install '.\\[speed]' brings gymnax"
    return table


def sync_rate(env_id: str) -> float:
    """Steps a second of a `SyncVectorEnv` of bare environments, without `gym.make`'s wrappers."""
    envs = SyncVectorEnv([lambda: gym.make(env_id).unwrapped] * NUM_ENVS)
    envs.reset(seed=0)
    envs.action_space.seed(0)
    taken = side_by_side({env_id: stepping(envs, steps=4)}, rounds=5)[env_id]
    return NUM_ENVS * 4 / statistics.median(taken)
