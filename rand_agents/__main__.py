"""`python -m rand_agents`, and the console script `rand-agents`."""

import sys

from rand_agents.app.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
