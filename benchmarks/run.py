"""Train and evaluate the four models on the games: python benchmarks/run.py --help."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.suite.main import main

if __name__ == "__main__":
    sys.exit(main())
