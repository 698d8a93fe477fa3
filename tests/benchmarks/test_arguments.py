"""What the benchmark is asked for is checked before it trains anything."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.suite.main import Arguments


@pytest.mark.parametrize("option", [{"runs": 0}, {"processes": -1}, {"rng_seed": -1}])
def test_numbers_out_of_range_are_refused(option: dict[str, Any]) -> None:
    [name] = option
    with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} must be an integer"):
        Arguments(**option)


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text("precious")
    with pytest.raises(ValueError, match="is not a folder"):
        Arguments(out=file)
    assert Arguments(out=tmp_path / "new" / "folder").runs is None
