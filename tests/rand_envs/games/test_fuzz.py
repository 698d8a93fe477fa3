"""Random play of every game, legal and not, against its rules told plainly (`stories`)."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.vector import AutoresetMode

from rand_envs import Sweep
from rand_envs.core.register import TASKS
from tests.rand_envs.games.stories import STORIES, Json, Rng, Story, Told, some

NEXT, SAME, NEVER = AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED
SHORT, LONG = 2_000, 1_000_000
MOMENTS = 60
"""Steps with one set of arguments."""


class Alone:
    """One environment in the clothes of a vector environment."""

    def __init__(self, env_id: str, **arguments: Any) -> None:
        self.env = gym.make(env_id, disable_env_checker=True, **arguments)
        self.single_action_space = self.env.action_space
        self.task = self.env.get_wrapper_attr("task")

    @property
    def layouts(self) -> list[Any]:
        return [self.env.get_wrapper_attr("layout")]

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, Json]:
        seen, facts = self.env.reset(seed=seed, options=options)
        return seen[None], {key: np.array([value]) for key, value in facts.items()}

    def step(self, actions: Any) -> tuple[Any, ...]:
        seen, reward, over, cut, facts = self.env.step(actions[0])
        told = (np.array([value]) for value in (reward, over, cut))
        return seen[None], *told, {key: np.array([value]) for key, value in facts.items()}


class Referee:
    """Plays an environment with one set of arguments, and its story beside it."""

    def __init__(self, env_id: str, rng: Rng) -> None:
        self.rng, (self.story, some_arguments) = rng, STORIES[env_id]
        self.arguments = some_arguments(rng)
        self.mode = [NEXT, SAME, NEVER][rng.integers(3)]
        is_alone = self.mode is NEVER and rng.random() < 0.5
        self.n = 1 if is_alone else some(rng, 1, 9)
        # The limit of a single environment is Gymnasium's own wrapper.
        self.limit = None if is_alone or rng.random() < 0.5 else some(rng, 1, 12)
        self.fixed: list[Any] | None = None
        self.played = 0
        arguments = {**self.arguments, "layouts": self.some_layouts(env_id)}
        self.envs: Any
        if is_alone:
            self.envs = Alone(env_id, **arguments)
        else:
            self.envs = gym.make_vec(
                env_id,
                self.n,
                vectorization_mode="vector_entry_point",
                autoreset_mode=self.mode,
                max_episode_steps=self.limit,
                **arguments,
            )
        self.stories: list[Story] = [self.nothing()] * self.n
        self.told = [Told([], 0.0, False, {})] * self.n
        self.elapsed, self.ended = [0] * self.n, [True] * self.n

    def nothing(self) -> Story:
        yield Told([], 0.0, False, {})

    def some_layouts(self, env_id: str) -> Any:
        """What the environment is given for its layouts: nothing, one, or a sweep of all."""
        space = TASKS[env_id](**self.arguments).layout_space
        kind = self.rng.integers(4)
        if kind == 0:
            layout = space.unpack(space.sample(self.rng, 1))[0]
            self.fixed = [layout] * self.n
            return layout if self.rng.random() < 0.5 else layout.to_json()
        return Sweep(space) if kind == 1 and (space.size or 10**9) < 10**4 else None

    # The story.

    def begin(self, i: int) -> Told:
        self.stories[i] = self.story(self.envs.layouts[i].to_json(), **self.arguments)
        self.elapsed[i], self.ended[i] = 0, False
        return next(self.stories[i])

    def agree(self, seen: Any, facts: Json, of: list[int]) -> None:
        rows = seen.tolist()
        for i in of:
            assert rows[i] == self.told[i].seen
            assert self.facts_of(facts, i) == self.told[i].facts

    @staticmethod
    def facts_of(facts: Json, i: int) -> Json:
        hidden = ("final_obs", "final_info", "TimeLimit.truncated")
        return {k: v[i].item() for k, v in facts.items() if k[0] != "_" and k not in hidden}

    # What happens.

    def reset(self) -> None:
        options: Json = {}
        chosen = list(range(self.n))
        partly = self.n > 1 and self.told[0].seen and self.rng.random() < 0.5
        if partly or (self.mode is NEVER and any(self.ended) and self.n > 1 and self.told[0].seen):
            mask = np.array(self.ended) if any(self.ended) else self.rng.random(self.n) < 0.5
            mask[self.rng.integers(self.n)] = True
            options["reset_mask"] = mask
            chosen = mask.nonzero()[0].tolist()
        override = None
        if self.rng.random() < 0.3:
            space = self.envs.task.layout_space
            override = space.unpack(space.sample(self.rng, self.n))
            options["layout"] = override if self.n > 1 else override[0]
        seed = None if self.rng.random() < 0.5 else some(self.rng, 0, 2**31)
        seen, facts = self.envs.reset(seed=seed, options=options or None)
        expected = override or self.fixed
        for i in chosen:
            assert expected is None or self.envs.layouts[i] == expected[i]
            self.told[i] = self.begin(i)
        self.agree(seen, facts, chosen)
        assert seen.tolist() == [told.seen for told in self.told]

    def wrong_reset(self) -> None:
        wrong: list[Any] = [{"layuot": 1}, {"layout": {"no": 1}}, 5, {3: 4}]
        with pytest.raises(ValueError, match=r"."):
            self.envs.reset(options=wrong[self.rng.integers(len(wrong))])

    def some_actions(self) -> Any:
        space = self.envs.single_action_space
        low = getattr(space, "start", 0)
        high = getattr(space, "nvec", getattr(space, "n", 2) if not space.shape else 2)
        return self.rng.integers(low, high, (self.n, *space.shape))

    def wrong_step(self) -> None:
        if all(self.ended) or (self.mode is NEVER and any(self.ended)):
            return
        wrong: Any = self.some_actions()
        counts = self.ended.index(False)
        kind = self.rng.integers(8)
        if kind == 0:
            wrong = wrong[..., None]
        elif kind == 1:
            wrong = wrong.astype(object)
            wrong[counts] = None
        elif kind == 2:
            wrong = wrong + 0.5
        elif kind == 3:
            wrong = wrong * np.nan
        elif kind == 4:
            wrong = wrong.astype(str)
        elif kind == 5:
            wrong = [[[0], [0, 0]]] * self.n
        else:
            wrong[counts] = -1 if kind == 6 else 10**6
        with pytest.raises(InvalidAction, match="actions must be"):
            self.envs.step(wrong)

    def step(self) -> None:
        actions = self.some_actions()
        if self.mode is NEVER and any(self.ended):
            with pytest.raises(ResetNeeded):
                self.envs.step(actions)
            return self.reset()
        seen, rewards, overs, cuts, facts = self.envs.step(actions)
        self.played += self.n
        for i in range(self.n):
            if self.ended[i]:
                self.told[i] = self.begin(i)
                assert (rewards[i], overs[i], cuts[i]) == (0.0, False, False)
                continue
            told = self.told[i] = self.stories[i].send(actions[i].tolist())
            self.elapsed[i] += 1
            is_cut = self.limit is not None and self.elapsed[i] >= self.limit
            assert (rewards[i], overs[i], cuts[i]) == (told.reward, told.over, is_cut)
            self.ended[i] = told.over or is_cut
            if self.mode is SAME:
                assert ("final_obs" in facts and facts["_final_obs"][i]) == self.ended[i]
            if self.mode is SAME and self.ended[i]:
                assert facts["final_obs"][i].tolist() == told.seen
                assert self.facts_of(facts["final_info"], i) == told.facts
                self.told[i] = self.begin(i)
        self.agree(seen, facts, list(range(self.n)))
        return None

    def play(self) -> int:
        """Play on; returns how many steps instances took."""
        self.reset()
        for _ in range(MOMENTS):
            chance = self.rng.random()
            if chance < 0.06:
                self.wrong_step()
            elif chance < 0.08:
                self.wrong_reset()
            elif chance < 0.12:
                self.reset()
            else:
                self.step()
        return self.played


@pytest.mark.parametrize(
    "steps", [SHORT, pytest.param(LONG, marks=pytest.mark.slow)], ids=["short", "long"]
)
@pytest.mark.parametrize("env_id", STORIES)
def test_random_play_is_as_the_story_tells(env_id: str, steps: int) -> None:
    played, rng_seed = 0, 0
    while played < steps:
        rng_seed += 1
        referee = Referee(env_id, np.random.default_rng(rng_seed))
        try:
            played += referee.play()
        except Exception:
            print(f"rng_seed {rng_seed}: {vars(referee)}")
            raise


def test_every_game_has_its_story() -> None:
    ours = {name for name, kind in TASKS.items() if kind.__module__.startswith("rand_envs.games")}
    assert ours == set(STORIES)
