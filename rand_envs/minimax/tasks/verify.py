"""An independent check of solved tasks: it shares no code with the solver.

Instances are played one at a time through the task's public rules, and the best response is
found on sets of (layout, state) in plain Python.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete, MultiDiscrete

from rand_envs.core.arrays import Array
from rand_envs.core.layouts.space import counted
from rand_envs.core.task import Task
from rand_envs.minimax.tasks.solution import TaskSolution

MAX_LAYOUTS, MAX_ACTIONS = 20_000, 4096
"""As many as games that are solved can have."""
MAX_STEPS = 10**8
"""Some minutes."""

Member = tuple[int, bytes]
"""A layout's number and the bytes of a state."""

Result = tuple[str, bytes, float]
"""What is seen after a step ("" at the end), the state then, and the outcome if it is the end."""


@dataclass(frozen=True)
class TaskVerification:
    """What the checker found, in the task's unit.

    Attributes:
        reasons: why the solution is rejected, one sentence each; empty where it holds.
        lower: recomputed; None where the mix or the adversary is not legal.
        upper: recomputed, or None likewise.
        worst_layout: the layout, as JSON, that is worst for the mix; or None likewise.
    """

    reasons: tuple[str, ...]
    lower: float | None = None
    upper: float | None = None
    worst_layout: dict[str, Any] | None = None

    @property
    def ok(self) -> bool:
        """Whether everything claimed was confirmed."""
        return not self.reasons


def verify_task_solution(
    solution: TaskSolution | str | Path, task: Task[Any], tolerance: float = 1e-7
) -> TaskVerification:
    """Check both bounds of a solution from scratch.

    Every strategy plays every layout, which gives what the mix guarantees; the best response to
    the adversary's mix gives what no player can exceed. Both must be what is claimed. A game of
    30,000 information states with 8 actions takes about ten seconds.

    Args:
        solution: a solution or a JSON file of one.
        task: the game that it is to be a solution of.
        tolerance: how much a recomputed bound may differ from the claim, in the task's unit.

    Returns:
        The recomputed bounds, and the reasons for a rejection.

    Raises:
        ValueError: where the file does not follow the schema, or the game is too large for
            any solution of it to be checked.
    """
    if not isinstance(solution, TaskSolution):
        solution = TaskSolution.load(solution)
    reasons = list(_faults_of_form(solution, task))
    if reasons:
        return TaskVerification(tuple(reasons))
    size = task.layout_space.size or 0
    if size > MAX_LAYOUTS or _number_of_actions(task) > MAX_ACTIONS:
        raise _TooLargeError(
            f"a solution can be checked with at most {MAX_LAYOUTS} layouts and {MAX_ACTIONS} "
            f"actions, and this {task.env_id} has {counted(size)} and "
            f"{counted(_number_of_actions(task))}"
        )
    rules = _Rules(task)
    layouts = task.layout_space.enumerate()
    try:
        means = _mean_outcomes(rules, solution, layouts)
    except _BadStrategyError as error:
        return TaskVerification((str(error),))
    worst = int(means.argmin() if task.higher_is_better else means.argmax())
    guaranteed, best = float(means[worst]), _best_response(rules, solution)
    layout = task.layout_space.unpack(layouts[worst : worst + 1])[0].to_json()
    reasons = list(_faults_of_bounds(solution, guaranteed, best, layout, tolerance))
    lower, upper = (guaranteed, best) if task.higher_is_better else (best, guaranteed)
    return TaskVerification(tuple(reasons), lower, upper, layout)


def _number_of_actions(task: Task[Any]) -> int:
    space: Any = task.action_space
    if isinstance(space, Discrete):
        return int(space.n)
    sizes = space.nvec if isinstance(space, MultiDiscrete) else np.full(space.shape, 2)
    return math.prod(sizes.ravel().tolist())


