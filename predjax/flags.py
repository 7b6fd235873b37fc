"""Configuration dataclasses to command-line flags and to JSON, and back; the parser of all commands."""

import argparse
import dataclasses
import math
import re
import types
import typing

from predjax.messages import one_line, suggest


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, with the nearest known name for an unknown one."""

    def __init__(self, **options):
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message):
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            message += suggest(unknown.split(" ")[0].split("=")[0], self.list_flags())
        elif choice := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message):
            message += suggest(choice[1], re.findall(r"[^\s,']+", choice[2]))
        self.exit(2, f"{self.prog}: {one_line(message)} (--help lists the flags)\n")

    def list_flags(self) -> list[str]:
        """All flags, those of subcommands included."""
        found = list(self._option_string_actions)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found += [flag for parser in action.choices.values() for flag in parser.list_flags()]
        return found


def flag(default, help: str, **metadata) -> typing.Any:  # as dataclasses.field: the field's annotation is its type
    """A field of a configuration that becomes a flag; metadata: `metavar`, `choices`, `aliases`."""
    return dataclasses.field(default=default, metadata={"help": help, **metadata})


def _element_type(annotation):
    """The (type, is_tuple) of a field: `int`, `int | None`, `tuple[int, ...]`."""
    origin = typing.get_origin(annotation)
    if origin in (types.UnionType, typing.Union):
        annotation = next(a for a in typing.get_args(annotation) if a is not type(None))
        origin = typing.get_origin(annotation)
    if origin is tuple:
        return typing.get_args(annotation)[0], True
    return annotation, False


def parse_bool(text: str) -> bool:
    """0/1 as the flags of the PyTorch code have it, or true/false, yes/no."""
    values = {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f"expected 0 or 1, got {text!r}")
    return values[text.lower()]


def parse_finite(text: str) -> float:
    """A number that is neither infinite nor NaN, which every comparison would let through."""
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text!r}")
    return value


def parse_values(element, text: str, name: str = "") -> tuple:
    """`16,16` to (16, 16); the empty text to (). Errors: ValueError, which begins with `name` if given."""
    try:
        return tuple(element(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        expected = f"expected {element.__name__} values separated by commas, got {text!r}"
        raise ValueError(f"{name}: {expected}" if name else expected) from None


def flag_fields(config_class) -> list[dataclasses.Field]:
    """The fields that are flags: those with a help text."""
    return [f for f in dataclasses.fields(config_class) if "help" in f.metadata]


def add_flags(parser: argparse.ArgumentParser, config_class, title: str, only: tuple[str, ...] = ()) -> None:
    """Adds one flag a field, in a group of the help; a flag that is not typed leaves no attribute.

    With `only`, of the fields of these names.
    """
    group = parser.add_argument_group(title)
    hints = typing.get_type_hints(config_class)
    for field in flag_fields(config_class):
        if only and field.name not in only:
            continue
        element, is_tuple = _element_type(hints[field.name])
        if is_tuple:
            parse = _named(lambda text, e=element: parse_values(e, text), f"{element.__name__},...")
        elif element is float:
            parse = _named(lambda text: parse_finite(text), "float")
        else:
            parse = parse_bool if element is bool else element
        default: typing.Any = field.default
        if is_tuple:
            shown = ",".join(str(v) for v in default)
        elif isinstance(default, float):
            shown = f"{default:g}"
        else:
            shown = str(int(default) if isinstance(default, bool) else default)
        text = field.metadata["help"]
        if default not in (None, "", ()):
            text += f" (default {shown})"
        names = [f"--{name}" for name in (field.name, *field.metadata.get("aliases", ()))]
        group.add_argument(
            *names,
            dest=field.name,
            type=parse,
            choices=field.metadata.get("choices"),
            default=argparse.SUPPRESS,
            metavar=field.metadata.get("metavar", {int: "N", float: "X"}.get(element)),
            help=text.replace("%", "%%"),
        )


def _named(function, name):
    function.__name__ = name  # argparse names the type in its error
    return function


def typed(config_class, namespace: argparse.Namespace) -> dict:
    """The values that were typed for the fields of `config_class`."""
    given = vars(namespace)
    return {f.name: given[f.name] for f in flag_fields(config_class) if f.name in given}


def to_dict(config) -> dict:
    """A configuration as JSON values (tuples become lists)."""
    return dataclasses.asdict(config)


def from_dict(config_class, values: dict):
    """The inverse of `to_dict`; an unknown name is a ValueError that lists the known ones."""
    hints = typing.get_type_hints(config_class)
    unknown = set(values) - set(hints)
    if unknown:
        raise ValueError(f"{config_class.__name__} has no {', '.join(sorted(unknown))}; it has {', '.join(hints)}")
    fields = {}
    for name, value in values.items():
        element, is_tuple = _element_type(hints[name])
        if dataclasses.is_dataclass(element) and isinstance(value, dict):
            value = from_dict(element, value)
        elif is_tuple and value is not None:
            value = tuple(value)
        fields[name] = value
    return config_class(**fields)
