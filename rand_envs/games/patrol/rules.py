"""RandPatrol-v0: patrol a graph so that an attack on any node is met in time."""

from typing import Any

import numpy as np
from gymnasium.spaces import Discrete, MultiDiscrete
from numpy.typing import NDArray

from rand_envs.core.arrays import Array, whole_number
from rand_envs.core.compiled import compiled
from rand_envs.core.layouts.fields import FieldLayout, Layouts
from rand_envs.core.task import Advance, CompiledTask, GameValue
from rand_envs.games.patrol.graphs import checked_graph, closed_tour


class PatrolTask(CompiledTask[FieldLayout]):
    """Walk on a graph past the node that is under attack, not knowing where and when.

    ## Description
    A patrolling game (Alpern, Morton and Papadaki, "Patrolling games", Operations Research 59,
    2011), the idea behind randomised patrols of airports, ports and parks.  The adversary
    picks a node and m steps in a row in which it is attacked.  The patroller walks along the
    edges, sees nothing of the attack, and succeeds if it is on that node in one of those
    steps.  Whoever walks a fixed round is attacked where it has just been; a good patroller
    walks a random one.

    ## Action Space
    `Discrete(nodes)`: the node to be on next.  The first action chooses any node; later ones
    a neighbour or the node itself, and where it is neither, the patroller stays.

    ## Observation Space
    `MultiDiscrete([nodes + 1, horizon + 1])`: the patroller's node, which is `nodes` before
    the first choice, and the number of steps taken, which is `horizon` only at the end.

    ## Starting State
    The patroller is nowhere yet.  The attacked node and the first step of the attack are
    uniform by default: see Arguments.

    ## Rewards
    1 in the last step if the attack was intercepted, else 0; 0 in every earlier step.

    ## Episode End
    Terminated after `horizon` steps, also if the attack was intercepted before.  Never
    truncated.

    ## Information
    `place`: the patroller's node, `nodes` before the first choice.  `is_success`: whether
    the attack was intercepted, False before the end.

    ## Arguments
    * `graph` (("cycle", 5)): ("cycle", n); ("line", n); ("star", n), of which node 0 is the
      centre; ("grid", rows, columns), whose nodes are row * columns + column; or an adjacency
      matrix, symmetric, of 0 and 1, with zeros on its diagonal, of a connected graph.
    * `horizon` (6): steps of an instance, counted from 0.
    * `attack_duration` (3): steps m that the attack lasts, at most `horizon`.
    * `layouts` (None): None for uniform layouts, a layout such as {"node": 2, "start": 0},
      attacked in the steps start to start + m - 1, or a `LayoutSource`.
      `reset(options={"layout": ...})` sets it for one instance.
    * `render_mode` (None): "human", "rgb_array" or "ansi".

    ## Version History
    * v0: first version.

    ## The rules as a class
    A state is its layout, and `place`, the patroller's node; `time`, the number of steps
    taken; and `intercepted`, whether it was on the attacked node during the attack.

    Args:
        graph: what is patrolled, by name or as an adjacency matrix.
        horizon: steps of an instance.
        attack_duration: steps that the attack lasts.

    Raises:
        ValueError: an argument has the wrong type, or is out of range.
    """

    env_id = "RandPatrol-v0"
    unit = "success"
    painter = "rand_envs.games.patrol.painter:PatrolPainter"
    players = {
        "random-walk": "rand_envs.games.patrol.classics:RandomWalk",
        "cyclic": "rand_envs.games.patrol.classics:CyclicPatrol",
        "stationary": "rand_envs.games.patrol.classics:StationaryGuard",
    }

    def __init__(
        self, graph: Any = ("cycle", 5), horizon: int = 6, attack_duration: int = 3
    ) -> None:
        self.graph, self.adjacency = checked_graph(graph)
        self.num_nodes = len(self.adjacency)
        self.horizon = whole_number("horizon", horizon, 1, 10_000)
        self.attack_duration = whole_number("attack_duration", attack_duration, 1, self.horizon)
        starts = self.horizon - self.attack_duration + 1
        self.layout_space = Layouts(node=Discrete(self.num_nodes), start=Discrete(starts))
        self.observation_space = MultiDiscrete([self.num_nodes + 1, self.horizon + 1])
        self.action_space = Discrete(self.num_nodes)
        self.max_steps = self.horizon
        numbers = ["node", "start", "place", "time"]
        self._state_dtype = np.dtype(
            [*((name, np.int64) for name in numbers), ("intercepted", np.bool_)], align=True
        )
        # Looked up by (place, action); the last row is that of nowhere.
        nodes = np.arange(self.num_nodes)
        self._moves = np.vstack([np.where(self.adjacency, nodes, nodes[:, None]), nodes])

    def initial(self, layouts: Array) -> Array:
        """States in which the patroller is nowhere, shape (n,)."""
        state = np.zeros(len(layouts), self._state_dtype)
        state["node"] = layouts["node"]
        state["start"] = layouts["start"]
        state["place"] = self.num_nodes
        return state

    def advance(self, state: Array, actions: Array, idle: NDArray[np.bool_]) -> Advance:
        """Go to the nodes `actions`, shape (n,), where they are next to the patroller's.

        Observations are the patroller's node and the steps taken, int64.
        """
        n = len(state)
        seen, reward, over = np.empty((n, 2), np.int64), np.empty(n), np.empty(n, bool)
        _walk(
            self.horizon,
            self.attack_duration,
            self._moves,
            actions,
            idle,
            state["node"],
            state["start"],
            state["place"],
            state["time"],
            state["intercepted"],
            seen,
            reward,
            over,
        )
        return Advance(state, seen, reward, over)

    def info(self, state: Array) -> dict[str, Array]:
        """The patroller's node."""
        return {"place": state["place"].copy()}

    def success(self, state: Array) -> NDArray[np.bool_]:
        """Whether the attack was intercepted, shape (n,)."""
        success: NDArray[np.bool_] = state["intercepted"].copy()
        return success

    def known_value(self) -> GameValue:
        """Exact m / n on a cycle, and 1 where a tour takes m steps or fewer; elsewhere a bound.

        No patroller beats m / n on a graph of n nodes: it meets at most m of them in m steps,
        and the adversary may attack a uniform one.  A closed tour of length l from a random
        phase is on every node within m steps with probability m / l at least, and a cycle is
        one of length n (Alpern, Morton and Papadaki, 2011).
        """
        bound = min(1.0, self.attack_duration / self.num_nodes)
        reached = min(1.0, self.attack_duration / len(closed_tour(self.adjacency)))
        if reached == bound:
            return GameValue(bound, "exact")
        return GameValue(bound, "bound", "the nodes are attacked alike, though some are remote")


@compiled
def _walk(
    horizon: int,
    attack_duration: int,
    moves: Array,
    actions: Array,
    idle: Array,
    node: Array,
    start: Array,
    place: Array,
    time: Array,
    intercepted: Array,
    seen: Array,
    reward: Array,
    over: Array,
) -> None:
    for i in range(len(place)):
        if idle[i]:
            reward[i], over[i] = 0.0, False
        else:
            place[i] = moves[place[i], actions[i]]
            attacked = 0 <= time[i] - start[i] < attack_duration
            if attacked and place[i] == node[i]:
                intercepted[i] = True
            time[i] += 1
            over[i] = time[i] == horizon
            reward[i] = over[i] and intercepted[i]
        seen[i, 0], seen[i, 1] = place[i], time[i]
