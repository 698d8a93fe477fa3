"""The exact value of any small task, by best responses on the graph of information states."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np

from rand_envs.core.register import as_task
from rand_envs.core.task import Task
from rand_envs.minimax.columns import Bracket
from rand_envs.minimax.matrix import Floats, distribution, solve_matrix_game
from rand_envs.minimax.tasks.information import InformationGraph, build_graph
from rand_envs.minimax.tasks.limits import MAX_INFORMATION_STATES, MAX_ROWS
from rand_envs.minimax.tasks.mixing import Flow, Mixer
from rand_envs.minimax.tasks.response import Responder
from rand_envs.minimax.tasks.solution import TaskSolution
from rand_envs.minimax.tasks.strategy import decision_graph

SMOOTHING = 0.5
"""Weight of the best distribution so far in the next question to the player."""

NEGLIGIBLE = 1e-12
"""Probabilities up to this are rounding."""


def solve_task(
    task: Task[Any] | type[Task[Any]] | str | gym.Env[Any, Any],
    *,
    tolerance: float = 1e-7,
    max_states: int = MAX_INFORMATION_STATES,
    max_rows: int = MAX_ROWS,
    time_limit: float | None = None,
    on_progress: Callable[[Bracket], None] | None = None,
) -> TaskSolution:
    """Solve a game: the best worst-case mean outcome of any randomised player, with its mix.

    The adversary picks a layout knowing the player's mix; the player remembers all that it saw
    and did. The information states are found once. Then each iteration mixes the options found
    so far best (a linear program: one bound), and asks for the best response of all to the
    adversary's optimal mix there (backward induction: the other bound), which has new options.
    The question is moved towards the distribution with the best bound so far, which damps
    oscillation (Wentges 1997); where that yields nothing new, the next one is not.

    Args:
        task: a game with few layouts and discrete actions; or its class, its id, or an
            environment of it.
        tolerance: stops when upper minus lower bound is at most this, in the task's unit.
        max_states: the most information states.
        max_rows: the most triples of layout, information state and action; with `max_states`
            this bounds time and memory before anything is solved: up to 4 seconds and 1 GB.
        time_limit: seconds after which the bracket reached is returned; None for no limit. At
            least one iteration is done.
        on_progress: called with the bracket, in the task's unit, after every iteration.

    Returns:
        The solution. Interrupted by the user (KeyboardInterrupt), the bracket so far, once one
        iteration is done.

    Raises:
        TooLarge: the game exceeds a limit.
        ValueError: the tolerance is negative, the actions are not discrete, or the task breaks
            its own word on its length or has outcomes that are not finite.
    """
    if not tolerance >= 0:
        raise ValueError(f"the tolerance must be at least 0, got {tolerance}")
    task = as_task(task)
    started = time.monotonic()
    graph = build_graph(task, max_states=max_states, max_rows=max_rows)
    search = _Search(graph, -1.0 if task.higher_is_better else 1.0, started)
    interrupted = search.run(tolerance, time_limit, on_progress)
    return search.solution(task, interrupted)


class _Search:
    """The bracket so far in costs, which are the outcomes times the sign, and its proofs."""

    def __init__(self, graph: InformationGraph, sign: float, started: float) -> None:
        self.graph, self.sign, self.started = graph, sign, started
        self.responder = Responder(graph, sign)
        self.mixer = Mixer(self.responder)
        count = len(graph.layouts)
        self.best: Floats = np.full(count, 1.0 / count)
        self.lower = -np.inf
        self.flow: Flow | None = None

    def run(
        self,
        tolerance: float,
        time_limit: float | None,
        on_progress: Callable[[Bracket], None] | None,
    ) -> bool:
        """Close the bracket; say whether that was interrupted."""
        question, iteration, at_duals = self.best, 0, False
        try:
            while True:
                iteration += 1
                lower, response = self.responder.respond(question)
                if lower > self.lower:
                    self.lower, self.best = lower, question
                fresh = self.mixer.add(response)
                if fresh or self.flow is None:
                    self.flow = self.mixer.solve()
                seconds = time.monotonic() - self.started
                bracket = Bracket(iteration, self.lower, self.flow.upper, iteration, seconds)
                if on_progress is not None:
                    on_progress(self._in_unit(bracket))
                if bracket.gap <= tolerance or (at_duals and not fresh):
                    return False
                if time_limit is not None and seconds > time_limit:
                    return True
                at_duals = not fresh
                weight = 0.0 if at_duals else SMOOTHING
                question = weight * self.best + (1 - weight) * self.flow.adversary
        except KeyboardInterrupt:
            if self.flow is None:
                raise
            return True

    def _in_unit(self, bracket: Bracket) -> Bracket:
        if self.sign > 0:
            return bracket
        return replace(bracket, lower=0.0 - bracket.upper, upper=0.0 - bracket.lower)

    def solution(self, task: Task[Any], interrupted: bool) -> TaskSolution:
        """Turn the flow into a mix of pure strategies, and measure both bounds again."""
        assert self.flow is not None
        strategies, costs = zip(*self.mixer.strategies(self.flow), strict=True)
        mix = solve_matrix_game(np.stack(costs)).row_strategy
        support = np.flatnonzero(mix > NEGLIGIBLE)
        probabilities = mix[support] / mix[support].sum()
        upper = float((probabilities @ np.stack([costs[i] for i in support])).max())
        adversary = distribution(np.where(self.best > NEGLIGIBLE, self.best, 0.0))
        # A gap of rounding may be negative; either bound may give way to the other.
        lower = min(self.responder.respond(adversary)[0], upper)
        layouts = task.layout_space.unpack(self.graph.layouts[adversary > 0])
        low, high = (lower, upper) if self.sign > 0 else (0.0 - upper, 0.0 - lower)
        return TaskSolution(
            env_id=task.env_id,
            config=task.config,
            unit=task.unit,
            higher_is_better=task.higher_is_better,
            lower=low,
            upper=high,
            strategies=tuple(decision_graph(self.graph, strategies[i]) for i in support),
            probabilities=probabilities,
            adversary=tuple(
                (layout.to_json(), probability)
                for layout, probability in zip(
                    layouts, adversary[adversary > 0].tolist(), strict=True
                )
            ),
            interrupted=interrupted,
        )
