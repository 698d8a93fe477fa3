"""Generations of PEPG by Ray actors: how long they take, and what goes over the wire."""

import math
import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from rich.progress import track
from stable_baselines3.common.callbacks import BaseCallback

from rand_agents import PEPG, PEPGConfig, SearchConfig
from rand_agents.cluster import connected
from rand_agents.cluster.evolution import Actors
from rand_agents.games import task_of

COUNTS = (1, 2, 4)
GENERATIONS = 6
BLOCKS = 8
"""Of a generation, so that they divide evenly among the actors."""


@dataclass(frozen=True)
class Size:
    """A policy on a grid: all treasures, as many steps as there are cells, ten seeds.

    Attributes:
        side: Of the grid.
        population: Candidates of a generation.
        width: Of the policy's model.
    """

    side: int
    population: int
    width: int

    def agent(self) -> PEPG:
        task = task_of("RandGrid-v0", {"size": self.side, "horizon": self.side**2})
        search = SearchConfig(self.population)
        config = PEPGConfig(search=search, candidates_at_once=self.population // BLOCKS)
        shape = PEPG("SeedTransformer", task).model.config
        return PEPG(replace(shape, model_size=self.width), task, config)


SIZES = (Size(3, 16, 16), Size(4, 96, 16), Size(5, 304, 16), Size(5, 304, 64))
"""Up to the paper's: 300 candidates of 136,000 weights on the grid of 5 x 5."""


@dataclass
class Parts:
    """Processor seconds of one generation without Ray, and what was sent with it.

    Attributes:
        weights: Of the policy.
        play: Of all candidates: what actors share.
        follow: Noise and update: what each of them does.
        here: Seconds of a generation without Ray.
        on_actors: Seconds of a generation by so many actors.
        overhead: Processor seconds of this process for a generation, beside its own update.
        sent: Bytes to each actor a generation.
        received: Bytes from all actors together a generation.
        state: Bytes that an actor is sent once.
    """

    weights: int
    play: float
    follow: float
    here: float
    on_actors: dict[int, float]
    overhead: dict[int, float]
    sent: int
    received: int
    state: int


def per_actor(parts: Parts) -> float:
    """Processor seconds of this process for one actor and generation: calls and their answers.

    Calls are much the same in all sizes, and are told from noise in the smallest.
    """
    most, least = max(COUNTS), min(COUNTS)
    return max((parts.overhead[most] - parts.overhead[least]) / (most - least), 1e-6)


def most_that_pay(parts: Parts, call: float) -> int:
    """With more actors than this a generation takes longer again.

    It takes `play / n + follow + n * call` with n of them, on cores of their own.
    """
    return max(1, round(math.sqrt(parts.play / call)))


class Counting(Actors):
    """Counts the bytes of what is pickled, which is what Ray sends of it."""

    sent = received = state = 0

    def _give(self, places: Sequence[int], *state: Any) -> None:
        self.state = len(pickle.dumps(state[0].copy()))
        super()._give(places, *state)

    def _ask(self, place: int, *message: Any) -> Any:
        if message[0] is not None:
            self.sent = len(pickle.dumps(message))
        return super()._ask(place, *message)

    def _answer(self, call: Any, *rest: Any) -> Any:
        answer = super()._answer(call, *rest)
        self.received += len(pickle.dumps(answer))
        return answer


class _Clock(BaseCallback):
    """Seconds of each generation, and of this process in it."""

    def __init__(self) -> None:
        super().__init__()
        self.walls: list[float] = []
        self.processor: list[float] = []

    def _on_training_start(self) -> None:
        self.last = time.perf_counter(), time.process_time()

    def _on_step(self) -> bool:
        now = time.perf_counter(), time.process_time()
        self.walls.append(now[0] - self.last[0])
        self.processor.append(now[1] - self.last[1])
        self.last = now
        return True


def measure(size: Size, crews: dict[int, Counting]) -> Parts:
    """Time generations of a size, all from the same start; the first is left out."""
    agent, clock = size.agent(), _Clock()
    agent.learn(GENERATIONS, clock)
    here = clock
    follow = _seconds_of_following(size.agent())
    clocks = {}
    for count, crew in crews.items():
        other, clock = size.agent(), _Clock()
        other.players, crew.received = crew, 0
        other.learn(GENERATIONS, clock)
        clocks[count] = clock
        if other.search.center.tobytes() != agent.search.center.tobytes():
            raise RuntimeError(f"{count} actors have found another policy than none")
    return Parts(
        len(agent.search.center),
        median(here.processor[1:]) - follow,
        follow,
        min(here.walls[1:]),
        {count: min(each.walls[1:]) for count, each in clocks.items()},
        {c: max(median(each.processor[1:]) - follow, 0.0) for c, each in clocks.items()},
        crew.sent,
        crew.received // GENERATIONS,
        crew.state,
    )


def _seconds_of_following(agent: PEPG) -> float:
    """Processor seconds of noise and update, of which every actor does its own."""
    generation = agent.begin(0.0)
    objective = agent.players.scores(agent, generation)[..., 0].ravel()
    found = []
    for update in range(1, GENERATIONS):
        begun = time.process_time()
        generation = agent.follow(generation, objective, update, 0.0)
        found.append(time.process_time() - begun)
    return median(found)


def measure_all() -> list[Parts]:
    """All sizes, on a Ray of this machine that believes it has enough CPUs."""
    with connected(None, sum(COUNTS)):
        # The same actors for all sizes: a process that computes takes seconds to begin.
        crews = {count: Counting(count) for count in COUNTS}
        return [measure(size, crews) for size in track(SIZES, "sizes")]


def table(sizes: Sequence[Size], found: Sequence[Parts]) -> str:
    """What was measured, in Markdown: times in milliseconds."""
    call = per_actor(found[0])
    columns = ["grid", "population", "weights", "play", "follow", "without Ray"]
    columns += [f"{count} actor{'s' * (count > 1)}" for count in COUNTS]
    columns += ["sent", "received", "once", "actors that pay"]
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for size, parts in zip(sizes, found, strict=True):
        times = [parts.play, parts.follow, parts.here, *parts.on_actors.values()]
        cells = [f"{size.side} × {size.side}", str(size.population), f"{parts.weights:,}"]
        cells += [f"{1000 * seconds:.0f}" for seconds in times]
        cells += [f"{parts.sent:,} B", f"{parts.received:,} B", f"{parts.state / 2**20:.1f} MiB"]
        lines.append("| " + " | ".join([*cells, str(most_that_pay(parts, call))]) + " |")
    said = f"The driver takes {1000 * call:.1f} ms of a processor for each actor and generation.\n"
    return "\n".join(lines) + "\n\n" + said
