"""Make flags and JSON from the fields of dataclasses: these describe a command, and argparse is made from them."""

import argparse
import dataclasses
import numbers
import os
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from predjax.flag_values import parse_bool, parse_finite, parse_values
from predjax.messages import one_line, suggest
from predjax.paths import expand_home

REQUIRED: Any = dataclasses.MISSING  # the default of a flag that must be given
KINDS: dict[type, tuple[Any, str]] = {  # what is a value of each type, and how it is called
    str: (str, "text"),
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    bool: ((bool, int), "true or false"),
}


class Metadata(typing.TypedDict, total=False):
    """The properties of a flag besides its default and its help."""

    metavar: str  # the name of the value in the help
    choices: Sequence[str]  # the only values
    aliases: Sequence[str]  # other names of the flag
    kind: str  # "file", "folder" or "paths" for a path or several, "json" for a JSON object
    short: bool  # whether one dash is typed, as in `-n`
    switch: bool  # whether the flag alone means true, without a value
    positional: str  # "*" (any number) or "+" (at least one) for values without a flag before them
    once: bool  # whether it is an error to type the flag twice, because neither value may be dropped in silence
    place: bool  # whether a repeated run chooses the value anew (where it writes, which of several processes it is)
    typed: bool  # whether a file of flags never sets the value, because programs at that address are trusted
    completed: Sequence[str]  # values that a shell completes although others are possible
    finite: bool  # False for a number that may be infinite or NaN


def flag(default: Any, help: str, **metadata: typing.Unpack[Metadata]) -> Any:
    """Return the field of a dataclass that is a flag of a command; its annotation is the type of the flag's value."""
    return dataclasses.field(default=default, metadata={"help": help, **metadata})


