"""Make what is committed of a benchmark from the runs it left: python benchmarks/publish.py."""

import sys

from suite.publish import main

if __name__ == "__main__":
    sys.exit(main())
