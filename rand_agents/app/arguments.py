"""`--game.*`: the arguments of any game's constructor, read off its signature."""

import dataclasses
import inspect
import json
import re
from collections.abc import Callable, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import gymnasium as gym
import tyro
from gymnasium.envs.registration import load_env_creator
from tyro.conf import arg
from tyro.constructors import PrimitiveConstructorSpec

from rand_agents.app.words import asks_for_help, options_under
from rand_envs.core.arrays import Json, shown
from rand_envs.core.register import TASKS
from rand_envs.core.sealed import parsed_json
from rand_envs.core.task import Setting, as_json, resolved

PLAIN = (int, float, bool, str, NoneType)


@dataclasses.dataclass(frozen=True)
class Argument:
    """One argument of a constructor.

    Attributes:
        name: Its name.
        hint: Its type; `Any` where that is unknown.
        default: Its default; `dataclasses.MISSING` where it has none.
        takes_rest: Whether it is a `**name`, for any others.
    """

    name: str
    hint: Any
    default: Any
    takes_rest: bool = False

    def field(self, help_text: str | None) -> tuple[str, Any, Any]:
        """The field of an options' dataclass, with what `make_dataclass` wants."""
        hint = self.hint
        if self.default is None and _is_plain(hint):
            hint = hint | None
        kind = hint if _is_plain(hint) else Annotated[Any, JSON_TEXT]
        # A default that is a list or an array may be changed by nobody here.
        default = (
            dataclasses.field()
            if self.default is dataclasses.MISSING
            else dataclasses.field(default_factory=lambda: self.default)
        )
        return self.name, Annotated[kind, arg(help=help_text, metavar=_metavar(hint))], default


def _metavar(hint: Any) -> str | None:
    """How the help writes a value of a type: briefly, so that its lines are few."""
    if get_origin(hint) in (Union, UnionType):
        known = [_metavar(inner) for inner in get_args(hint) if inner is not NoneType]
        return "|".join(each for each in known if each) if all(known) else None
    if get_origin(hint) is tuple and ... not in get_args(hint):
        known = [_metavar(inner) for inner in get_args(hint)]
        return " ".join(each for each in known if each) if all(known) else None
    return {int: "N", float: "X"}.get(hint)


def _from_text(words: list[str]) -> Any:
    """JSON, or a word without quotes."""
    (text,) = words
    if text == "None":
        return None
    try:
        return parsed_json(text)
    except ValueError as error:
        if text[:1] in ("[", "{", '"'):
            raise ValueError(f"{shown(text)} is no JSON: {error}") from None
        return text


def _as_text(value: Any) -> str:
    return json.dumps(as_json(value), default=repr)


JSON_TEXT = PrimitiveConstructorSpec[Any](
    nargs=1,
    metavar="JSON",
    instance_from_str=_from_text,
    is_instance=lambda _: True,
    str_from_instance=lambda value: [_as_text(value)],
)


def _is_plain(hint: Any) -> bool:
    """Whether words say a value of this type: a plain one, or tuples, unions or choices of them."""
    if get_origin(hint) is Literal:
        return True
    if get_origin(hint) in (tuple, Union, UnionType):
        return all(inner is ... or _is_plain(inner) for inner in get_args(hint))
    return hint in PLAIN


def _arguments(maker: Callable[..., Any]) -> list[Argument]:
    """What a class or a function takes by name."""
    function = maker.__init__ if inspect.isclass(maker) else maker
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError):
        hints = {}
    found = []
    for p in inspect.signature(maker).parameters.values():
        if p.kind in (p.VAR_POSITIONAL, p.POSITIONAL_ONLY):
            continue
        if p.kind is p.VAR_KEYWORD:
            found.append(Argument(p.name, Any, {}, takes_rest=True))
            continue
        default = dataclasses.MISSING if p.default is p.empty else p.default
        guessed = type(default) if type(default) in (int, float, bool, str) else Any
        found.append(Argument(p.name, hints.get(p.name, guessed), default))
    return found


