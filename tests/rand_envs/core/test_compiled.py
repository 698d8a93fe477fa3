"""Compiled code is kept wherever a place is found, and is never taken for other code."""

import ctypes
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import rand_agents
import rand_envs
from rand_envs.core.compiled.keeping import _Files
from rand_envs.core.layouts.fields import _high_word
from rand_envs.minimax.grid.visited_sets import lowest

DROP_FROM_BOUNDING_SET, MAY_WRITE_ANYWHERE = 24, 1

IN_A_CONTAINER = """
import os, tempfile
from numba.core import event
with event.install_recorder("numba:compile") as compiled:
    import rand_agents, rand_envs.minimax
    import rand_agents.__main__, rand_envs.minimax.__main__
assert not compiled.buffer
from rand_envs.minimax.grid.visited_sets import lowest
from rand_envs.core.compiled import compiled

folder = os.path.dirname(lowest.dispatcher._cache.cache_path)
assert os.path.dirname(folder) == tempfile.gettempdir(), folder
assert os.stat(folder).st_mode & 0o777 == 0o700
assert lowest(8) == 3
assert os.listdir(lowest.dispatcher._cache.cache_path)

def place():
    again = compiled(lowest.py_func)
    assert again(8) == 3
    return again.dispatcher._cache.cache_path

os.chmod(folder, 0o777)  # anybody may have put code there
assert place() is None
os.chmod(folder, 0o700)
assert place() == lowest.dispatcher._cache.cache_path
tempfile.tempdir = "/nowhere"
assert place() is None
print("works")
"""


@pytest.fixture
def read_only() -> Iterator[Path]:
    """Both packages in a folder that can be read and not written."""
    folder = Path(tempfile.mkdtemp())
    for package in (rand_envs, rand_agents):
        source = Path(str(package.__file__)).parent
        shutil.copytree(
            source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__", "*.safe*")
        )
    folder.chmod(0o555)
    for file in folder.rglob("*"):
        file.chmod(0o555 if file.is_dir() else 0o444)
    yield folder
    for file in [folder, *folder.rglob("*")]:
        file.chmod(0o755)
    shutil.rmtree(folder)


def obey_modes() -> None:
    """Take from root, in a process that is about to be started, what other users cannot do."""
    if os.getuid() == 0:
        ctypes.CDLL(None).prctl(DROP_FROM_BOUNDING_SET, MAY_WRITE_ANYWHERE, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="folders are made read-only as Linux does")
def test_a_user_who_can_write_nothing_but_temporary_files(read_only: Path) -> None:
    temporary = Path(tempfile.mkdtemp())
    environment = {
        **{key: os.environ[key] for key in os.environ if not key.startswith("NUMBA_")},
        "HOME": str(read_only),
        "XDG_CACHE_HOME": str(read_only),
        "PYTHONPATH": str(read_only),
        "TMPDIR": str(temporary),
    }
    command = [sys.executable, "-c", IN_A_CONTAINER]
    try:
        found = subprocess.run(
            command, env=environment, cwd="/", capture_output=True, text=True, preexec_fn=obey_modes
        )
    finally:
        shutil.rmtree(temporary)
    assert found.stdout == "works\n", found.stderr


def test_what_is_compiled_goes_to_another_process_as_it_is() -> None:
    twin = pickle.loads(pickle.dumps(lowest))
    assert twin(40) == lowest(40) == lowest.py_func(40) == 3
    assert twin.py_func(8) == 3


def test_an_instruction_is_for_compiled_code_alone() -> None:
    with pytest.raises(TypeError, match="_high_word is called by compiled code alone"):
        _high_word(1, 2)


def test_what_two_processes_compile_at_one_moment_is_not_taken_for_each_other(
    tmp_path: Path,
) -> None:
    first, second = (_Files(str(tmp_path), "f", "stamp") for _ in range(2))
    save_index = first._save_index

    def meanwhile(overloads: dict[str, str]) -> None:
        save_index(overloads)
        second._load_index = dict  # it looked before the first had written
        second.save("float64", "code for float64")

    first._save_index = meanwhile
    first.save("float32", "code for float32")
    third = _Files(str(tmp_path), "f", "stamp")
    assert third.load("float64") == "code for float64"
    assert third.load("float32") in (None, "code for float32")
