"""Pure strategies as decision graphs, and the player that draws one of them at random."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.error import InvalidAction
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, Json, rows_at, shown
from rand_envs.core.checks import ActionCheck
from rand_envs.core.player import Play
from rand_envs.core.task import Task
from rand_envs.minimax.matrix import Floats
from rand_envs.minimax.tasks.fingerprints import distinct, fingerprints
from rand_envs.minimax.tasks.information import InformationGraph
from rand_envs.minimax.tasks.response import Choices

ROWS = 1 << 16
"""How many (layout, strategy) pairs are played at once, to bound the memory."""

ROUNDING = 1e-6
"""What the sum of probabilities may differ from 1 by."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Decision:
    """What to do at one point of a game, and where that leads.

    Attributes:
        action: an integer, or nested lists of them, as the action space has it.
        after: index of the next decision for each observation, as JSON, that may follow.
    """

    action: Any
    after: dict[str, int]


@dataclass(frozen=True)
class Strategy:
    """A pure strategy with perfect recall, without the points that it never comes to.

    Attributes:
        first: index of the first decision for each first observation, as JSON.
        decisions: all of them.
    """

    first: dict[str, int]
    decisions: tuple[Decision, ...]

    def to_json(self) -> Json:
        """The strategy as plain JSON data; see `from_json` for the schema."""
        decisions = [[decision.action, decision.after] for decision in self.decisions]
        return {"first": self.first, "decisions": decisions}

    @classmethod
    def from_json(cls, data: Json) -> "Strategy":
        """Read {"first": {observation: index}, "decisions": [[action, {observation: index}]]}.

        Raises:
            ValueError: an index is none of a decision, or something is missing or of another
                form.
        """
        pairs = data["decisions"]
        decisions = tuple(
            Decision(_action(action), _indices(after, len(pairs))) for action, after in pairs
        )
        return cls(_indices(data["first"], len(pairs)), decisions)


def _action(data: Any) -> Any:
    if isinstance(data, list):
        return [_action(each) for each in data]
    if type(data) is not int:
        raise ValueError(f"{shown(data)} is no integer of an action")
    return data


def _indices(data: Json, count: int) -> dict[str, int]:
    for index in data.values():
        if type(index) is not int or not 0 <= index < count:
            raise ValueError(f"{shown(index)} is none of {count} decisions")
    return dict(data)


def observation_key(observation: Array) -> str:
    """An observation, shape of its space, as compact JSON: what decisions are keyed by."""
    return json.dumps(observation.tolist(), separators=(",", ":"))


def decision_graph(graph: InformationGraph, choices: Choices) -> Strategy:
    """Write the options that a pure strategy takes as a graph that anybody can read."""
    actions = [action.tolist() for action in graph.actions]
    met = [
        np.searchsorted(layer.first_option, options, side="right") - 1
        for layer, options in zip(graph.layers, choices, strict=True)
    ]
    first = np.cumsum([0, *(len(nodes) for nodes in met)])
    decisions: list[Decision] = []
    for depth, options in enumerate(choices):
        layer = graph.layers[depth]
        leads = layer.leads[options]
        after: list[tuple[str, int]] = []
        if len(leads.indices):
            following = graph.layers[depth + 1]
            keys = [observation_key(seen) for seen in following.observations]
            places = first[depth + 1] + np.searchsorted(met[depth + 1], leads.indices)
            seen = following.seen[leads.indices]
            after = [(keys[k], i) for k, i in zip(seen.tolist(), places.tolist(), strict=True)]
        for row, option in enumerate(options):
            low, high = leads.indptr[row], leads.indptr[row + 1]
            decisions.append(Decision(actions[layer.actions[option]], dict(after[low:high])))
    root = graph.layers[0]
    keys = [observation_key(root.observations[kind]) for kind in root.seen]
    return Strategy({key: index for index, key in enumerate(keys)}, tuple(decisions))


