"""A first look at a command line: what its parser depends on, before there is a parser."""

from collections.abc import Sequence

FLAGS = ("-h", "--help", "--help-all", "--resume", "--overwrite", "--sample", "--text")
"""The options that take no value, of those that may stand before the game."""


def values_of(words: Sequence[str], option: str) -> list[str]:
    """Everything that is given to an option, as in "--import a --import=b"."""
    values = []
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == option and equals:
            values.append(value)
        elif name == option and place + 1 < len(words):
            values.append(words[place + 1])
    return values


def value_of(words: Sequence[str], option: str) -> str | None:
    """What is given to an option, the last time; None where it is not there."""
    values = values_of(words, option)
    return values[-1] if values else None


def asks_for_help(words: Sequence[str]) -> bool:
    """Whether help is wanted, and nothing else."""
    return asks_for_all(words) or "-h" in words or "--help" in words


def asks_for_all(words: Sequence[str]) -> bool:
    """Whether help is wanted with the options that few need."""
    return "--help-all" in words


def options_under(words: Sequence[str], prefix: str) -> list[str]:
    """The options whose names begin with `prefix`, and what is given to them."""
    kept: list[str] = []
    inside = False
    for word in words:
        if word.startswith("--"):
            inside = word.startswith(prefix)
        if inside:
            kept.append(word)
    return kept


def subject_of(words: Sequence[str]) -> str | None:
    """The first word that is neither an option nor given to one; None without it.

    Raises:
        ValueError: An option of a game, policy or trainer comes before it, so that nobody knows
            yet how many words that one takes.
    """
    place = 0
    while place < len(words):
        word = words[place]
        if not word.startswith("-"):
            return word
        if "." in word.partition("=")[0]:
            raise ValueError(f"the game must come before its options, got {word} first")
        is_alone = word in FLAGS or "=" in word or words[place + 1 : place + 2] == []
        # Where an option of its own comes next, what may take a value has none.
        place += 1 if is_alone or words[place + 1].startswith("--") else 2
    return None
