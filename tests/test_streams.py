"""No stream that an integer seeds draws what another one does that got the same integer."""

import itertools
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from rich.console import Console

from benchmarks.suite.experiments import PRESETS
from benchmarks.suite.job import START_STRIDE, jobs
from rand_agents import PEPG, QNorm, evaluate
from rand_agents.app.players import Spectated
from rand_agents.app.playing.opponent import Opponent
from rand_agents.app.watching.contestants import Contestant
from rand_agents.app.watching.layouts import Layouts as Watched
from rand_envs import (
    ColoringTask,
    Found,
    Hedge,
    Layouts,
    LayoutWrapper,
    RandomSeedObservation,
    RecallTask,
    WorstFor,
)
from rand_envs.core.streams import Stream, generator

TASK = RecallTask(2, 2)
LENGTHS = Layouts(length=Box(0.25, 1.0))


def first_words(rng: np.random.Generator, count: int = 8) -> list[int]:
    """What a generator would draw next, without drawing it."""
    copied = np.random.default_rng()
    copied.bit_generator.state = rng.bit_generator.state
    return [int(word) for word in copied.bit_generator.random_raw(count)]


class Listening:
    """A player that keeps the generators its seeds are drawn by, as they were before."""

    def __init__(self) -> None:
        self.agent = QNorm("SeedTransformer", TASK)
        self.task, self.heard = TASK, list[list[int]]()

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Any:
        self.heard.append(first_words(rng))
        return self.agent.draw_seeds(rng, m)

    def play(self, layouts: Any, seeds: Any) -> Any:
        return self.agent.play(layouts, seeds)


def _reset(k: int) -> list[list[int]]:
    env: Any = gym.make("RandRecall-v0")
    env.unwrapped.source = _Heard(env.unwrapped.source)
    env.reset(seed=k)
    heard: list[list[int]] = env.unwrapped.source.heard
    return heard


class _Heard:
    """A layout source that keeps the generators it is given."""

    def __init__(self, source: Any) -> None:
        self.source, self.heard = source, list[list[int]]()

    def draw(self, rngs: Any, env_ids: Any) -> Any:
        self.heard += [first_words(rng) for rng in rngs]
        return self.source.draw(rngs, env_ids)


def _vector_reset(k: int) -> list[list[int]]:
    envs: Any = gym.make_vec("RandRecall-v0", 3, vectorization_mode="vector_entry_point")
    envs.unwrapped.source = _Heard(envs.unwrapped.source)
    envs.reset(seed=[k, None, None])
    heard: list[list[int]] = envs.unwrapped.source.heard
    return heard[:1]


def _wrapped_reset(k: int) -> list[list[int]]:
    env = LayoutWrapper(gym.make("CartPole-v1"), LENGTHS)
    env.source = heard = _Heard(env.source)  # type: ignore[assignment]
    env.reset(seed=k)
    return heard.heard


def _observed_seed(k: int) -> list[list[int]]:
    env = RandomSeedObservation(gym.make("RandRecall-v0"), 2)
    env.reset(seed=k)
    fresh = generator(Stream.OBSERVED_SEEDS, k)
    words = first_words(fresh)
    # The wrapper has drawn its first seed already.
    fresh.random(2)
    assert first_words(env._rng) == first_words(fresh)
    return [words]


def _training(k: int) -> list[list[int]]:
    return [first_words(rng) for rng in QNorm("SeedTransformer", TASK, rng_seed=k)._rngs.values()]


def _acting(k: int) -> list[list[int]]:
    agent = QNorm("SeedTransformer", TASK)
    agent.set_random_seed(k)
    return [first_words(agent._rngs["acting"])]


def _spectated(k: int) -> list[list[int]]:
    player = Spectated(Listening())
    player.set_random_seed(k)
    return [first_words(player._rng)]


def _evaluation(k: int) -> list[list[int]]:
    player = Listening()
    evaluate(player, num_seeds=2, num_fresh_seeds=2, votes=(3,), rng_seed=k)
    # Layouts and searches draw by streams that no player hears of.
    return player.heard + [first_words(generator(Stream.EVALUATION, k, i)) for i in (0, 5)]


def _worst_for(k: int) -> list[list[int]]:
    player = Listening()
    WorstFor(player, 4, rng_seed=k)
    return player.heard


def _hedge(k: int) -> list[list[int]]:
    player, source = Listening(), Hedge(TASK.layout_space, 0.1, 4, rng_seed=k)
    for _ in range(3):
        source.learn(player)
    return player.heard


def _diagnosis(k: int) -> list[list[int]]:
    sequence = np.random.SeedSequence(k, spawn_key=(4, 0))
    return [first_words(np.random.default_rng(sequence))]


def _watching(k: int) -> list[list[int]]:
    agent = QNorm("SeedTransformer", TASK)
    rng = generator(Stream.WATCHING, k)
    words = first_words(rng)
    chosen = (
        Watched([Contestant("agent", agent)], "uniform", k, Console(stderr=True)).draw()[0].layout
    )
    assert (chosen == TASK.layout_space.sample(rng, 1)).all()
    return [words, first_words(generator(Stream.WATCHING, k, 0, 1))]


