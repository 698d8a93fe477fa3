"""A game without a painter is drawn as text: what was seen, what was done, and the state."""

import numpy as np

from rand_envs import RecallTask
from rand_envs.rendering import render_frame, render_text
from tests.rand_envs.core.games import Penalty


def test_a_stranger_s_game_is_text_and_a_picture_of_it() -> None:
    task = Penalty()
    layouts = task.layout_space.enumerate()[1:2]
    first = task.initial(layouts)
    last = task.step(first, np.array([1])).state
    assert render_text(task, [first], []).splitlines()[0] == "Penalty-v0: 0 steps"
    lines = render_text(task, [first, last], [np.array(1)]).splitlines()
    assert lines[0].startswith("Penalty-v0: 1 step, success ")
    assert lines[1:3] == ["0: saw 0", "1: played 1, saw 0"]
    assert lines[3].startswith("state: ")
    before, after = (
        render_frame(task, states, actions)
        for states, actions in (([first], []), ([first, last], [np.array(1)]))
    )
    assert before.shape == after.shape
    assert (before != after).any()


def test_long_games_and_long_observations_stay_within_the_picture() -> None:
    class Plain(RecallTask):
        painter = None  # type: ignore[assignment]

    plain = Plain(30, 9)
    state = plain.initial(plain.layout_space.sample(np.random.default_rng(0), 1))
    states, actions = [state], []
    for _ in range(31):
        actions.append(np.zeros(9, np.int8))
        states.append(plain.step(states[-1], actions[-1][None]).state)
    assert max(map(len, render_text(plain, states, actions).splitlines())) < 400
    assert render_frame(plain, states, actions).shape[0] < 600
