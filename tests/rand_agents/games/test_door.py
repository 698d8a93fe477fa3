"""A stranger's mistakes are told at the door, in a sentence, and not at the first update."""

from typing import Any

import numpy as np
import pytest

from rand_agents import PEPG, MLPConfig, QNorm
from rand_envs import Transition
from tests.rand_envs.core.games import Penalty


class Deep(Penalty):
    def observe(self, state: Any) -> Any:
        return np.zeros((len(state), 1))


class Forgetful(Penalty):
    def step(self, state: Any, actions: Any) -> Any:
        moved = super().step(state, actions)
        return Transition(np.zeros(len(state)), moved.reward, moved.terminated)


class Misspelt(Penalty):
    def success(self, state: Any) -> Any:
        return state["gaol"]


@pytest.mark.parametrize("trainer", [QNorm, PEPG])
@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        (Deep, r"Deep\.observe must be an array of shape \(8,\), got shape \(8, 1\)"),
        (Forgetful, r"Forgetful\.step's state must be an array of shape \(8,\) and type"),
        (Misspelt, r"Misspelt\.success must not raise, and raised .*gaol"),
    ],
)
def test_rules_that_do_not_fit_are_refused_when_the_agent_is_made(
    trainer: Any, task: Any, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        trainer("MlpPolicy", task())


def test_a_policy_of_another_output_is_refused() -> None:
    with pytest.raises(ValueError, match="needs output_dim 3, got 4"):
        QNorm(MLPConfig(1, 4, 2), Penalty())
