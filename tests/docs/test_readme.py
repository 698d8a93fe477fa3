"""The README is short, and CI runs its test command; its code runs in `test_pages`."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SB3 = (ROOT / "docs" / "sb3.md").read_text()


def test_ppo_example_uses_only_gymnasium_and_sb3() -> None:
    code = next(c for c in re.findall(r"```python\n(.*?)```", SB3, re.DOTALL) if "PPO" in c)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 10
    modules = re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE)
    assert set(modules) <= {"gymnasium", "stable_baselines3", "rand_envs"}


def test_ci_runs_the_readme_test_command() -> None:
    commands = "".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL)).splitlines()
    command = next(command for command in commands if "pytest" in command)
    assert command in (ROOT / ".ci" / "run").read_text()
