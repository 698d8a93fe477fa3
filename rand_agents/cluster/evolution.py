"""PEPG's generations, played by Ray actors.

Each actor has a copy of the agent and follows it: it draws the noise itself, as noise is a function
of run, generation and direction. So it is sent the agent once, and then for each generation only
where the run is and the objectives of the last one's candidates, from which it makes the same
update. It sends back the scores of its share.
"""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rand_agents.cluster.connection import connected, ray_module
from rand_agents.kernels.threads import one_thread
from rand_agents.training.pepg import PEPG, Generation, Scores
from rand_envs.core.arrays import whole_number

MAX_LOSSES = 3
"""So often one actor's process may be lost; then something is wrong with it."""

Message = tuple[NDArray[np.float64], int, float]
"""The objectives of the last generation's candidates, the update's number, the run's progress."""
Answer = tuple[int, list[Scores]]
"""The fingerprint of what was played, and the scores of the blocks."""


def fingerprint(agent: PEPG, generation: Generation) -> int:
    """Of all that determines a generation's scores."""
    search = agent.search
    parts = search.center, search.std, generation.layouts, generation.seeds.cpu().numpy()
    found = zlib.crc32(repr((generation.number, generation.progress)).encode())
    for part in parts:
        found = zlib.crc32(part.tobytes(), found)
    return found


class Replica:
    """A copy of the agent in an actor, which follows it."""

    agent: PEPG
    generation: Generation

    def take(self, agent: PEPG, generation: Generation) -> None:
        """Take up an agent that has begun a generation, whose noise is drawn here."""
        # What comes through Ray's memory cannot be written to.
        self.agent = deepcopy(agent)
        noise = agent.search.noise(agent.run_key, generation.number)
        self.generation = replace(generation, noise=noise)

    def play(self, message: Message | None, blocks: list[slice]) -> Answer:
        """Follow the agent into its next generation, if there is a message; play some blocks."""
        with one_thread():
            if message is not None:
                self.generation = self.agent.follow(self.generation, *message)
            scores = [self.agent.scores(self.generation, block) for block in blocks]
        return fingerprint(self.agent, self.generation), scores


class Actors:
    """Plays generations by so many actors; one that is lost is replaced.

    Results do not depend on how many there are: blocks are the agent's, and whoever plays one
    makes the same sums. Actors on another kind of processor may round differently; that is told.

    Attributes:
        count: How many.
        handles: Those that are there, by place.
    """

    def __init__(self, count: int) -> None:
        self._ray = ray_module()
        self.count = whole_number("the number of actors", count, 1)
        self._remote = self._ray.remote(num_cpus=1)(Replica)
        self.handles: dict[int, Any] = {}
        self._losses = [0] * self.count
        self._objective: NDArray[np.float64] | None = None
        self._update = -1

    def scores(self, agent: PEPG, generation: Generation) -> Scores:
        """See `rand_agents.training.pepg.Players`."""
        blocks = agent.blocks()
        shares = [blocks[place :: self.count] for place in range(min(self.count, len(blocks)))]
        message = None
        if self._objective is not None and agent.num_timesteps == self._update + 1:
            message = (self._objective, agent.num_timesteps, generation.progress)
        else:
            # A run begins, or the agent was resumed.
            self._give(range(len(shares)), agent, generation)
        # Until this one is whole, nobody can go on from it.
        self._objective = None
        calls = [self._ask(place, message, share) for place, share in enumerate(shares)]
        expected = fingerprint(agent, generation)
        found: list[Any] = [None] * len(blocks)
        for place, call in enumerate(calls):
            said, scores = self._answer(call, place, shares[place], agent, generation)
            if said != expected:
                raise RuntimeError(
                    "an actor's search is not the agent's any more: its processor rounds "
                    "differently, its code is another, or a callback has changed the agent"
                )
            found[place :: self.count] = scores
        together: Scores = np.concatenate(found, axis=1)
        self._objective, self._update = together[..., 0].ravel(), agent.num_timesteps
        return together

    def _give(self, places: Sequence[int], agent: PEPG, generation: Generation) -> None:
        """Give the agent to actors, which begin where there are none."""
        bare = replace(generation, noise=generation.noise[:0])
        state = self._ray.put(agent.copy()), self._ray.put(bare)
        for place in places:
            if place not in self.handles:
                self.handles[place] = self._remote.remote()
            self.handles[place].take.remote(*state)

    def _ask(self, place: int, message: Message | None, share: list[slice]) -> Any:
        return self.handles[place].play.remote(message, share)

    def _answer(
        self, call: Any, place: int, share: list[slice], agent: PEPG, generation: Generation
    ) -> Answer:
        """What an actor says, or another one in its place if it was lost."""
        errors = self._ray.exceptions
        while True:
            try:
                answer: Answer = self._ray.get(call)
                return answer
            except errors.RayTaskError as error:
                raise error.cause from None
            except errors.RayActorError:
                self._losses[place] += 1
                if self._losses[place] == MAX_LOSSES:
                    raise ChildProcessError(
                        f"an actor was lost {MAX_LOSSES} times: it was killed, or there was too "
                        "little memory"
                    ) from None
            del self.handles[place]
            self._give([place], agent, generation)
            call = self._ask(place, None, share)

    def end(self) -> None:
        """End all actors."""
        for actor in self.handles.values():
            self._ray.kill(actor)
        self.handles, self._objective = {}, None


@contextmanager
def on_actors(agent: PEPG, count: int, address: str | None = None) -> Iterator[Actors]:
    """Let Ray actors play the agent's generations, until the end of the block.

    What `learn` and `resume` make is the same to the last bit with any number of actors, and
    without. There is work for as many as a generation has blocks: `population` divided by
    `candidates_at_once`.

    Args:
        agent: A PEPG agent, on the CPU.
        count: How many; each takes one CPU.
        address: Of the cluster, see `connected`.

    Raises:
        ValueError: The agent cannot be played by actors, Ray is not installed, or the cluster has
            fewer CPUs.
        ConnectionError: Nobody answers at the address.
    """
    if not isinstance(agent, PEPG) or agent.device.type != "cpu":
        raise ValueError(f"actors play generations of PEPG on a CPU, not of {agent.summary}")
    with connected(address, count) as cpus:
        if count > cpus:
            raise ValueError(f"{count} actors need a CPU each, and the cluster has {cpus}")
        actors, before = Actors(count), agent.players
        agent.players = actors
        try:
            yield actors
        finally:
            agent.players = before
            actors.end()
