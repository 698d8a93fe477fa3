"""The exact value of any small task through its public rules: solve, play, save and verify."""

from rand_envs.minimax.tasks.limits import TooLarge
from rand_envs.minimax.tasks.solution import TaskSolution
from rand_envs.minimax.tasks.solve import solve_task
from rand_envs.minimax.tasks.strategy import Decision, MixPlayer, Strategy
from rand_envs.minimax.tasks.verify import TaskVerification, verify_task_solution

__all__ = [
    "Decision",
    "MixPlayer",
    "Strategy",
    "TaskSolution",
    "TaskVerification",
    "TooLarge",
    "solve_task",
    "verify_task_solution",
]
