"""The worst layout for a given player. It needs no policy, so it lives with the games."""

from rand_envs.worst import (
    MAX_EXHAUSTIVE,
    Kind,
    Suspects,
    badness,
    find_worst,
    is_enumerable,
    search_worst,
    worst_of,
)

__all__ = [
    "MAX_EXHAUSTIVE",
    "Kind",
    "Suspects",
    "badness",
    "find_worst",
    "is_enumerable",
    "search_worst",
    "worst_of",
]
