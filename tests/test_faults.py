"""The short form of the command that tries faults."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).with_name("faults.py")


@pytest.mark.skipif(sys.platform != "linux", reason="it looks at /proc")
def test_no_fault_goes_unnoticed() -> None:
    done = subprocess.run(
        [sys.executable, str(FAULTS), "--short"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^(\S.*?)  +(\d+) +(\d+) +(\d+) +(\d+) *$", done.stdout, re.MULTILINE)
    kinds = {kind: tuple(map(int, counts)) for kind, *counts in rows}
    assert {kind.split(":")[0] for kind in kinds} == {"killed", "disk full", "damaged", "all"}
    for kind, (tried, equal, refused, wrong) in kinds.items():
        assert tried == equal + refused > 0, kind
        assert wrong == 0
        if kind.startswith("killed"):
            assert equal == tried
