"""Who picks layouts to hurt a player: a search for the worst, and sources that fight back."""

from rand_envs.adversaries.found import Found, FoundConfig
from rand_envs.adversaries.search import (
    MAX_EXHAUSTIVE,
    ROUNDS,
    STARTS,
    Kind,
    Suspects,
    badness,
    find_worst,
    is_enumerable,
    search_seeds,
    search_worst,
    worst_of,
)
from rand_envs.adversaries.sources import Adversary, Hedge, WorstFor
from rand_envs.adversaries.stored import Missing, restored, stored

__all__ = [
    "MAX_EXHAUSTIVE",
    "ROUNDS",
    "STARTS",
    "Adversary",
    "Found",
    "FoundConfig",
    "Hedge",
    "Kind",
    "Missing",
    "Suspects",
    "WorstFor",
    "badness",
    "find_worst",
    "is_enumerable",
    "restored",
    "search_seeds",
    "search_worst",
    "stored",
    "worst_of",
]