def arguments_of(env_id: str) -> list[Argument]:
    """What the constructor of a registered task or environment takes."""
    if env_id in TASKS:
        return _arguments(TASKS[env_id])
    spec = gym.spec(env_id)
    maker = spec.entry_point
    if maker is None:
        return []
    own = _arguments(load_env_creator(maker) if isinstance(maker, str) else maker)
    given = [
        dataclasses.replace(each, default=spec.kwargs.get(each.name, each.default))
        for each in own
        if each.name != "render_mode"
    ]
    return [*given, Argument("max_episode_steps", int | None, spec.max_episode_steps)]


def options_of(env_id: str) -> Any:
    """The field `game` of a command's options, for `make_dataclass`; None without arguments."""
    arguments = arguments_of(env_id)
    if not arguments:
        return None
    documented = TASKS.get(env_id)
    texts = explained(inspect.getdoc(documented) or "") if documented else {}
    fields = [each.field(texts.get(each.name)) for each in arguments]
    kind = dataclasses.make_dataclass("Game", fields, frozen=True, kw_only=True)
    kind.__doc__ = ""
    if any(each.default is dataclasses.MISSING for each in arguments):
        return "game", kind, dataclasses.field()
    return "game", kind, dataclasses.field(default_factory=kind)


def explained(doc: str) -> dict[str, str]:
    """What the section "## Arguments" of a docstring says of each, by name."""
    _, _, section = doc.partition("## Arguments\n")
    section = re.split(r"^## ", section, maxsplit=1, flags=re.MULTILINE)[0]
    texts: dict[str, str] = {}
    for item in re.split(r"^\s*\* ", section, flags=re.MULTILINE)[1:]:
        head, _, text = " ".join(item.split("\n\n")[0].split()).partition(": ")
        texts |= dict.fromkeys(re.findall(r"`(\w+)`", head), text)
    return texts


def task_from(env_id: str, words: Sequence[str], prog: str) -> Setting[Any]:
    """The game with the arguments that a command line gives it.

    Raises:
        ValueError: They are not legal.
    """
    field = options_of(env_id)
    if field is None:
        return _made(env_id, {})
    arguments = arguments_of(env_id)
    own = options_under(words, "--game.")
    given = {word.partition("=")[0].replace("-", "_") for word in own}
    needed = {f"__game.{a.name}" for a in arguments if a.default is dataclasses.MISSING}
    if asks_for_help(words) and needed - given:
        # Without them there is no game yet, whose other options could be shown.
        own = ["--help"]
    kind = dataclasses.make_dataclass("GameOptions", [field], frozen=True, kw_only=True)
    options: Any = tyro.cli(kind, args=own, prog=prog, description=f"What {env_id} needs.")
    config: Json = {}
    for each in arguments:
        value = getattr(options.game, each.name)
        if each.takes_rest:
            if not isinstance(value, dict):
                raise ValueError(f"--game.{each.name} must be a JSON object, got {_as_text(value)}")
            config |= value
        elif _as_text(value) != _as_text(each.default):
            config[each.name] = value
    return _made(env_id, config)


def task_for_people(env_id: str, words: Sequence[str], prog: str) -> Setting[Any]:
    """The same, at the size that the game's painter names for people, where nothing is given."""
    kind = TASKS.get(env_id)
    if kind is None or kind.painter is None or options_under(words, "--game."):
        return task_from(env_id, words, prog)
    painter: Any = resolved(kind.painter)
    return _made(env_id, dict(painter.sizes))


def _made(env_id: str, config: Json) -> Setting[Any]:
    try:
        if env_id in TASKS:
            return TASKS[env_id](**config)
        # Imported here, since our own games need no PyTorch for a slip to be found.
        from rand_agents.games.registry import task_of

        return task_of(env_id, config)
    # It is somebody else's code, which may raise anything.
    except Exception as error:
        shown = ", ".join(f"{name}={value!r}" for name, value in config.items())
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"{env_id}({shown}) cannot be made: {kind}{error}") from error
