"""Exact ground truth: matrix games, the grid as a search game, and bounds with certificates.

All of `rand_envs.minimax.api` is here, too. It is imported when something of it is first asked
for: the solvers compile, and a command line has something to say before that.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rand_envs.minimax.api import *  # noqa: F403
else:

    def __getattr__(name: str) -> Any:
        if not name.startswith("__") or name == "__all__":
            api = importlib.import_module("rand_envs.minimax.api")

            globals().update({key: getattr(api, key) for key in (*api.__all__, "__all__")})
            if name in globals():
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *importlib.import_module("rand_envs.minimax.api").__all__})
