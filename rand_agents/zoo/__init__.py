"""Trained agents that come with the package: weights, and a card that says how they were made.

An agent NAME is NAME.safetensors, weights without the optimiser's state, beside NAME.json, its
card: recipe, command, `rng_seed`, duration, machine, and the scores of the run it is from.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rand_agents.agents.files import agent_path
from rand_envs.core.arrays import Json
from rand_envs.core.sealed import read_json, write_json

if TYPE_CHECKING:
    # Names and cards can be had without PyTorch, which takes seconds.
    import torch

    from rand_agents.agents.agent import Agent

__all__ = [
    "add_to_zoo",
    "agent_file",
    "load_zoo",
    "replace_card",
    "weight_differences",
    "zoo_card",
    "zoo_names",
]

FOLDER = Path(__file__).parent


def zoo_names() -> list[str]:
    """The names of all agents in the zoo, sorted."""
    return sorted(
        path.stem for path in FOLDER.glob("*.safetensors") if path.with_suffix(".json").is_file()
    )


def load_zoo(name: str, device: "str | torch.device" = "cpu") -> "Agent[Any]":
    """A trained agent, ready to predict and to be evaluated.

    Its file has no optimiser state: `learn` starts a fresh optimiser from these weights, and
    `resume` is an error.

    Args:
        name: One of `zoo_names()`.
        device: Where the policy computes.

    Raises:
        ValueError: If there is no agent of that name.
    """
    from rand_agents.training.loading import load_agent

    return load_agent(_path(name), device)


def zoo_card(name: str) -> Json:
    """How a zoo agent was made and what it scored.

    Raises:
        ValueError: If there is no agent of that name, or its card is damaged.
    """
    return read_json(_path(name).with_suffix(".json"))


def agent_file(source: str) -> Path:
    """The file of an agent that is given by its path, or by its name in the zoo.

    Raises:
        FileNotFoundError: If it is neither.
    """
    path = Path(source)
    if path.name and agent_path(path).is_file():
        return path
    if source in zoo_names():
        return _path(source)
    raise FileNotFoundError(f"there is no agent file {source}, and {_known()}")


def add_to_zoo(agent: "Agent[Any]", name: str, card: Json) -> Path:
    """Write an agent's weights and its card into the zoo; returns the path of the weights."""
    path = agent.save(FOLDER / f"{name}.safetensors", weights_only=True)
    write_json(path.with_suffix(".json"), card, indent=1)
    return path


def replace_card(name: str, card: Json) -> None:
    """Write the card of an agent that is in the zoo.

    Raises:
        ValueError: If there is no agent of that name.
    """
    write_json(_path(name).with_suffix(".json"), card, indent=1)


def weight_differences(one: "Agent[Any]", other: "Agent[Any]") -> dict[str, float]:
    """Largest absolute difference of each weight that is not equal to the last bit.

    Raises:
        ValueError: If the two are not of one architecture.
    """
    weights, others = one.model.named_weights(), other.model.named_weights()
    if {k: w.shape for k, w in weights.items()} != {k: w.shape for k, w in others.items()}:
        raise ValueError("the agents' weights can only be compared if they have the same shapes")
    return {
        name: (weight - others[name]).abs().max().item()
        for name, weight in weights.items()
        if not weight.equal(others[name])
    }


def _path(name: str) -> Path:
    if name not in zoo_names():
        raise ValueError(f"there is no agent {name!r} in the zoo: {_known()}")
    return FOLDER / f"{name}.safetensors"


def _known() -> str:
    names = zoo_names()
    return f"the zoo has {', '.join(names)}" if names else "the zoo is empty"
