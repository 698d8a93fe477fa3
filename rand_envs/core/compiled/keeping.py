"""The one door to numba's compiler: machine code that is kept, wherever a place for it is found."""

import os
import stat
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import caching

_FunctionCache: Any = caching.FunctionCache
_IndexDataCacheFile: Any = caching.IndexDataCacheFile
_config: Any = numba.config


def kept(**options: Any) -> Callable[[Any], Any]:
    """As `numba.njit(cache=True, **options)`, for any user and any number of processes.

    Machine code is kept where numba would keep it: in NUMBA_CACHE_DIR, beside the source, or in
    the user's cache folder. A user who can write none of these, as in many containers, has a
    private folder among the temporary files; where there is none either, every process compiles.
    """

    def compile_kept(function: Any) -> Any:
        dispatcher = numba.njit(**options)(function)
        cache = _cache(function)
        if cache is not None:
            dispatcher._cache = cache
        return dispatcher

    return compile_kept


class _Files(_IndexDataCacheFile):  # type: ignore[misc]
    """Data files under names that are used once.

    Numba counts them, so that two processes that compile one function for different arguments at
    the same moment write one file, and a third loads the code of one as that of the other.
    """

    def _data_name(self, number: int) -> str:
        counted: str = super()._data_name(number)
        return f"{counted.removesuffix('.nbc')}.{uuid.uuid4().hex}.nbc"


class _Cache(_FunctionCache):  # type: ignore[misc]
    def __init__(self, function: Any) -> None:
        super().__init__(function)
        place = self._impl.locator
        self._cache_file = _Files(
            self._cache_path, self._impl.filename_base, place.get_source_stamp()
        )


def _cache(function: Any) -> _Cache | None:
    try:
        return _Cache(function)
    except RuntimeError:  # numba found no place
        folder = _private_folder()
    if folder is None:
        return None
    before, _config.CACHE_DIR = _config.CACHE_DIR, str(folder)
    try:
        return _Cache(function)
    except RuntimeError:
        return None
    finally:
        _config.CACHE_DIR = before


def _private_folder() -> Path | None:
    """A folder among the temporary files that nobody else can have put code into."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir(), f"rand-envs-compiled-{user}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    safe = os.name == "nt" or (found.st_uid == user and not found.st_mode & 0o077)
    return folder if safe and stat.S_ISDIR(found.st_mode) else None