def _playing(k: int) -> list[list[int]]:
    return [first_words(Opponent(TASK, 5, k)._rng)]


def _somebodys_own(k: int) -> list[list[int]]:
    """A policy of somebody's, and Gymnasium's own environments and spaces."""
    space = ColoringTask().action_space
    space.seed(k)
    words = first_words(np.random.default_rng(k))
    assert first_words(space.np_random) == words
    return [words]


STREAMS: dict[str, Callable[[int], list[list[int]]]] = {
    "env.reset": _reset,
    "LayoutWrapper": _wrapped_reset,
    "RandomSeedObservation": _observed_seed,
    "training": _training,
    "set_random_seed": _acting,
    "evaluate": _evaluation,
    "WorstFor": _worst_for,
    "Hedge": _hedge,
    "diagnosis": _diagnosis,
    "watch": _watching,
    "play": _playing,
    "default_rng": _somebodys_own,
}


@pytest.mark.parametrize("k", [0, 1, 7])
def test_streams_of_one_integer_have_nothing_in_common(k: int) -> None:
    words = {name: set(itertools.chain(*draws(k))) for name, draws in STREAMS.items()}
    assert all(words.values())
    for one, other in itertools.combinations(words, 2):
        assert not words[one] & words[other], (one, other)


def test_within_one_public_seed_streams_differ_too() -> None:
    for name in ("training", "Hedge"):
        drawn = STREAMS[name](3)
        assert len({tuple(words) for words in drawn}) == len(drawn)


@pytest.mark.parametrize(
    ("one", "other"), [("env.reset", _vector_reset), ("set_random_seed", _spectated)]
)
def test_two_faces_of_one_thing_share_their_stream(
    one: str, other: Callable[[int], list[list[int]]]
) -> None:
    assert STREAMS[one](5) == other(5)


def test_a_pool_of_found_layouts_is_not_what_environments_or_agents_draw() -> None:
    """Its own stream is NumPy's for the integer, as trained weights of before depend on it."""
    for k in (0, 1, 7):
        pool = Found(TASK.layout_space, 4, rng_seed=k)
        fresh = np.random.default_rng(k)
        TASK.layout_space.sample(fresh, 4)
        assert first_words(pool._rng) == first_words(fresh)
        root = set(first_words(np.random.default_rng(k), 64))
        for name, draws in STREAMS.items():
            if name != "default_rng":
                assert not root & set(itertools.chain(*draws(k))), name


def test_first_draws_of_streams_are_uncorrelated_over_integers() -> None:
    """By 2,000 integers; five standard errors."""
    branches: list[tuple[int, ...]] = [(), (0,), (1,), (2,), (3,), (4, 0), (5, 0)]
    branches += [(stream,) for stream in Stream] + [(Stream.EVALUATION, i) for i in range(11)]
    count = 2000
    first = [
        [
            np.random.default_rng(np.random.SeedSequence(k, spawn_key=branch)).random()
            for k in range(count)
        ]
        for branch in branches
    ]
    correlation = np.corrcoef(first)
    assert np.abs(correlation - np.eye(len(branches))).max() < 5 / count**0.5


def test_every_branch_is_one_of_the_table() -> None:
    assert len({int(stream) for stream in Stream}) == len(Stream)
    assert min(Stream) > 5


def test_a_recall_policy_gains_nothing_from_a_shared_integer() -> None:
    """The policy's seed and the layout's values, over 4,000 integers: as good as chance.

    With one stream for both, the first seed bit and the first word of the layout are the same.
    """
    agent = PEPG("SeedTransformer", RecallTask(1, 1))
    space, hits, count = agent.task.layout_space, 0, 4000
    for k in range(count):
        env = generator(Stream.RESET, k)
        agent.set_random_seed(k)
        layout = space.unpack(space.sample_each([env]))[0]
        uniform = agent._rngs["acting"].random()
        hits += int(uniform >= 0.5) == layout.to_json()["values"][0][0]
    assert abs(hits / count - 0.5) < 5 * 0.5 / count**0.5


@pytest.mark.parametrize("preset", PRESETS)
def test_a_benchmark_s_job_scores_on_other_streams_than_it_trains_on(preset: str) -> None:
    """Pools of found layouts and constant seeds have NumPy's own stream, and probes have, too."""
    for job in jobs(PRESETS[preset], rng_seed=0):
        trained = {job.rng_seed + START_STRIDE * start for start in range(job.recipe.starts + 1)}
        assert not trained & {job.rng_seed + more for more in (500, 600, 700, 800, 900)}
        assert job.rng_seed + 900 < job.rng_seed + START_STRIDE


def test_rounds_of_best_responses_begin_elsewhere_than_the_policy() -> None:
    """The integers that their weights are made from are of branches of the trainer's own."""
    for k in (0, 1, 7):
        made = {
            int(np.random.SeedSequence(k, spawn_key=(5, number)).generate_state(1)[0])
            for number in range(16)
        }
        assert len(made) == 16
        assert k not in made