def _faults_of_form(solution: TaskSolution, task: Task[Any]) -> Iterator[str]:
    """Whatever makes it pointless to recompute the bounds."""
    same = json.dumps(solution.config, sort_keys=True) == json.dumps(task.config, sort_keys=True)
    if solution.env_id != task.env_id or not same:
        yield f"the solution is of {solution.env_id} with {solution.config}, not of this task"
    if (solution.unit, solution.higher_is_better) != (task.unit, task.higher_is_better):
        better = "higher" if solution.higher_is_better else "lower"
        yield f"the solution counts {solution.unit}, {better} is better, not as this task does"
    for name, bound in (("lower", solution.lower), ("upper", solution.upper)):
        if not math.isfinite(bound):
            yield f"the claimed {name} bound must be finite, got {bound}"
    yield from _faults_of_mix("strategies", solution.probabilities.tolist())
    if len(solution.probabilities) != len(solution.strategies):
        yield f"{len(solution.strategies)} strategies need as many probabilities"
    yield from _faults_of_mix("layouts", [probability for _, probability in solution.adversary])
    for layout, _ in solution.adversary:
        try:
            task.layout_space.validate(layout)
        except ValueError as error:
            yield f"the adversary picks an illegal layout: {error}"


def _faults_of_mix(name: str, probabilities: Sequence[float]) -> Iterator[str]:
    if not all(math.isfinite(p) and p >= 0 for p in probabilities):
        yield f"the probabilities of the {name} must be finite and not negative"
    elif abs(math.fsum(probabilities) - 1) > 1e-9:
        yield f"the probabilities of the {name} sum to {math.fsum(probabilities):.9g}, not to 1"


def _faults_of_bounds(
    solution: TaskSolution,
    guaranteed: float,
    best: float,
    layout: dict[str, Any],
    tolerance: float,
) -> Iterator[str]:
    sign = -1 if solution.higher_is_better else 1
    names = ("lower", "upper") if solution.higher_is_better else ("upper", "lower")
    claim, limit = (getattr(solution, name) for name in names)
    if sign * (guaranteed - claim) > tolerance:
        yield (
            f"the mix gets {guaranteed:.9g} on the layout {layout}, worse than the claimed "
            f"{names[0]} bound {claim:.9g}"
        )
    if sign * (guaranteed - claim) < -tolerance:
        yield (
            f"the mix gets {guaranteed:.9g} in the worst case, and the claimed {names[0]} bound "
            f"{claim:.9g} is looser"
        )
    if sign * (best - limit) < -tolerance:
        yield (
            f"a player gets {best:.9g} against the adversary's mix, better than the claimed "
            f"{names[1]} bound {limit:.9g}"
        )
    if sign * (best - limit) > tolerance:
        yield (
            f"no player gets more than {best:.9g} out of the adversary's mix, and the claimed "
            f"{names[1]} bound {limit:.9g} is looser"
        )
    if solution.lower > solution.upper + tolerance:
        yield "the claimed lower bound is above the claimed upper bound"


class _TooLargeError(ValueError):
    """The game is too large to be checked; the message says so."""


class _BadStrategyError(Exception):
    """A strategy that cannot be played; the message says why."""


