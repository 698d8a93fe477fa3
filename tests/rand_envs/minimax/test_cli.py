import subprocess
import sys


def run(*arguments):
    command = [sys.executable, "-m", "rand_envs.minimax", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_grid_command_prints_value_bracket_and_treasure_and_writes_what_verifies(tmp_path):
    file = tmp_path / "solution.json"
    done = run("grid", "--size", "4", "--out", str(file))
    assert done.returncode == 0
    assert "12.086957" in done.stdout
    assert "bracket" in done.stdout
    assert "0.3913" in done.stdout
    assert "start" in done.stdout
    assert "paths" in done.stderr
    checked = run("verify", str(file))
    assert checked.returncode == 0
    assert "verified" in checked.stdout


def test_bad_input_is_one_sentence():
    done = run("grid", "--size", "3", "--walls", "0,1", "1,0")
    assert done.returncode == 1
    assert done.stderr.strip().endswith("the walls cut off 6 of 7")
    assert "Traceback" not in done.stderr
