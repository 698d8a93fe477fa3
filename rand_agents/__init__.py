"""Seeded policies that are trained to stay good when an adversary picks the layout.

All of `rand_agents.api` is here, too. It is imported when something of it is first asked for: the
command line has something to say before PyTorch is there.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rand_agents.api import *  # noqa: F403
else:

    def __getattr__(name: str) -> Any:
        if not name.startswith("__") or name == "__all__":
            api = importlib.import_module("rand_agents.api")

            globals().update({key: getattr(api, key) for key in (*api.__all__, "__all__")})
            if name in globals():
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *importlib.import_module("rand_agents.api").__all__})