@dataclasses.dataclass(frozen=True)
class Flag:
    """A field of a dataclass as a flag: its name, the type of its value or values, its default, and its metadata."""

    name: str
    element: type
    is_tuple: bool
    default: Any
    metadata: Mapping[str, Any]

    @property
    def names(self) -> list[str]:
        """The names as a user types them, such as `--lr`; none for positional values."""
        names = [] if "positional" in self.metadata else [self.name, *self.metadata.get("aliases", ())]
        return [f"-{name}" if self.metadata.get("short") else f"--{name}" for name in names]

    @property
    def several(self) -> bool:
        """Whether the text may hold several values with commas between them."""
        return self.is_tuple or self.metadata.get("kind") == "paths"

    @property
    def is_path(self) -> bool:
        return self.metadata.get("kind") in ("file", "folder", "paths")

    @property
    def parse(self) -> Callable[[str], Any]:
        """The function that reads one value from text; argparse names it in an error."""
        if self.is_tuple and "positional" not in self.metadata:
            return _named(self._parse_several, f"{self.element.__name__},...")
        if self.element is float and self.metadata.get("finite", True):
            return _named(parse_finite, "float")
        if self.metadata.get("kind") in ("file", "folder"):
            return _named(expand_home, "path")
        return parse_bool if self.element is bool else self.element

    def _parse_several(self, text: str) -> tuple:
        try:
            return parse_values(self.element, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None  # argparse shows its words

    @property
    def help(self) -> str:
        """The help text, with the default value unless the text already names one."""
        text, default = self.metadata["help"], self.default
        if default in (None, "", (), REQUIRED) or self.metadata.get("switch") or "(default" in text:
            return text
        if isinstance(default, tuple):
            return f"{text} (default {','.join(map(str, default))})"
        shown = f"{default:g}" if isinstance(default, float) else int(default) if isinstance(default, bool) else default
        return f"{text} (default {shown})"

    def add_to(self, group: Any) -> argparse.Action:
        """Add the flag to a parser or a group of one; a flag that is not typed leaves no value."""
        given: dict[str, Any] = {"default": argparse.SUPPRESS, "help": self.help.replace("%", "%%")}
        if self.metadata.get("switch"):
            return group.add_argument(*self.names, dest=self.name, action="store_true", **given)
        metavar = self.metadata.get("metavar", {int: "N", float: "X"}.get(self.element))
        given |= {"type": self.parse, "choices": self.metadata.get("choices"), "metavar": metavar}
        if "positional" in self.metadata:
            return group.add_argument(self.name, nargs=self.metadata["positional"], **given)
        return group.add_argument(*self.names, dest=self.name, required=self.default is REQUIRED, **given)


class Group(typing.NamedTuple):
    """Flags under one title of the help: all fields of a dataclass, or only the fields named in `only`."""

    title: str
    config_class: type
    only: tuple[str, ...] = ()

    @property
    def flags(self) -> list[Flag]:
        return [flag for flag in list_flags(self.config_class) if not self.only or flag.name in self.only]


class Command(typing.NamedTuple):
    """A command as data: its parser, its files of `--config` and its completion in a shell are made from it.

    Groups with the same title are one group of the help.
    """

    name: str  # as it is typed: "predjax train"
    description: str
    groups: tuple[Group, ...]
    usage: str | None = None

    @property
    def flags(self) -> list[Flag]:
        return [flag for group in self.groups for flag in group.flags]


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, with the nearest known name for an unknown one.

    `flags` are the flags with the actions of argparse, one list for a parser and the parsers of its subcommands.
    """

    def __init__(self, flags: list[tuple[Flag, argparse.Action]] | None = None, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})
        self.flags: list[tuple[Flag, argparse.Action]] = [] if flags is None else flags

    def error(self, message: str) -> typing.NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            known = ["-h", "--help", *(name for _, action in self.flags for name in action.option_strings)]
            message += suggest(unknown.split(" ")[0].split("=")[0], known)
        elif choice := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message):
            message += suggest(choice[1], re.findall(r"[^\s,']+", choice[2]))
        self.exit(2, f"{self.prog}: {one_line(message)} (--help lists the flags)\n")

    def add_groups(self, groups: Iterable[Group]) -> None:
        """Add the flags of groups, which appear in the help in this order."""
        titled: dict[str, Any] = {}
        for group in groups:
            if group.title not in titled:
                titled[group.title] = self.add_argument_group(group.title)
            self.flags += [(flag, flag.add_to(titled[group.title])) for flag in group.flags]

    def read(self, arguments: Sequence[str] | None) -> dict[str, Any]:
        """Return the values that the user typed, by field name; None reads the arguments of the process.

        An error ends the process with exit code 2.
        """
        return vars(self.parse_args(arguments))


def make_parser(command: Command) -> Parser:
    """Return the parser of a command."""
    parser = Parser(prog=command.name, description=command.description, usage=command.usage)
    parser.add_groups(command.groups)
    return parser


def parse(command: Command, arguments: Sequence[str] | None) -> dict[str, Any]:
    """Return the values that were typed for a command, see `Parser.read`."""
    return make_parser(command).read(arguments)


def find_value(program: str, name: str, arguments: Sequence[str]) -> str | None:
    """Return the value of the flag `--name` and ignore all other arguments; None where it is not given."""
    parser = Parser(prog=program, add_help=False)
    parser.add_argument(f"--{name}")
    return getattr(parser.parse_known_args(arguments)[0], name)


def select(config_class: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values whose names are fields of a dataclass."""
    return {field.name: values[field.name] for field in dataclasses.fields(config_class) if field.name in values}


def check_value(flag: Flag, value: Any) -> Any:
    """Return a value given in Python, with the type that its field has. Errors: ValueError for another type."""
    if value is None and flag.default is None:
        return None
    if flag.element is str and isinstance(value, os.PathLike):
        value = os.fspath(value)
    if flag.metadata.get("kind") in ("file", "folder") and isinstance(value, str):
        value = expand_home(value)
    if flag.metadata.get("kind") == "paths" and isinstance(value, list | tuple) and value:
        return tuple(check_value(flag, one) for one in value)
    parts = value if flag.is_tuple and isinstance(value, Sequence) and not isinstance(value, str) else [value]
    kind, rule = KINDS[flag.element]
    right = (not flag.is_tuple or parts is value) and all(isinstance(one, kind) for one in parts)
    if flag.metadata.get("kind") == "json" and isinstance(value, dict):
        return value
    if not right or (flag.element in (int, float) and any(isinstance(one, bool) for one in parts)):
        raise ValueError(f"{flag.name} must be {rule}{', or several' if flag.is_tuple else ''}, not {value!r}")
    choices = flag.metadata.get("choices")
    if choices and value not in choices:
        raise ValueError(
            f"{flag.name} must be one of {', '.join(choices)}, not {value!r}{suggest(str(value), choices)}"
        )
    return tuple(value) if flag.is_tuple else value


def flag_fields(config_class: type) -> list[dataclasses.Field]:
    """Return the fields that are flags: those with a help text."""
    return [field for field in dataclasses.fields(config_class) if "help" in field.metadata]


def list_flags(config_class: type) -> list[Flag]:
    """Return the flags of a dataclass, in the order of its fields."""
    hints = typing.get_type_hints(config_class)
    return [Flag(f.name, *_element_type(hints[f.name]), f.default, f.metadata) for f in flag_fields(config_class)]


def to_dict(config: Any) -> dict[str, Any]:
    """Return a configuration as JSON values, in which tuples become lists."""
    return dataclasses.asdict(config)


def from_dict(config_class: type, values: Mapping[str, Any]) -> Any:
    """Return a configuration from the JSON values of `to_dict`. Errors: ValueError, an unknown name or another type."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{config_class.__name__} must be values by name, not {values!r}")
    hints = typing.get_type_hints(config_class)
    metadata = {field.name: field.metadata for field in dataclasses.fields(config_class)}
    unknown = set(values) - set(hints)
    if unknown:
        raise ValueError(f"{config_class.__name__} has no {', '.join(sorted(unknown))}; it has {', '.join(hints)}")
    fields = {}
    for name, value in values.items():
        element, is_tuple = _element_type(hints[name])
        if element in KINDS and value is not None and _has_one_type(hints[name]):
            value = check_value(Flag(name, element, is_tuple, None, metadata[name]), value)
        if isinstance(element, type) and dataclasses.is_dataclass(element) and isinstance(value, dict):
            value = from_dict(element, value)
        elif is_tuple and value is not None:
            value = tuple(value)
        fields[name] = value
    return config_class(**fields)


def _has_one_type(annotation: Any) -> bool:
    """Return whether all values of a field, besides None, have one type."""
    several = typing.get_origin(annotation) in (types.UnionType, typing.Union)
    return not several or len(set(typing.get_args(annotation)) - {type(None)}) == 1


def _element_type(annotation: Any) -> tuple[Any, bool]:
    """Return the type of a field (`int`, `int | None`, `tuple[int, ...]`), and whether it holds several values."""
    origin = typing.get_origin(annotation)
    if origin in (types.UnionType, typing.Union):
        annotation = next(a for a in typing.get_args(annotation) if a is not type(None))
        origin = typing.get_origin(annotation)
    if origin is tuple:
        return typing.get_args(annotation)[0], True
    return annotation, False


def _named(function: Callable, name: str) -> Callable:
    def read(text: str) -> Any:
        return function(text)

    read.__name__ = name
    return read
