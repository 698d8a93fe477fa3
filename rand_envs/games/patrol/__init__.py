"""RandPatrol-v0."""

from rand_envs.core.register import register
from rand_envs.games.patrol.rules import PatrolTask

__all__ = ["PatrolTask"]

register(PatrolTask)
