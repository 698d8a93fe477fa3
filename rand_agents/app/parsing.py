"""Words into options: with a short help, and a long one behind a flag of its own."""

import dataclasses
import inspect
from collections.abc import Sequence
from typing import Annotated, Any, get_type_hints

import tyro
from tyro.conf import Suppress

from rand_agents.app.commands import RARE, SUBJECTS
from rand_agents.app.words import asks_for_all, asks_for_help


def parsed(
    kind: Any,
    words: Sequence[str],
    prog: str,
    subject: str = "",
    description: str | None = None,
    hidden: Sequence[str] = (),
) -> Any:
    """The options that words give; ends the process where they are wrong or ask for help.

    Args:
        kind: A dataclass of options; those that are `rare` are shown by `--help-all` alone.
        words: Of the command line, without the command's own.
        prog: What stands before them.
        subject: What they are about, where that is known.
        description: What the help begins with; by default what the dataclass says.
        hidden: More options that only `--help-all` shows.
    """
    if not asks_for_help(words):
        return tyro.cli(kind, prog=prog, description=description, args=list(words))
    about = description or _about(kind)
    rare = [*_rare(kind), *hidden]
    if not asks_for_all(words):
        kind = _common(kind, subject)
        if rare:
            about += f"\n--help-all shows more: {', '.join(rare)}."
    return tyro.cli(kind, prog=prog, description=about, args=["--help"])


def _about(kind: Any) -> str:
    return (inspect.getdoc(kind) or "").partition("\n\nAttributes:")[0]


def _rare(kind: Any) -> list[str]:
    """What is not in the short help, as a user would write it."""
    hints = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind) if field.metadata.get(RARE)]
    return [
        f"--{name.replace('_', '-')}{'.*' if dataclasses.is_dataclass(hints[name]) else ''}"
        for name in names
    ]


def _common(kind: Any, subject: str) -> Any:
    """The same options, of which the help shows only what many need and what is not known yet."""
    hints = get_type_hints(kind, include_extras=True)
    fields: list[Any] = []
    for each in dataclasses.fields(kind):
        hint: Any = hints[each.name]
        if subject and each.name in SUBJECTS:
            continue
        again: Any = dataclasses.field(default=each.default)
        if each.default_factory is not dataclasses.MISSING:
            again = dataclasses.field(default_factory=each.default_factory)
        shown = Annotated[hint, Suppress] if each.metadata.get(RARE) else hint
        fields.append((each.name, shown, again))
    common = dataclasses.make_dataclass(kind.__name__, fields, frozen=True, kw_only=True)
    common.__doc__ = kind.__doc__
    return common
