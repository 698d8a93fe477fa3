"""Output to streams that cannot encode every character, or that nobody reads any more."""

import codecs
import io
import os
import sys
import unicodedata

NAME = "rand_envs.plain"

UNREAD = 141
"""Exit code of a command whose reader has left, as in `... | head`."""

PLAIN = {
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "×": "x",
    "→": "->",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "•": "*",
    **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)),
    **dict.fromkeys("─━═╌╍", "-"),
    **dict.fromkeys("│┃║", "|"),
}


def plain_where_needed() -> None:
    """Let the process write any text to its standard streams, whatever their encoding.

    Streams that were told what to do with what they cannot encode are left alone.
    """
    codecs.register_error(NAME, _replaced)
    for stream in (sys.stdout, sys.stderr):
        usual = ("strict", "surrogateescape", "backslashreplace")
        if isinstance(stream, io.TextIOWrapper) and stream.errors in usual:
            stream.reconfigure(errors=NAME)


def unread() -> int:
    """Let what is still to be printed go nowhere, since the reader has left; the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return UNREAD


def _replaced(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return b"".join(map(_plain, lost)), error.end


def _plain(character: str) -> bytes:
    if "\udc80" <= character <= "\udcff":
        # A byte of a file name that was no text: it goes out as it came in.
        return bytes([ord(character) - 0xDC00])
    if character in PLAIN:
        return PLAIN[character].encode()
    if "\u2500" <= character <= "\u257f":
        return b"+"
    letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore")
    return letters or b"?"
