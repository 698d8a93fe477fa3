"""Files that are there whole or not at all, and that one process alone writes to."""

import os
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

_LEFT_BEHIND = 3600.0
"""Seconds after which a temporary file belongs to a process that was killed."""


def checked_target(path: str | Path) -> Path:
    """The file that is written for a path: what it links to, if it is a link.

    Raises:
        OSError: It is a folder, or may not be written, or a link that leads nowhere.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"{path} is a folder, so no file of that name can be written")
    if target.is_symlink():
        raise OSError(f"{path} cannot be written: it is a link that leads to itself")
    # Permissions are no obstacle to a superuser, whose wish for a file to stay still counts.
    if target.exists() and not (target.stat().st_mode & 0o222 and os.access(target, os.W_OK)):
        raise PermissionError(f"{path} cannot be written: it is read-only")
    return target


def checked_output(path: Path, option: str, *suffixes: str, overwrite: bool) -> Path:
    """The path itself, once it is clear that a file can be written there.

    Args:
        path: The file.
        option: What gave it, for the message.
        suffixes: Those that are legal; none given for any.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        ValueError: Its suffix is none of these, or the file is there and is to stay.
        OSError: A folder has this name, the file is read-only, or its folder can neither be written
            to nor be made.
    """
    if suffixes and path.suffix not in suffixes:
        raise ValueError(f"{option} must end in {' or '.join(suffixes)}, got {path}")
    target = checked_target(path)
    check_folder(target.parent, path)
    if target.is_file() and not overwrite:
        raise ValueError(f"{path} exists: add --overwrite to replace it")
    return path


def check_folder(folder: Path, wanted: Path) -> None:
    """Raise OSError, which names what is wanted there, unless files can be made in a folder.

    The folder itself may still have to be made.
    """
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(f"{wanted} cannot be written: {folder} is not a folder")
    try:
        # Permissions alone do not tell, of a superuser or of a device that is read-only.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        where = "" if folder == wanted else f"{folder}: "
        raise OSError(f"{wanted} cannot be written: {where}{error.strerror}") from None


@contextmanager
def only_writer(path: str | Path) -> Iterator[None]:
    """Keep other processes that ask for it from writing a file, or into a folder, meanwhile.

    The lock is the system's, on a hidden file beside the file or in the folder: it ends with the
    process that holds it, however that ends.

    Raises:
        ValueError: Another process is writing there.
        OSError: There can be no such hidden file.
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f"{_prefix(target)}lock")
    lock_file = target / ".lock" if target.is_dir() else beside
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_file, timeout=0)
        lock.acquire()
    except Timeout:
        raise ValueError(f"{path} is being written by another process that still runs") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise OSError(f"{path} cannot be written: {why}") from None
    try:
        yield
    finally:
        # Removed while it is held: who has opened it meanwhile sees that it has no name any more.
        with suppress(OSError):
            lock_file.unlink()
        lock.release()


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write a file so that at every moment the old or the new one is there, whole.

    A new file has the permissions that files have here, another one keeps its own.

    Raises:
        OSError: It cannot be written; the message names the file that was asked for.
    """
    target = checked_target(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_file():
            # A device or a pipe is nothing to be replaced.
            target.write_bytes(data)
            return
        _remove_left(target)
        _replace(target, data)
    except OSError as error:
        why = error.strerror or str(error)
        named = type(error)(f"{path} cannot be written: {why}")
        named.errno = error.errno
        raise named from error


def _replace(target: Path, data: bytes) -> None:
    temporary = target.with_name(f"{_prefix(target)}{secrets.token_hex(8)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


_BINARY: int = getattr(os, "O_BINARY", 0)


def _prefix(target: Path) -> str:
    # Short enough for a temporary name to be legal wherever the name itself is.
    return f".{target.name[:40]}."


def _remove_left(target: Path) -> None:
    """Remove what writers of this file that were killed left behind."""
    start, before = _prefix(target), time.time() - _LEFT_BEHIND
    with os.scandir(target.parent) as entries:
        names = [e.name for e in entries if e.name.startswith(start) and e.name.endswith(".tmp")]
    for name in names:
        left = target.with_name(name)
        # Another process may remove it too.
        with suppress(OSError):
            if left.stat().st_mtime < before:
                left.unlink()
