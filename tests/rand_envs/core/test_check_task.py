from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Dict, Discrete, MultiDiscrete

from rand_envs import GameValue, Layouts, Play, Task, Transition, check_task
from rand_envs.core.register import TASKS
from tests.rand_envs.core.games import Hunt, InOrder, Penalty, Throw


def test_our_games_pass(case: tuple[str, dict[str, Any]]) -> None:
    check_task(TASKS[case[0]](**case[1]))


@pytest.mark.parametrize("env_id", sorted(TASKS))
def test_every_registered_game_passes_as_it_is(env_id: str) -> None:
    check_task(TASKS[env_id])


def test_the_game_of_a_stranger_passes() -> None:
    check_task(Penalty)
    check_task(Penalty())


def test_a_game_of_several_steps_passes() -> None:
    class Full(Hunt):
        players = {"in order": InOrder}

        def known_value(self) -> GameValue:
            return GameValue(2.5, "exact")

    check_task(Full)


def test_a_game_of_real_numbers_passes() -> None:
    check_task(Throw)


def test_it_leaves_the_random_streams_of_a_task_alone() -> None:
    task, twin = Penalty(), Penalty()
    task.action_space = Discrete(3, seed=1)
    twin.action_space = Discrete(3, seed=1)
    check_task(task)
    assert [task.action_space.sample() for _ in range(9)] == [
        twin.action_space.sample() for _ in range(9)
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"env_id": "Hunt"}, r'Spoilt.env_id must be a string of the form "Name-v0", got \'Hunt\''),
        ({"env_id": None}, r"Spoilt.env_id must be a string"),
        ({"unit": 3}, r"Spoilt.unit must be a string, .* got 3"),
        ({"max_steps": 0}, r"Spoilt.max_steps must be a whole number of at least 1, got 0"),
        ({"max_steps": 5.0}, r"Spoilt.max_steps must be a whole number"),
        ({"wrong_answers": 0}, r"Spoilt.wrong_answers must be a whole number"),
        ({"layout_space": Discrete(4)}, r"Spoilt.layout_space must be a LayoutSpace, got Discrete"),
        ({"action_space": Dict({})}, r"Spoilt.action_space must be a Box, .* got Dict"),
        ({"observation_space": 6}, r"Spoilt.observation_space must be a Box"),
        ({"outcome_range": (5, 0)}, r"Spoilt.outcome_range must be the least and the largest"),
        ({"outcome_range": (0, 5, 9)}, r"Spoilt.outcome_range must be the least and the largest"),
        ({"env_id": "Hunt in a wood-v0"}, r'Spoilt.env_id must be a string of the form "Name-v0"'),
        # Rules whose arrays have the wrong form.
        ({"initial": lambda self, layouts: layouts["place"].copy()}, "initial must give a struct"),
        (
            {"observe": lambda self, s: s["guesses"].copy()},
            r"observe must be an array of shape \(8, 2\)",
        ),
        ({"observe": lambda self, s: Hunt.observe(self, s) + 5}, r"observe must give .* \[5, 5\]"),
        (
            {"observe": lambda self, s: Hunt.observe(self, s) / 2},
            "observe .* cast to int64, got float64",
        ),
        ({"step": lambda self, s, a: tuple(Hunt.step(self, s, a))}, "step must give a Transition"),
        ({"info": lambda self, s: {"guesses": 3}}, r"info\['guesses'\] must be an array of shape"),
        ({"info": lambda self, s: [s["guesses"].copy()]}, "info must give a dictionary of arrays"),
        ({"success": lambda self, s: s["found"].astype(int)}, r"success must .* type bool, got"),
        ({"outcome": lambda self, s: s["guesses"].copy()}, r"outcome must be .* type float64, got"),
        ({"final_info": lambda self, s: {}}, r"final_info must hold .* is_success, got None"),
        # Outcomes that cannot be.
        ({"outcome": lambda self, s: s["guesses"] * np.nan}, "outcome must be finite"),
        ({"outcome": lambda self, s: s["guesses"] + 5.0}, "outcome .* from 0 to 5"),
        (
            {"unit": "success", "outcome": lambda self, s: s["guesses"] / 5},
            "outcome must be 0 or 1",
        ),
        ({"best_outcome": lambda self, x: np.full(len(x), 5.0)}, "best_outcome .* nobody beats"),
        ({"best_outcome": lambda self, x: np.full(len(x), 9.0)}, "best_outcome .* outcome_range"),
        ({"best_outcome": lambda self, x: 1.0}, "best_outcome must be None or floats of shape"),
        ({"known_value": lambda self: 2.5}, "known_value must be a GameValue or None, got 2.5"),
        ({"known_value": lambda self: GameValue(9.0, "exact")}, "known_value must .* from 0 to 5"),
        ({"known_value": lambda self: GameValue(2.5, None)}, "known_value must be of the kind"),
        # Code that is named and cannot be found or used.
        ({"painter": "rand_envs.nowhere:Painter"}, "painter must be a Painter, or name one"),
        ({"painter": lambda *played: None}, "painter must draw an instance after 0 steps"),
        ({"players": {"x": "rand_envs:Nobody"}}, r"players\['x'\] must be a function of the task"),
        (
            {"players": {"x": lambda task: dict[int, Any]()[1]}},
            r"players\['x'\] must make .* raised KeyError: 1",
        ),
        ({"players": {"x": lambda task: None}}, r"players\['x'\].draw_seeds must draw seeds"),
    ],
)
def test_an_illegal_part_is_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_task(type("Spoilt", (Hunt,), changed))


