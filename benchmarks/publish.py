"""Make what is committed of a benchmark from the runs it left: python benchmarks/publish.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.suite.publish import main

if __name__ == "__main__":
    sys.exit(main())
