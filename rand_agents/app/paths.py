"""Files to be written, checked before any work is done for them."""

import tempfile
from pathlib import Path

from rand_envs.core.writing import checked_target


def checked_output(path: Path, option: str, *suffixes: str) -> Path:
    """The path itself, once it is clear that a file can be written there.

    Raises:
        ValueError: Its suffix is none of these.
        OSError: A folder has this name, the file is read-only, or its folder can neither be written
            to nor be made.
    """
    if path.suffix not in suffixes:
        raise ValueError(f"{option} must end in {' or '.join(suffixes)}, got {path}")
    folder = checked_target(path).parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(f"{path} cannot be written: {folder} is not a folder")
    try:
        # Permissions alone do not tell, of a superuser or of a device that is read-only.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"{path} cannot be written: {folder}: {error.strerror}") from None
    return path