class SharesItsArgument(Hunt):
    says = r"SharesItsArgument.info must .* memory of their own, .* with its arguments"

    def info(self, state: Any) -> Any:
        return {"guesses": state["guesses"]}


class SharesBetweenCalls(Hunt):
    says = r"SharesBetweenCalls.observe must .* with what it gave in another call"
    constant = np.zeros((8, 2), np.int64)

    def observe(self, state: Any) -> Any:
        return self.constant[: len(state)]


class SharesWithinATransition(Hunt):
    says = r"SharesWithinATransition.step must .* with another array that it gave"

    def step(self, state: Any, actions: Any) -> Transition:
        after, reward, over = super().step(state, actions)
        over &= after["guesses"] > 9
        after["found"] |= after["guesses"] == self.max_steps
        return Transition(after, reward, after["found"])


class GivesWhatCannotBeWritten(Hunt):
    says = r"GivesWhatCannotBeWritten.step must give arrays that can be written to"

    def step(self, state: Any, actions: Any) -> Transition:
        after, _, over = super().step(state, actions)
        return Transition(after, np.broadcast_to(-1.0, len(state)), over)


class ChangesItsState(Hunt):
    says = r"ChangesItsState.step must leave its arguments as they are"

    def step(self, state: Any, actions: Any) -> Transition:
        state["guesses"] += 1
        return Transition(state.copy(), np.zeros(len(state)), state["guesses"] == 5)


class ChangesLayouts(Hunt):
    says = r"ChangesLayouts.initial must leave its arguments as they are"

    def initial(self, layouts: Any) -> Any:
        layouts["place"] += 1
        return super().initial(layouts)


class Chance(Hunt):
    says = r"Chance.observe must be a function of its arguments alone"
    rng = np.random.default_rng(0)

    def observe(self, state: Any) -> Any:
        return self.rng.integers(2, size=(len(state), 2))


class Raises(Hunt):
    says = r"Raises.step must not raise, and raised KeyError: 'nothing'"

    def step(self, state: Any, actions: Any) -> Transition:
        raise KeyError("nothing")


class SaysNotWhatSuccessIs(Hunt):
    unit = "success"
    says = r"success must not raise, and raised NotImplementedError: .* must say what a success is"
    success = Task.success


class NeverEnds(Hunt):
    says = r"NeverEnds.step must end every instance within max_steps = 5 steps, and \d of 8"
    observation_space = MultiDiscrete([99, 2])

    def step(self, state: Any, actions: Any) -> Transition:
        after, reward, _ = super().step(state, actions)
        return Transition(after, reward, after["found"].copy())


class WaitsForAnAction(Hunt):
    """It ends by action 0 alone, or where the same action was played for nine steps."""

    says = r"WaitsForAnAction.step must end every instance within max_steps = 8 steps, and 8 of 8"
    max_steps = 8
    observation_space = MultiDiscrete([99, 2])

    def step(self, state: Any, actions: Any) -> Transition:
        after, reward, _ = super().step(state, actions)
        moved = state["place"] != actions
        after["place"] = actions
        over = moved & (state["guesses"] > 0) | (after["guesses"] == 9)
        return Transition(after, reward, over)


class ForgetsTheTerminalObservation(Hunt):
    says = r"ForgetsTheTerminalObservation.observe must give observations in .* got \[1, 99\]"

    def observe(self, state: Any) -> Any:
        return super().observe(state) + [0, 98] * state["found"][:, None]


class NewKeys(Hunt):
    says = r"NewKeys.info must give the same keys and types at every call"

    def info(self, state: Any) -> Any:
        return {} if (state["guesses"] == 0).all() else super().info(state)


class OtherState(Hunt):
    says = r"OtherState.step's state must be an array of shape \(8,\) and type"

    def step(self, state: Any, actions: Any) -> Transition:
        after, reward, over = super().step(state, actions)
        return Transition(after[["place", "guesses", "found"]][:-1], reward, over)


class Rewards32(Hunt):
    says = r"Rewards32.step's reward must be .* type float64, got shape \(8,\) and type float32"

    def step(self, state: Any, actions: Any) -> Transition:
        after, reward, over = super().step(state, actions)
        return Transition(after, reward.astype(np.float32), over)


class LooksAtItsNeighbours(Hunt):
    says = r"LooksAtItsNeighbours.observe must depend on nothing but an instance's own layout"

    def observe(self, state: Any) -> Any:
        seen = super().observe(state)
        seen[:, 1] = state["place"].argmax() % 2
        return seen


class ForgetsAnArgument(Hunt):
    says = r"ForgetsAnArgument must keep the arguments of its constructor .* guesses is missing"

    def __init__(self, guesses: int = 5) -> None:
        self.max_steps = guesses


