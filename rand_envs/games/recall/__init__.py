"""RandRecall-v0."""

from rand_envs.core.register import register
from rand_envs.games.recall.layouts import RecallLayout
from rand_envs.games.recall.rules import RecallTask

__all__ = ["RecallLayout", "RecallTask"]

register(RecallTask)
