"""RandPaging-v0."""

from rand_envs.core.register import register
from rand_envs.games.paging.rules import PagingTask

__all__ = ["PagingTask"]

register(PagingTask)
