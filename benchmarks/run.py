"""Train and evaluate the four models on the games: python benchmarks/run.py --help."""

import sys

from suite.main import main

if __name__ == "__main__":
    sys.exit(main())
