"""Where policies compute."""

import torch

from rand_agents.agents.ranks import place_on_machine


def usable_device(name: str | torch.device) -> torch.device:
    """The device, once a number was read from there; ValueError where that fails.

    Of several processes on a machine each has a graphics card of its own.
    """
    if name == "cuda" and (place := place_on_machine()):
        name = f"cuda:{place}"
    try:
        device = torch.zeros(1, device=name).device
        torch.zeros(1, device=device).item()
    # Its own words list what PyTorch knows of anywhere, not what is here.
    except (RuntimeError, AssertionError):
        raise ValueError(
            f"the device '{name}' cannot be used here: there is {', '.join(_devices())}"
        ) from None
    return device


def _devices() -> list[str]:
    """What PyTorch can compute on here."""
    here = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return ["cpu", *here, *(["mps"] if torch.backends.mps.is_available() else [])]
