"""Seals: whatever bit of a file is changed, and wherever it is cut, that is noticed."""

import json
import logging
from pathlib import Path

import pytest

from rand_envs.core.sealed import (
    MAX_DEPTH,
    UNSEALED,
    is_whole,
    parsed_json,
    read_json,
    seal,
    write_json,
)


@pytest.mark.parametrize("indent", [None, 1])
def test_every_bit_of_what_is_sealed_counts(indent: int | None) -> None:
    facts = {"sha256": UNSEALED, "scores": [0.5, "é"], "next": {"sha256": 1}}
    text = json.dumps(facts, indent=indent)
    data = seal(text.encode())
    assert is_whole(data)
    for place in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        assert not is_whole(bytes(flipped))
    assert not any(is_whole(data[:size]) for size in range(len(data)))


def test_json_may_be_nested_as_deeply_as_is_sensible() -> None:
    assert parsed_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert parsed_json('{"a":' * 3 + "1" + "}" * 3) == {"a": {"a": {"a": 1}}}
    for depth in (MAX_DEPTH + 1, 10**5):
        for begin, end in ("[]", ('{"a":[', "]}")):
            with pytest.raises(ValueError, match=f"nested deeper than {MAX_DEPTH} levels"):
                parsed_json(begin * depth + end * depth)


def test_data_without_a_place_for_it_get_no_seal() -> None:
    for data in (b"{}", seal(json.dumps({"sha256": UNSEALED}).encode())):
        with pytest.raises(ValueError, match="no place for a checksum"):
            seal(data)
    assert not is_whole(b"{}")


def test_sealed_json_comes_back_and_no_flipped_bit_changes_it(tmp_path: Path) -> None:
    path, facts = tmp_path / "file.json", {"a": [0.5, None], "é": {"b": "c"}}
    for indent in (None, 1):
        write_json(path, facts, indent)
        assert read_json(path) == facts
        data = path.read_bytes()
        for place in range(8 * len(data)):
            flipped = bytearray(data)
            flipped[place // 8] ^= 1 << place % 8
            path.write_bytes(flipped)
            with pytest.raises(ValueError, match=r"is damaged|is not a JSON file"):
                read_json(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a JSON file: "),
        (b"{", "is not a JSON file: "),
        (b"\xff", "is not a JSON file: "),
        (b"[" * 100_000, "is not a JSON file: "),
        (b"[1]", "must hold a JSON object"),
        (b'{"sha256": 1}', "is damaged"),
        (b'{"sha257": "%s"}' % (b"1" * 64), "is damaged"),
    ],
)
def test_other_data_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "file.json").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_json(tmp_path / "file.json")


def test_a_file_without_a_checksum_is_read_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file.json").write_text(json.dumps({"a": 1}))
    with caplog.at_level(logging.WARNING):
        assert read_json(tmp_path / "file.json") == {"a": 1}
    assert "file.json has no checksum" in caplog.text


def test_infinities_are_words_and_nan_is_refused(tmp_path: Path) -> None:
    path, inf = tmp_path / "file.json", float("inf")
    write_json(path, {"q": inf, "of": [{"low": -inf}, (1.0, inf)]})
    assert "Infinity" not in path.read_text()
    assert read_json(path) == {"q": "inf", "of": [{"low": "-inf"}, [1.0, "inf"]]}
    with pytest.raises(ValueError, match=r"new\.json cannot be written: JSON has no NaN"):
        write_json(tmp_path / "new.json", {"q": float("nan")})
    assert not (tmp_path / "new.json").exists()


@pytest.mark.parametrize("place", ["results/*/results.json", "rand_agents/zoo/*.json"])
def test_what_is_committed_is_json_by_the_standard_and_whole(
    place: str, caplog: pytest.LogCaptureFixture
) -> None:
    paths = list(Path(__file__).parents[3].glob(place))
    assert paths
    for path in paths:
        json.loads(path.read_text(), parse_constant=pytest.fail)
        read_json(path)
    assert not caplog.records