class MixPlayer:
    """Draws a pure strategy by a uniform number, its seed, and plays it by the public rules.

    Args:
        task: the game.
        strategies: for this game, at least one.
        probabilities: of the strategies, shape (strategies,).

    Raises:
        ValueError: an action is not one of the game's, or the probabilities are not a mix.
    """

    def __init__(
        self, task: Task[Any], strategies: Sequence[Strategy], probabilities: Floats
    ) -> None:
        self.task = task
        if not (np.isfinite(probabilities) & (probabilities >= 0)).all():
            raise ValueError("the probabilities of strategies must be finite and not negative")
        if abs(probabilities.sum() - 1) > ROUNDING:
            raise ValueError(
                f"the probabilities of strategies must sum to 1, and do to {probabilities.sum():g}"
            )
        self._up_to = np.cumsum(probabilities)
        decisions = [decision for strategy in strategies for decision in strategy.decisions]
        self._actions = self._checked([decision.action for decision in decisions])
        firsts = np.cumsum([0, *(len(strategy.decisions) for strategy in strategies)])
        # Strategies begin at points of their own, after all decisions.
        self._begin = int(firsts[-1])
        self._observations: dict[str, int] = {}
        edges: dict[tuple[int, int], int] = {}
        for number, (strategy, first) in enumerate(zip(strategies, firsts, strict=False)):
            points = {first + i: decision.after for i, decision in enumerate(strategy.decisions)}
            for point, after in {self._begin + number: strategy.first, **points}.items():
                for key, index in after.items():
                    seen = self._observations.setdefault(key, len(self._observations))
                    edges[int(point), seen] = int(first + index)
        points_seen = np.array(list(edges), np.int64).reshape(-1, 2)
        codes = points_seen @ (len(self._observations), 1)
        order = np.argsort(codes)
        self._codes, self._next = codes[order], np.array(list(edges.values()), np.int64)[order]

    def _checked(self, actions: list[Any]) -> Array:
        try:
            return ActionCheck(self.task.action_space).check(actions, len(actions))
        except (InvalidAction, OverflowError, RecursionError) as error:
            raise ValueError(f"the strategies' actions are not the game's: {error}") from None

    def draw_seeds(self, rng: np.random.Generator, m: int) -> Array:
        """Draw m uniform numbers in [0, 1), shape (m,)."""
        return rng.random(m)

    def play(self, layouts: Array, seeds: Array) -> Play:
        """Play every layout, shape (n,), under every seed, shape (m,).

        Raises:
            ValueError: an observation is met that the strategies know no answer to.
        """
        drawn = np.searchsorted(self._up_to, seeds, side="right").clip(max=len(self._up_to) - 1)
        strategies, of_seed = np.unique(drawn, return_inverse=True)
        at_once = max(1, ROWS // len(strategies))
        played = [
            self.outcomes(layouts[low : low + at_once], strategies)
            for low in range(0, len(layouts), at_once)
        ]
        outcome = np.concatenate(played)[:, of_seed]
        return Play(outcome, None, outcome.astype(np.float32)[:, :, None])

    def outcomes(self, layouts: Array, strategies: Ints) -> Floats:
        """Play every layout, shape (n,), by each of k strategies; outcomes of shape (n, k)."""
        layout, column = np.divmod(np.arange(len(layouts) * len(strategies)), len(strategies))
        state = self.task.initial(rows_at(layouts, layout))
        point, rows = self._begin + strategies[column], np.arange(len(layout))
        outcome = np.empty(len(rows))
        while len(rows):
            point = self._after(point, np.asarray(self.task.observe(state)))
            transition = self.task.step(state, self._actions[point])
            ended = np.asarray(transition.terminated)
            if ended.any():
                over = rows_at(transition.state, np.flatnonzero(ended))
                outcome[rows[ended]] = self.task.outcome(over)
            state = rows_at(transition.state, np.flatnonzero(~ended))
            point, rows = point[~ended], rows[~ended]
        return outcome.reshape(len(layouts), len(strategies))

    def _after(self, point: Ints, observation: Array) -> Ints:
        """The next decisions at what is seen, shapes (n,) and (n, *observation_space.shape)."""
        first, kind = distinct(fingerprints(observation))
        keys = [observation_key(observation[row]) for row in first]
        known = np.array([self._observations.get(key, -1) for key in keys], np.int64)
        codes = point * len(self._observations) + known[kind]
        place = np.searchsorted(self._codes, codes).clip(max=len(self._codes) - 1)
        unknown = (known[kind] < 0) | (self._codes[place] != codes)
        if unknown.any():
            key = keys[kind[np.flatnonzero(unknown)[0]]]
            raise ValueError(f"the strategies of {self.task.env_id} have no answer to seeing {key}")
        following: Ints = self._next[place]
        return following
