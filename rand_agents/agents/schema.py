"""What an agent file must say: all its facts and tensors are checked before anything is built."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from rand_agents.agents.files import Contents
from rand_agents.games.registry import POLICIES, Environment, PolicyConfig, model_of, task_of
from rand_agents.policies.seeds import SeedSpec
from rand_envs.core.arrays import Json, shown, whole_number
from rand_envs.core.options import from_json, restore_generator, rng_seed_number
from rand_envs.core.register import TASKS
from rand_envs.core.task import Setting

STREAMS = ("layouts", "seeds", "noise", "acting")
"""What generators are for: separate streams keep layouts independent of seeds and of noise."""

MAX_TIMESTEPS = 2**53
"""The most updates of a run: floats, which schedules are made of, tell no more apart."""


@dataclass(frozen=True)
class Description:
    """The facts of an agent file, each of its type and in its range."""

    env_id: str
    task: Json
    is_registered: bool
    policy: PolicyConfig
    seeds: SeedSpec
    config: Any
    rng_seed: int
    num_timesteps: int
    total_timesteps: int
    env_steps: int
    layouts: Json | None
    rngs: dict[str, np.random.Generator]
    has_trainer_state: bool
    weights: dict[str, Tensor]
    trainer: dict[str, Tensor]

    @classmethod
    def of(cls, contents: Contents, config_type: type[Any]) -> Self:
        """Check what a file holds; ValueError says what is wrong.

        Args:
            contents: Of the file.
            config_type: The class of the trainer's options.
        """
        # Files from before there was a choice lack some; they are of registered environments, of
        # transformers, have uniform layouts, and all of the trainer's state.
        early = {"is_registered": True, "layouts": None, "has_trainer_state": True}
        facts = early | {"policy_kind": "SeedTransformer"} | contents.facts
        total = whole_number("total_timesteps", _fact(facts, "total_timesteps"), 0, MAX_TIMESTEPS)
        kind = _of(facts, "policy_kind", str)
        if kind not in POLICIES:
            raise ValueError(f"policy_kind must be {' or '.join(POLICIES)}, got {shown(kind)}")
        weights = contents.under("weights")
        policy = _policy(_of(facts, "policy", dict), POLICIES[kind], weights)
        return cls(
            env_id=_of(facts, "env_id", str),
            task=_of(facts, "task", dict),
            is_registered=_of(facts, "is_registered", bool),
            policy=policy,
            seeds=from_json("seeds", _fact(facts, "seeds"), SeedSpec),
            config=from_json("config", _fact(facts, "config"), config_type),
            rng_seed=rng_seed_number(_fact(facts, "rng_seed")),
            num_timesteps=whole_number("num_timesteps", _fact(facts, "num_timesteps"), 0, total),
            total_timesteps=total,
            env_steps=whole_number("env_steps", _fact(facts, "env_steps"), 0),
            layouts=None if facts["layouts"] is None else _of(facts, "layouts", dict),
            rngs=_generators(_of(facts, "rngs", dict)),
            has_trainer_state=_of(facts, "has_trainer_state", bool),
            weights=weights,
            trainer=contents.under("trainer"),
        )


def _fact(facts: Json, name: str) -> Any:
    if name not in facts:
        raise ValueError(f"it does not describe a whole agent: there is no {name}")
    return facts[name]


def _of(facts: Json, name: str, kind: type[Any]) -> Any:
    value = _fact(facts, name)
    if type(value) is not kind:
        raise ValueError(f"{name} must be of {kind.__name__}, got {shown(value)}")
    return value


def _generators(states: Json) -> dict[str, np.random.Generator]:
    if set(states) != set(STREAMS):
        raise ValueError(f"rngs must be of {', '.join(STREAMS)}, got {', '.join(states)}")
    generators = {name: np.random.default_rng(0) for name in STREAMS}
    for name, generator in generators.items():
        restore_generator(generator, states[name])
    return generators


def _policy(data: Json, kind: type[Any], weights: Mapping[str, Tensor]) -> PolicyConfig:
    """The shape of a policy that has exactly these weights, which are sound."""
    policy: PolicyConfig = from_json("policy", data, kind)
    # Every size is one of some weight, and every block and layer has a weight of its own; so it
    # costs little to see what weights the shape has.
    largest = max(map(torch.numel, weights.values()), default=0)
    for field in dataclasses.fields(kind):
        value = getattr(policy, field.name)
        sizes = value if isinstance(value, tuple) else (value,)
        most = len(weights) if field.name == "num_blocks" else largest
        is_used = field.name != "model_size" or getattr(policy, "embedding", "") != "none"
        too_large = any(type(size) is int and size > most for size in sizes)
        if is_used and (too_large or len(sizes) > max(len(weights), 1)):
            raise ValueError(f"the file's weights do not fit its policy, of {field.name} {value}")
    with torch.device("meta"):
        expected = model_of(policy, 0).named_weights()
    check_tensors("weights", weights, expected)
    return policy


def check_tensors(what: str, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raise ValueError unless tensors are finite and have the names, types and shapes expected."""
    if missing := sorted(expected.keys() - tensors.keys()):
        raise ValueError(f"there is no {', '.join(missing)} in the file's {what}")
    if extra := sorted(tensors.keys() - expected.keys()):
        raise ValueError(f"there is {', '.join(extra)} in the file's {what}, which nothing is for")
    for name, like in expected.items():
        tensor = tensors[name]
        if (tensor.shape, tensor.dtype) != (like.shape, like.dtype):
            raise ValueError(
                f"{name} in the file's {what} must be of {_kind(like)}, got {_kind(tensor)}"
            )
        if not tensor.isfinite().all():
            raise ValueError(f"{name} in the file's {what} must be finite")


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def task_in_file(described: Description, env: Environment | None) -> Setting[Any]:
    """The setting that a file names; ValueError if it is not that of the environment given."""
    given = None if env is None else task_of(env)
    if described.is_registered:
        stored = _registered(described.env_id, described.task)
        named = (stored.env_id, stored.config)
    elif given is None:
        raise ValueError(
            f"it holds an agent for an environment that gym.make does not give, "
            f"{described.env_id}: load it with env=, an environment like the one it was trained in"
        )
    else:
        stored, named = given, (described.env_id, described.task)
    if given is not None and (given.env_id, given.config) != named:
        raise ValueError(
            f"it holds an agent for {named[0]} with {named[1]}, "
            f"not for {given.env_id} with {given.config}"
        )
    return stored


def _registered(env_id: str, task: Json) -> Setting[Any]:
    """An environment that others registered gets numbers and words, no window and no path."""
    if env_id not in TASKS:
        if "render_mode" in task:
            raise ValueError(f"a file must not say how {env_id} is rendered")
        for word in _words(task):
            if "/" in word or "\\" in word:
                raise ValueError(f"a file must not give paths to {env_id}, such as {word!r}")
    return task_of(env_id, task)


def _words(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [word for each in value for word in _words(each)]
    return [value] if isinstance(value, str) else []
