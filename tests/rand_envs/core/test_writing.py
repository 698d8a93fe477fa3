"""Files: whole or not there, and with the permissions that files have here."""

import errno
import os
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rand_envs.core.writing import only_writer, write_atomically


@pytest.fixture
def umask() -> Iterator[None]:
    """Files of this process are for their owner and group."""
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_respects_the_umask_and_an_old_one_keeps_its_permissions(
    tmp_path: Path, umask: None
) -> None:
    path = tmp_path / "new" / "file.json"
    write_atomically(path, b"1")
    assert mode_of(path) == 0o640
    path.chmod(0o600)
    write_atomically(path, b"2")
    assert mode_of(path) == 0o600
    assert path.read_bytes() == b"2"


def test_what_a_link_leads_to_is_written_and_the_link_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "elsewhere" / "real", tmp_path / "link"
    real.parent.mkdir()
    link.symlink_to(Path("elsewhere") / "real")
    for content in (b"one", b"two"):
        write_atomically(link, content)
        assert link.is_symlink()
        assert real.read_bytes() == content
    assert [entry.name for entry in real.parent.iterdir()] == ["real"]


def test_a_link_to_itself_and_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match=r"loop cannot be written: it is a link that leads to itse"):
        write_atomically(tmp_path / "loop", b"")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write_atomically(tmp_path, b"")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file/in/it cannot be written: "):
        write_atomically(tmp_path / "file" / "in" / "it", b"")


def test_a_read_only_file_is_refused_by_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match=r"kept cannot be written: it is read-only$"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("failing", ["fsync", "replace", "open"])
def test_a_full_disk_is_told_with_the_name_that_was_asked_for(
    tmp_path: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "kept"
    path.write_bytes(b"old")
    with monkeypatch.context() as patched:
        patched.setattr(os, failing, fail)
        with pytest.raises(OSError, match="kept cannot be written") as caught:
            write_atomically(path, b"new")
    assert str(caught.value) == f"{path} cannot be written: No space left on device"
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]


def test_what_killed_writers_left_is_removed_in_time(tmp_path: Path) -> None:
    path = tmp_path / "file"
    dead, living, foreign = (
        tmp_path / name for name in (".file.1.tmp", ".file.2.tmp", ".other.1.tmp")
    )
    for left in (dead, living, foreign):
        left.touch()
    for left in (dead, foreign):
        os.utime(left, (0, 0))
    write_atomically(path, b"")
    assert {entry.name for entry in tmp_path.iterdir()} == {"file", ".file.2.tmp", ".other.1.tmp"}


def test_a_name_as_long_as_names_can_be_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_atomically(path, b"1")
    assert path.read_bytes() == b"1"


def test_a_device_is_written_to_and_stays_one() -> None:
    write_atomically("/dev/null", b"nothing")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_writers_at_once_leave_one_of_their_files_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [bytes([number]) * 50_000 for number in range(8)]
    threads = [threading.Thread(target=write_atomically, args=(path, data)) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_one_process_at_a_time_writes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "place"
    if kind == "folder":
        path.mkdir()
    with only_writer(path):
        with pytest.raises(ValueError, match="place is being written by"), only_writer(path):
            pass
        with only_writer(tmp_path / "other"):
            pass
    with only_writer(path):
        pass
    assert not [left for left in tmp_path.rglob("*") if left != path]


def test_the_lock_of_a_process_that_was_killed_is_no_obstacle(tmp_path: Path) -> None:
    ready, ours = os.pipe()
    pid = os.fork()
    if pid == 0:
        with only_writer(tmp_path):
            os.write(ours, b"1")
            signal.pause()
    assert os.read(ready, 1) == b"1"
    with pytest.raises(ValueError, match="another process"), only_writer(tmp_path):
        pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert (tmp_path / ".lock").exists()
    with only_writer(tmp_path):
        pass
    assert not (tmp_path / ".lock").exists()


def test_where_nothing_can_be_written_nothing_is_locked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = tmp_path / "file" / "in"
    with pytest.raises(OSError, match=r"file/in cannot be written: "), only_writer(nowhere):
        pass
