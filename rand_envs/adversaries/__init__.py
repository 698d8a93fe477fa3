"""Who picks layouts to hurt a player: a search for the worst, and sources that fight back."""

from rand_envs.adversaries.search import (
    MAX_EXHAUSTIVE,
    Kind,
    Suspects,
    badness,
    find_worst,
    is_enumerable,
    search_worst,
    worst_of,
)
from rand_envs.adversaries.sources import Adversary, Hedge, MutatingSearch, WorstFor, restored

__all__ = [
    "MAX_EXHAUSTIVE",
    "Adversary",
    "Hedge",
    "Kind",
    "MutatingSearch",
    "Suspects",
    "WorstFor",
    "badness",
    "find_worst",
    "is_enumerable",
    "restored",
    "search_worst",
    "worst_of",
]
