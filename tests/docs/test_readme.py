"""The README's code runs, and CI runs the README's test command."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", EXAMPLES, ids=lambda code: code.split("\n")[1])
def test_python_examples_run(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert ("print(" in code) == bool(printed)


def test_readme_has_examples() -> None:
    assert len(EXAMPLES) == 3


def test_ppo_example_uses_only_gymnasium_and_sb3() -> None:
    code = next(code for code in EXAMPLES if "PPO" in code)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 10
    modules = re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE)
    assert set(modules) <= {"gymnasium", "stable_baselines3", "rand_envs"}


def test_ci_runs_the_readme_test_command() -> None:
    command = next(command.strip() for command in COMMANDS if "pytest" in command)
    assert command in (ROOT / ".ci" / "run").read_text()