class _Rules:
    """The task, one instance and one action at a time; what was played once is remembered."""

    def __init__(self, task: Task[Any]) -> None:
        self.task = task
        self._results: dict[tuple[bytes, str], Result] = {}
        self._dtype: Any = None
        self._steps = 0

    def actions(self) -> list[Any]:
        """Every action as JSON data has it."""
        space: Any = self.task.action_space
        if isinstance(space, Discrete):
            return [int(space.start) + i for i in range(int(space.n))]
        if isinstance(space, MultiDiscrete):
            return [(space.start + np.array(i)).tolist() for i in np.ndindex(*space.nvec.ravel())]
        bits = np.ndindex(*[2] * math.prod(space.shape))
        return [np.array(bit).reshape(space.shape).tolist() for bit in bits]

    def begin(self, layout: Array) -> tuple[str, bytes]:
        """What is seen first in a batch of one layout, and its first state."""
        state = self.task.initial(layout)
        self._dtype = state.dtype
        return self._look(state), state.tobytes()

    def step(self, state: bytes, action: Any) -> Result:
        """Play one action; ValueError if it is not one."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise _TooLargeError(
                f"a solution can be checked with at most {MAX_STEPS} steps, and this needs more"
            )
        key = (state, str(action))
        if key not in self._results:
            self._results[key] = self._step(state, action)
        return self._results[key]

    def _step(self, state: bytes, action: Any) -> Result:
        space = self.task.action_space
        given = np.array(action)
        if given.dtype.kind not in "iu" or given.shape != space.shape:
            raise ValueError(f"{action!r} is not in {space}")
        played = given.astype(space.dtype)
        if not space.contains(played if space.shape else int(played)):
            raise ValueError(f"{action!r} is not in {space}")
        before = np.frombuffer(state, self._dtype).copy()
        after = self.task.step(before, played[None])
        if after.terminated[0]:
            return "", b"", float(self.task.outcome(after.state)[0])
        return self._look(after.state), after.state.tobytes(), 0.0

    def _look(self, state: Array) -> str:
        seen = np.asarray(self.task.observe(state))[0]
        return json.dumps(seen.tolist(), separators=(",", ":"))


def _mean_outcomes(rules: _Rules, solution: TaskSolution, layouts: Array) -> Array:
    """The mix's mean outcome on each layout, shape (layouts,)."""
    means = np.zeros(len(layouts))
    for number in range(len(layouts)):
        seen, state = rules.begin(layouts[number : number + 1])
        for index, probability in enumerate(solution.probabilities):
            means[number] += probability * _played(rules, solution, index, seen, state)
    return means


def _played(rules: _Rules, solution: TaskSolution, index: int, seen: str, state: bytes) -> float:
    """The outcome of one strategy on one layout."""
    strategy = solution.strategies[index]
    after = strategy.first
    for _ in range(rules.task.max_steps):
        if seen not in after or not 0 <= after[seen] < len(strategy.decisions):
            raise _BadStrategyError(f"strategy {index} has no decision for the observation {seen}")
        decision = strategy.decisions[after[seen]]
        try:
            seen, state, outcome = rules.step(state, decision.action)
        except _TooLargeError:
            raise
        except ValueError as error:
            raise _BadStrategyError(f"strategy {index} plays an illegal action: {error}") from error
        if not seen:
            return outcome
        after = decision.after
    raise _BadStrategyError(
        f"strategy {index} plays for more than {rules.task.max_steps} steps, the most of the task"
    )


def _best_response(rules: _Rules, solution: TaskSolution) -> float:
    """The best mean outcome of any player against the adversary's mix."""
    weights = [probability for _, probability in solution.adversary]
    packed = rules.task.layout_space.pack([layout for layout, _ in solution.adversary])
    best = max if rules.task.higher_is_better else min
    begun = [(number, *rules.begin(packed[number : number + 1])) for number in range(len(packed))]
    roots = _by_observation(begun)
    actions = rules.actions()
    options: list[dict[frozenset[Member], list[tuple[float, list[frozenset[Member]]]]]] = []
    layer = set(roots)
    while layer:
        found = {node: [_tried(rules, weights, node, a) for a in actions] for node in layer}
        options.append(found)
        layer = {child for tried in found.values() for _, after in tried for child in after}
    values: dict[frozenset[Member], float] = {}
    for found in reversed(options):
        values = {
            node: best(ended + sum(values[child] for child in after) for ended, after in tried)
            for node, tried in found.items()
        }
    return sum(values[root] for root in roots)


def _tried(
    rules: _Rules, weights: list[float], node: frozenset[Member], action: Any
) -> tuple[float, list[frozenset[Member]]]:
    """What an action in an information state ends with, by weight, and what it leads to."""
    ended, going_on = 0.0, []
    for number, state in node:
        seen, after, outcome = rules.step(state, action)
        if seen:
            going_on.append((number, seen, after))
        else:
            ended += weights[number] * outcome
    return ended, _by_observation(going_on)


def _by_observation(members: list[tuple[int, str, bytes]]) -> list[frozenset[Member]]:
    groups: dict[str, list[Member]] = {}
    for number, seen, state in members:
        groups.setdefault(seen, []).append((number, state))
    return [frozenset(group) for group in groups.values()]