class KeepsNoJson(Hunt):
    says = r"KeepsNoJson.config must be JSON-ready, and raised TypeError"

    def __init__(self, start: Any = 1j) -> None:
        self.start = start


class BuildsAnother(Hunt):
    says = r"BuildsAnother\(\*\*config\) must build .* max_steps is 4 instead of 5"
    built = 6

    def __init__(self) -> None:
        type(self).built -= 1
        self.max_steps = type(self).built


class BuildsOtherRules(Hunt):
    says = r"step's reward must depend on nothing .* the task that BuildsOtherRules\(\*\*config\)"
    built = 0

    def __init__(self) -> None:
        self.bonus = type(self).built
        type(self).built += 1

    def step(self, state: Any, actions: Any) -> Transition:
        after, reward, over = super().step(state, actions)
        return Transition(after, reward + self.bonus, over)


class BuildsOtherLayouts(Hunt):
    says = r"BuildsOtherLayouts\(\*\*config\) must .* whose layout_space does not match"
    built = 0

    def __init__(self) -> None:
        type(self).built += 1
        self.layout_space = Layouts(place=Discrete(3 + type(self).built))
        self.action_space = Discrete(9)


class NeedsAnArgument(Hunt):
    says = r"NeedsAnArgument must be given as an object, .* arguments: guesses"

    def __init__(self, guesses: int) -> None:
        self.max_steps = self.guesses = guesses


@pytest.mark.parametrize("task", Hunt.__subclasses__(), ids=lambda task: task.__name__)
def test_the_method_at_fault_is_named(task: type[Hunt]) -> None:
    with pytest.raises(ValueError, match=task.says) as caught:  # type: ignore[attr-defined]
        check_task(task)
    assert "\n" not in str(caught.value)


class Moody(Hunt):
    """Tells its unit three times."""

    asked = 0

    @property
    def unit(self) -> str:  # type: ignore[override]
        type(self).asked += 1
        if self.asked > 3:
            raise RuntimeError("enough")
        return "guesses"


def test_what_is_promised_must_hold_as_often_as_it_is_asked() -> None:
    with pytest.raises(
        ValueError, match=r"Moody must give .* wherever it is used, and made .*enough"
    ):
        check_task(Moody())


class Endless(Hunt):
    """Nothing is ever found in a hundred guesses."""

    max_steps, outcome_range = 100, (0.0, 100.0)
    observation_space = MultiDiscrete([101, 2])

    def step(self, state: Any, actions: Any) -> Transition:
        return super().step(state, np.full(len(state), -1))

    def known_value(self) -> GameValue:
        return GameValue(None, None)


def test_of_long_games_the_beginning_is_tried_and_an_unknown_value_is_legal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rand_envs.core.check_task.play.MAX_STEPS", 20)
    seen = 0

    def step(self: Endless, state: Any, actions: Any) -> Transition:
        nonlocal seen
        seen = max(seen, int(state["guesses"].max()))
        return Endless.step(self, state, actions)

    check_task(type("Noted", (Endless,), {"step": step}))
    assert seen == 20 - 1


ONES = np.ones((6, 4, 1), np.float32)


class BadPlayer(InOrder):
    """Plays as it is told to."""

    def __init__(self, task: Hunt, play: Callable[[Any, Any], Any]) -> None:
        super().__init__(task)
        self.play = play  # type: ignore[method-assign, assignment]


@pytest.mark.parametrize(
    ("play", "message"),
    [
        (lambda x, s: np.ones((len(x), len(s))), "play must give a Play, got"),
        (lambda x, s: Play(np.ones(len(x)), None, ONES), r"outcomes of shape \(6, 4\)"),
        (lambda x, s: Play(np.full((6, 4), 7.0), None, ONES), "from 0 to 5"),
        (lambda x, s: Play(np.full((6, 4), np.nan), None, ONES), "must be finite"),
        (lambda x, s: Play(np.full((6, 4), 0.5), None, ONES), "what nobody beats"),
        (lambda x, s: Play(np.ones((6, 4)), None, ONES[..., 0]), "must give an output"),
        (lambda x, s: Play(np.ones((6, 4)), np.ones(6, int), ONES), "an answer"),
    ],
)
def test_a_player_at_fault_is_named(play: Any, message: str) -> None:
    class Played(Hunt):
        players = {"bad": lambda task: BadPlayer(task, play)}

    with pytest.raises(ValueError, match=message):
        check_task(Played)


def test_a_player_that_is_not_for_a_task_is_left_out() -> None:
    def only_for_others(task: Hunt) -> InOrder:
        raise ValueError("it is for larger games")

    check_task(type("Played", (Hunt,), {"players": {"large": only_for_others}}))


def test_what_is_no_task_is_refused() -> None:
    for thing in (3, "Hunt-v0", dict):
        with pytest.raises(ValueError, match=r"an object or a subclass of rand_envs.Task, got"):
            check_task(thing)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Half must define initial, step"):
        check_task(type("Half", (Task,), {"observe": Hunt.observe}))
