"""Put trained runs of the paper preset into the package's zoo: python benchmarks/make_zoo.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.suite.make_zoo import main

if __name__ == "__main__":
    main()
